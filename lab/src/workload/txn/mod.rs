//! Transactions: `txn-rw-register`. Clients send lists of reads and writes; each value is written once per key.

mod anomalies;
mod cycle;
mod reads;
#[cfg(test)]
mod tests;

use rand::RngExt as _;
use rand_xorshift::XorShiftRng;
use rumormill_core::Workload;

use self::reads::micros;
#[cfg(test)]
use super::data_type::Done;
use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use crate::check::{Checker, final_state, phantom};
use crate::history::{Answer, Call, Micro};
use crate::settings::{Settings, ValueKind};

/// Writes to one key before another key takes its place, as under Maelstrom.
const WRITES_PER_KEY: u64 = 16;
/// The most reads and writes of a transaction.
const LENGTH_MAX: usize = 4;
/// The most keys that one transaction of the inspection reads.
const INSPECTED_AT_ONCE: usize = 64;

/// Transactions.
#[derive(Debug)]
pub(crate) struct Txn;

impl DataType for Txn {
    fn name(&self) -> &'static str {
        "txn-rw-register"
    }

    fn of_node(&self) -> Workload {
        Workload::TxnRwRegister
    }

    fn calls(&self, settings: &Settings) -> Box<dyn Calls> {
        Box::new(Txns { pool: (0..settings.keys).map(|key| (key, 0)).collect(), next_key: settings.keys })
    }

    fn effect(&self, call: &Call) -> Effect {
        let writes = micros(call).iter().any(|micro| matches!(micro, Micro::Write(..)));
        if writes { Effect::Changes } else { Effect::Shows }
    }

    fn request(&self, _: &Call) -> &'static str {
        "txn"
    }

    fn fields(&self, call: &Call, _: ValueKind) -> String {
        let written = micros(call).iter().map(|micro| match micro {
            Micro::Read(key, _) => format!(r#"["r",{key},null]"#),
            Micro::Write(key, value) => format!(r#"["w",{key},{value}]"#),
        });
        format!(r#","txn":[{}]"#, written.collect::<Vec<_>>().join(","))
    }

    fn keys(&self, _: &Call) -> &'static [&'static str] {
        &["txn"]
    }

    fn answer(&self, call: &Call, reply: &Fields<'_>, _: &Settings) -> Result<Answer, Wrong> {
        let wanted = "the transaction that was asked for, with its reads filled in";
        filled_in(micros(call), reply.raw("txn")).map(Answer::Txn).ok_or(Wrong { key: "txn", wanted })
    }

    fn checkers(&self) -> &'static [Checker] {
        const {
            &[
                final_state::checker(reads::final_state),
                phantom::checker(reads::phantom),
                Checker {
                    name: "txn",
                    meaning: "no anomaly that the consistency model forbids",
                    run: anomalies::check,
                },
            ]
        }
    }

    #[cfg(test)]
    fn model(&self, seen: &[Done], done: &Done) -> Answer {
        // The last value that a transaction wrote to a key.
        let last = |call: &Call, key: u64| {
            let writes = micros(call).iter().filter_map(reads::write);
            writes.rev().find(|(written, _)| *written == key).map(|(_, value)| value)
        };
        let shown = |key: u64| {
            let values = seen.iter().filter_map(|done| Some((done.stamp, done.node, last(&done.call, key)?)));
            values.max().map(|(.., value)| value)
        };
        let asked = micros(&done.call);
        let filled = asked.iter().enumerate().map(|(at, micro)| match *micro {
            Micro::Read(key, _) => {
                let own = last(&Call::Txn(asked[..at].to_vec()), key);
                Micro::Read(key, own.or_else(|| shown(key)))
            }
            Micro::Write(key, value) => Micro::Write(key, value),
        });
        Answer::Txn(filled.collect())
    }

    #[cfg(test)]
    fn corrupted(&self, answer: &Answer) -> Option<Answer> {
        let Answer::Txn(micros) = answer else { return None };
        let (last, others) = micros.split_last()?;
        let Micro::Read(key, value) = *last else { return None };
        let wrong = Micro::Read(key, value.is_none().then_some(-1));
        Some(Answer::Txn([others, &[wrong]].concat()))
    }
}

/// The transaction that came back, if it is the one that was asked for.
fn filled_in(asked: &[Micro], raw: &str) -> Option<Vec<Micro>> {
    let done: Vec<(String, u64, Option<i64>)> = serde_json::from_str(raw).ok()?;
    if done.len() != asked.len() {
        return None;
    }
    let fill = |(asked, (f, key, value)): (&Micro, &(String, u64, Option<i64>))| match (asked, f.as_str(), value) {
        (Micro::Read(wanted, _), "r", value) if wanted == key => Some(Micro::Read(*key, *value)),
        (Micro::Write(wanted, written), "w", Some(value)) if wanted == key && written == value => {
            Some(Micro::Write(*key, *value))
        }
        (Micro::Read(..) | Micro::Write(..), ..) => None,
    };
    asked.iter().zip(&done).map(fill).collect()
}

#[derive(Debug)]
struct Txns {
    /// Keys in use, and how often each was written.
    pool: Vec<(u64, u64)>,
    next_key: u64,
}

impl Calls for Txns {
    /// Each part of a transaction is a read or a write by chance, so `is_write` does not matter.
    fn draw(&mut self, rng: &mut XorShiftRng, _: bool) -> Call {
        let length = rng.random_range(1..=LENGTH_MAX);
        let micros = (0..length).map(|_| {
            let place = rng.random_range(0..self.pool.len());
            let (key, written) = self.pool[place];
            if rng.random::<bool>() {
                return Micro::Read(key, None);
            }
            if written + 1 >= WRITES_PER_KEY {
                self.pool[place] = (self.next_key, 0);
                self.next_key += 1;
            } else {
                self.pool[place].1 += 1;
            }
            Micro::Write(key, written as i64 + 1)
        });
        Call::Txn(micros.collect())
    }

    fn inspection(&self) -> Vec<Call> {
        let keys: Vec<u64> = (0..self.next_key).collect();
        let read = |keys: &[u64]| Call::Txn(keys.iter().map(|key| Micro::Read(*key, None)).collect());
        keys.chunks(INSPECTED_AT_ONCE).map(read).collect()
    }
}
