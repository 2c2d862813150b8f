//! Tests: what is read from a line.

use super::*;
use crate::wire::field::{BadField, Why};
use crate::wire::json::DEPTH_MAX;
use std::format;
use std::string::String;

/// The message that is read from a line.
#[track_caller]
fn read(line: &str) -> Message<'_> {
    let mut message = Message::new();
    assert_eq!(message.decode(line.as_bytes()), Ok(()), "{line}");
    message
}

fn refusal(line: &str) -> Option<Malformed> {
    Message::new().decode(line.as_bytes()).err()
}

/// A line with these fields in its body.
fn with_body(fields: &str) -> String {
    format!(r#"{{"src":"c1","dest":"n1","body":{{{fields}}}}}"#)
}

fn text(str: Option<Str<'_>>) -> Option<String> {
    str.map(|str| str.chars().collect())
}

#[test]
fn what_is_json_but_no_object_with_a_body_is_no_message_and_what_is_no_json_is_something_else() {
    for line in ["5", "null", "[]", r#""text""#, "{}", r#"{"src":"c1"}"#, r#"{"body":5}"#, r#"{"body":[{}]}"#] {
        assert_eq!(refusal(line), Some(Malformed::NotAMessage), "{line}");
    }
    for line in ["", "{", "5 5", "[", r#"{"body":{}"#, r#"{"body":{}}x"#, r#"{"body":{},}"#, r#"{"body":{"a":1,}}"#] {
        assert!(matches!(refusal(line), Some(Malformed::Syntax { .. })), "{line}");
    }
    assert_eq!(refusal(r#"{"body":{}}"#), None);
}

#[test]
fn white_space_may_stand_between_any_two_pieces() {
    let line = r#" { "src" : "c1" , "body" : { "type" : "read" , "msg_id" : 7 } , "dest" : "n1" } "#;
    let message = read(line);
    assert_eq!((message.kind, message.msg_id), (Some(Kind::Read), Some(7)));
    assert_eq!((text(message.src).as_deref(), text(message.dest).as_deref()), (Some("c1"), Some("n1")));
}

#[test]
fn the_depth_of_a_line_is_counted_from_its_outermost_object() {
    let nested = |depth: u32| format!("{}1{}", "[".repeat(depth as usize), "]".repeat(depth as usize));
    // Beside the body there is one object around a value, in the body there are two.
    for (around, line) in
        [(1, r#"{"x":VALUE,"body":{}}"#), (2, r#"{"body":{"x":VALUE}}"#), (2, r#"{"body":{"echo":VALUE}}"#)]
    {
        let with = |depth| line.replace("VALUE", &nested(depth));
        assert_eq!(refusal(&with(DEPTH_MAX - around)), None, "{line}");
        assert_eq!(refusal(&with(DEPTH_MAX - around + 1)), Some(Malformed::TooDeep), "{line}");
    }
}

#[test]
fn src_and_dest_are_strings_or_absent() {
    for other in ["5", "null", "true", "[]", r#"{"a":1}"#] {
        let line = format!(r#"{{"src":{other},"dest":{other},"body":{{}}}}"#);
        let message = read(&line);
        assert!(message.src.is_none() && message.dest.is_none(), "{other}");
    }
}

#[test]
fn what_stands_twice_in_the_envelope_counts_as_it_stood_first_and_is_named() {
    for (line, part) in [
        (r#"{"src":"a","src":"b","body":{}}"#, Some("src")),
        (r#"{"src":"a","body":{},"dest":"x","dest":"y"}"#, Some("dest")),
        (r#"{"src":"a","body":{},"body":5}"#, Some("body")),
        (r#"{"src":"a","body":{},"dest":"x","dest":"y","src":"c"}"#, Some("dest")),
        (r#"{"src":"a","x":1,"x":2,"body":{}}"#, None),
    ] {
        let message = read(line);
        assert_eq!(message.envelope_twice(), part, "{line}");
        assert_eq!(text(message.src).as_deref(), Some("a"), "{line}");
        assert_eq!(message.has_twice(), part.is_some(), "{line}");
    }
}

#[test]
fn of_several_bodies_the_first_that_is_an_object_is_read() {
    let message = read(r#"{"body":5,"body":{"msg_id":1},"body":{"msg_id":2}}"#);
    assert_eq!((message.msg_id, message.envelope_twice()), (Some(1), Some("body")));
}

#[test]
fn of_a_field_that_stands_twice_the_first_is_read() {
    for (fields, kind, msg_id) in [
        (r#""type":"read","type":"echo","msg_id":1,"msg_id":2"#, Some(Kind::Read), Some(1)),
        (r#""type":5,"type":"echo","msg_id":"1","msg_id":2"#, None, None),
        (r#""type":null,"type":"echo","msg_id":null,"msg_id":2"#, None, None),
    ] {
        let line = with_body(fields);
        let message = read(&line);
        assert_eq!((message.kind, message.msg_id), (kind, msg_id), "{fields}");
        assert_eq!(message.known_field_twice(), Some(Key::Type), "{fields}");
    }
    let line = with_body(r#""message":1,"message":2"#);
    assert_eq!(read(&line).get(Key::Message), Some(Token::Int(1)));
}

#[test]
fn a_field_twice_is_named_only_by_a_message_to_which_it_means_something() {
    let twice = r#""delta":1,"delta":1,"x":1,"x":1"#;
    for (kind, key) in [("add", Some(Key::Delta)), ("echo", None), ("nonsense", None)] {
        let line = with_body(&format!(r#""type":"{kind}",{twice}"#));
        let message = read(&line);
        assert_eq!(message.known_field_twice(), key, "{kind}");
        assert!(message.has_twice(), "{kind}: what stands twice is never predicted");
    }
    let line = with_body(r#""type":"nonsense","msg_id":1,"msg_id":1"#);
    assert_eq!(read(&line).known_field_twice(), Some(Key::MsgId), "every message has a number");
}

#[test]
fn a_message_is_a_reply_by_whatever_stands_in_in_reply_to_but_null() {
    for (value, is_reply) in [
        ("null", false),
        ("0", true),
        ("-1", true),
        ("1.5", true),
        ("\"\"", true),
        ("[]", true),
        ("{}", true),
        ("false", true),
    ] {
        let line = with_body(&format!(r#""type":"echo","in_reply_to":{value}"#));
        assert_eq!(read(&line).is_reply, is_reply, "{value}");
    }
    for fields in [r#""in_reply_to":null,"in_reply_to":1"#, r#""in_reply_to":1,"in_reply_to":null"#] {
        assert!(read(&with_body(fields)).is_reply, "{fields}");
    }
}

#[test]
fn the_number_of_a_message_is_an_integer_of_64_bits_or_absent() {
    for (value, number) in [
        ("0", Some(0)),
        ("-7", Some(-7)),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
        ("1.0", None),
        ("null", None),
        ("\"1\"", None),
    ] {
        assert_eq!(read(&with_body(&format!(r#""msg_id":{value}"#))).msg_id, number, "{value}");
    }
}

#[test]
fn a_field_that_is_null_is_absent_to_those_who_can_do_without_it() {
    let line = with_body(r#""echo":null,"fanout":null"#);
    let message = read(&line);
    assert_eq!((message.get(Key::Echo), message.get(Key::Fanout), message.get(Key::Delta)), (None, None, None));
    assert_eq!(message.need(Key::Echo), Ok(Token::Null));
    assert_eq!(message.need(Key::Delta), Err(BadField { key: Key::Delta, why: Why::Missing }));
}

#[test]
fn names_are_known_however_they_are_escaped() {
    let line = r#"{"s\u0072c":"c1","\u0062ody":{"t\u0079pe":"ech\u006f","\u0065cho":1}}"#;
    let message = read(line);
    assert_eq!((text(message.src).as_deref(), message.kind), (Some("c1"), Some(Kind::Echo)));
    assert_eq!(message.get(Key::Echo), Some(Token::Int(1)));
    for key in Key::ALL {
        let escaped: String = key.name().bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let name = format!(r#"{{"body":{{"{escaped}":1,"{}":1}}}}"#, key.name());
        let message = read(&name);
        let is_known = message.has_twice() || message.is_reply;
        assert!(is_known, "{} and {escaped} are one name", key.name());
    }
}

#[test]
fn a_type_that_no_message_has_is_kept_by_name() {
    let line = with_body(r#""type":"frob\u006eicate""#);
    let message = read(&line);
    assert_eq!((text(message.type_name).as_deref(), message.kind), (Some("frobnicate"), None));
}

#[test]
fn nothing_of_one_line_is_left_in_the_next() {
    let full =
        r#"{"src":"c1","src":"c1","dest":"n1","body":{"type":"add","msg_id":1,"in_reply_to":1,"delta":1,"delta":1}}"#;
    let mut message = Message::new();
    for line in [full, "{", r#"{"body":{}}"#] {
        let _ = message.decode(line.as_bytes());
    }
    assert_eq!(message, Message::new());
    assert_eq!((message.envelope_twice(), message.get(Key::Delta)), (None, None));
}

#[test]
fn an_integer_outside_of_its_range_and_what_is_no_integer_are_told_apart() {
    let range = Why::OutOfRange { min: -5, max: 5 };
    let kind = Why::Not("an integer");
    for (value, why) in [
        ("-5", None),
        ("5", None),
        ("6", Some(range)),
        ("-6", Some(range)),
        ("9223372036854775808", Some(range)),
        ("-99999999999999999999", Some(range)),
        ("5.0", Some(kind)),
        ("1e0", Some(kind)),
        ("-0", Some(kind)),
        ("null", Some(kind)),
        ("\"5\"", Some(kind)),
        ("[5]", Some(kind)),
    ] {
        let line = with_body(&format!(r#""delta":{value}"#));
        let expected = why.map_or_else(|| Ok(value.parse().unwrap_or(0)), |why| Err(BadField { key: Key::Delta, why }));
        assert_eq!(read(&line).int(Key::Delta, -5, 5), expected, "{value}");
    }
}

#[test]
fn a_field_of_another_kind_is_named_with_the_kind_it_has_to_be() {
    for (value, fits) in [("5", 0), ("\"a\"", 1), ("[]", 2), ("{}", 3), ("1.5", 4), ("null", 4), ("true", 4)] {
        let line = with_body(&format!(r#""key":{value}"#));
        let message = read(&line);
        let bad = |what| Some(BadField { key: Key::Key, why: Why::Not(what) });
        let unless = |is_fit: bool, what| if is_fit { None } else { bad(what) };
        let scalar = "an integer in the range of 64 bits or a string";
        assert_eq!(message.scalar(Key::Key).err(), unless(fits <= 1, scalar), "{value}");
        assert_eq!(message.text(Key::Key).err(), unless(fits == 1, "a string"), "{value}");
        assert_eq!(message.list(Key::Key).err(), unless(fits == 2, "a list"), "{value}");
        assert_eq!(message.object(Key::Key).err(), unless(fits == 3, "an object"), "{value}");
    }
}
