//! The store: `kv`. Clients write values under keys, each value once, and read keys. The latest write of a key wins.

mod lww;
mod reads;

use rand::RngExt as _;
use rand_xorshift::XorShiftRng;
use rumormill_core::storage::Heap;
use rumormill_core::{Member, Workload};

#[cfg(test)]
use super::data_type::Done;
use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use super::inside::{self, Inside};
use crate::check::{Checker, final_state, monotonic, phantom, staleness};
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// The error that says that a key has no value.
const NO_SUCH_KEY: i64 = 20;

/// The store.
#[derive(Debug)]
pub(crate) struct Kv;

impl DataType for Kv {
    fn name(&self) -> &'static str {
        "kv"
    }

    fn of_node(&self) -> Workload {
        Workload::Kv
    }

    fn calls(&self, settings: &Settings) -> Box<dyn Calls> {
        Box::new(Writes { keys: settings.keys, next: 0 })
    }

    fn effect(&self, call: &Call) -> Effect {
        if matches!(call, Call::Write { .. }) { Effect::Changes } else { Effect::Shows }
    }

    fn request(&self, call: &Call) -> &'static str {
        if matches!(call, Call::Write { .. }) { "write" } else { "kv_read" }
    }

    fn fields(&self, call: &Call, values: ValueKind) -> String {
        if let Call::Write { key, value } = call {
            return format!(r#","key":"k{key}","value":{}"#, values.json(*value));
        }
        if let Call::KvRead(key) = call { format!(r#","key":"k{key}""#) } else { String::new() }
    }

    fn keys(&self, call: &Call) -> &'static [&'static str] {
        if matches!(call, Call::Write { .. }) { &["ts"] } else { &["key", "value", "ts"] }
    }

    fn answer(&self, call: &Call, reply: &Fields<'_>, settings: &Settings) -> Result<Answer, Wrong> {
        let stamp = || micros(reply.raw("ts")).ok_or(Wrong { key: "ts", wanted: "a time" });
        let Call::KvRead(key) = call else { return Ok(Answer::Stamp(stamp()?)) };
        if reply.text("key").is_none_or(|found| found != format!("k{key}")) {
            return Err(Wrong { key: "key", wanted: "the key that was asked for" });
        }
        let found = serde_json::from_str(reply.raw("value")).ok().and_then(|value| settings.values.read(&value));
        let value = found.ok_or(Wrong { key: "value", wanted: "a value that the lab writes" })?;
        Ok(Answer::Value(value, stamp()?))
    }

    fn answer_of_error(&self, call: &Call, code: i64) -> Option<Answer> {
        (matches!(call, Call::KvRead(_)) && code == NO_SUCH_KEY).then_some(Answer::Missing)
    }

    fn checkers(&self) -> &'static [Checker] {
        const {
            &[
                final_state::checker(reads::final_state),
                phantom::checker(reads::phantom),
                monotonic::checker(reads::monotonic),
                Checker { name: "lww", meaning: "the same, latest write wins everywhere", run: lww::check },
            ]
        }
    }

    fn statistics(&self) -> &'static [Checker] {
        const { &[staleness::checker(reads::staleness)] }
    }

    #[cfg(test)]
    fn model(&self, seen: &[Done], done: &Done) -> Answer {
        let Call::KvRead(wanted) = done.call else { return Answer::Stamp(done.stamp) };
        let writes = seen.iter().filter_map(|done| match done.call {
            Call::Write { key, value } if key == wanted => Some((done.stamp, done.node, value)),
            _ => None,
        });
        writes.max().map_or(Answer::Missing, |(stamp, _, value)| Answer::Value(value, stamp))
    }

    #[cfg(test)]
    fn corrupted(&self, answer: &Answer) -> Option<Answer> {
        match answer {
            Answer::Value(value, stamp) => Some(Answer::Value(*value, stamp + 1)),
            Answer::Missing => Some(Answer::Value(-1, 1)),
            _ => None,
        }
    }
}

/// The store has no rule inside of a node: its stamps show from outside whether it is right.
impl Inside for Kv {
    /// Each key is one entry `["w", key, value, stamp]`.
    fn bytes(&self, member: &Member<Heap>) -> u64 {
        let entries = member.store().map.iter();
        entries.map(|(key, value, _)| inside::bytes(key) + inside::bytes(value) + 29).sum()
    }
}

/// A decimal number of seconds in microseconds. It is exact for up to six decimals.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 6 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: f64 = text.parse().ok()?;
        return (seconds >= 0.0).then_some((seconds * 1e6).round() as u64);
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

#[derive(Debug)]
struct Writes {
    keys: u64,
    /// The next value.
    next: i64,
}

impl Calls for Writes {
    fn draw(&mut self, rng: &mut XorShiftRng, is_write: bool) -> Call {
        let key = rng.random_range(0..self.keys);
        if !is_write {
            return Call::KvRead(key);
        }
        let value = self.next;
        self.next += 1;
        Call::Write { key, value }
    }

    fn inspection(&self) -> Vec<Call> {
        (0..self.keys).map(Call::KvRead).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn stamps_are_read_to_the_microsecond() {
        assert_eq!(micros("1700000000.000001"), Some(1_700_000_000_000_001));
        assert_eq!(micros("1700000000.5"), Some(1_700_000_000_500_000));
        assert_eq!(micros("3"), Some(3_000_000));
        assert_eq!(micros("1.5e3"), Some(1_500_000_000));
        assert_eq!(micros("-1.0"), None);
        assert_eq!(micros("\"1\""), None);
    }
}
