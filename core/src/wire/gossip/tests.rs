//! Tests: a message that was written is read as the same values, and is never longer than the sizes say.

use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

use super::super::chunks::{Item, Scratch};
use super::super::message::Message;
use super::super::names::Kind;
use super::*;
use crate::causality::{Arg, Entry, Tag};
use crate::id::Value;
use crate::storage::{INCARNATION_MAX, Limits, Storage as _, Tiny};

/// Node, life and number of each row or session.
type Numbers = Vec<(String, u64, u64)>;
/// Chunks: row, life, the dot before the first one, and for each entry the number of dots superseded before it, and an
/// integer.
type Chunks = Vec<(String, u64, u64, Vec<(u64, i64)>)>;
/// Chunks as they are read: row, the dot before the first one, and for each item the number of dots that it covers, and
/// the integer if it is one.
type Read = Vec<(String, u64, Vec<(u64, Option<i64>)>)>;

/// A message with all that it borrows.
#[derive(Clone, Debug)]
struct Owned {
    session: u64,
    ord: Option<u32>,
    echoed: Option<(u32, u64, u32)>,
    relay: Option<String>,
    turn: u32,
    flush_ms: Option<u32>,
    stable: bool,
    sum: Option<(u64, u64)>,
    agree: Option<(u64, Option<Option<Vec<u64>>>)>,
    refuses: Refuses,
    closing: Closing,
    lives: Numbers,
    digest: Numbers,
    old: Option<Numbers>,
    data: Chunks,
}

impl Owned {
    fn header(&self) -> Header<'_> {
        let holders = match &self.agree {
            None | Some((_, None)) => Holders::Sender,
            Some((_, Some(None))) => Holders::All,
            Some((_, Some(Some(words)))) => {
                Holders::Listed(Digits::Bits { words, count: (16 * words.len()).saturating_sub(3) })
            }
        };
        Header {
            session: self.session,
            ord: self.ord,
            echoed: self.echoed.map(|(ord, session, held_ms)| Echoed { ord, session, held_ms }),
            relay: self.relay.as_deref().map(Str::literal),
            turn: self.turn,
            flush_ms: self.flush_ms,
            stable: self.stable,
            sum: self.sum.map(|(vector, state)| Sum { vector, state }),
            view: self.agree.as_ref().map(|agree| agree.0),
            holders,
            refuses: self.refuses,
        }
    }

    /// Writes the message, of at most `limit` bytes.
    fn write(&self, limit: usize, limits: &Limits, kind: Kind) -> String {
        let mut line: Vec<u8> = Vec::new();
        let mut sink = Growing(&mut line);
        let mut out = Out::new(&mut sink);
        let room = Room::new(limit, limits, true);
        let mut writer = Writer::new(&mut out, room, b"{\"src\": \"n1\", \"dest\": \"", "n2", kind);
        writer.header(&self.header());
        let mut list = writer.lives();
        self.lives.iter().for_each(|(node, _, session)| assert!(list.session(node, *session)));
        list.end();
        let mut list = writer.digest();
        self.digest.iter().for_each(|(node, life, frontier)| assert!(list.row(node, *life, *frontier)));
        list.end();
        if let Some(old) = &self.old {
            let mut list = writer.old().expect("there is room");
            old.iter().for_each(|(node, life, frontier)| assert!(list.row(node, *life, *frontier)));
            list.end();
        }
        let mut data = writer.data();
        for (node, life, from, entries) in &self.data {
            data.begin(node, *life, *from);
            entries.iter().for_each(|(skip, int)| assert!(data.entry(*skip, &Entry::bare(Arg::Int(*int)))));
            assert_eq!(data.end(), !entries.is_empty());
        }
        writer.finish(&self.closing);
        out.finish().unwrap();
        String::from_utf8(line).unwrap()
    }
}

struct Growing<'v>(&'v mut Vec<u8>);

impl Sink for Growing<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), crate::output::SinkFull> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn row_name(node: &str, life: u64) -> String {
    if life == 0 { node.into() } else { std::format!("{node}@{life}") }
}

fn text(text: Str<'_>) -> String {
    text.chars().collect()
}

