//! One line as a message: the envelope, and the fields of the body by name.

use super::iter::{Items, Pairs};
use super::json::{Malformed, Scanner, Str, Token};
use crate::id::Value;
use crate::storage::Text;

/// Makes an enum of names, with both directions of the mapping.
macro_rules! names {
    ($(#[$doc:meta])* $vis:vis $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $(#[doc = concat!("`", $text, "`")]
            $variant,)+ }

        impl $name {
            /// All of them.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one with this name.
            #[must_use]
            $vis fn find(name: Str<'_>) -> Option<Self> {
                // Escapes in names are legal and rare.
                if name.is_escaped() {
                    return Self::ALL.iter().copied().find(|key| name.is(key.name()));
                }
                $(if name.raw() == $text.as_bytes() { return Some(Self::$variant); })+
                None
            }
        }
    };
}

names! {
    /// The fields of a body that some message knows.
    pub Key {
        Type = "type",
        MsgId = "msg_id",
        InReplyTo = "in_reply_to",
        Message = "message",
        Value = "value",
        Delta = "delta",
        Element = "element",
        Key = "key",
        Echo = "echo",
        NodeId = "node_id",
        NodeIds = "node_ids",
        Topology = "topology",
        Fanout = "fanout",
        GossipIntervalMs = "gossip_interval_ms",
        Strategy = "strategy",
        Messages = "messages",
        RemoteDigest = "remote_digest",
        RemoteMessages = "remote_messages",
        Entries = "entries",
        Txn = "txn",
        PCounters = "p_counters",
        NCounters = "n_counters",
        Incarnation = "inc",
        Ordinal = "ord",
        Echoed = "echoed",
        Relay = "relay",
        Flush = "flush",
        Want = "want",
        Full = "full",
        Stable = "stable",
        Sum = "sum",
        Agree = "agree",
        Lives = "lives",
        Refuses = "refuses",
        Digest = "digest",
        Old = "old",
        Turn = "turn",
        Data = "data",
    }
}

names! {
    /// The types of message that a node takes.
    pub Kind {
        Broadcast = "broadcast",
        Read = "read",
        Gossip = "gossip",
        Add = "add",
        Write = "write",
        KvRead = "kv_read",
        Replicate = "replicate",
        Echo = "echo",
        Generate = "generate",
        Init = "init",
        Topology = "topology",
        Configure = "configure",
        GossipStats = "gossip_stats",
        GossipRound = "gossip_round",
        GossipSync = "gossip_sync",
        Digest = "digest",
        DigestSync = "digest_sync",
        GossipStatus = "gossip_status",
        KvMerge = "kv_merge",
        BenchWrite = "bench_write",
        BenchReport = "bench_report",
        BenchStats = "bench_stats",
        Stats = "stats",
        Txn = "txn",
    }
}

