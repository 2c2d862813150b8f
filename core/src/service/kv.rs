//! The key-value store: `write`, `kv_read`, `kv_merge`, `txn`.

use super::basic::{PayloadSink, pairs, write_token};
use super::reply::{Source, fields};
use super::{Answered, Application, Context, Problem, Service, Spread, Strings, value};
use crate::causality::HybridClock;
use crate::id::Value;
use crate::output::Sink;
use crate::replicated::{LwwMap, Needs};
use crate::storage::Buf;
use crate::wire::{BadField, Items, Key, Message, Out, Scalar, Token, Why};

/// Operations of one transaction.
pub const TXN_OPS_MAX: usize = 64;

/// What the key-value store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `write_ok`
    Written {
        /// Its stamp.
        stamp_us: u64,
    },
    /// `kv_read_ok`, from this slot of the store
    Read(u32),
    /// `kv_merge_ok`: keys that changed
    Updated(u64),
    /// `txn_ok`, from the payload
    Txn,
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        match self {
            Self::Written { stamp_us } => {
                out.str("write_ok\", \"ts\": ");
                out.seconds(stamp_us);
            }
            Self::Read(at) => {
                let slot = source.replica.store.map.slot(at);
                debug_assert!(slot.is_some(), "the slot was found by the handler, and keys are never removed");
                let Some((key, value, stamp_us)) = slot else { return };
                out.str("kv_read_ok\", \"key\": ");
                out.value(key);
                out.str(", \"value\": ");
                out.value(value);
                out.str(", \"ts\": ");
                out.seconds(stamp_us);
            }
            Self::Updated(count) => fields(out, &[("kv_merge_ok\", \"updated\": ", count)]),
            Self::Txn => {
                out.str("txn_ok\", \"txn\": ");
                out.raw(&source.service.payload);
            }
        }
    }
}

pub(super) fn write<S: Application, G: Spread<S>>(message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
    cx.with_scratch(|cx, strings| write_with(message, cx, strings))
}

fn write_with<S: Application, G: Spread<S>>(
    message: &Message<'_>,
    cx: &mut Context<'_, S, G>,
    [for_key, for_value, ..]: &mut Strings<S>,
) -> Answered {
    let (key, new) = (message.scalar(Key::Key)?, message.scalar(Key::Value)?);
    let key = value(&key, Key::Key, cx.limits, for_key)?;
    let new = value(&new, Key::Value, cx.limits, for_value)?;
    let (made, stamp_us) = cx.replica.write(key, new).map_err(|refused| cx.problem(refused, Key::Value))?;
    cx.made(Ok(made), Key::Value)?;
    Ok(Answer::Written { stamp_us }.into())
}

/// One entry of `kv_merge`.
struct Offer<'a> {
    key: Scalar<'a>,
    value: Scalar<'a>,
    stamp_us: u64,
}

/// The entries of a `kv_merge`; the first thing wrong with them ends the iteration.
fn offers<'a>(message: &Message<'a>) -> Result<impl Iterator<Item = Result<Offer<'a>, BadField>>, BadField> {
    let entries = message.object(Key::Entries)?;
    Ok(entries
        .map(|(key, entry)| offer(entry).map(|(value, stamp_us)| Offer { key: Scalar::Text(key), value, stamp_us })))
}

fn offer(entry: Token<'_>) -> Result<(Scalar<'_>, u64), BadField> {
    let bad = |what| BadField { key: Key::Entries, why: Why::Not(what) };
    let form = bad("an object of {value, ts}, each an integer or string and a time in seconds");
    let (mut value, mut stamp) = (None, None);
    for (name, token) in pairs(entry).ok_or(form)? {
        let twice = if name.is("value") {
            value.replace(Scalar::of(token).ok_or(form)?).is_some()
        } else if name.is("ts") {
            stamp.replace(micros(token).ok_or(form)?).is_some()
        } else {
            false
        };
        if twice {
            return Err(bad("an object of {value, ts} in which each stands once"));
        }
    }
    value.zip(stamp).ok_or(form)
}

