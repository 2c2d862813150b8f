//! Inputs of the target `node`: scripts, one step per line, so that a person can write and read them.
//!
//! | line | step |
//! |---|---|
//! | `!` options, first line only | see [`Setup`] |
//! | `{…` and whatever else | the line, to the first node, `n1` |
//! | `>…` | the rest of it, to the second node, `n2` |
//! | `@…` or `<…` | bytes for an [`Op`]: a well-formed request or gossip message, to the first or the second node |
//! | `~N` | N milliseconds pass |
//! | `^` | the time until the next timer of either node passes |
//! | `-N` | the clock goes back by N milliseconds |
//! | `$N` | the next messages have room for N bytes |
//! | `%` | the second node starts again, with an empty memory and the next incarnation |

use std::fmt::Write;

use arbitrary::{Arbitrary, Unstructured};
use rumormill_core::Workload;
use rumormill_core::id::json_len;

/// Which of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `n1`
    First,
    /// `n2`
    Second,
}

/// What happens next.
#[derive(Debug)]
pub enum Step<'a> {
    /// A line arrives as it is.
    Line(Side, &'a [u8]),
    /// A line arrives that is made of these bytes.
    Made(Side, Op<'a>),
    /// Milliseconds pass.
    Pass(u64),
    /// Time passes until the next timer is due.
    Wake,
    /// The clock goes back by this many milliseconds.
    Back(u64),
    /// The next messages have room for this many bytes.
    Room(usize),
    /// The second node starts again.
    Restart,
}

/// The steps of a script, after its options.
pub fn steps(script: &[u8]) -> impl Iterator<Item = Step<'_>> {
    script.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"!")).filter_map(|line| {
        Some(match line {
            [b'>', rest @ ..] => Step::Line(Side::Second, rest),
            [b'@', bytes @ ..] => Step::Made(Side::First, op(bytes)?),
            [b'<', bytes @ ..] => Step::Made(Side::Second, op(bytes)?),
            [b'~', digits @ ..] => Step::Pass(number(digits)),
            [b'^', ..] => Step::Wake,
            [b'-', digits @ ..] => Step::Back(number(digits)),
            [b'$', digits @ ..] => Step::Room(number(digits) as usize),
            [b'%', ..] => Step::Restart,
            line => Step::Line(Side::First, line),
        })
    })
}

fn op(bytes: &[u8]) -> Option<Op<'_>> {
    Op::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

/// The digits at the start, at most six of them.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// How the nodes are set up: a letter and a number each, in any order, such as `!s1n3l4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// `s1`: the smallest tables; else those of `Tiny`, beside the same on the heap.
    pub smallest: bool,
    /// `nN`: members of the cluster, of which two live. 2 to 8.
    pub nodes: usize,
    /// `mN`: bytes of a message beyond the least that is allowed.
    pub message_bytes: usize,
    /// `lN`: each N-th message between the nodes is lost, until the script ends.
    pub lost: u64,
    /// `iN`: incarnation.
    pub incarnation: u64,
    /// `wN`: workload, the N-th.
    pub workload: Option<Workload>,
    /// `fN`: fanout.
    pub fanout: u8,
    /// `gN`: milliseconds between two rounds.
    pub interval_ms: Option<u32>,
    /// `q1`: the first node waits for a line with `init`.
    pub uninitialised: bool,
    /// `c1`: no wall clock.
    pub clockless: bool,
    /// `e1`: events.
    pub events: bool,
    /// `d1`: messages between the nodes arrive only when time passes.
    pub delayed: bool,
    /// `rN`: seed.
    pub seed: u64,
    /// `x1`: ids as long as they may be, with escapes in them. Lines as they are do not know them.
    pub long_ids: bool,
}

const WORKLOADS: [Workload; 8] = [
    Workload::Broadcast,
    Workload::GSet,
    Workload::GCounter,
    Workload::PnCounter,
    Workload::Kv,
    Workload::Echo,
    Workload::UniqueIds,
    Workload::TxnRwRegister,
];

