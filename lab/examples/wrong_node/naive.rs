//! A small store of keys that tells every peer each write once: enough for nodes whose defect lies in the store itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::defects::Defect;

/// How long a transaction waits for one that it could see and that sees it. Clients give up after 5 s.
pub(crate) const HOLD_MS: u64 = 3_000;

/// Values by key.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    cells: BTreeMap<String, Cell>,
    /// The last stamp given or seen.
    last_us: u64,
    /// Transactions with writes so far.
    txns: u64,
    /// A transaction that has written, and waits.
    held: Option<Held>,
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
    /// The body of the reply, without `in_reply_to`. When the request is held, the reply comes later.
    pub(crate) reply: Option<Value>,
    /// The body of a message to every peer.
    pub(crate) spread: Option<Value>,
    /// Whether the request is the held one from now on.
    pub(crate) is_held: bool,
    /// The body of the reply to the request that was held until now.
    pub(crate) release: Option<Value>,
}

/// A transaction that has written, and waits for one that sees it.
#[derive(Clone, Debug)]
struct Held {
    /// Its writes, as others see them.
    writes: BTreeMap<String, Value>,
    /// Its operations with all reads filled in, as they would be answered now.
    filled: Vec<Value>,
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
                Done { release: self.release(body), ..Done::default() }
            }
            other => Done { reply: Some(error(10, &format!("not supported here: {other}"))), ..Done::default() },
        }
    }

    /// The time of the transaction that is held is over: its reply, without what another could have shown it.
    pub(crate) fn give_up(&mut self) -> Option<Value> {
        self.held.take().map(|held| txn_ok(held.filled))
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
            spread: Some(store(stamp_us, me, &BTreeMap::from([(key, body["value"].clone())]), &[])),
            ..Done::default()
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
        let filled = filled(&txn, &before, own);
        let (first, last) = writes(&txn);
        if last.is_empty() {
            return Done { reply: Some(txn_ok(filled)), ..Done::default() };
        }
        let stamp_us = self.stamp(wall_us);
        for (key, value) in &last {
            let cell = Cell { stamp_us, node: me.to_owned(), value: value.clone() };
            self.cells.insert(key.clone(), cell);
        }
        self.txns += 1;
        let spread = store(stamp_us, me, if defect == Defect::TxnDirty { &first } else { &last }, &filled);
        let release = self.release(&spread);
        // Were all to wait, none would come.
        let waits = defect == Defect::TxnCircular && me.ends_with(['0', '2', '4', '6', '8']);
        let is_held = waits && self.hold(&last, &filled);
        let refused = defect == Defect::TxnAborted && self.txns.is_multiple_of(every);
        let reply = if refused { error(30, "conflict with another transaction") } else { txn_ok(filled) };
        Done { reply: (!is_held).then_some(reply), spread: Some(spread), is_held, release }
    }

    /// Holds a transaction back if another could come that sees it, and that it could see. One at a time.
    fn hold(&mut self, writes: &BTreeMap<String, Value>, filled: &[Value]) -> bool {
        let reads = filled.iter().any(|op| op[0] == "r" && !writes.contains_key(&name(&op[1])));
        if self.held.is_some() || !reads {
            return false;
        }
        self.held = Some(Held { writes: writes.clone(), filled: filled.to_vec() });
        true
    }

    /// The reply of the held transaction, if that of a `store` message has seen it, or nobody can see it any more.
    fn release(&mut self, other: &Value) -> Option<Value> {
        let seen = self.seen_by(other);
        let is_held = |(key, value): (&String, &Value)| self.cells.get(key).is_some_and(|cell| cell.value == *value);
        let in_sight = self.held.as_ref().is_none_or(|held| held.writes.iter().any(is_held));
        if in_sight { seen } else { self.give_up() }
    }

    /// If the transaction of a `store` message has seen the held one, and has written what that one reads: the reply of
    /// the held one, in which it has seen the other.
    fn seen_by(&mut self, other: &Value) -> Option<Value> {
        let held = self.held.as_ref()?;
        let ops = other["txn"].as_array()?;
        let has_seen = |op: &Value| op[0] == "r" && held.writes.get(&name(&op[1])) == Some(&op[2]);
        let (_, written) = writes(ops);
        let could_show = |op: &Value| op[0] == "r" && !held.writes.contains_key(&name(&op[1]));
        let shown = |op: &Value| written.get(&name(&op[1])).filter(|_| could_show(op)).cloned();
        if !ops.iter().any(has_seen) || !held.filled.iter().any(|op| shown(op).is_some()) {
            return None;
        }
        let see = |op: &Value| shown(op).map_or_else(|| op.clone(), |value| json!(["r", op[1], value]));
        let filled = held.filled.iter().map(see).collect();
        self.held = None;
        Some(txn_ok(filled))
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

fn store(stamp_us: u64, node: &str, writes: &BTreeMap<String, Value>, txn: &[Value]) -> Value {
    let writes: Vec<_> = writes.iter().collect();
    json!({"type": "store", "stamp_us": stamp_us, "node": node, "writes": writes, "txn": txn})
}

fn txn_ok(filled: Vec<Value>) -> Value {
    json!({"type": "txn_ok", "txn": Value::Array(filled)})
}

fn error(code: i64, text: &str) -> Value {
    json!({"type": "error", "code": code, "text": text})
}

/// A key as text. No workload uses both 1 and "1".
fn name(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}
