//! Gossip as clients see it: `configure`, `gossip_stats`, `gossip_round`.

use super::reply::{Source, fields};
use super::{Answered, Application, Context, Done, Problem, Spread};
use crate::config::{Config, FANOUT, INTERVAL_MS, Strategy};
use crate::output::Sink;
use crate::wire::{BadField, Key, Message, Out, Why};

/// What gossip answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `gossip_stats_ok`
    Stats,
    /// `gossip_round_ok`
    Round {
        /// Peers chosen.
        peers_contacted: u64,
        /// Messages that leave.
        messages_sent: u64,
    },
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        match self {
            Self::Stats => {
                let (received, sent) = (source.stats.broadcasts_received, source.stats.gossip_messages_sent);
                let counts = [
                    ("gossip_stats_ok\", \"broadcasts_received\": ", received),
                    (", \"gossip_messages_sent\": ", sent),
                ];
                fields(out, &counts);
                out.str(", \"messages_per_op\": ");
                out.ratio(sent, received);
                fields(out, &[(", \"unique_messages\": ", source.replica.store.set.len() as u64)]);
            }
            Self::Round { peers_contacted, messages_sent } => fields(
                out,
                &[
                    ("gossip_round_ok\", \"peers_contacted\": ", peers_contacted),
                    (", \"messages_sent\": ", messages_sent),
                ],
            ),
        }
    }
}

pub(super) fn configure<S: Application, G: Spread<S>>(message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
    let ranged = |key, (min, max): (u32, u32)| match message.get(key) {
        None => Ok(None),
        Some(_) => message.int(key, i64::from(min), i64::from(max)).map(Some),
    };
    let fanout = ranged(Key::Fanout, FANOUT)?;
    let interval_ms = ranged(Key::GossipIntervalMs, INTERVAL_MS)?;
    let strategy = strategy(message)?;
    if fanout.is_none() && interval_ms.is_none() && strategy.is_none() {
        return Err(Problem::FanoutOrInterval);
    }
    let changed = Config { strategy: strategy.unwrap_or(cx.config.strategy), ..*cx.config };
    if changed.max_message_bytes < changed.min_message_bytes(cx.limits) {
        return Err(BadField { key: Key::Strategy, why: Why::Not("possible with so small a max_message_bytes") }.into());
    }
    cx.config.strategy = changed.strategy;
    // Both are inside their ranges.
    cx.config.fanout = fanout.and_then(|fanout| u8::try_from(fanout).ok()).unwrap_or(cx.config.fanout);
    cx.config.gossip_interval_ms = interval_ms.and_then(|ms| u32::try_from(ms).ok()).or(cx.config.gossip_interval_ms);
    cx.spread.configure(cx.config);
    Ok(Done::Configure.into())
}

fn strategy(message: &Message<'_>) -> Result<Option<Strategy>, BadField> {
    if message.get(Key::Strategy).is_none() {
        return Ok(None);
    }
    let name = message.text(Key::Strategy)?;
    let found = Strategy::ALL.into_iter().find(|strategy| name.is(strategy.name()));
    found.map(Some).ok_or(BadField { key: Key::Strategy, why: Why::Not(Strategy::NAMES) })
}

pub(super) fn gossip_round<S: Application, G: Spread<S>>(cx: &mut Context<'_, S, G>) -> Answer {
    let (peers_contacted, messages_sent) = cx.spread.round_now(cx.replica);
    Answer::Round { peers_contacted, messages_sent }
}
