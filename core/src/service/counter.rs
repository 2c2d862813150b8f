//! The PN-counter: `add` with `delta`, `read` as an integer, `gossip_status`.

use super::reply::{Source, fields};
use super::{Answered, Application, Context, Done, Service, Shape, Spread};
use crate::config::Workload;
use crate::output::Sink;
use crate::wire::{Key, Message, Out};

/// What the counter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `read_ok`
    Value(i128),
    /// `gossip_status_ok`
    Status {
        /// The counter here.
        local_value: i128,
        /// Rounds run.
        gossip_rounds: u64,
        /// Peers known to hold the same.
        peers_synced: u64,
        /// See [`super::Bench::counter_convergence_ms`].
        convergence_ms: u64,
    },
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, _: &Source<'_, S>) {
        match self {
            Self::Value(value) => {
                out.str("read_ok\", \"value\": ");
                out.wide(value);
            }
            Self::Status { local_value, gossip_rounds, peers_synced, convergence_ms } => {
                out.str("gossip_status_ok\", \"local_value\": ");
                out.wide(local_value);
                fields(
                    out,
                    &[
                        (", \"gossip_rounds\": ", gossip_rounds),
                        (", \"peers_synced\": ", peers_synced),
                        (", \"convergence_ms\": ", convergence_ms),
                    ],
                );
            }
        }
    }
}

impl<S: Application> Service<S> {
    pub(super) fn add_delta<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        let min = if cx.config.workload == Some(Workload::GCounter) { 0 } else { i64::MIN };
        let delta = message.int(Key::Delta, min, i64::MAX)?;
        let made = cx.replica.add(delta);
        if cx.made(made, Key::Delta)? {
            self.bench.counter_changed(cx.replica.own_seq(), cx.now.at);
        }
        self.shape = Some(Shape::Count);
        Ok(Done::Add.into())
    }

    pub(super) fn gossip_status<G: Spread<S>>(&self, cx: &mut Context<'_, S, G>) -> Answer {
        Answer::Status {
            local_value: cx.replica.store.counter.value(),
            gossip_rounds: cx.spread.rounds(),
            peers_synced: cx.spread.peers_synced(cx.replica),
            convergence_ms: self.bench.counter_convergence_ms(cx.now.at),
        }
    }
}
