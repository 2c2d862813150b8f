//! The PN-counter: `add` with `delta`, `gossip_status`.

use super::{Answer, Answered, Context, Problem, Service, Shape, Spread};
use crate::causality::{Arg, Entry};
use crate::config::Workload;
use crate::storage::Storage;
use crate::wire::{BadField, Key, Message, Why};

impl<S: Storage> Service<S> {
    pub(super) fn add_delta<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        let min = if cx.config.workload == Some(Workload::GCounter) { 0 } else { i64::MIN };
        let delta = message.int(Key::Delta, min, i64::MAX)?;
        let overflow = Problem::Field(BadField { key: Key::Delta, why: Why::Overflow });
        let row = cx.replica.own_row().ok_or(Problem::NotInitialised)?;
        let (sign, number) = cx.replica.store.counter.after(row, delta).ok_or(overflow)?;
        let entry = Entry::new(sign.tag(), &[Arg::unsigned(number)]).ok_or(overflow)?;
        if cx.update(&entry, Key::Delta)? {
            self.bench.counter_changed(cx.replica.own_seq(), cx.now.at);
        }
        self.shape = Some(Shape::Count);
        Ok(Answer::Add)
    }

    pub(super) fn gossip_status<G: Spread<S>>(&self, cx: &mut Context<'_, S, G>) -> Answer {
        Answer::GossipStatus {
            local_value: cx.replica.store.counter.value(),
            gossip_rounds: cx.spread.rounds(),
            peers_synced: cx.spread.peers_synced(cx.replica),
            convergence_ms: self.bench.counter_convergence_ms(cx.now.at),
        }
    }
}