/// Only a strictly later stamp changes anything; among equal ones the first stays.
fn is_later(stored: Option<(Value<'_>, u64)>, stamp_us: u64) -> bool {
    stored.is_none_or(|(_, stored_us)| stamp_us > stored_us)
}

/// A time in seconds as microseconds, rounded to the nearest; `None` when it is negative, too large or no number.
fn micros(token: Token<'_>) -> Option<u64> {
    let text = match token {
        Token::Int(seconds) => {
            let us = u64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
            return (us <= HybridClock::STAMP_MAX_US).then_some(us);
        }
        Token::Number(text) => text,
        Token::Big(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => {
            return None;
        }
    };
    let (mantissa, exponent) = split(text, |byte| matches!(byte, b'e' | b'E')).unwrap_or((text, "0"));
    let (whole, fraction) = split(mantissa, |byte| byte == b'.').unwrap_or((mantissa, ""));
    // In units of 10^scale microseconds.
    let mut scale = exponent.parse::<i32>().ok()?.checked_add(6)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut units: u128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if digit == b'-' {
            continue;
        }
        if units > u128::MAX / 100 {
            // Further digits are far below a microsecond, or the number is far beyond all times.
            scale = scale.checked_add(1)?;
        } else {
            units = units * 10 + u128::from(digit - b'0');
        }
    }
    if text.starts_with('-') && units > 0 {
        return None;
    }
    for _ in 0..scale.clamp(0, 40) {
        units = units.checked_mul(10)?;
    }
    if scale > 40 && units > 0 {
        return None;
    }
    let mut down = -scale.clamp(-40, 0);
    while down > 1 {
        units /= 10;
        down -= 1;
    }
    if down == 1 {
        units = (units + 5) / 10;
    }
    u64::try_from(units).ok().filter(|us| *us <= HybridClock::STAMP_MAX_US)
}

/// What stands before and after the first byte of a kind, which is ASCII.
fn split(text: &str, is_separator: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let at = text.bytes().position(is_separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// One operation of a transaction.
#[derive(Clone, Copy)]
struct Op<'a> {
    key: Scalar<'a>,
    /// `None` for a read.
    write: Option<Scalar<'a>>,
}

/// The operations of a transaction that was checked, read from its line again: a table of them is the largest thing that a
/// device would have on its stack.
#[derive(Clone)]
struct Reread<'a>(Items<'a>);

impl<'a> Iterator for Reread<'a> {
    type Item = Op<'a>;

    fn next(&mut self) -> Option<Op<'a>> {
        op(self.0.next()?)
    }
}

/// The writes that no later one of the same key replaces.
fn changes<'a>(ops: impl Iterator<Item = Op<'a>> + Clone) -> impl Iterator<Item = (Scalar<'a>, Scalar<'a>)> {
    let mut rest = ops;
    core::iter::from_fn(move || {
        loop {
            let Op { key, write } = rest.next()?;
            if let Some(new) = write
                && !rest.clone().any(|later| later.write.is_some() && later.key == key)
            {
                return Some((key, new));
            }
        }
    })
}