impl Setup {
    /// The options of a script.
    pub fn of(script: &[u8]) -> Self {
        let mut setup = Self {
            smallest: false,
            nodes: 2,
            message_bytes: 200,
            lost: 0,
            incarnation: 7,
            workload: None,
            fanout: 2,
            interval_ms: None,
            uninitialised: false,
            clockless: false,
            events: false,
            delayed: false,
            seed: 0,
            long_ids: false,
        };
        let [b'!', options @ ..] = script.split(|byte| *byte == b'\n').next().unwrap_or_default() else { return setup };
        for (at, letter) in options.iter().enumerate() {
            let number = number(&options[at + 1..]);
            let at_least_one = number.max(1);
            match letter {
                b's' => setup.smallest = number == 1,
                b'n' => setup.nodes = 2 + (number.saturating_sub(2) % 7) as usize,
                b'm' => setup.message_bytes = number as usize,
                b'l' => setup.lost = number,
                b'i' => setup.incarnation = number,
                b'w' => setup.workload = WORKLOADS.get(number as usize).copied(),
                b'f' => setup.fanout = at_least_one.min(255) as u8,
                b'g' => setup.interval_ms = Some(at_least_one.min(60_000) as u32),
                b'q' => setup.uninitialised = number == 1,
                b'c' => setup.clockless = number == 1,
                b'e' => setup.events = number == 1,
                b'd' => setup.delayed = number == 1,
                b'r' => setup.seed = number,
                b'x' => setup.long_ids = number == 1,
                _ => {}
            }
        }
        setup
    }

    /// The ids of the cluster's members, and one that is none of them. `id_bytes` is the longest that an id may be.
    pub fn ids(&self, id_bytes: usize) -> Vec<String> {
        let id = |node: usize| {
            let mut id = format!("n{node}");
            while self.long_ids && id_bytes - json_len(&id) >= 2 {
                id.push('"');
            }
            while self.long_ids && json_len(&id) < id_bytes {
                id.push('x');
            }
            id
        };
        (1..=self.nodes + 1).map(id).collect()
    }
}

/// A message that is well-formed, but for fields of the wrong kind here and there.
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
    /// A small integer: those that meet again.
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
    /// A type that nobody knows.
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

/// A gossip message of our own kind.
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
    /// `refuses`, where it is 1 to 3; 3 is none that is known.
    refuses: u8,
    /// `lives`. These fields are the last, so that the bytes of older scripts mean what they did.
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
    /// The one under way when the script begins.
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
    /// An own cell of the counter.
    Cell(bool, Number),
    /// A cell of another row.
    CellOf(bool, Row, Number),
    /// An entry that nobody knows.
    Unknown(u8, Vec<Scalar<'a>>),
}

/// What `sum` says.
#[derive(Arbitrary, Debug)]
pub enum Sum {
    /// What the receiver holds.
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

/// What the text of a message depends on, besides its bytes.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The receiver: 0 or 1, counted from the first member.
    pub to: usize,
    /// Ids of the members, and one that is none of them.
    pub ids: Vec<String>,
    /// Incarnation with which the nodes began.
    pub incarnation: u64,
    /// The receiver's digest: vector and state.
    pub sum: (u64, u64),
    /// Name of the receiver's view; 0 before it is a member of a cluster.
    pub view: u64,
    /// Wall time at the start of the script, in microseconds.
    pub start_us: u64,
}

impl Op<'_> {
    /// The line, but for [`Op::Update`].
    pub fn line(&self, facts: &Facts) -> String {
        let mut line = String::new();
        match self {
            Op::Request { src, msg_id, id, spaced, request } => {
                let src = if *src < 200 { format!("\"c{}\"", src % 4) } else { node(usize::from(*src), facts) };
                let id = if *id { format!("\"id\":{msg_id},") } else { String::new() };
                let body = request.body(facts);
                let _ = write!(
                    line,
                    "{{{id}\"src\":{src},\"dest\":{},\"body\":{{{body},\"msg_id\":{msg_id}}}}}",
                    node(facts.to, facts)
                );
                if *spaced {
                    line = line.replace("\":", "\": ").replace(",\"", ", \"");
                }
            }
            Op::Gossip { from, gossip } => {
                let body = gossip.body(facts);
                let _ = write!(
                    line,
                    "{{\"src\":{},\"dest\":{},\"body\":{{{body}}}}}",
                    node(usize::from(*from), facts),
                    node(facts.to, facts)
                );
            }
            Op::Foreign { from, foreign } => {
                let body = foreign.body(facts);
                let _ = write!(
                    line,
                    "{{\"src\":{},\"dest\":{},\"body\":{{{body}}}}}",
                    node(usize::from(*from), facts),
                    node(facts.to, facts)
                );
            }
            Op::Update(_) => {}
        }
        line
    }
}

/// The id of a member, or of one that is none, in quotes.
fn node(number: usize, facts: &Facts) -> String {
    quoted(&facts.ids[number % facts.ids.len()])
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(",")
}

