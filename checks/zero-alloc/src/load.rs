//! The load of the node: a client that sends every request, and two peers.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rumormill_core::storage::{Heap, Limits, Storage};
use rumormill_core::{Change, Config, Instant, Node, Now, Transmit, Value};

/// How many values, keys and deltas are in use before the counting begins.
const KNOWN_VALUES: u64 = 1_000;
const KEYS: u64 = 500;
/// One request of this many has a new value, so that lists of all values stay shorter than a block of output.
const NEW_VALUE: u64 = 100;

/// All clients.
#[derive(Default)]
pub struct Client {
    /// How many requests were made.
    pub requests: u64,
    random: u64,
    new_values: u64,
    errors: u64,
    body: String,
}

impl Client {
    /// Adds a request to the batch.
    pub fn request(&mut self, batch: &mut Vec<u8>) {
        self.requests += 1;
        let rare = self.requests.is_multiple_of(1_000);
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let (value, key, delta) = (self.below(KNOWN_VALUES), self.below(KEYS), self.below(200) as i64 - 100);
        let done = if rare {
            self.rare(&mut body)
        } else if self.requests.is_multiple_of(NEW_VALUE) {
            self.new_values += 1;
            let (value, text) = (KNOWN_VALUES + self.new_values, self.new_values.is_multiple_of(10));
            if text {
                write!(body, r#""type":"broadcast","message":"\u00fcber {value}""#)
            } else {
                write!(body, r#""type":"broadcast","message":{value}"#)
            }
        } else {
            match self.below(16) {
                0..4 => write!(body, r#""type":"broadcast","message":{value}"#),
                4..7 => write!(body, r#""type":"add","delta":{delta}"#),
                7 | 8 => write!(body, r#""type":"write","key":{key},"value":"\u00fcber {value}""#),
                9 => write!(body, r#""type":"write","key":"key {key}","value":{value}"#),
                10 | 11 => write!(body, r#""type":"kv_read","key":{key}"#),
                12 => write!(body, r#""type":"kv_read","key":"key {key}""#),
                13 => write!(body, r#""type":"echo","echo":{{"of": [{value}, "{key}", null]}}"#),
                14 => write!(body, r#""type":"bench_write","key":{key},"value":{value}"#),
                _ => write!(body, r#""type":"txn","txn":[["r",{key},null],["w","key {key}",{value}]]"#),
            }
        };
        done.expect("a string takes everything");
        self.ask(batch, &body);
        self.body = body;
        // Lines that get no reply: those of other implementations, replies, and lines of no sender and of strangers.
        let foreign = match self.requests % 50 {
            1 => format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip","value":{value}}}}}"#),
            2 => format!(
                r#"{{"src":"n3","dest":"n1","body":{{"type":"replicate","p_counters":{{"n2":7}},"n_counters":{{"n3@9":{}}}}}}}"#,
                1 + key / 100
            ),
            3 => r#"{"src":"c2","dest":"n1","body":{"type":"read_ok","in_reply_to":1}}"#.into(),
            4 => "{\"src\":\"c3\" no JSON".into(),
            5 => r#"{"src":"x1","dest":"n1","body":{"type":"gossip","value":1}}"#.into(),
            _ => return,
        };
        writeln!(batch, "{foreign}").expect("a vector takes everything");
    }

    fn rare(&mut self, body: &mut String) -> std::fmt::Result {
        let new = KNOWN_VALUES + self.new_values;
        match self.requests / 1_000 % 18 {
            0..4 => write!(body, r#""type":"read""#),
            4 => write!(body, r#""type":"topology","topology":{{"n1":["n2","n3"],"n2":["n1"]}}"#),
            5 => write!(body, r#""type":"generate""#),
            6 => write!(body, r#""type":"configure","gossip_interval_ms":1,"fanout":2"#),
            7 => write!(body, r#""type":"gossip_stats""#),
            8 => write!(body, r#""type":"gossip_status""#),
            9 => write!(body, r#""type":"gossip_round""#),
            10 => write!(body, r#""type":"gossip_sync","messages":[1,2,{new}]"#),
            11 => write!(body, r#""type":"digest""#),
            12 => write!(body, r#""type":"digest_sync","remote_digest":"another","remote_messages":[3,{new}]"#),
            13 => {
                let ts = self.requests;
                write!(
                    body,
                    r#""type":"kv_merge","entries":{{"1":{{"value":1,"ts":{ts}.5}},"m":{{"value":"v","ts":1}}}}"#
                )
            }
            14 => write!(body, r#""type":"bench_report""#),
            15 => write!(body, r#""type":"bench_stats""#),
            16 => {
                self.errors += 1;
                write!(body, r#""type":"add","delta":"one""#)
            }
            _ => {
                self.errors += 1;
                write!(body, r#""type":"no such request","value":[1,2,3]"#)
            }
        }
    }

    /// Adds a request of this body to the batch.
    pub fn ask(&mut self, batch: &mut Vec<u8>, body: &str) {
        let id = self.requests;
        writeln!(batch, r#"{{"src":"c{}","dest":"n1","body":{{"msg_id":{id},{body}}}}}"#, id % 7)
            .expect("a vector takes everything");
    }

    /// Takes a reply.
    pub fn reply(&mut self, line: &str) {
        // A key may be read before it is written.
        if line.contains(r#""type": "error""#) && !line.contains(r#""code": 20"#) {
            self.errors = self.errors.checked_sub(1).unwrap_or_else(|| panic!("{line}"));
        }
    }

    /// Checks that all changes have arrived at the peers.
    pub fn check(&self, peers: &Peers) {
        assert_eq!(self.errors, 0, "a request that is wrong got no error");
        for node in &peers.nodes {
            let set = &node.member().expect("it has joined").store().set;
            let values = 1 + KNOWN_VALUES..=KNOWN_VALUES + self.new_values;
            let lost = values.filter(|value| {
                let text = format!("über {value}");
                !set.contains(Value::Int(*value as i64)) && !set.contains(Value::Text(&text))
            });
            assert_eq!(lost.count(), 0, "values that did not arrive");
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        rumormill_core::id::mix(self.random) % bound
    }
}

/// The nodes `n2` and `n3`.
pub struct Peers {
    /// How many lines the node sent them.
    pub received: u64,
    /// How many lines they sent the node.
    pub sent: u64,
    nodes: [Node<Heap>; 2],
    /// Their own time, which passes faster than that of the node: two milliseconds per batch.
    now_ms: u64,
    news: u64,
    silent: bool,
}

const IDS: [&str; 3] = ["n1", "n2", "n3"];

impl Peers {
    pub fn new() -> Self {
        let limits = Limits { values: 1 << 16, keys: 4_096, dense_values: 1 << 16, ..Heap::LIMITS };
        let mut nodes = [5, 6].map(|incarnation| {
            let config = Config { incarnation, gossip_interval_ms: Some(1), seed: incarnation, ..Config::default() };
            Node::with_limits(config, limits).expect("choices within their bounds")
        });
        for (me, node) in IDS[1..].iter().zip(&mut nodes) {
            node.join(me, IDS.into_iter(), now(0)).expect("a cluster");
        }
        Self { received: 0, sent: 0, nodes, now_ms: 0, news: 0, silent: false }
    }

    /// From now on the peers make no changes.
    pub fn be_silent(&mut self) {
        self.silent = true;
    }

    pub fn are_settled(&self) -> bool {
        self.nodes.iter().all(Node::is_settled)
    }

    /// Adds the lines that they send the node to the batch.
    pub fn speak(&mut self, batch: &mut Vec<u8>) {
        if self.now_ms == 0 {
            let ids = r#"["n1","n2","n3"]"#;
            let body = format!(r#""type":"init","node_id":"n1","node_ids":{ids}"#);
            // The reply counts as a line to a peer.
            writeln!(batch, r#"{{"src":"n2","dest":"n1","body":{{"msg_id":0,{body}}}}}"#)
                .expect("a vector takes everything");
        }
        self.now_ms += 2;
        let now = now(self.now_ms);
        if !self.silent {
            self.news += 1;
            let (at, number) = ((self.news % 2) as usize, self.news as i64);
            let change = match number % 3 {
                0 => Change::Broadcast(Value::Int(50_000 + number % 10_000)),
                1 => Change::Add(number % 100 - 50),
                _ => Change::Write { key: Value::Int(number % 100), value: Value::Text("of a peer") },
            };
            let member = self.nodes[at].member_mut().expect("it has joined");
            member.update(now, change).expect("there is room");
        }
        self.nodes.iter_mut().for_each(|node| node.handle_timeout(now));
        let mut line = Vec::new();
        while let Some(to) = self.poll(now, &mut line) {
            match to {
                0 => {
                    self.sent += 1;
                    batch.extend_from_slice(&line);
                }
                to => self.nodes[to - 1].handle_line(now, line.trim_ascii_end()).expect("a line of a peer"),
            }
            line.clear();
        }
    }

    /// Polls one message. Returns its receiver.
    fn poll(&mut self, now: Now, line: &mut Vec<u8>) -> Option<usize> {
        self.nodes.iter_mut().find_map(|node| {
            match node.poll_transmit(now, line).expect("a vector takes everything")? {
                Transmit::Gossip(to) => Some(to.at()),
                Transmit::Reply => panic!("nobody asked a peer"),
            }
        })
    }

    /// Takes a line of the node, if it is for a peer.
    pub fn hear(&mut self, line: &str) -> bool {
        let Some(at) = IDS[1..].iter().position(|id| line.starts_with(&format!(r#"{{"src": "n1", "dest": "{id}""#)))
        else {
            return false;
        };
        self.received += 1;
        let handled = self.nodes[at].handle_line(now(self.now_ms), line.trim_ascii_end().as_bytes());
        handled.expect("a line of a peer");
        true
    }
}

fn now(ms: u64) -> Now {
    let at = Instant::from_millis(ms);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { at, wall_us: Some(wall.as_micros() as u64) }
}
