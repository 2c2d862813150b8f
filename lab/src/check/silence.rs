//! Nodes stop talking once there is nothing to tell.
//!
//! How long they may go on depends on the faults of the run ([`super::patience`]). While a member stays away, the
//! others have to look for it and cannot be silent; they look ever more rarely.

use std::collections::BTreeMap;

use super::patience::LOOKS_APART_US;
use super::view::View;
use super::words::{examples, millis, seconds};
use super::{Figures, Found};
use crate::settings::{Micros, SECOND};

/// A row is a time from, a time until, and the most messages that one node may send to a member that is away in
/// between. Times are seconds since the member went away and clients stopped. It is two messages a second at first,
/// then fewer.
const LOOKS: [(u64, u64, usize); 4] = [(3, 8, 10), (8, 16, 8), (16, 32, 6), (32, 64, 5)];
/// After the last row: the most such messages within any 30 s. That is one look, and one that was due at the edge.
const LATER_LOOKS_MAX: usize = 2;
/// And the most messages of one node to all others within 30 s: a look, a digest, and answers to those of others.
const LATER_WORDS_MAX: usize = 6;

pub(crate) fn check(view: &View<'_>) -> Found {
    let calm = view.calm_from_us();
    let last = view.trace.messages.last().map(|message| message.sent_us).filter(|&at| at > calm);
    let mut found = Found { figures: Figures::LastMessage(last.map(|at| millis(at - calm))), ..Found::default() };
    if view.settings.recovery_us == 0 {
        return found;
    }
    let away: Vec<usize> = (0..view.settings.nodes).filter(|&node| !view.lives.alive_at_end(node)).collect();
    if away.is_empty() {
        quiet(view, &mut found);
    } else {
        looks(view, calm, &away, &mut found);
    }
    found
}

/// No node speaks after the time that nodes may need.
fn quiet(view: &View<'_>, found: &mut Found) {
    let trace = view.trace;
    let patience = &view.patience;
    // If the quiet time is too short, the finding at least names the nodes that talk in its last fifth.
    let window = (trace.final_us.saturating_sub(trace.healed_us) / 5).max(2 * SECOND);
    let from = match patience.is_too_long() {
        true => trace.final_us.saturating_sub(window).max(trace.healed_us),
        false => patience.until_us,
    };
    let mut talkers: BTreeMap<u32, usize> = BTreeMap::new();
    let start = trace.messages.partition_point(|message| message.sent_us <= from);
    let mut last = from;
    for message in trace.messages[start..].iter().take_while(|message| message.sent_us <= trace.final_us) {
        *talkers.entry(message.from).or_default() += 1;
        last = message.sent_us;
    }
    if talkers.is_empty() {
        return;
    }
    let total: usize = talkers.values().sum();
    let mut list: Vec<(u32, usize)> = talkers.into_iter().collect();
    list.sort_by_key(|&(node, n)| (std::cmp::Reverse(n), node));
    let who = examples(list.iter().map(|&(node, n)| format!("{} ({n})", view.node(node as usize))));
    let message = format!(
        "Nodes still talked more than {:.1} s after the heal, with nothing left to tell: {total} messages, the last after \
         {:.1} s, from {who}{}.",
        seconds(from - trace.healed_us),
        seconds(last - trace.healed_us),
        patience.hint(),
    );
    found.note(view.in_the_end(), message);
}