impl<S: Application> Service<S> {
    pub(super) fn kv_read<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        cx: &mut Context<'_, S, G>,
        [for_key, ..]: &mut Strings<S>,
    ) -> Answered {
        let scalar = message.scalar(Key::Key)?;
        let key = value(&scalar, Key::Key, cx.limits, for_key)?;
        let map = &cx.replica.store.map;
        let found = map.find(key);
        self.staleness.read(map, key, found, cx.replica.causality.clock.read());
        found.map(|at| Answer::Read(at).into()).ok_or(Problem::KeyNotFound)
    }

    pub(super) fn kv_merge<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        cx: &mut Context<'_, S, G>,
        [for_key, for_value, ..]: &mut Strings<S>,
    ) -> Answered {
        let mut needs = Needs::default();
        for offer in offers(message)? {
            let offer = offer?;
            let key = value(&offer.key, Key::Entries, cx.limits, for_key)?;
            let new = value(&offer.value, Key::Entries, cx.limits, for_value)?;
            let max_ms = cx.config.max_clock_ahead_ms;
            let ahead = BadField { key: Key::Entries, why: Why::ClockAhead { max_ms } };
            cx.replica.causality.clock.check(offer.stamp_us).map_err(|_| ahead)?;
            let map = &cx.replica.store.map;
            if is_later(map.get(key), offer.stamp_us) {
                // A key may come twice.
                map.count(&mut needs, key, new, false);
            }
        }
        cx.replica.store.map.has_room(&needs).map_err(Problem::Full)?;
        let mut updated = 0;
        for offer in offers(message)? {
            let offer = offer?;
            let key = value(&offer.key, Key::Entries, cx.limits, for_key)?;
            let new = value(&offer.value, Key::Entries, cx.limits, for_value)?;
            if is_later(cx.replica.store.map.get(key), offer.stamp_us) {
                let entry = LwwMap::<S>::write(key, new, offer.stamp_us);
                updated += u64::from(cx.apply(&entry, Key::Entries)?);
                self.staleness.arrived(&cx.replica.store.map, &entry);
            }
        }
        Ok(Answer::Updated(updated).into())
    }

    /// All operations in order on the local state, all or nothing; then the last write of each key is a change, and all
    /// of them share one stamp.
    #[inline(never)]
    pub(super) fn txn<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        cx: &mut Context<'_, S, G>,
        strings: &mut Strings<S>,
    ) -> Answered {
        if S::ADJUSTABLE {
            return self.txn_in_table(message, cx, strings);
        }
        check_ops(message, cx, strings, |_| ())?;
        self.run(Reread(message.list(Key::Txn)?), cx, strings)
    }

    /// With the operations in a table: where there is a stack for it, that is faster.
    fn txn_in_table<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        cx: &mut Context<'_, S, G>,
        strings: &mut Strings<S>,
    ) -> Answered {
        let mut table = heapless::Vec::<Op<'_>, TXN_OPS_MAX>::new();
        check_ops(message, cx, strings, |op| {
            // There are no more of them, as is checked before.
            let _ = table.push(op);
        })?;
        self.run(table.iter().copied(), cx, strings)
    }

    #[inline(always)]
    fn run<'a, G: Spread<S>>(
        &mut self,
        ops: impl Iterator<Item = Op<'a>> + Clone,
        cx: &mut Context<'_, S, G>,
        strings: &mut Strings<S>,
    ) -> Answered {
        let mut needs = Needs::default();
        for (key, new) in changes(ops.clone()) {
            count(&key, &new, cx, &mut needs, strings)?;
        }
        cx.replica.store.map.has_room(&needs).map_err(Problem::Full)?;
        self.render(&ops, cx, strings)?;
        if changes(ops.clone()).next().is_some() {
            let stamp_us = cx.replica.causality.clock.tick().ok_or(Problem::EndOfTime)?;
            for (key, new) in changes(ops) {
                let [for_key, for_value, ..] = &mut *strings;
                let key = value(&key, Key::Txn, cx.limits, for_key)?;
                let new = value(&new, Key::Txn, cx.limits, for_value)?;
                cx.apply(&LwwMap::<S>::write(key, new, stamp_us), Key::Txn)?;
            }
        }
        Ok(Answer::Txn.into())
    }

    /// Writes the operations with their results to the payload: a read gives the last write before it in the same
    /// transaction, else what is stored.
    #[inline(never)]
    fn render<'a, G: Spread<S>>(
        &mut self,
        ops: &(impl Iterator<Item = Op<'a>> + Clone),
        cx: &Context<'_, S, G>,
        [for_key, ..]: &mut Strings<S>,
    ) -> Result<(), Problem> {
        self.payload.clear();
        let max = self.payload.limit();
        let mut sink = PayloadSink(&mut self.payload);
        let mut out = Out::new(&mut sink);
        out.raw(b"[");
        for (at, op) in ops.clone().enumerate() {
            out.str(if at > 0 { ", [" } else { "[" });
            out.str(if op.write.is_some() { "\"w\", " } else { "\"r\", " });
            write_scalar(&mut out, op.key);
            out.raw(b", ");
            let earlier =
                || ops.clone().take(at).filter(|earlier| earlier.key == op.key).filter_map(|op| op.write).last();
            match op.write.or_else(earlier) {
                Some(written) => write_scalar(&mut out, written),
                None => {
                    let key = value(&op.key, Key::Txn, cx.limits, for_key)?;
                    match cx.replica.store.map.get(key) {
                        Some((stored, _)) => out.value(stored),
                        None => out.str("null"),
                    }
                }
            }
            out.raw(b"]");
        }
        out.raw(b"]");
        let too_long = BadField { key: Key::Txn, why: Why::TooLong { max, unit: "bytes" } };
        out.finish().map_err(|_| Problem::Field(too_long))?;
        Ok(())
    }
}

