//! The messages that one node sends to one peer within a second stay below a bound. docs/relay.md derives the bound.

use std::collections::{HashMap, VecDeque};

use super::view::View;
use super::words::examples;
use super::{Figures, Found};
use crate::settings::{Micros, SECOND, Settings};

/// The most messages of one node to one peer within a second, where rounds are at least [`INTERVAL_US`] apart.
const LINK_SECOND_MAX: u64 = 28;
/// Where rounds follow each other faster than this, the bound is larger.
const INTERVAL_US: Micros = 100_000;

/// The bound for a run. `None` where the settings ask for none.
fn bound(settings: &Settings) -> Option<u64> {
    let rounds = INTERVAL_US.div_ceil(settings.fastest_interval_us.max(1)).max(1);
    settings.storm_above.map(|most| if most == 0 { LINK_SECOND_MAX * rounds } else { most })
}

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut windows: HashMap<(u32, u32), VecDeque<Micros>> = HashMap::new();
    // For each link: the most messages within a second, and when that second ended.
    let mut worst: HashMap<(u32, u32), (u64, Micros)> = HashMap::new();
    for message in &view.trace.messages {
        let link = (message.from, message.to);
        let window = windows.entry(link).or_default();
        while window.front().is_some_and(|&at| message.sent_us - at >= SECOND) {
            window.pop_front();
        }
        window.push_back(message.sent_us);
        let (most, at) = worst.entry(link).or_default();
        if window.len() as u64 > *most {
            (*most, *at) = (window.len() as u64, message.sent_us);
        }
    }
    let mut worst: Vec<_> = worst.into_iter().collect();
    worst.sort_unstable_by_key(|&(link, (most, _))| (std::cmp::Reverse(most), link));
    let most = worst.first().map_or(0, |(_, (most, _))| *most);
    let mut found = Found { figures: Figures::WorstLink(most), ..Found::default() };
    if let Some(bound) = bound(view.settings).filter(|&bound| most > bound) {
        let loud = worst.iter().filter(|(_, (most, _))| *most > bound);
        let list = examples(loud.map(|&((from, to), (most, at))| {
            format!("{} sent {} {most} until {}", view.node(from as usize), view.node(to as usize), view.time(at))
        }));
        found.invalid(format!("More than {bound} messages from one node to one peer within a second: {list}."));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn run(messages: u64, apart_ms: u64) -> Run {
        let mut run = Run::new(Workload::Broadcast, 3);
        run.settings.storm_above = Some(0);
        run.add(0, 100, 101, 7);
        run.end(&[7]);
        for at in 0..messages {
            run.message(1000 + at * apart_ms, 1);
            run.message(1000 + at * apart_ms, 0);
        }
        run
    }

    #[test]
    fn messages_of_one_node_to_one_peer_within_a_second_are_bounded() {
        run(28, 10).is_silent("storm");
        assert_eq!(run(28, 10).judge().worst_link_second, 28);
        let parts = ["More than 28 messages", "n0 sent n1 29 until 1.28 s", "n1 sent n2 29"];
        run(29, 10).finds("storm", Validity::Invalid, &parts);
        run(200, 40).is_silent("storm");
    }

    #[test]
    fn the_bound_can_be_chosen_or_left_out_and_grows_with_faster_rounds() {
        let mut chosen = run(29, 10);
        chosen.settings.storm_above = Some(40);
        chosen.is_silent("storm");
        chosen.settings.storm_above = Some(5);
        chosen.finds("storm", Validity::Invalid, &["More than 5 messages"]);
        chosen.settings.storm_above = None;
        chosen.is_silent("storm");
        let mut fast = run(56, 10);
        fast.settings.fastest_interval_us = 50_000;
        fast.is_silent("storm");
    }
}
