//! Reading what a node printed, as strictly as Maelstrom's client does, and saying what is wrong.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::history::{Answer, Call, Micro, Outcome, Scalar};
use crate::settings::{Settings, ValueKind, Workload};
use crate::trace::Misdeed;

/// A message around its body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub src: Cow<'a, str>,
    #[serde(borrow)]
    pub dest: Cow<'a, str>,
    #[serde(borrow)]
    pub body: &'a RawValue,
    #[serde(default)]
    #[allow(dead_code, reason = "it is allowed, and that is all")]
    id: Option<i64>,
}

/// What a line is, or why it is no message.
pub(super) fn envelope(line: &[u8]) -> Result<Envelope<'_>, (Misdeed, String)> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err((Misdeed::MalformedLine, "a blank line".to_owned()));
    }
    serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<Fields<'_>>(line) {
        Ok(Fields(fields)) => {
            let known = ["id", "src", "dest", "body"];
            match fields.iter().find(|(key, _)| !known.contains(&key.as_ref())) {
                Some((key, _)) => (Misdeed::EnvelopeKey, format!("the envelope has the key \"{key}\"")),
                None => (Misdeed::MalformedLine, format!("not an envelope: {error}")),
            }
        }
        Err(_) => (Misdeed::MalformedLine, format!("not JSON: {error}")),
    })
}

/// The keys of an object in their order, values unread.
pub(super) struct Fields<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        /// A key, borrowed where it has no escapes.
        #[derive(Deserialize, PartialEq)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Key(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| *value)
    }

    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'_>>(self.get(key)?.get()).ok().map(|Text(text)| text)
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }
}

type Read<T> = Result<T, (Misdeed, String)>;

fn bad<T>(detail: impl Into<String>) -> Read<T> {
    Err((Misdeed::BadReply, detail.into()))
}

/// An `error` body: whether the operation certainly failed.
pub(super) fn error(fields: &Fields<'_>) -> Read<Outcome> {
    let Some(code) = fields.int("code") else { return bad("an error without an integer \"code\"") };
    let text = fields.text("text").unwrap_or_default().into_owned();
    // 0 is a timeout, 13 a crash: it may have happened all the same.
    let is_definite = !matches!(code, 0 | 13);
    let outcome =
        if is_definite { Outcome::Fail { code, text } } else { Outcome::Info { why: format!("error {code}: {text}") } };
    Ok(outcome)
}

/// What the reply to an operation says: its type and exactly its keys are expected.
pub(super) fn answer(call: &Call, settings: &Settings, fields: &Fields<'_>) -> Read<Answer> {
    let (kind, keys) = expected(call, settings.workload);
    let Some(found) = fields.text("type") else { return bad("a reply without a \"type\"") };
    if found != kind {
        return bad(format!("a reply of type \"{found}\" where \"{kind}\" is due"));
    }
    for (at, (key, _)) in fields.0.iter().enumerate() {
        let is_known = ["type", "in_reply_to", "msg_id"].contains(&key.as_ref()) || keys.contains(&key.as_ref());
        if !is_known {
            return Err((Misdeed::ExtraKey, format!("{kind} has the key \"{key}\"")));
        }
        if fields.0[..at].iter().any(|(other, _)| other == key) {
            return bad(format!("{kind} has the key \"{key}\" twice"));
        }
    }
    if let Some(missing) = keys.iter().find(|key| fields.get(key).is_none()) {
        return bad(format!("{kind} lacks the key \"{missing}\""));
    }
    if fields.get("msg_id").is_some() && fields.int("msg_id").is_none() {
        return bad(format!("{kind} has a \"msg_id\" that is no integer"));
    }
    payload(call, kind, keys, fields, settings)
}