impl Kind {
    /// The fields that the message knows; a body may have others, which are ignored.
    #[must_use]
    pub const fn fields(self) -> &'static [Key] {
        match self {
            Self::Broadcast => &[Key::Message],
            Self::Read
            | Self::Generate
            | Self::GossipStats
            | Self::GossipRound
            | Self::Digest
            | Self::GossipStatus
            | Self::BenchReport
            | Self::BenchStats
            | Self::Stats => &[],
            Self::Gossip => &[Key::Value, Key::Data, Key::Digest, Key::Sum, Key::Incarnation],
            Self::Replicate => &[Key::PCounters, Key::NCounters, Key::Data, Key::Digest, Key::Sum, Key::Incarnation],
            Self::Add => &[Key::Element, Key::Delta],
            Self::Write | Self::BenchWrite => &[Key::Key, Key::Value],
            Self::KvRead => &[Key::Key],
            Self::Echo => &[Key::Echo],
            Self::Init => &[Key::NodeId, Key::NodeIds],
            Self::Topology => &[Key::Topology],
            Self::Configure => &[Key::Fanout, Key::GossipIntervalMs, Key::Strategy],
            Self::GossipSync => &[Key::Messages],
            Self::DigestSync => &[Key::RemoteDigest, Key::RemoteMessages],
            Self::KvMerge => &[Key::Entries],
            Self::Txn => &[Key::Txn],
        }
    }

    /// Whether the message is between nodes and never answered.
    #[must_use]
    pub const fn is_unanswered(self) -> bool {
        matches!(self, Self::Gossip | Self::Replicate)
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    Missing,
    /// It is there twice.
    Twice,
    /// It should be something else: the sentence says what.
    Not(&'static str),
    /// An integer outside of the range.
    OutOfRange {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A string, list or payload longer than this.
    TooLong {
        /// Largest allowed.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A text in it is longer than this.
    TextTooLong {
        /// Bytes at most.
        max: usize,
    },
    /// An id in it is no id of a node.
    NotAnId {
        /// Bytes at most.
        max: usize,
    },
    /// Applying it would leave the range of the counter.
    Overflow,
    /// The stamp is further ahead of the local clock than this many milliseconds.
    ClockAhead {
        /// The limit.
        max_ms: u64,
    },
}

/// A field that a request needs and does not have in a usable form. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The field.
    pub key: Key,
    /// What is wrong with it.
    pub why: Why,
}

/// An integer or a string, as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// An integer.
    Int(i64),
    /// A string.
    Text(Str<'a>),
}

impl<'a> Scalar<'a> {
    /// The scalar that a token is, if it is one.
    #[must_use]
    #[inline]
    pub fn of(token: Token<'a>) -> Option<Self> {
        match token {
            Token::Int(int) => Some(Self::Int(int)),
            Token::Text(text) => Some(Self::Text(text)),
            Token::Big(_) | Token::Number(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => {
                None
            }
        }
    }

    /// The value, its escapes resolved in `scratch` if it has any. `None` when it is longer than `scratch`.
    #[must_use]
    #[inline]
    pub fn value<'s>(&self, scratch: &'s mut impl Text) -> Option<Value<'s>>
    where
        'a: 's,
    {
        match self {
            Self::Int(int) => Some(Value::Int(*int)),
            Self::Text(text) => text.unescape(scratch).map(Value::Text),
        }
    }
}

/// A message as it stands in its line.
#[derive(Debug, Default)]
pub struct Message<'a> {
    /// Who sent it; `None` when that is missing or no string.
    pub src: Option<Str<'a>>,
    /// Whom it is for; `None` when that is missing or no string.
    pub dest: Option<Str<'a>>,
    /// `type`, as text.
    pub type_name: Option<Str<'a>>,
    /// `type`, when it is one this node takes.
    pub kind: Option<Kind>,
    /// `msg_id`, when it is an integer.
    pub msg_id: Option<i64>,
    /// Whether it is an answer: it has an `in_reply_to` that is not `null`.
    pub is_reply: bool,
    /// The fields of the body that stand there twice, one bit each.
    twice: u64,
    envelope_twice: Option<&'static str>,
    fields: heapless::Vec<(Key, Token<'a>), { Key::ALL.len() }>,
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        let fields = |of: &Self| (of.src, of.dest, of.type_name, of.kind, of.msg_id, of.is_reply, of.twice);
        fields(self) == fields(other)
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(|(key, token)| other.written(*key) == Some(*token))
    }
}

impl<'a> Message<'a> {
    /// A message with nothing in it yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            src: None,
            dest: None,
            type_name: None,
            kind: None,
            msg_id: None,
            is_reply: false,
            twice: 0,
            envelope_twice: None,
            fields: heapless::Vec::new(),
        }
    }

    /// Reads a line into this message, which is cleared first. O(length of the line).
    ///
    /// # Errors
    /// The line is no JSON, is nested too deeply, or has no envelope. The message is then of no use.
    pub fn decode(&mut self, line: &'a [u8]) -> Result<(), Malformed> {
        self.clear();
        let mut scanner = Scanner::new(line);
        scanner.white();
        if !scanner.eat(b'{') {
            // Perhaps JSON all the same: the two are counted apart.
            scanner.value(0)?;
            scanner.end()?;
            return Err(Malformed::NotAMessage);
        }
        let mut has_body = false;
        // What stands there twice counts as it stood there first; of bodies, the first that can be one.
        let mut seen: heapless::Vec<Envelope, 3> = heapless::Vec::new();
        scanner.white();
        if !scanner.eat(b'}') {
            loop {
                let key = scanner.key()?;
                match Envelope::find(key) {
                    Some(part) if seen.contains(&part) => {
                        self.envelope_twice = self.envelope_twice.or(Some(part.name()));
                        if part == Envelope::Body && !has_body {
                            has_body = self.part(part, &mut scanner)?;
                        } else {
                            scanner.value(1)?;
                        }
                    }
                    Some(part) => {
                        // As many places as there are parts.
                        let _ = seen.push(part);
                        has_body |= self.part(part, &mut scanner)?;
                    }
                    None => {
                        scanner.value(1)?;
                    }
                }
                scanner.white();
                if scanner.eat(b'}') {
                    break;
                }
                scanner.expect(b',')?;
            }
        }
        scanner.end()?;
        if has_body { Ok(()) } else { Err(Malformed::NotAMessage) }
    }

    /// Forgets everything, then takes what a line says in which nothing stands twice.
    #[inline]
    pub(super) fn set_all(
        &mut self,
        src: Option<Str<'a>>,
        dest: Option<Str<'a>>,
        type_name: Option<Str<'a>>,
        kind: Option<Kind>,
        msg_id: Option<i64>,
        field: Option<(Key, Token<'a>)>,
    ) {
        (self.src, self.dest, self.type_name) = (src, dest, type_name);
        (self.kind, self.msg_id, self.is_reply) = (kind, msg_id, false);
        (self.twice, self.envelope_twice) = (0, None);
        self.fields.clear();
        if let Some(field) = field {
            // There is room for all keys.
            let _ = self.fields.push(field);
        }
    }

    /// Forgets everything.
    fn clear(&mut self) {
        self.src = None;
        self.dest = None;
        self.type_name = None;
        self.kind = None;
        self.msg_id = None;
        self.is_reply = false;
        self.twice = 0;
        self.envelope_twice = None;
        self.fields.clear();
    }

    /// Reads a part of the envelope. True when it was a body that is an object.
    fn part(&mut self, part: Envelope, scanner: &mut Scanner<'a>) -> Result<bool, Malformed> {
        if part == Envelope::Body && scanner.eat(b'{') {
            self.body(scanner)?;
            return Ok(true);
        }
        let token = scanner.value(1)?;
        let text = if let Token::Text(text) = token { Some(text) } else { None };
        match part {
            Envelope::Src => self.src = text,
            Envelope::Dest => self.dest = text,
            Envelope::Body => {}
        }
        Ok(false)
    }

    /// Reads the body, whose opening brace was read.
    fn body(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        scanner.white();
        if scanner.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = scanner.key()?;
            let token = scanner.value(2)?;
            if let Some(key) = Key::find(key) {
                self.set(key, token);
            }
            scanner.white();
            if scanner.eat(b'}') {
                return Ok(());
            }
            scanner.expect(b',')?;
        }
    }

    #[inline]
    fn set(&mut self, key: Key, token: Token<'a>) {
        match (key, token) {
            (Key::Type, Token::Text(name)) if self.type_name.is_none() && self.written(Key::Type).is_none() => {
                self.type_name = Some(name);
                self.kind = Kind::find(name);
                return;
            }
            (Key::MsgId, Token::Int(id)) if self.msg_id.is_none() && self.written(Key::MsgId).is_none() => {
                self.msg_id = Some(id);
                return;
            }
            (Key::InReplyTo, _) => {
                self.is_reply |= !matches!(token, Token::Null);
                return;
            }
            _ => {}
        }
        let known = match key {
            Key::Type => self.type_name.is_some(),
            Key::MsgId => self.msg_id.is_some(),
            _ => false,
        };
        if known || self.written(key).is_some() {
            self.twice |= 1 << key as u64;
        } else {
            // As many places as there are keys.
            let _ = self.fields.push((key, token));
        }
    }

    /// A field of the body that may be left out. One that is `null` counts as absent.
    #[must_use]
    #[inline]
    pub fn get(&self, key: Key) -> Option<Token<'a>> {
        self.written(key).filter(|token| !matches!(token, Token::Null))
    }

    /// A field of the body as it stands there, `null` included.
    #[inline]
    fn written(&self, key: Key) -> Option<Token<'a>> {
        self.fields.iter().find(|field| field.0 == key).map(|field| field.1)
    }

    /// Whether nothing stands there twice and the body has one integer at most besides `type` and `msg_id`, so that its
    /// layout can be learned.
    pub(super) fn is_predictable(&self) -> bool {
        !self.has_twice()
            && !self.is_reply
            && self.fields.len() <= 1
            && self.fields.iter().all(|field| matches!(field.1, Token::Int(_)))
    }

    /// Whether anything stands there twice.
    #[inline]
    pub(crate) fn has_twice(&self) -> bool {
        self.twice != 0 || self.envelope_twice.is_some()
    }

    /// A part of the envelope that stands there twice.
    #[must_use]
    pub fn envelope_twice(&self) -> Option<&'static str> {
        self.envelope_twice
    }

    /// A field that stands there twice and means something to this message.
    #[must_use]
    pub fn known_field_twice(&self) -> Option<Key> {
        if self.twice == 0 {
            return None;
        }
        let known = self.kind.map_or(&[][..], Kind::fields);
        let meant = [Key::Type, Key::MsgId].iter().chain(known);
        meant.copied().find(|key| self.twice >> *key as u64 & 1 == 1)
    }

    /// A field that has to be there. It may be `null`, which is a value for those who take it for one.
    ///
    /// # Errors
    /// It is missing.
    #[inline]
    pub fn need(&self, key: Key) -> Result<Token<'a>, BadField> {
        self.written(key).ok_or(BadField { key, why: Why::Missing })
    }

    /// A field that has to be an integer or a string.
    ///
    /// # Errors
    /// It is missing or something else.
    #[inline]
    pub fn scalar(&self, key: Key) -> Result<Scalar<'a>, BadField> {
        Scalar::of(self.need(key)?)
            .ok_or(BadField { key, why: Why::Not("an integer in the range of 64 bits or a string") })
    }

    /// A field that has to be an integer.
    ///
    /// # Errors
    /// It is missing, no integer, or outside of `min..=max`.
    pub fn int(&self, key: Key, min: i64, max: i64) -> Result<i64, BadField> {
        let why = match self.need(key)? {
            Token::Int(int) if (min..=max).contains(&int) => return Ok(int),
            Token::Int(_) | Token::Big(_) => Why::OutOfRange { min, max },
            Token::Number(text) if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && text != "-0" => {
                Why::OutOfRange { min, max }
            }
            Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => {
                Why::Not("an integer")
            }
        };
        Err(BadField { key, why })
    }

    /// A field that has to be a string.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn text(&self, key: Key) -> Result<Str<'a>, BadField> {
        match self.need(key)? {
            Token::Text(text) => Ok(text),
            _ => Err(BadField { key, why: Why::Not("a string") }),
        }
    }

    /// A field that has to be a list.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn list(&self, key: Key) -> Result<Items<'a>, BadField> {
        match self.need(key)? {
            Token::Array(array) => Ok(Items::new(array)),
            _ => Err(BadField { key, why: Why::Not("a list") }),
        }
    }

    /// A field that has to be an object.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn object(&self, key: Key) -> Result<Pairs<'a>, BadField> {
        match self.need(key)? {
            Token::Object(object) => Ok(Pairs::new(object)),
            _ => Err(BadField { key, why: Why::Not("an object") }),
        }
    }
}

