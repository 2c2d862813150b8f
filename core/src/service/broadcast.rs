//! The broadcast set: `broadcast`, `add` with `element`, `read` as a list, `gossip_sync`, `digest`, `digest_sync`.

use super::reply::{Source, fields};
use super::{Answered, Application, Context, Done, Problem, Service, Shape, Spread, Strings, value};
use crate::causality::{Arg, Entry};
use crate::id::Value;
use crate::output::Sink;
use crate::replicated::Bound;
use crate::wire::{BadField, Items, Key, Message, Out, Scalar, Token, Why};

/// What the set answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `read_ok` with `messages`
    Messages,
    /// `read_ok` with a list as `value`
    Elements,
    /// `gossip_sync_ok`: values that were new here
    Merged(u64),
    /// `digest_ok`
    Digest,
    /// `digest_sync_ok` on equal digests
    DigestsMatch,
    /// `digest_sync_ok` on different ones
    DigestsDiffer {
        /// Values that were new here.
        transferred: u64,
    },
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        let set = &source.replica.store.set;
        match self {
            Self::Messages => list(out, "read_ok\", \"messages\": ", source),
            Self::Elements => list(out, "read_ok\", \"value\": ", source),
            Self::Merged(count) => fields(out, &[("gossip_sync_ok\", \"new_count\": ", count)]),
            Self::Digest => {
                out.str("digest_ok\", \"digest\": \"");
                out.hex(set.hash());
                fields(out, &[("\", \"count\": ", set.len() as u64)]);
            }
            Self::DigestsMatch => out.str("digest_sync_ok\", \"match\": true, \"transferred\": 0"),
            Self::DigestsDiffer { transferred } => {
                fields(out, &[("digest_sync_ok\", \"match\": false, \"transferred\": ", transferred)]);
                list(out, ", \"local_messages\": ", source);
            }
        }
    }
}

fn list<S: Application, W: Sink>(out: &mut Out<'_, W>, before: &str, source: &Source<'_, S>) {
    out.str(before);
    out.raw(b"[");
    let mut values = source.replica.store.set.values();
    if let Some(first) = values.next() {
        out.value(first);
    }
    for value in values {
        out.raw(b", ");
        out.value(value);
    }
    out.raw(b"]");
}

impl<S: Application> Service<S> {
    #[inline(always)]
    pub(super) fn broadcast<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        insert(message, Key::Message, cx)?;
        cx.stats.broadcasts_received += 1;
        self.shape = Some(Shape::Messages);
        Ok(Done::Broadcast.into())
    }

    pub(super) fn add_element<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        insert(message, Key::Element, cx)?;
        self.shape = Some(Shape::Elements);
        Ok(Done::Add.into())
    }
}

#[inline(always)]
fn insert<S: Application, G: Spread<S>>(
    message: &Message<'_>,
    key: Key,
    cx: &mut Context<'_, S, G>,
) -> Result<(), Problem> {
    if let Some(Token::Int(int)) = message.get(key) {
        cx.apply_here(&Entry::bare(Arg::Int(int)), key)?;
    } else {
        insert_text(message, key, cx)?;
    }
    Ok(())
}

#[inline(never)]
fn insert_text<S: Application, G: Spread<S>>(
    message: &Message<'_>,
    key: Key,
    cx: &mut Context<'_, S, G>,
) -> Result<bool, Problem> {
    let scalar = message.scalar(key)?;
    cx.with_scratch(|cx, [scratch, ..]| {
        let value = value(&scalar, key, cx.limits, scratch)?;
        cx.apply(&Entry::bare(value.into()), key)
    })
}

pub(super) fn gossip_sync<S: Application, G: Spread<S>>(message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
    let merged = merge(message.list(Key::Messages)?, Key::Messages, cx)?;
    Ok(Answer::Merged(merged).into())
}

pub(super) fn digest_sync<S: Application, G: Spread<S>>(message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
    let remote = message.text(Key::RemoteDigest)?;
    let list = match message.need(Key::RemoteMessages)? {
        Token::Null => None,
        Token::Array(array) => Some(Items::new(array)),
        Token::Int(_) | Token::Big(_) | Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Object(_) => {
            return Err(BadField { key: Key::RemoteMessages, why: Why::Not("a list or null") }.into());
        }
    };
    let mut digest: heapless::Vec<u8, 16> = heapless::Vec::new();
    let mut out = crate::wire::Out::new(&mut digest);
    out.hex(cx.replica.store.set.hash());
    let _ = out.finish();
    if core::str::from_utf8(&digest).is_ok_and(|digest| remote.is(digest)) {
        return Ok(Answer::DigestsMatch.into());
    }
    let transferred = match list {
        Some(list) => merge(list, Key::RemoteMessages, cx)?,
        None => 0,
    };
    Ok(Answer::DigestsDiffer { transferred }.into())
}

/// Merges a list of values, all or none of them. A list that holds a new value twice is counted as if both needed room.
fn merge<S: Application, G: Spread<S>>(list: Items<'_>, key: Key, cx: &mut Context<'_, S, G>) -> Result<u64, Problem> {
    cx.with_scratch(|cx, strings| merge_with(list, key, cx, strings))
}

fn merge_with<S: Application, G: Spread<S>>(
    list: Items<'_>,
    key: Key,
    cx: &mut Context<'_, S, G>,
    [scratch, ..]: &mut Strings<S>,
) -> Result<u64, Problem> {
    let not_values = BadField { key, why: Why::Not("a list of integers and strings") };
    let (mut new, mut new_bytes) = (0, 0);
    for token in list.clone() {
        let scalar = Scalar::of(token).ok_or(not_values)?;
        let value = value(&scalar, key, cx.limits, scratch)?;
        if !cx.replica.store.set.contains(value) {
            new += 1;
            new_bytes += if let Value::Text(text) = value { text.len() } else { 0 };
        }
    }
    if new > cx.replica.store.set.room() {
        return Err(Problem::Full(Bound::Values(cx.limits.values)));
    }
    if new_bytes > cx.replica.store.set.text_room() {
        return Err(Problem::Full(Bound::SetText(cx.limits.set_text_bytes)));
    }
    let mut merged = 0;
    for token in list {
        let scalar = Scalar::of(token).ok_or(not_values)?;
        let value = value(&scalar, key, cx.limits, scratch)?;
        merged += u64::from(cx.apply(&Entry::bare(value.into()), key)?);
    }
    Ok(merged)
}
