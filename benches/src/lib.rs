//! Shared inputs of the benchmarks: lines as Maelstrom and peers send them.
//!
//! There are many lines of each kind, which differ in their numbers and clients. The branch predictor of the processor
//! would learn a single line.

/// How many integers a gossip line has.
pub const GOSSIP_VALUES: usize = 100;

/// The kinds of line that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `broadcast` of an integer, 87 bytes.
    Broadcast,
    /// `read` of the set.
    Read,
    /// `add` to the counter.
    Add,
    /// `write` of an integer under one of [`KEYS`] keys.
    Write,
    /// `kv_read` of one of these keys.
    KvRead,
    /// `gossip` of [`GOSSIP_VALUES`] integers from the peer `n2`.
    Gossip,
}

/// How many keys of the store are written and read.
pub const KEYS: usize = 100;

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Broadcast, Self::Read, Self::Add, Self::Write, Self::KvRead, Self::Gossip];

    /// Its name in the ids of benchmarks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Read => "read",
            Self::Add => "add",
            Self::Write => "write",
            Self::KvRead => "kv_read",
            Self::Gossip => "gossip_100",
        }
    }

    /// The `n`-th line, without its newline. No value of the set is in two lines. The dots of the gossip lines follow
    /// each other from line 0 on. The first 900 lines of a kind have the same length.
    #[must_use]
    pub fn line(self, n: usize) -> Vec<u8> {
        let (id, msg_id, client) = (100 + n % 900, 10 + n % 90, 1 + n % 9);
        let body = match self {
            Self::Broadcast => format!(r#""type":"broadcast","message":{}"#, 100 + n),
            Self::Read => r#""type":"read""#.to_owned(),
            Self::Add => format!(r#""type":"add","delta":{}"#, 1 + n % 9),
            Self::Write => format!(r#""type":"write","key":"k{:02}","value":{}"#, n % KEYS, 10_000 + n),
            Self::KvRead => format!(r#""type":"kv_read","key":"k{:02}""#, n % KEYS),
            Self::Gossip => return gossip(n),
        };
        format!(r#"{{"id":{id},"src":"c{client}","dest":"n1","body":{{{body},"msg_id":{msg_id}}}}}"#).into_bytes()
    }

    /// The first `count` lines.
    #[must_use]
    pub fn lines(self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| self.line(n)).collect()
    }
}

fn gossip(n: usize) -> Vec<u8> {
    let from = n * GOSSIP_VALUES;
    let values: Vec<String> = (from..from + GOSSIP_VALUES).map(|value| (100_000 + value).to_string()).collect();
    let (values, id) = (values.join(","), 10_000 + n);
    let body = format!(r#""type":"gossip","inc":7,"data":[["n2@7",{from},{values}]],"msg_id":{id}"#);
    format!(r#"{{"src":"n2","dest":"n1","body":{{{body}}}}}"#).into_bytes()
}

/// The line with which a cluster of `nodes` begins at `n1`.
#[must_use]
pub fn init(nodes: usize) -> Vec<u8> {
    let ids: Vec<String> = (1..=nodes).map(|node| format!("\"n{node}\"")).collect();
    let body = format!(r#""type":"init","msg_id":1,"node_id":"n1","node_ids":[{}]"#, ids.join(","));
    format!(r#"{{"id":0,"src":"c0","dest":"n1","body":{{{body}}}}}"#).into_bytes()
}
