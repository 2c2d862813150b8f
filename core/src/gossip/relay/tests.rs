//! Tests of strategy `relay`, one rule each, with one scheduler and neighbours that exist only as messages. This file
//! has the neighbours; each file below it has one group of rules.
//!
//! Unless a test says otherwise, no round trip is known, so that each counts as 300 ms, and flushes are 460 ms apart.

mod acknowledgements;
mod commands;
mod gaps;
mod quiet;
mod sessions;
mod tree;
mod watch;

use std::vec::Vec;

use super::*;
use crate::gossip::bench::{Bench, Message, SESSION, message, receivers, times};
use crate::gossip::common::Echo;
use crate::storage::Small;

const T: u64 = 460;
/// The time for the acknowledgement of a flush, and the time for an answer while no round trip is known, in
/// milliseconds.
const A: u64 = T + 1_000;
const RTO: u64 = 475;

/// Node `me` among `nodes` nodes in one view. All of them name node 0 as their relay.
fn bench(nodes: usize, me: u32, off: &[Rule]) -> Bench<Relay<Small>> {
    let mut bench = Bench::new(nodes, me, off, |common| {
        let mut relay = Relay::unfilled(nodes, NodeIndex(me), &Small::LIMITS, common.rules);
        relay.fill(nodes);
        relay
    });
    let view = bench.common.view_name();
    for peer in bench.scheduler.peers() {
        bench.common.peers.showed_view(peer, view, (view, bench.common.view.version()), 0, bench.now);
    }
    bench.start();
    bench
}

/// The next message of a peer, which names node 0 as its relay and echoes all that it was sent.
fn next(bench: &Bench<Relay<Small>>, from: u32) -> Heard {
    let link = bench.scheduler.link(NodeIndex(from));
    let echoed = (link.sent_ord > 0).then_some(Echo { ord: link.sent_ord, held_ms: 0 });
    let control = Control { ord: link.heard_ord + 1, echoed, relay: Some(NodeIndex(0)), ..Control::default() };
    Heard { control: Some(control), ..message(from) }
}

/// The same message, with changes to its `Control`.
fn next_with(bench: &Bench<Relay<Small>>, from: u32, change: impl FnOnce(&mut Control)) -> Heard {
    let mut heard = next(bench, from);
    change(heard.control.as_mut().unwrap());
    heard
}

fn flush(bench: &Bench<Relay<Small>>, from: u32) -> Heard {
    next_with(bench, from, |control| control.flush_ms = Some(T as u32))
}

/// `ms` pass. Each peer in `alive` shows within 10 ms that it holds what it was sent.
fn run_with(bench: &mut Bench<Relay<Small>>, alive: &[u32], ms: u64) -> Vec<Message> {
    let mut written = Vec::new();
    for _ in 0..ms / 10 {
        let mut now = bench.run(10);
        let at = written.len();
        written.append(&mut now);
        let mut answered: Vec<u32> = written[at..].iter().map(|message: &Message| message.to).collect();
        answered.dedup();
        for peer in answered.into_iter().filter(|peer| alive.contains(peer)) {
            bench.common.peers.learn_all(NodeIndex(peer), &bench.rows);
            let heard = next(bench, peer);
            written.extend(bench.hear(heard));
        }
    }
    written
}

/// The round trip to a peer was measured as the same so often that its deviation is below 1 ms.
fn measure(bench: &mut Bench<Relay<Small>>, peer: u32, rtt_ms: u64) {
    for _ in 0..40 {
        bench.scheduler.link_mut(NodeIndex(peer)).path.sample(rtt_ms * 1_000, Instant::ZERO);
    }
}

/// The round trip to a peer was measured as each of these two equally often.
fn vary(bench: &mut Bench<Relay<Small>>, peer: u32, rtts_ms: [u64; 2]) {
    for rtt_ms in (0..20).flat_map(|_| rtts_ms) {
        bench.scheduler.link_mut(NodeIndex(peer)).path.sample(rtt_ms * 1_000, Instant::ZERO);
    }
}

fn is_suspected(bench: &Bench<Relay<Small>>, peer: u32) -> bool {
    bench.scheduler.link(NodeIndex(peer)).suspected
}

fn to(messages: &[Message], peer: u32) -> Vec<Message> {
    messages.iter().filter(|message| message.to == peer).copied().collect()
}

fn asking(messages: &[Message], want: Want) -> Vec<Message> {
    messages.iter().filter(|message| message.want == want).copied().collect()
}

fn pauses(messages: &[Message]) -> Vec<u64> {
    times(messages).windows(2).map(|pair| pair[1] - pair[0]).collect()
}
