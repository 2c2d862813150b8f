//! Gossip as clients see it: `configure`, `gossip_stats`, `gossip_round`.

use super::{Answer, Answered, Context, Problem, Spread};
use crate::config::{FANOUT, INTERVAL_MS};
use crate::storage::Storage;
use crate::wire::{Key, Message};

pub(super) fn configure<S: Storage, G: Spread<S>>(message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
    let ranged = |key, (min, max): (u32, u32)| match message.get(key) {
        None => Ok(None),
        Some(_) => message.int(key, i64::from(min), i64::from(max)).map(Some),
    };
    let fanout = ranged(Key::Fanout, FANOUT)?;
    let interval_ms = ranged(Key::GossipIntervalMs, INTERVAL_MS)?;
    if fanout.is_none() && interval_ms.is_none() {
        return Err(Problem::FanoutOrInterval);
    }
    // Both are inside their ranges.
    cx.config.fanout = fanout.and_then(|fanout| u8::try_from(fanout).ok()).unwrap_or(cx.config.fanout);
    cx.config.gossip_interval_ms = interval_ms.and_then(|ms| u32::try_from(ms).ok()).or(cx.config.gossip_interval_ms);
    cx.spread.configure(cx.config);
    Ok(Answer::Configure)
}

pub(super) fn gossip_stats<S: Storage, G: Spread<S>>(_: &Context<'_, S, G>) -> Answer {
    Answer::GossipStats
}

pub(super) fn gossip_round<S: Storage, G: Spread<S>>(cx: &mut Context<'_, S, G>) -> Answer {
    let (peers_contacted, messages_sent) = cx.spread.round_now(cx.replica);
    Answer::GossipRound { peers_contacted, messages_sent }
}
