//! The broadcast set: `broadcast`, `add` with `element`, `gossip_sync`, `digest_sync`.

use super::{Answer, Answered, Context, Problem, Service, Shape, Spread, Strings, value};
use crate::causality::{Arg, Entry};
use crate::id::Value;
use crate::replicated::Bound;
use crate::storage::Storage;
use crate::wire::{BadField, Items, Key, Message, Scalar, Token, Why};

impl<S: Storage> Service<S> {
    #[inline(always)]
    pub(super) fn broadcast<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        self.insert(message, Key::Message, cx)?;
        cx.stats.broadcasts_received += 1;
        self.shape = Some(Shape::Messages);
        Ok(Answer::Broadcast)
    }

    pub(super) fn add_element<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        self.insert(message, Key::Element, cx)?;
        self.shape = Some(Shape::Elements);
        Ok(Answer::Add)
    }
    #[inline(always)]
    fn insert<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        key: Key,
        cx: &mut Context<'_, S, G>,
    ) -> Result<(), Problem> {
        if let Some(Token::Int(int)) = message.get(key) {
            cx.update_here(&Entry::bare(Arg::Int(int)), key)?;
        } else {
            self.insert_text(message, key, cx)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn insert_text<G: Spread<S>>(
        &mut self,
        message: &Message<'_>,
        key: Key,
        cx: &mut Context<'_, S, G>,
    ) -> Result<bool, Problem> {
        let scalar = message.scalar(key)?;
        self.with_scratch(cx, |_, cx, [scratch, ..]| {
            let value = value(&scalar, key, cx.limits, scratch)?;
            cx.update(&Entry::bare(value.into()), key)
        })
    }

    pub(super) fn gossip_sync<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        let merged = self.merge(message.list(Key::Messages)?, Key::Messages, cx)?;
        Ok(Answer::Merged(merged))
    }

    pub(super) fn digest_sync<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
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
            return Ok(Answer::DigestsMatch);
        }
        let transferred = match list {
            Some(list) => self.merge(list, Key::RemoteMessages, cx)?,
            None => 0,
        };
        Ok(Answer::DigestsDiffer { transferred })
    }

    fn merge<G: Spread<S>>(&mut self, list: Items<'_>, key: Key, cx: &mut Context<'_, S, G>) -> Result<u64, Problem> {
        self.with_scratch(cx, |_, cx, strings| merge(list, key, cx, strings))
    }
}

/// Merges a list of values, all or none of them. A list that holds a new value twice is counted as if both needed room.
fn merge<S: Storage, G: Spread<S>>(
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
        merged += u64::from(cx.update(&Entry::bare(value.into()), key)?);
    }
    Ok(merged)
}