impl Scalar<'_> {
    fn text(&self) -> String {
        match self {
            Scalar::Small(int) => int.to_string(),
            Scalar::Int(int) => int.to_string(),
            Scalar::Text(text) => quoted(text),
            Scalar::Escaped(text) => {
                let mut escaped = String::from("\"");
                for unit in text.encode_utf16() {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
                escaped + "\""
            }
            Scalar::Big(int) => int.to_string(),
            Scalar::Odd(which) => ODD[usize::from(*which) % ODD.len()].into(),
        }
    }
}

impl Stamp {
    fn micros(&self, facts: &Facts) -> u64 {
        match *self {
            Self::Near(us) => facts.start_us + u64::from(us),
            Self::Any(us) => us,
            Self::Whole(seconds) => u64::from(seconds) * 1_000_000,
        }
    }

    fn seconds(&self, facts: &Facts) -> String {
        let us = self.micros(facts);
        match self {
            Self::Whole(seconds) => seconds.to_string(),
            Self::Near(_) | Self::Any(_) => format!("{}.{:06}", us / 1_000_000, us % 1_000_000),
        }
    }
}

impl Request<'_> {
    fn body(&self, facts: &Facts) -> String {
        let named = |name: &str, fields: &[(&str, String)]| {
            let mut body = format!("\"type\":\"{name}\"");
            for (key, value) in fields {
                let _ = write!(body, ",\"{key}\":{value}");
            }
            body
        };
        let scalars = |items: &[Scalar<'_>]| format!("[{}]", list(items, Scalar::text));
        match self {
            Self::Broadcast(value) => named("broadcast", &[("message", value.text())]),
            Self::Read => named("read", &[]),
            Self::Element(value) => named("add", &[("element", value.text())]),
            Self::Delta(value) => named("add", &[("delta", value.text())]),
            Self::Both(element, delta) => named("add", &[("element", element.text()), ("delta", delta.text())]),
            Self::Write(key, value) => named("write", &[("key", key.text()), ("value", value.text())]),
            Self::BenchWrite(key, value) => named("bench_write", &[("key", key.text()), ("value", value.text())]),
            Self::KvRead(key) => named("kv_read", &[("key", key.text())]),
            Self::KvMerge(entries) => {
                let entries = list(entries, |(key, value, stamp)| {
                    format!("{}:{{\"value\":{},\"ts\":{}}}", quoted(key), value.text(), stamp.seconds(facts))
                });
                named("kv_merge", &[("entries", format!("{{{entries}}}"))])
            }
            Self::Txn(ops) => {
                let ops = list(ops, |(write, key, value)| match write {
                    true => format!("[\"w\",{},{}]", key.text(), value.text()),
                    false => format!("[\"r\",{},null]", key.text()),
                });
                named("txn", &[("txn", format!("[{ops}]"))])
            }
            Self::Echo(values) => match &values[..] {
                [value] => named("echo", &[("echo", value.text())]),
                values => named("echo", &[("echo", scalars(values))]),
            },
            Self::Plain(which) => named(PLAIN[usize::from(*which) % PLAIN.len()], &[]),
            Self::Configure(fanout, interval) => {
                let fields = [("fanout", fanout), ("gossip_interval_ms", interval)];
                let fields = fields.map(|(name, field)| Some((name, field.as_ref()?.text())));
                named("configure", &fields.into_iter().flatten().collect::<Vec<_>>())
            }
            Self::GossipSync(values) => named("gossip_sync", &[("messages", scalars(values))]),
            Self::DigestSync(digest, values) => {
                let values = values.as_ref().map_or("null".into(), |values| scalars(values));
                named("digest_sync", &[("remote_digest", quoted(digest)), ("remote_messages", values)])
            }
            Self::Init(me, ids) => {
                let all: Vec<u8> = (0..facts.ids.len() as u8 - 1).collect();
                let ids = if ids.is_empty() { &all } else { ids };
                let ids = list(ids, |id| node(usize::from(*id), facts));
                let me = if *me < 128 { facts.to } else { usize::from(*me) };
                named("init", &[("node_id", node(me, facts)), ("node_ids", format!("[{ids}]"))])
            }
            Self::Topology(nodes) => {
                let nodes = list(nodes, |(node, neighbours)| format!("{}:{}", quoted(node), scalars(neighbours)));
                named("topology", &[("topology", format!("{{{nodes}}}"))])
            }
            Self::Unknown(name) => format!("\"type\":{}", quoted(name)),
        }
    }
}