/// The type of the reply, and its keys.
fn expected(call: &Call, workload: Workload) -> (&'static str, &'static [&'static str]) {
    match call {
        Call::Echo(_) => ("echo_ok", &["echo"]),
        Call::Generate => ("generate_ok", &["id"]),
        Call::Add(_) if workload == Workload::Broadcast => ("broadcast_ok", &[]),
        Call::Add(_) | Call::Increment(_) => ("add_ok", &[]),
        Call::Read if workload == Workload::Broadcast => ("read_ok", &["messages"]),
        Call::Read => ("read_ok", &["value"]),
        Call::Write { .. } => ("write_ok", &["ts"]),
        Call::KvRead(_) => ("kv_read_ok", &["key", "value", "ts"]),
        Call::Txn(_) => ("txn_ok", &["txn"]),
    }
}

fn payload(call: &Call, kind: &str, keys: &[&str], fields: &Fields<'_>, settings: &Settings) -> Read<Answer> {
    let raw = |key: &str| fields.get(key).map_or("null", RawValue::get);
    let wrong = |key: &str, wanted: &str| {
        let shown: String = raw(key).chars().take(80).collect();
        bad(format!("\"{key}\" of {kind} is not {wanted}: {shown}"))
    };
    match call {
        Call::Add(_) | Call::Increment(_) => Ok(Answer::Done),
        Call::Echo(_) => serde_json::from_str(raw("echo")).map(Answer::Echo).or_else(|_| wrong("echo", "a string")),
        Call::Generate => match serde_json::from_str::<serde_json::Value>(raw("id")) {
            Ok(serde_json::Value::String(text)) => Ok(Answer::Id(Scalar::Text(text))),
            Ok(serde_json::Value::Number(number)) if number.is_i64() => {
                Ok(Answer::Id(Scalar::Int(number.as_i64().unwrap_or_default())))
            }
            Ok(_) | Err(_) => wrong("id", "a string or an integer"),
        },
        Call::Read if keys == ["messages"] || raw("value").starts_with('[') => {
            let key = keys[0];
            match elements(raw(key), settings) {
                Some(elements) => Ok(Answer::Elements(elements.into())),
                None => wrong(key, settings.values.list()),
            }
        }
        Call::Read => {
            serde_json::from_str(raw("value")).map(Answer::Total).or_else(|_| wrong("value", "an integer or a list"))
        }
        Call::Write { .. } => micros(raw("ts")).map_or_else(|| wrong("ts", "a time"), |ts| Ok(Answer::Stamp(ts))),
        Call::KvRead(key) => {
            if fields.text("key").is_none_or(|found| found != format!("k{key}")) {
                return wrong("key", "the key that was asked for");
            }
            let found = serde_json::from_str(raw("value")).ok().and_then(|value| settings.values.read(&value));
            let Some(value) = found else { return wrong("value", "a value that the lab writes") };
            micros(raw("ts")).map_or_else(|| wrong("ts", "a time"), |ts| Ok(Answer::Value(value, ts)))
        }
        Call::Txn(asked) => match txn(asked, raw("txn")) {
            Some(done) => Ok(Answer::Txn(done)),
            None => wrong("txn", "the transaction that was asked for, with its reads filled in"),
        },
    }
}

/// The values of a set, but for those that it began with.
fn elements(raw: &str, settings: &Settings) -> Option<Vec<i64>> {
    let mut elements: Vec<i64> = if settings.values == ValueKind::Int {
        serde_json::from_str(raw).ok()?
    } else {
        let list: Vec<serde_json::Value> = serde_json::from_str(raw).ok()?;
        list.iter().map(|value| settings.values.read(value)).collect::<Option<_>>()?
    };
    if settings.preload > 0 {
        elements.retain(|value| !settings.is_preloaded(*value));
    }
    Some(elements)
}

/// Seconds as a decimal number, to whole microseconds: exact up to six decimals.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 6 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: f64 = text.parse().ok()?;
        return (seconds >= 0.0).then_some((seconds * 1e6).round() as u64);
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

fn txn(asked: &[Micro], raw: &str) -> Option<Vec<Micro>> {
    let done: Vec<(String, u64, Option<i64>)> = serde_json::from_str(raw).ok()?;
    if done.len() != asked.len() {
        return None;
    }
    let fill = |(asked, (f, key, value)): (&Micro, &(String, u64, Option<i64>))| match (asked, f.as_str(), value) {
        (Micro::Read(wanted, _), "r", value) if wanted == key => Some(Micro::Read(*key, *value)),
        (Micro::Write(wanted, written), "w", Some(value)) if wanted == key && written == value => {
            Some(Micro::Write(*key, *value))
        }
        (Micro::Read(..) | Micro::Write(..), ..) => None,
    };
    asked.iter().zip(&done).map(fill).collect()
}

/// Keys that a body of `init_ok` or `topology_ok` may have: anything. Only the type counts.
pub(super) fn is_kind(fields: &Fields<'_>, kind: &str) -> bool {
    fields.text("type").is_some_and(|found| found == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(call: &Call, workload: Workload, body: &str) -> Read<Answer> {
        let fields: Fields<'_> = serde_json::from_str(body).map_err(|_| (Misdeed::MalformedLine, String::new()))?;
        answer(call, &Settings { workload, ..Settings::default() }, &fields)
    }

    fn misdeed(call: &Call, body: &str) -> Misdeed {
        read(call, Workload::Broadcast, body).map_or_else(|(what, _)| what, |answer| panic!("accepted: {answer:?}"))
    }

    #[test]
    fn a_reply_with_exactly_its_keys_is_read_in_any_order() {
        for body in [
            r#"{"type":"read_ok","messages":[1,2],"in_reply_to":3,"msg_id":0}"#,
            r#"{"in_reply_to":3,"messages":[1,2],"type":"read_ok"}"#,
        ] {
            assert_eq!(read(&Call::Read, Workload::Broadcast, body), Ok(Answer::Elements(vec![1, 2].into())));
        }
        let total = r#"{"type":"read_ok","value":-4,"in_reply_to":1}"#;
        assert_eq!(read(&Call::Read, Workload::PnCounter, total), Ok(Answer::Total(-4)));
        let set = r#"{"type":"read_ok","value":[],"in_reply_to":1}"#;
        assert_eq!(read(&Call::Read, Workload::GSet, set), Ok(Answer::Elements(vec![].into())));
    }

    #[test]
    fn replies_that_maelstrom_would_refuse_are_refused_with_the_reason() {
        let extra = r#"{"type":"read_ok","messages":[],"count":0,"in_reply_to":3}"#;
        assert_eq!(misdeed(&Call::Read, extra), Misdeed::ExtraKey);
        for body in [
            r#"{"type":"read_ok","in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":["1"],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":{},"in_reply_to":3}"#,
            r#"{"type":"broadcast_ok","in_reply_to":3}"#,
            r#"{"messages":[],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":[],"messages":[],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":[],"in_reply_to":3,"msg_id":"x"}"#,
        ] {
            assert_eq!(misdeed(&Call::Read, body), Misdeed::BadReply, "{body}");
        }
    }

    #[test]
    fn envelopes_that_silence_a_node_under_maelstrom_are_named() {
        let what = |line: &str| envelope(line.as_bytes()).map_or_else(|(what, _)| what, |_| panic!("accepted {line}"));
        assert_eq!(what(""), Misdeed::MalformedLine);
        assert_eq!(what("starting up"), Misdeed::MalformedLine);
        assert_eq!(what(r#"{"src":"n1","dest":"c1"}"#), Misdeed::MalformedLine);
        assert_eq!(what(r#"{"src":"n1","dest":"c1","body":{},"time":1}"#), Misdeed::EnvelopeKey);
        assert!(envelope(br#"{"id":5,"src":"n1","dest":"c1","body":{}}"#).is_ok());
    }

    #[test]
    fn stamps_are_read_to_the_microsecond() {
        assert_eq!(micros("1700000000.000001"), Some(1_700_000_000_000_001));
        assert_eq!(micros("1700000000.5"), Some(1_700_000_000_500_000));
        assert_eq!(micros("3"), Some(3_000_000));
        assert_eq!(micros("1.5e3"), Some(1_500_000_000));
        assert_eq!(micros("-1.0"), None);
        assert_eq!(micros("\"1\""), None);
    }

    #[test]
    fn a_transaction_comes_back_with_its_reads_filled_in_and_nothing_else_changed() {
        let asked = Call::Txn(vec![Micro::Read(1, None), Micro::Write(2, 7)]);
        let done = |txn: &str| {
            read(&asked, Workload::TxnRwRegister, &format!(r#"{{"type":"txn_ok","txn":{txn},"in_reply_to":1}}"#))
        };
        let filled = Answer::Txn(vec![Micro::Read(1, Some(5)), Micro::Write(2, 7)]);
        assert_eq!(done(r#"[["r",1,5],["w",2,7]]"#), Ok(filled));
        for wrong in
            [r#"[["r",1,5]]"#, r#"[["r",1,5],["w",2,8]]"#, r#"[["r",2,5],["w",2,7]]"#, r#"[["w",1,5],["w",2,7]]"#]
        {
            assert!(done(wrong).is_err(), "{wrong}");
        }
    }
}
