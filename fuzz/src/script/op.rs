//! Messages that are made of bytes. They are well-formed, except that some fields are of the wrong kind.

mod text;

use arbitrary::Arbitrary;

pub use text::Facts;

/// A message that is well-formed, except that some fields may be of the wrong kind.
#[derive(Arbitrary, Debug)]
pub enum Op<'a> {
    /// From a client, or from a node that asks like one.
    Request {
        /// Number of the client; some are node ids.
        src: u8,
        /// Its `msg_id`.
        msg_id: u16,
        /// Whether the envelope has an `id`, as Maelstrom's have.
        id: bool,
        /// White space after commas and colons.
        spaced: bool,
        /// The body.
        request: Request<'a>,
    },
    /// From a peer.
    Gossip {
        /// Number of the peer.
        from: u8,
        /// The body.
        gossip: Gossip<'a>,
    },
    /// From a peer of another implementation.
    Foreign {
        /// Number of the peer.
        from: u8,
        /// The body.
        foreign: Foreign<'a>,
    },
    /// A local change without a client.
    Update(Change<'a>),
}

/// A local change without a client.
#[derive(Arbitrary, Debug)]
pub enum Change<'a> {
    /// A value of the set.
    Int(i64),
    /// A value of the set.
    Text(&'a str),
    /// Of the counter.
    Add(i64),
    /// Of the store.
    Write(&'a str, i64),
}

/// A value of any kind.
#[derive(Arbitrary, Debug)]
pub enum Scalar<'a> {
    /// A small integer, so that equal values occur.
    Small(u8),
    /// Another integer.
    Int(i64),
    /// A string.
    Text(&'a str),
    /// A string whose characters are all escaped.
    Escaped(&'a str),
    /// An integer above the range.
    Big(u64),
    /// Something else.
    Odd(u8),
}

const ODD: [&str; 12] =
    ["null", "true", "1.5", "-0", "[]", "{}", "[1,[2]]", r#"{"a":[]}"#, "1e3", "99999999999999999999", r#""""#, "-1"];

/// A request.
#[derive(Arbitrary, Debug)]
pub enum Request<'a> {
    /// `broadcast`
    Broadcast(Scalar<'a>),
    /// `read`
    Read,
    /// `add` with `element`
    Element(Scalar<'a>),
    /// `add` with `delta`
    Delta(Scalar<'a>),
    /// `add` with both
    Both(Scalar<'a>, Scalar<'a>),
    /// `write`
    Write(Scalar<'a>, Scalar<'a>),
    /// `bench_write`
    BenchWrite(Scalar<'a>, Scalar<'a>),
    /// `kv_read`
    KvRead(Scalar<'a>),
    /// `kv_merge`
    KvMerge(Vec<(&'a str, Scalar<'a>, Stamp)>),
    /// `txn`
    Txn(Vec<(bool, Scalar<'a>, Scalar<'a>)>),
    /// `echo`
    Echo(Vec<Scalar<'a>>),
    /// `generate`, or another one without fields
    Plain(u8),
    /// `configure`
    Configure(Option<Scalar<'a>>, Option<Scalar<'a>>),
    /// `gossip_sync`
    GossipSync(Vec<Scalar<'a>>),
    /// `digest_sync`
    DigestSync(&'a str, Option<Vec<Scalar<'a>>>),
    /// `init`
    Init(u8, Vec<u8>),
    /// `topology`
    Topology(Vec<(&'a str, Vec<Scalar<'a>>)>),
    /// An unknown type.
    Unknown(&'a str),
}

const PLAIN: [&str; 9] = [
    "generate",
    "gossip_stats",
    "gossip_round",
    "digest",
    "gossip_status",
    "bench_report",
    "bench_stats",
    "read",
    "stats",
];

/// A `ts`.
#[derive(Arbitrary, Debug)]
pub enum Stamp {
    /// Microseconds after the start of the script.
    Near(u32),
    /// Anything.
    Any(u64),
    /// A small whole number.
    Whole(u8),
}

/// A gossip message of this implementation.
#[derive(Arbitrary, Debug)]
pub struct Gossip<'a> {
    replicate: bool,
    life: u8,
    data: Vec<Chunk<'a>>,
    digest: Option<Vec<(Row, Number)>>,
    sum: Option<Sum>,
    /// `agree`: see [`agree`].
    agree: Option<u32>,
    want: u8,
    /// `refuses`, if this is 1 to 3. The value 3 is unknown to nodes.
    refuses: u8,
    /// `lives`. These fields come last, so that the bytes of older scripts keep their meaning.
    lives: Vec<(u8, Life)>,
}

/// A chunk of `data`.
#[derive(Arbitrary, Debug)]
pub struct Chunk<'a> {
    row: Row,
    from: Number,
    items: Vec<Item<'a>>,
}

/// The name of a row.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Row {
    node: u8,
    life: Life,
}

/// A life of a node.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Life {
    /// The one in which the script begins.
    Present,
    /// A life of foreign implementations: 0.
    Zero,
    /// Another one.
    Other(u8),
    /// Any.
    Any(u64),
}

/// The number of a dot.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Number {
    /// A small one.
    Small(u8),
    /// Near the largest allowed.
    Large(u8),
    /// Any.
    Any(u64),
}

impl Number {
    fn get(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Large(below) => (i64::MAX as u64 / 2 + 2).saturating_sub(below.into()),
            Self::Any(number) => number,
        }
    }
}

/// An item of a chunk.
#[derive(Arbitrary, Debug)]
pub enum Item<'a> {
    /// A value of the set.
    Value(Scalar<'a>),
    /// Dots that were superseded.
    Skip(Number),
    /// A write.
    Write(Scalar<'a>, Scalar<'a>, Stamp),
    /// A cell of the counter of the chunk's own row.
    Cell(bool, Number),
    /// A cell of another row.
    CellOf(bool, Row, Number),
    /// An unknown entry.
    Unknown(u8, Vec<Scalar<'a>>),
}

/// The value of `sum`.
#[derive(Arbitrary, Debug)]
pub enum Sum {
    /// The receiver's own digest.
    Same,
    /// The same vector and another state.
    Diverged(u8),
    /// Something else.
    Any(u64, u64),
}

/// A message of another implementation.
#[derive(Arbitrary, Debug)]
pub enum Foreign<'a> {
    /// `gossip` with a bare value.
    Value(Scalar<'a>),
    /// `replicate`.
    Vectors(Vec<(Row, Number)>, Vec<(Row, Number)>),
}