/// What `agree` says: the view of the receiver, or another one when the highest bit is set, and all members for 0, the sender
/// alone for 1, else the members of these bits.
fn agree(agree: u32, facts: &Facts) -> String {
    let (view, digits) = (facts.view ^ u64::from(agree >> 31), (facts.ids.len() - 1).div_ceil(4));
    match agree & !(1 << 31) {
        0 => format!("{view:016x}:all"),
        1 => format!("{view:016x}"),
        members => format!("{view:016x}:{members:0digits$x}"),
    }
}

impl Life {
    fn number(self, facts: &Facts) -> u64 {
        match self {
            Self::Present => facts.incarnation,
            Self::Zero => 0,
            Self::Other(life) => life.into(),
            Self::Any(life) => life,
        }
    }
}

impl Row {
    fn name(self, facts: &Facts) -> String {
        let node = node(usize::from(self.node), facts);
        let life = self.life.number(facts);
        if life == 0 { node } else { format!("{}@{life}\"", &node[..node.len() - 1]) }
    }
}

impl Item<'_> {
    fn text(&self, facts: &Facts) -> String {
        let sign = |negative: bool| if negative { "n" } else { "p" };
        match self {
            Self::Value(value) => value.text(),
            Self::Skip(count) => format!("[{}]", count.get()),
            Self::Write(key, value, stamp) => {
                format!("[\"w\",{},{},{}]", key.text(), value.text(), stamp.micros(facts))
            }
            Self::Cell(negative, number) => format!("[\"{}\",{}]", sign(*negative), number.get()),
            Self::CellOf(negative, row, number) => {
                format!("[\"{}\",{},{}]", sign(*negative), row.name(facts), number.get())
            }
            Self::Unknown(tag, args) => {
                let tag = char::from(tag % 26 + b'a');
                format!("[\"{tag}\"{}]", args.iter().map(|arg| format!(",{}", arg.text())).collect::<String>())
            }
        }
    }
}

fn vector(rows: &[(Row, Number)], facts: &Facts) -> String {
    format!("{{{}}}", list(rows, |(row, number)| format!("{}:{}", row.name(facts), number.get())))
}

impl Gossip<'_> {
    fn body(&self, facts: &Facts) -> String {
        let name = if self.replicate { "replicate" } else { "gossip" };
        let life = if self.life < 192 { facts.incarnation } else { u64::from(self.life - 192) };
        let mut body = format!("\"type\":\"{name}\",\"inc\":{life}");
        if let Some(sum) = &self.sum {
            let (vector, state) = match *sum {
                Sum::Same => facts.sum,
                Sum::Diverged(other) => (facts.sum.0, facts.sum.1 ^ u64::from(other)),
                Sum::Any(vector, state) => (vector, state),
            };
            let _ = write!(body, ",\"sum\":\"{vector:016x}{state:016x}\"");
        }
        if let Some(agree) = self.agree {
            let _ = write!(body, ",\"agree\":\"{}\"", self::agree(agree, facts));
        }
        if matches!(self.refuses, 1..=3) {
            let _ = write!(body, ",\"refuses\":{}", self.refuses);
        }
        if !self.lives.is_empty() {
            let lives =
                list(&self.lives, |(at, life)| format!("{}:{}", node(usize::from(*at), facts), life.number(facts)));
            let _ = write!(body, ",\"lives\":{{{lives}}}");
        }
        if let Some(digest) = &self.digest {
            let _ = write!(body, ",\"digest\":{}", vector(digest, facts));
        }
        if !self.data.is_empty() {
            let chunks = list(&self.data, |Chunk { row, from, items }| {
                let items: String = items.iter().map(|item| format!(",{}", item.text(facts))).collect();
                format!("[{},{}{items}]", row.name(facts), from.get())
            });
            let _ = write!(body, ",\"data\":[{chunks}]");
        }
        if self.want % 4 < 3 {
            let _ = write!(body, ",\"want\":{}", self.want % 4);
        }
        body
    }
}

impl Foreign<'_> {
    fn body(&self, facts: &Facts) -> String {
        match self {
            Self::Value(value) => format!("\"type\":\"gossip\",\"value\":{}", value.text()),
            Self::Vectors(p, n) => format!(
                "\"type\":\"replicate\",\"p_counters\":{},\"n_counters\":{}",
                vector(p, facts),
                vector(n, facts)
            ),
        }
    }
}