/// Nodes look ever more rarely for members that stay away.
fn looks(view: &View<'_>, calm: Micros, away: &[usize], found: &mut Found) {
    let trace = view.trace;
    let start = trace.messages.partition_point(|message| message.sent_us < calm);
    let mut looks: BTreeMap<(u32, u32), Vec<Micros>> = BTreeMap::new();
    let mut words: BTreeMap<u32, Vec<Micros>> = BTreeMap::new();
    for message in trace.messages[start..].iter().take_while(|message| message.sent_us <= trace.final_us) {
        words.entry(message.from).or_default().push(message.sent_us);
        if away.contains(&(message.to as usize)) {
            looks.entry((message.from, message.to)).or_default().push(message.sent_us);
        }
    }
    let mut loud = Vec::new();
    for ((from, to), times) in &looks {
        let names = (view.node(*from as usize), view.node(*to as usize));
        for (begin, end, most) in LOOKS {
            let within = |at: &&Micros| (begin * SECOND..end * SECOND).contains(&(**at - calm));
            let seen = times.iter().filter(within).count();
            if seen > most {
                loud.push(format!(
                    "{} wrote to {} {seen} times from {begin} to {end} s after the load",
                    names.0, names.1
                ));
            }
        }
        let seen = most_in(times, calm + 64 * SECOND);
        if seen > LATER_LOOKS_MAX {
            loud.push(format!("{} wrote to {} {seen} times within 30 s, after more than 64 s", names.0, names.1));
        }
    }
    for (from, times) in &words {
        let seen = most_in(times, calm + 64 * SECOND);
        if seen > LATER_WORDS_MAX {
            loud.push(format!("{} said {seen} things within 30 s, after more than 64 s", view.node(*from as usize)));
        }
    }
    let names = examples(away.iter().map(|&node| view.node(node)));
    if !loud.is_empty() {
        found.invalid(format!("While {names} was down, the others looked for it too often: {}.", examples(loud)));
    } else if !looks.is_empty() {
        found.remark(format!("The others looked for {names}, which was down, at the pace that is allowed."));
    }
}

