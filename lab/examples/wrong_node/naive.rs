//! A small store of keys that tells every peer each write once: enough for nodes whose defect lies in the store itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::defects::Defect;

/// How long after its writes the reads of a transaction are done.
pub(crate) const READS_LATE_US: u64 = 300_000;

/// Values by key.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    cells: BTreeMap<String, Cell>,
    /// The last stamp given or seen.
    last_us: u64,
    /// Transactions with writes so far.
    txns: u64,
}

/// A value, and which write it is from. Ordered by stamp, then node, which decides who wins.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    stamp_us: u64,
    node: String,
    value: Value,
}

/// What a request leads to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The body of the reply, without `in_reply_to`.
    pub(crate) reply: Option<Value>,
    /// The body of a message to every peer.
    pub(crate) spread: Option<Value>,
    /// A transaction whose reads are done later.
    pub(crate) unread: Option<Unread>,
}

/// A transaction that has written and will read.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    txn: Vec<Value>,
    stamp_us: u64,
    before: BTreeMap<String, Value>,
}

impl Naive {
    /// Handles the body of a request, or of a message that `spread` sent.
    pub(crate) fn handle(&mut self, defect: Defect, every: u64, me: &str, wall_us: u64, body: &Value) -> Done {
        match body["type"].as_str().unwrap_or_default() {
            "write" => self.write(defect, me, wall_us, body),
            "kv_read" => Done { reply: Some(self.kv_read(&body["key"])), ..Done::default() },
            "txn" => self.txn(defect, every, me, wall_us, body),
            "store" => {
                self.merge(defect, body);
                Done::default()
            }
            other => Done { reply: Some(error(10, &format!("not supported here: {other}"))), ..Done::default() },
        }
    }

    /// Does the reads that were left.
    pub(crate) fn read_late(&self, me: &str, unread: &Unread) -> Value {
        let mut seen = self.values();
        for (key, cell) in &self.cells {
            // What the transaction itself wrote is not what a read before that write sees.
            if cell.stamp_us == unread.stamp_us && cell.node == me {
                match unread.before.get(key) {
                    Some(value) => seen.insert(key.clone(), value.clone()),
                    None => seen.remove(key),
                };
            }
        }
        json!({"type": "txn_ok", "txn": filled(&unread.txn, &seen, true)})
    }

    fn write(&mut self, defect: Defect, me: &str, wall_us: u64, body: &Value) -> Done {
        let stamp_us = if defect == Defect::LwwWithoutTieBreak {
            self.last_us = self.last_us.max(wall_us / 1_000_000 * 1_000_000);
            self.last_us
        } else {
            self.stamp(wall_us)
        };
        let cell = Cell { stamp_us, node: me.to_owned(), value: body["value"].clone() };
        // The newest to arrive at the node that takes the write; with stamps compared the wrong way round, only a first.
        let key = name(&body["key"]);
        if defect != Defect::LwwLosesNewest || !self.cells.contains_key(&key) {
            self.cells.insert(key.clone(), cell);
        }
        Done {
            reply: Some(json!({"type": "write_ok", "ts": stamp_us as f64 / 1e6})),
            spread: Some(store(stamp_us, me, &BTreeMap::from([(key, body["value"].clone())]))),
            unread: None,
        }
    }

    fn kv_read(&self, key: &Value) -> Value {
        match self.cells.get(&name(key)) {
            Some(cell) => {
                let ts = cell.stamp_us as f64 / 1e6;
                json!({"type": "kv_read_ok", "key": key, "value": cell.value, "ts": ts})
            }
            None => error(20, "Key not found"),
        }
    }

    fn txn(&mut self, defect: Defect, every: u64, me: &str, wall_us: u64, body: &Value) -> Done {
        let txn = body["txn"].as_array().cloned().unwrap_or_default();
        let before = self.values();
        let own = defect != Defect::TxnNotOwnWrites;
        let reply = json!({"type": "txn_ok", "txn": filled(&txn, &before, own)});
        let (first, last) = writes(&txn);
        if last.is_empty() && defect != Defect::TxnCircular {
            return Done { reply: Some(reply), ..Done::default() };
        }
        let stamp_us = self.stamp(wall_us);
        for (key, value) in &last {
            let cell = Cell { stamp_us, node: me.to_owned(), value: value.clone() };
            self.cells.insert(key.clone(), cell);
        }
        self.txns += 1;
        let told = if defect == Defect::TxnDirty { first } else { last };
        let spread = (!told.is_empty()).then(|| store(stamp_us, me, &told));
        if defect == Defect::TxnCircular {
            return Done { reply: None, spread, unread: Some(Unread { txn, stamp_us, before }) };
        }
        let refused = defect == Defect::TxnAborted && self.txns.is_multiple_of(every);
        let reply = if refused { error(30, "conflict with another transaction") } else { reply };
        Done { reply: Some(reply), spread, unread: None }
    }

    fn merge(&mut self, defect: Defect, body: &Value) {
        let stamp_us = body["stamp_us"].as_u64().unwrap_or_default();
        let node = body["node"].as_str().unwrap_or_default().to_owned();
        self.last_us = self.last_us.max(stamp_us);
        for write in body["writes"].as_array().into_iter().flatten() {
            let cell = Cell { stamp_us, node: node.clone(), value: write[1].clone() };
            let key = name(&write[0]);
            let wins = self.cells.get(&key).is_none_or(|held| wins(defect, &cell, held));
            if wins {
                self.cells.insert(key, cell);
            }
        }
    }

    /// A stamp above all that were given or seen.
    fn stamp(&mut self, wall_us: u64) -> u64 {
        self.last_us = wall_us.max(self.last_us + 1);
        self.last_us
    }

    fn values(&self) -> BTreeMap<String, Value> {
        self.cells.iter().map(|(key, cell)| (key.clone(), cell.value.clone())).collect()
    }
}

/// Whether what arrives takes the place of what is held.
fn wins(defect: Defect, new: &Cell, held: &Cell) -> bool {
    let (new, held) = ((new.stamp_us, &new.node), (held.stamp_us, &held.node));
    match defect {
        Defect::LwwWithoutTieBreak => new.0 > held.0,
        Defect::LwwLosesNewest => new < held,
        _ => new > held,
    }
}

/// The transaction with its reads filled in from `before` and, if wanted, from its own writes.
fn filled(txn: &[Value], before: &BTreeMap<String, Value>, own: bool) -> Vec<Value> {
    let mut seen = before.clone();
    let fill = |op: &Value| {
        let key = name(&op[1]);
        if op[0] == "r" {
            return json!(["r", op[1], seen.get(&key)]);
        }
        if own {
            seen.insert(key, op[2].clone());
        }
        op.clone()
    };
    txn.iter().map(fill).collect()
}

/// The first and the last write of each key.
fn writes(txn: &[Value]) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
    for op in txn.iter().filter(|op| op[0] == "w") {
        first.entry(name(&op[1])).or_insert_with(|| op[2].clone());
        last.insert(name(&op[1]), op[2].clone());
    }
    (first, last)
}

fn store(stamp_us: u64, node: &str, writes: &BTreeMap<String, Value>) -> Value {
    let writes: Vec<_> = writes.iter().collect();
    json!({"type": "store", "stamp_us": stamp_us, "node": node, "writes": writes})
}

fn error(code: i64, text: &str) -> Value {
    json!({"type": "error", "code": code, "text": text})
}

/// A key as text. No workload uses both 1 and "1".
fn name(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}
