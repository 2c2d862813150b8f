//! Compares the decoder with `serde_json`, and the predictor with the decoder.
//!
//! The decoder rejects every line that `serde_json` rejects. It accepts every line that `serde_json` accepts, except
//! for the documented bounds: nesting, and the envelope of a message. If both accept a line, they read the same values
//! from it. The predictor reads the same as the decoder, whatever lines it has seen before. Entries that were kept
//! while a line was checked are equal to those that are read from it again.

use std::borrow::Cow;
use std::fmt;

use rumormill_core::wire::json::{DEPTH_MAX, Malformed};
use rumormill_core::wire::{Body, Chunks, Duplicate, Items, Key, Kind, Message, Pairs, Predictor, Str, Token};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// How many lines of an input are checked.
const LINES_MAX: usize = 64;

/// Checks one input of the fuzzer.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let mut predictor = Predictor::default();
    let lines = data.split(|byte| *byte == b'\n').take(LINES_MAX);
    for line in lines.clone() {
        check_line(line);
        // Each line is read twice, so that the second reading uses a layout that the first one may have learned.
        check_predicted(&mut predictor, line);
        check_predicted(&mut predictor, line);
        for change in [next_digits, doubled_digits, without_digits, negative, fractions, other_letters] {
            let changed = change(line);
            check_predicted(&mut predictor, &changed);
            check_predicted(&mut predictor, line);
        }
    }
    // The lines are read again in the reverse order, without changed lines between them.
    let lines: Vec<&[u8]> = lines.collect();
    for line in lines.iter().rev() {
        check_predicted(&mut predictor, line);
    }
    // Newlines are white space inside a line.
    check_line(data);
    check_predicted(&mut predictor, data);
}

/// The predictor reads the same as the decoder.
fn check_predicted(predictor: &mut Predictor, line: &[u8]) {
    let (mut predicted, mut decoded) = (Message::new(), Message::new());
    let outcome = predictor.decode(line, &mut predicted);
    assert_eq!(outcome, decoded.decode(line), "outcome of {}", line.escape_ascii());
    if outcome.is_ok() {
        assert!(predicted == decoded, "{}\npredicted {predicted:?}\ndecoded {decoded:?}", line.escape_ascii());
        assert_eq!(predicted.envelope_twice(), decoded.envelope_twice());
        assert_eq!(predicted.known_field_twice(), decoded.known_field_twice());
    }
}

/// The line, with each run of digits replaced.
fn with_digits(line: &[u8], mut change: impl FnMut(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut changed = Vec::with_capacity(2 * line.len());
    for run in line.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if run[0].is_ascii_digit() {
            change(run, &mut changed);
        } else {
            changed.extend_from_slice(run);
        }
    }
    changed
}

fn next_digits(line: &[u8]) -> Vec<u8> {
    with_digits(line, |run, changed| changed.extend(run.iter().map(|digit| b'0' + (digit - b'0' + 1) % 10)))
}

fn doubled_digits(line: &[u8]) -> Vec<u8> {
    with_digits(line, |run, changed| changed.extend(run.iter().flat_map(|digit| [*digit; 2])))
}

fn without_digits(line: &[u8]) -> Vec<u8> {
    with_digits(line, |_, _| {})
}

fn negative(line: &[u8]) -> Vec<u8> {
    with_digits(line, |run, changed| {
        changed.push(b'-');
        changed.extend_from_slice(run);
    })
}

fn fractions(line: &[u8]) -> Vec<u8> {
    with_digits(line, |run, changed| {
        changed.extend_from_slice(run);
        changed.extend_from_slice(b".5e1");
    })
}

/// The line, with the first lower-case letter of each word replaced: other clients, other types, other keys.
fn other_letters(line: &[u8]) -> Vec<u8> {
    let mut changed = line.to_vec();
    for at in 0..changed.len() {
        let starts = at == 0 || !line[at - 1].is_ascii_alphanumeric();
        if starts && line[at] == b'c' {
            changed[at] = b'"';
        } else if starts && line[at] == b'n' {
            changed[at] = b'\\';
        }
    }
    changed
}