/// Adds what a write takes to what is counted.
#[inline(never)]
fn count<S: Application, G: Spread<S>>(
    key: &Scalar<'_>,
    new: &Scalar<'_>,
    cx: &Context<'_, S, G>,
    needs: &mut Needs,
    [for_key, for_value, ..]: &mut Strings<S>,
) -> Result<(), BadField> {
    let key = value(key, Key::Txn, cx.limits, for_key)?;
    let new = value(new, Key::Txn, cx.limits, for_value)?;
    cx.replica.store.map.count(needs, key, new, true);
    Ok(())
}

/// One operation, if it has the form of one.
fn op(token: Token<'_>) -> Option<Op<'_>> {
    let Token::Array(array) = token else {
        return None;
    };
    let mut items = Items::new(array);
    let (Some(Token::Text(function)), Some(key), Some(third), None) =
        (items.next(), items.next(), items.next(), items.next())
    else {
        return None;
    };
    let key = Scalar::of(key)?;
    let write = match (function.is("r"), function.is("w")) {
        (true, _) => None,
        (_, true) => Some(Scalar::of(third)?),
        (false, false) => return None,
    };
    Some(Op { key, write })
}

/// Checks the operations, in their order, and gives each one that is right; says the first thing that is wrong with them.
fn check_ops<'a, S: Application, G: Spread<S>>(
    message: &Message<'a>,
    cx: &Context<'_, S, G>,
    [scratch, ..]: &mut Strings<S>,
    mut each: impl FnMut(Op<'a>),
) -> Result<(), BadField> {
    let bad = |why| BadField { key: Key::Txn, why };
    for (at, token) in message.list(Key::Txn)?.enumerate() {
        let form = bad(Why::Not("a list of [\"r\", key, null] and [\"w\", key, value]"));
        let Op { key, write } = op(token).ok_or(form)?;
        for scalar in [Some(key), write].into_iter().flatten() {
            value(&scalar, Key::Txn, cx.limits, scratch)?;
        }
        if at >= TXN_OPS_MAX {
            return Err(bad(Why::TooLong { max: TXN_OPS_MAX, unit: "operations" }));
        }
        each(Op { key, write });
    }
    Ok(())
}

fn write_scalar<W: crate::output::Sink>(out: &mut Out<'_, W>, scalar: Scalar<'_>) {
    write_token(
        out,
        match scalar {
            Scalar::Int(int) => Token::Int(int),
            Scalar::Text(text) => Token::Text(text),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly_and_rounded_to_the_microsecond() {
        for (text, expected) in [
            ("1.5", Some(1_500_000)),
            ("1700000000.123456", Some(1_700_000_000_123_456)),
            ("1700000000.1234565", Some(1_700_000_000_123_457)),
            ("1.7e9", Some(1_700_000_000_000_000)),
            ("17E-1", Some(1_700_000)),
            ("0.0000004", Some(0)),
            ("0.0000005", Some(1)),
            ("0e999", Some(0)),
            ("-0.0", Some(0)),
            ("-0.1", None),
            ("1e99", None),
            ("9223372036854.775807", Some(i64::MAX as u64)),
            ("9223372036854.775808", None),
            ("1.00000000000000000000000000000000000000000000000000001", Some(1_000_000)),
        ] {
            assert_eq!(micros(Token::Number(text)), expected, "{text}");
        }
        assert_eq!(micros(Token::Int(3)), Some(3_000_000));
        assert_eq!(micros(Token::Int(-3)), None);
    }
}