fn id() -> impl Strategy<Value = String> {
    "[a-z\"\\\\\n\u{e9}]{1,8}"
}

fn numbers(most: u64) -> impl Strategy<Value = Numbers> {
    prop::collection::vec((id(), 0..=INCARNATION_MAX, 1..=most), 0..4)
}

fn messages() -> impl Strategy<Value = Owned> {
    let session = || prop_oneof![Just(0), Just(INCARNATION_MAX), 0..=INCARNATION_MAX];
    let some_u32 = || prop_oneof![Just(u32::MAX), any::<u32>()];
    let control = (
        prop::option::of(1..=u32::MAX),
        prop::option::of((some_u32(), session(), some_u32())),
        prop::option::of(id()),
        some_u32(),
        prop::option::of(some_u32()),
        any::<bool>(),
    );
    let holders = prop::option::of(prop::option::of(prop::collection::vec(any::<u64>(), 1..4)));
    let refuses = prop::sample::select(&[Refuses::Nothing, Refuses::Something, Refuses::Row]);
    let state = (prop::option::of(any::<(u64, u64)>()), prop::option::of((any::<u64>(), holders)), refuses);
    let want = prop::sample::select(&[Wanted::Nothing, Wanted::Reply, Wanted::Gap]);
    let closing = (any::<bool>(), want, prop::option::of(0..=i64::MAX));
    let entries = prop::collection::vec((0_u64..1 << 40, any::<i64>()), 0..4);
    let data = prop::collection::vec((id(), 0..=INCARNATION_MAX, 0_u64..1 << 60, entries), 0..3);
    let lists = (numbers(INCARNATION_MAX), numbers(1 << 61), prop::option::of(numbers(1 << 61)), data);
    (session(), control, state, closing, lists).prop_map(|(session, control, state, closing, lists)| Owned {
        session,
        ord: control.0,
        echoed: control.1,
        relay: control.2,
        turn: control.3,
        flush_ms: control.4,
        stable: control.5,
        sum: state.0,
        agree: state.1,
        refuses: state.2,
        closing: Closing { full: closing.0, want: closing.1, msg_id: closing.2 },
        lives: lists.0,
        digest: lists.1,
        old: lists.2,
        data: lists.3,
    })
}