/// The decoder reads the same as `serde_json`.
fn check_line(line: &[u8]) {
    let mut message = Message::new();
    let outcome = message.decode(line);
    let Some((text, value)) = reference(line) else {
        assert!(
            matches!(outcome, Err(Malformed::Syntax { .. } | Malformed::TooDeep)),
            "{outcome:?}, but serde_json does not read {}",
            line.escape_ascii()
        );
        return;
    };
    let expected = match (depth(&value) > DEPTH_MAX, body_of(text)) {
        (true, _) => Err(Malformed::TooDeep),
        (false, None) => Err(Malformed::NotAMessage),
        (false, Some(_)) => Ok(()),
    };
    assert_eq!(outcome, expected, "{text}");
    if outcome.is_ok() {
        check_message(&message, text);
        check_entries(&message, text);
    }
}

fn reference(line: &[u8]) -> Option<(&str, Value)> {
    let text = str::from_utf8(line).ok()?;
    Some((text, serde_json::from_str(text).ok()?))
}

/// Arrays and objects around the innermost value.
fn depth(value: &Value) -> u32 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
    }
}

/// All pairs of an object in their order, duplicate keys included.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    pairs.push((key.into(), value));
                }
                Ok(Object(pairs))
            }
        }

        from.deserialize_map(All)
    }
}

/// All items of an array.
struct Array<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Array<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Array<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Array(items))
            }
        }

        from.deserialize_seq(All)
    }
}