names! {
    /// The parts of the envelope.
    Envelope {
        Src = "src",
        Dest = "dest",
        Body = "body",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::DEPTH_MAX;
    use std::format;
    use std::string::String;

    /// What the reader makes of a line.
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
        for line in ["", "{", "5 5", "[", r#"{"body":{}"#, r#"{"body":{}}x"#, r#"{"body":{},}"#, r#"{"body":{"a":1,}}"#]
        {
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
        let full = r#"{"src":"c1","src":"c1","dest":"n1","body":{"type":"add","msg_id":1,"in_reply_to":1,"delta":1,"delta":1}}"#;
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
            let expected =
                why.map_or_else(|| Ok(value.parse().unwrap_or(0)), |why| Err(BadField { key: Key::Delta, why }));
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

    #[test]
    fn only_a_line_with_one_integer_at_most_and_nothing_twice_is_a_layout_to_be_learned() {
        for (fields, is_predictable) in [
            (r#""type":"read","msg_id":1"#, true),
            (r#""type":"add","msg_id":1,"delta":5"#, true),
            (r#""type":"add","msg_id":1,"delta":5,"element":5"#, false),
            (r#""type":"add","msg_id":1,"delta":"5""#, false),
            (r#""type":"add","msg_id":null,"x":1"#, false),
            (r#""type":"add","msg_id":1,"in_reply_to":5"#, false),
            (r#""type":"add","msg_id":1,"delta":5,"delta":5"#, false),
        ] {
            assert_eq!(read(&with_body(fields)).is_predictable(), is_predictable, "{fields}");
        }
    }
}