/// How many of these times lie within 30 s, at most. The times are in order; those before `from` do not count.
fn most_in(times: &[Micros], from: Micros) -> usize {
    let times = &times[times.partition_point(|&at| at < from)..];
    let within = |place: usize| times[place..].iter().take_while(|&&at| at - times[place] < LOOKS_APART_US).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::{SECOND, Workload};
    use crate::trace::{FaultChange, PeerMessage};

    /// One value, faults that have ended when clients stop at 10 s, and a message of n1 every 500 ms until `last`.
    fn talk_until(last: u64, faults: &[(u64, FaultChange)]) -> Run {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.settings.recovery_us = 40 * SECOND;
        run.trace.final_us = 50 * SECOND;
        run.trace.end_us = 51 * SECOND;
        run.add(0, 9000, 9001, 7);
        faults.iter().for_each(|&(at, what)| run.fault(at, what));
        for at in (9000..=last).step_by(500) {
            run.message(at, 1);
        }
        run.end(&[7]);
        run
    }

    #[test]
    fn nodes_that_fall_silent_pass_and_the_last_message_is_timed_from_the_heal() {
        let run = talk_until(13_000, &[]);
        run.passes();
        assert_eq!(run.judge().last_message_ms, Some(3000.0));
    }

    #[test]
    fn the_last_message_is_timed_from_the_last_operation_when_that_ends_later() {
        let mut run = talk_until(13_000, &[]);
        run.info(0, 7000, Call::Add(8));
        assert_eq!(run.judge().last_message_ms, Some(1000.0));
    }

    #[test]
    fn no_message_after_everything_has_no_time() {
        assert_eq!(talk_until(9000, &[]).judge().last_message_ms, None);
    }

    /// The bounds of the protocol, each held at its edge and broken half a second later.
    #[test]
    fn how_long_nodes_may_talk_depends_on_what_went_wrong_before() {
        let cut = [(2000, FaultChange::Partition { cuts: 2 }), (8000, FaultChange::Heal)];
        let paused = [(2000, FaultChange::Pause { node: 0 }), (8000, FaultChange::Resume { node: 0 })];
        let lossy = [(0, FaultChange::Loss { rate: 0.1 }), (10_000, FaultChange::Loss { rate: 0.0 })];
        // n1 speaks at once, n0 only when its time has come.
        let again = [(9000, FaultChange::Kill { node: 1 }), (10_000, FaultChange::Restart { node: 1 })];
        let late = [(9000, FaultChange::Kill { node: 0 }), (10_000, FaultChange::Restart { node: 0 })];
        let rows: [(&[(u64, FaultChange)], u64); 6] =
            [(&[], 3000), (&cut, 6000), (&paused, 15_000), (&lossy, 15_000), (&again, 15_000), (&late, 27_000)];
        for (faults, allowed) in rows {
            talk_until(10_000 + allowed, faults).is_silent("silence");
            let last = format!("the last after {:.1} s", (allowed + 500) as f64 / 1e3);
            let words = [&*last, "n1 (1)"];
            talk_until(10_500 + allowed, faults).finds("silence", Validity::Invalid, &words);
        }
    }

    #[test]
    fn a_slower_interval_allows_more_time_and_a_longer_delay_too() {
        let mut run = talk_until(15_500, &[]);
        run.settings.interval_us = 1_730_000;
        run.is_silent("silence");
        let mut run = talk_until(15_000, &[]);
        run.settings.latency_us = 300_000;
        run.is_silent("silence");
    }

    #[test]
    fn more_than_25_nodes_may_talk_longer_by_the_logarithm_of_their_number() {
        let talks = |nodes, ms: u64| {
            let mut run = talk_until(10_000 + ms, &[]);
            run.settings.nodes = nodes;
            run
        };
        talks(25, 3_500).finds("silence", Validity::Invalid, &["the last after 3.5 s"]);
        talks(625, 6_000).is_silent("silence");
        talks(625, 6_500).finds("silence", Validity::Invalid, &["the last after 6.5 s"]);
    }

    #[test]
    fn who_was_cut_off_for_long_is_found_later() {
        let cut = [(0, FaultChange::Partition { cuts: 2 }), (9900, FaultChange::Heal)];
        let mut run = talk_until(18_500, &cut);
        run.finds("silence", Validity::Invalid, &["n1 (5)"]);
        // As if the cut had begun 15 s earlier: five of them are more than 20 s.
        for fault in &mut run.trace.faults[1..] {
            fault.at_us += 15 * SECOND;
        }
        run.trace.healed_us += 15 * SECOND;
        run.trace.messages.iter_mut().for_each(|message| message.sent_us += 15 * SECOND);
        run.is_silent("silence");
    }

    #[test]
    fn a_quiet_time_that_is_shorter_than_what_nodes_may_need_says_nothing() {
        let lossy = [(0, FaultChange::Loss { rate: 0.1 }), (10_000, FaultChange::Loss { rate: 0.0 })];
        let mut run = talk_until(20_000, &lossy);
        run.settings.recovery_us = 10 * SECOND;
        run.trace.final_us = 20 * SECOND;
        run.finds("silence", Validity::Unknown, &["could not be judged", "15.0 s", "--recovery 16"]);
    }

    #[test]
    fn without_quiet_time_silence_is_not_judged() {
        let mut run = talk_until(20_000, &[]);
        run.settings.recovery_us = 0;
        run.is_silent("silence");
    }

    /// n0 stays down, and n1 writes to it at these times after the load, in milliseconds.
    fn looks(times: impl IntoIterator<Item = u64>) -> Run {
        let mut run = talk_until(9000, &[(5000, FaultChange::Kill { node: 0 })]);
        run.settings.recovery_us = 200 * SECOND;
        run.trace.final_us = 210 * SECOND;
        for at in times {
            run.trace.messages.push(PeerMessage { sent_us: (10_000 + at) * 1000, from: 1, to: 0, bytes: 100 });
        }
        run
    }

    #[test]
    fn a_search_for_a_dead_node_that_grows_rare_is_a_remark() {
        let doubling = [500, 1_500, 3_500, 7_500, 15_500, 31_500, 61_500, 91_500, 121_500, 151_500, 181_500];
        looks(doubling).finds("silence", Validity::Valid, &["n0, which was down"]);
        let pause_first = (0..10_000).step_by(500).chain([11_000, 13_000, 17_000, 25_000, 41_000, 71_000, 101_000]);
        looks(pause_first).finds("silence", Validity::Valid, &["n0, which was down"]);
    }

    #[test]
    fn a_search_for_a_dead_node_that_stays_frequent_is_invalid() {
        let parts = ["While n0 was down", "n1 wrote to n0", "from 16 to 32 s"];
        looks((0..200_000).step_by(2_000)).finds("silence", Validity::Invalid, &parts);
        let parts = ["n1 wrote to n0 3 times within 30 s, after more than 64 s"];
        looks((0..200_000).step_by(12_000)).finds("silence", Validity::Invalid, &parts);
    }
}