fn pairs(object: &str) -> Vec<(Cow<'_, str>, &RawValue)> {
    serde_json::from_str::<Object<'_>>(object).map_or(Vec::new(), |object| object.0)
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// The first body that is an object.
fn body_of(text: &str) -> Option<&str> {
    let body = pairs(text).into_iter().find(|(key, value)| key == "body" && is_object(value));
    body.map(|(_, value)| value.get())
}

/// A line that is a message was read as `serde_json` reads it. If a key is duplicate, the first value counts, and the
/// message says so.
fn check_message(message: &Message<'_>, text: &str) {
    let envelope = pairs(text);
    let mut twice = false;
    for name in ["src", "dest", "body"] {
        twice |= envelope.iter().filter(|(key, _)| key == name).count() > 1;
    }
    assert_eq!(message.envelope_twice().is_some(), twice, "{text}");
    for (name, read) in [("src", message.src), ("dest", message.dest)] {
        let first = envelope.iter().find(|(key, _)| key == name).and_then(|(_, value)| string(value));
        if !twice {
            assert_eq!(read.map(text_of), first, "{name} of {text}");
        }
    }

    let body = pairs(body_of(text).unwrap_or("{}"));
    let of = |name: &'static str| body.iter().filter(move |(key, _)| key == name).map(|(_, value)| *value);
    let type_name = of("type").next().and_then(string);
    assert_eq!(message.type_name.map(text_of), type_name, "{text}");
    let kind = type_name.and_then(|name| Kind::ALL.iter().copied().find(|kind| kind.name() == name));
    assert_eq!(message.kind, kind, "{text}");
    assert_eq!(message.msg_id, of("msg_id").next().and_then(integer), "{text}");
    assert_eq!(message.is_reply, of("in_reply_to").any(|value| value.get() != "null"), "{text}");

    let by_name = Body::of(text.as_bytes()).expect("a message has a body");
    let mut twice = Vec::new();
    for key in Key::ALL.iter().copied() {
        let first = of(key.name()).next().filter(|value| match key {
            Key::Type => string(value).is_none(),
            Key::MsgId => integer(value).is_none(),
            Key::InReplyTo => false,
            _ => true,
        });
        // A field that is `null` is present for `need`, and absent for `get`.
        let is_null = first.is_some_and(|value| value.get() == "null");
        assert_eq!(message.get(key), message.need(key).ok().filter(|_| !is_null), "{} of {text}", key.name());
        match (message.need(key).ok(), first) {
            (Some(token), Some(value)) => check_token(token, value, text),
            (None, None) => {}
            (token, value) => panic!("{} is {token:?}, not {value:?}: {text}", key.name()),
        }
        // The requests of a user's data type are read by name.
        match (by_name.get(key.name()), of(key.name()).next()) {
            (Ok(Some(token)), Some(value)) => check_token(token, value, text),
            (Ok(None), None) => {}
            (Err(Duplicate), _) => assert!(of(key.name()).count() > 1, "{} of {text}", key.name()),
            (token, value) => panic!("{} is {token:?} by name, not {value:?}: {text}", key.name()),
        }
        let means_something =
            matches!(key, Key::Type | Key::MsgId) || kind.is_some_and(|kind| kind.fields().contains(&key));
        if means_something && of(key.name()).count() > 1 {
            twice.push(key);
        }
    }
    match message.known_field_twice() {
        Some(key) => assert!(twice.contains(&key), "{key:?} does not stand twice: {text}"),
        None => assert!(twice.is_empty(), "{twice:?} stand twice: {text}"),
    }
}

/// The entries are the same whether their integers were kept while the line was checked or are read from it again.
fn check_entries(message: &Message<'_>, text: &str) {
    let array = if let Some(Token::Array(array)) = message.get(Key::Data) { Some(array) } else { None };
    assert_eq!(message.chunks().map(entries), array.map(Chunks::new).map(entries), "{text}");
}

/// All chunks and items, as text.
fn entries(mut chunks: Chunks<'_>) -> Vec<String> {
    let mut entries = Vec::new();
    while let Some(chunk) = chunks.chunk() {
        entries.push(format!("{chunk:?}"));
        while let Some(item) = chunks.item() {
            entries.push(format!("{item:?}"));
        }
    }
    entries
}

fn integer(value: &RawValue) -> Option<i64> {
    serde_json::from_str::<Value>(value.get()).ok()?.as_i64()
}

/// A string without its escapes. All ways to get it give the same.
fn text_of(string: Str<'_>) -> String {
    let text: String = string.chars().collect();
    assert!(string.is(&text));
    assert!(!string.is(&format!("{text}x")));
    let mut scratch = heapless::String::<32>::new();
    match string.unescape(&mut scratch) {
        Some(unescaped) => assert_eq!(unescaped, text),
        None => assert!(text.len() > 32 && string.is_escaped()),
    }
    text
}

/// A value was read as `serde_json` reads it. Recurses into arrays and objects, which are at most [`DEPTH_MAX`] deep.
fn check_token(token: Token<'_>, value: &RawValue, line: &str) {
    let parsed = serde_json::from_str::<Value>(value.get()).expect("serde_json read it as part of the line");
    match (token, &parsed) {
        (Token::Int(int), Value::Number(number)) => assert_eq!(number.as_i64(), Some(int), "{line}"),
        (Token::Big(big), Value::Number(number)) => {
            assert_eq!((number.as_i64(), number.as_u64()), (None, Some(big)), "{line}");
        }
        (Token::Number(text), Value::Number(number)) => {
            assert!(number.is_f64(), "{text} in {line}");
            let float = text.parse::<f64>().ok();
            assert_eq!(float.map(f64::to_bits), number.as_f64().map(f64::to_bits), "{text} in {line}");
        }
        (Token::Text(text), Value::String(string)) => assert_eq!(text_of(text), *string, "{line}"),
        (Token::Bool(bool), Value::Bool(expected)) => assert_eq!(bool, *expected, "{line}"),
        (Token::Null, Value::Null) => {}
        (Token::Array(array), Value::Array(_)) => {
            assert_eq!(array, value.get(), "{line}");
            let items: Vec<Token<'_>> = Items::new(array).collect();
            let Array(expected) = serde_json::from_str(array).expect("it was read before");
            assert_eq!(items.len(), expected.len(), "{array} in {line}");
            for (item, expected) in items.into_iter().zip(expected) {
                check_token(item, expected, line);
            }
        }
        (Token::Object(object), Value::Object(_)) => {
            assert_eq!(object, value.get(), "{line}");
            let fields: Vec<(Str<'_>, Token<'_>)> = Pairs::new(object).collect();
            let expected = pairs(object);
            assert_eq!(fields.len(), expected.len(), "{object} in {line}");
            for ((key, field), (name, expected)) in fields.into_iter().zip(expected) {
                assert_eq!(text_of(key), name, "{line}");
                check_token(field, expected, line);
            }
        }
        (token, value) => panic!("{token:?} for {value:?} in {line}"),
    }
}
