//! The text of a message from `op.rs`.

use std::fmt::Write;

use super::{Chunk, Foreign, Gossip, Item, Life, Number, ODD, Op, PLAIN, Request, Row, Scalar, Stamp, Sum};

/// The facts about the nodes that the text of a message depends on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The receiver: 0 or 1, counted from the first member.
    pub to: usize,
    /// Ids of the members, and one id that is no member.
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
    /// The line. [`Op::Update`] has none.
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

/// The id of a member, or an id that is no member, in quotes.
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

/// The value of `agree`. Its view is that of the receiver, or another one if the highest bit is set. Its set has all
/// members for 0, the sender alone for 1, and otherwise the members of these bits.
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