fn decode<'a>(message: &'a Message<'a>) -> Received<'a> {
    match Letter::decode(message.kind.unwrap(), message) {
        Letter::Ours(received) => received,
        Letter::Foreign(_) | Letter::Unreadable => panic!("it has a session: {message:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was_meant(owned in messages(), tick: bool) {
        let kind = if tick { Kind::Replicate } else { Kind::Gossip };
        let line = owned.write(1 << 20, &Tiny::LIMITS, kind);
        let mut message = Message::new();
        prop_assert_eq!(message.decode(line.trim_end().as_bytes()), Ok(()), "{}", line);
        prop_assert_eq!(message.kind, Some(kind));
        let received = decode(&message);
        prop_assert_eq!(received.header, owned.header());
        prop_assert_eq!(received.closing, owned.closing);
        let rows = |list: &Numbers| -> Vec<(String, u64)> {
            list.iter().map(|(node, life, number)| (row_name(node, *life), *number)).collect()
        };
        let sessions: Vec<(String, u64)> = received.lives().map(|(name, session)| (text(name), session)).collect();
        let lives: Vec<(String, u64)> = owned.lives.iter().map(|(node, _, session)| (node.clone(), *session)).collect();
        prop_assert_eq!(sessions, lives);
        let digest: Vec<(String, u64)> = received.digest().map(|(name, frontier)| (text(name), frontier)).collect();
        prop_assert_eq!(digest, rows(&owned.digest));
        let old: Vec<(String, u64)> = received.old().map(|(name, frontier)| (text(name), frontier)).collect();
        prop_assert_eq!(old, rows(&owned.old.clone().unwrap_or_default()));
        prop_assert_eq!(received.has_old, owned.old.is_some());
        prop_assert_eq!(chunks(&received), entries(&owned.data));
    }

    #[test]
    fn a_header_is_as_long_as_it_says(owned in messages()) {
        let header = owned.header();
        let mut line: Vec<u8> = Vec::new();
        let mut sink = Growing(&mut line);
        let mut out = Out::new(&mut sink);
        header.encode(&mut out, usize::MAX);
        owned.closing.encode(&mut out);
        prop_assert_eq!(out.finish(), Ok(header.len() + owned.closing.len()));
    }
}

/// The chunks of a message.
fn chunks(received: &Received<'_>) -> Read {
    let Some(mut data) = received.data() else { return Vec::new() };
    let mut all = Vec::new();
    while let Some(chunk) = data.chunk() {
        let mut items = Vec::new();
        while let Some(item) = data.item() {
            items.push(match item {
                Item::Int(int) => (1, Some(int)),
                Item::Skip(dots) => (dots, None),
                Item::Entry(raw) => {
                    let mut scratch = Scratch::default();
                    let entry = raw.resolve(&mut scratch).expect("it was written");
                    let Some(Value::Int(int)) = entry.args()[0].as_value() else { panic!("{entry:?}") };
                    (1, Some(int))
                }
            });
        }
        all.push((text(chunk.row), chunk.from, items));
    }
    all
}

/// The chunks that should be read. A chunk without entries is not written.
fn entries(data: &Chunks) -> Read {
    let written = data.iter().filter(|chunk| !chunk.3.is_empty());
    let items = |entries: &[(u64, i64)]| {
        let items = entries.iter().flat_map(|(skip, int)| [(*skip, None), (1, Some(*int))]);
        items.filter(|(dots, _)| *dots > 0).collect()
    };
    written.map(|(node, life, from, entries)| (row_name(node, *life), *from, items(entries))).collect()
}

/// A message whose fields are as long as they can be, with ids of `limits` and no lists.
fn longest(limits: &Limits) -> Owned {
    Owned {
        session: INCARNATION_MAX,
        ord: Some(u32::MAX),
        echoed: Some((u32::MAX, INCARNATION_MAX, u32::MAX)),
        relay: Some("r".repeat(limits.id_bytes)),
        turn: u32::MAX,
        flush_ms: Some(u32::MAX),
        stable: true,
        sum: Some((u64::MAX, u64::MAX)),
        agree: Some((u64::MAX, Some(None))),
        refuses: Refuses::Row,
        closing: Closing { full: true, want: Wanted::Gap, msg_id: Some(i64::MAX) },
        lives: Vec::new(),
        digest: Vec::new(),
        old: None,
        data: Vec::new(),
    }
}

#[test]
fn the_smallest_bound_has_room_for_the_longest_header_a_row_and_any_entry() {
    let limits = Tiny::LIMITS;
    let (id, text) = ("i".repeat(limits.id_bytes), "t".repeat(limits.text_bytes));
    let written = Arg::Int(99_999_999_999_999_999);
    let write = Entry::new(Tag(b'w'), &[Arg::Text(&text), Arg::Text(&text), written]).unwrap();
    let row = Arg::Row { node: &id, incarnation: INCARNATION_MAX };
    let cell = Entry::new(Tag(b'p'), &[row, Arg::Int(i64::MAX)]).unwrap();
    let longest = longest(&limits);
    for entry in [write, cell] {
        let mut line: Vec<u8> = Vec::new();
        let mut sink = Growing(&mut line);
        let mut out = Out::new(&mut sink);
        let least = size::least(&limits) + size::control(&limits);
        let head = std::format!("{{\"src\": \"{id}\", \"dest\": \"");
        let room = Room::new(least, &limits, true);
        let mut writer = Writer::new(&mut out, room, head.as_bytes(), &id, Kind::Replicate);
        for name in ["p_counters", "n_counters"] {
            let end = writer.end_of_vectors();
            writer.vector(name, end).end();
        }
        writer.header(&longest.header());
        let mut list = writer.digest();
        assert!(list.row(&id, INCARNATION_MAX, 1 << 62), "a row");
        list.end();
        let mut data = writer.data();
        data.begin(&id, INCARNATION_MAX, 1 << 62);
        assert!(data.entry(0, &entry), "an entry: {entry:?}");
        assert!(data.end());
        writer.finish(&longest.closing);
        let len = out.finish().unwrap();
        assert!(len <= least, "{len} > {least}");
        assert!(Message::new().decode(line.trim_ascii_end()).is_ok());
    }
}

#[test]
fn an_entry_that_is_longer_than_the_bound_goes_alone() {
    let limits = Tiny::LIMITS;
    let text = "t".repeat(limits.text_bytes);
    let long = Entry::bare(Arg::Text(&text));
    for (first, another_fits) in [(&long, false), (&Entry::bare(Arg::Int(1)), true)] {
        let mut line: Vec<u8> = Vec::new();
        let mut sink = Growing(&mut line);
        let mut out = Out::new(&mut sink);
        let mut writer = Writer::new(&mut out, Room::new(1 << 10, &limits, false), b"", "n1", Kind::Gossip);
        let mut data = writer.data();
        data.bound(text.len() + 8);
        data.begin("n2", 0, 0);
        assert!(data.entry(0, first));
        assert_eq!(data.entry(0, &Entry::bare(Arg::Int(2))), another_fits);
        assert!(!data.entry(0, &long) && data.end());
        writer.finish(&Closing { full: false, want: Wanted::Nothing, msg_id: None });
    }
}

#[test]
fn members_that_do_not_fit_are_not_listed_and_all_of_them_always_are() {
    let mut owned = longest(&Tiny::LIMITS);
    owned.agree = Some((7, Some(Some(std::vec![5; 64]))));
    let header = owned.header();
    let fits = header.len() - ", \"refuses\": 2".len();
    for (until, listed) in [(fits, true), (fits - 2, false)] {
        let written = length(|out| header.encode(out, until));
        assert_eq!(written == header.len(), listed, "{until}");
    }
    owned.agree = Some((7, Some(None)));
    assert_eq!(length(|out| owned.header().encode(out, 0)), owned.header().len());
}

#[test]
fn the_sizes_are_those_by_which_messages_were_always_cut() {
    let limits = Limits { id_bytes: 10, text_bytes: 100, ..Tiny::LIMITS };
    assert_eq!((size::REST, size::TAIL, size::LATE, size::CHUNK, size::SKIP), (216, 56, 48, 16, 24));
    assert_eq!((size::EMPTY_OLD, size::AROUND_SESSION, size::AROUND_ROW), (16, 8, 4));
    let (row, entry) = (size::digest_row(&limits), size::largest_entry(&limits));
    assert_eq!((row, entry), (53, 10 + 16 + 3 + 36 + 232));
    assert_eq!(size::least(&limits), 297 + 16 + 20 + row + entry);
    assert_eq!(size::control(&limits), 145 + 16 + 10);
}

#[test]
fn what_has_no_session_is_foreign_and_what_has_none_that_can_be_is_unreadable() {
    for (inc, readable) in [("0", true), ("9007199254740991", true), ("9007199254740992", false), ("-1", false)] {
        let line = std::format!("{{\"body\":{{\"type\":\"gossip\",\"inc\":{inc},\"value\":1}}}}");
        let mut message = Message::new();
        message.decode(line.as_bytes()).unwrap();
        let letter = Letter::decode(Kind::Gossip, &message);
        assert_eq!(matches!(letter, Letter::Ours(_)), readable, "{inc}");
        assert_eq!(matches!(letter, Letter::Unreadable), !readable, "{inc}");
    }
    for (body, kind) in [
        (r#""type":"gossip","value":1"#, "value"),
        (r#""type":"gossip","value":null"#, "nothing"),
        (r#""type":"replicate","p_counters":{"a":1},"n_counters":{}"#, "vectors"),
        (r#""type":"replicate","p_counters":{"a":-1},"n_counters":{}"#, "unreadable"),
        (r#""type":"replicate","p_counters":{}"#, "unreadable"),
    ] {
        let line = std::format!("{{\"body\":{{{body}}}}}");
        let mut message = Message::new();
        message.decode(line.as_bytes()).unwrap();
        let Letter::Foreign(foreign) = Letter::decode(message.kind.unwrap(), &message) else { panic!("{body}") };
        let found = match foreign {
            Foreign::Value(_) => "value",
            Foreign::Vectors(..) => "vectors",
            Foreign::Nothing => "nothing",
            Foreign::Unreadable => "unreadable",
        };
        assert_eq!(found, kind, "{body}");
    }
}
