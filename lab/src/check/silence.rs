//! Nodes stop talking once there is nothing to tell: the last message comes well before the quiet time ends.

use std::collections::BTreeMap;

use super::view::{View, examples, millis, seconds};
use super::{Figures, Found};
use crate::settings::SECOND;

pub(super) fn check(view: &View<'_>) -> Found {
    let calm = view.calm_from_us();
    let last = view.trace.messages.last().map(|message| message.sent_us).filter(|&at| at > calm);
    let mut found = Found { figures: Figures::LastMessage(last.map(|at| millis(at - calm))), ..Found::default() };
    if view.settings.recovery_us > 0 {
        quiet(view, &mut found);
    }
    found
}

#[allow(clippy::cast_precision_loss)]
fn quiet(view: &View<'_>, found: &mut Found) {
    let trace = view.trace;
    let quiet = trace.final_us.saturating_sub(trace.healed_us);
    // The last fifth, and 2 s at least, so that one late message between two heartbeats is seen too.
    let window = (quiet / 5).max(2 * SECOND).min(quiet);
    let from = trace.final_us - window;
    let mut talkers: BTreeMap<u32, usize> = BTreeMap::new();
    let start = trace.messages.partition_point(|message| message.sent_us <= from);
    for message in trace.messages[start..].iter().take_while(|message| message.sent_us <= trace.final_us) {
        *talkers.entry(message.from).or_default() += 1;
    }
    if talkers.is_empty() {
        return;
    }
    let total: usize = talkers.values().sum();
    let mut list: Vec<(u32, usize)> = talkers.into_iter().collect();
    list.sort_by_key(|&(node, n)| (std::cmp::Reverse(n), node));
    let rate = |n: usize| n as f64 / seconds(window);
    let who =
        examples(list.iter().map(|&(node, n)| format!("{} ({:.2} per second)", view.node(node as usize), rate(n))));
    let message = format!(
        "Nodes still talked in the last {:.2} s of the quiet time, with nothing left to tell: {:.2} messages per \
         second, from {who}",
        seconds(window),
        rate(total)
    );
    let dead: Vec<String> =
        (0..view.settings.nodes).filter(|&node| !view.lives.alive_at_end(node)).map(|node| view.node(node)).collect();
    if dead.is_empty() {
        found.invalid(format!("{message}."));
    } else {
        found.remark(format!("{message}. They may look for {}, which was down.", examples(dead)));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::Workload;
    use crate::trace::FaultChange;

    fn talk_until(last: u64) -> Run {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 9000, 9001, 7);
        for at in (9000..=last).step_by(500) {
            run.message(at, 1);
        }
        run.end(&[7]);
        run
    }

    #[test]
    fn nodes_that_fall_silent_pass_and_the_last_message_is_timed_from_the_heal() {
        let run = talk_until(13_000);
        run.passes();
        assert_eq!(run.judge().last_message_ms, Some(3000.0));
    }

    #[test]
    fn the_last_message_is_timed_from_the_last_operation_when_that_ends_later() {
        let mut run = talk_until(13_000);
        run.info(0, 7000, Call::Add(8));
        assert_eq!(run.judge().last_message_ms, Some(1000.0));
    }

    #[test]
    fn no_message_after_everything_has_no_time() {
        assert_eq!(talk_until(9000).judge().last_message_ms, None);
    }

    #[test]
    fn messages_in_the_last_fifth_of_the_quiet_time_are_invalid_and_the_talker_is_named() {
        talk_until(20_500).finds("silence", Validity::Invalid, &["last 2.00 s", "n1 (2.00 per second)"]);
    }

    #[test]
    fn without_quiet_time_silence_is_not_judged() {
        let mut run = talk_until(20_000);
        run.settings.recovery_us = 0;
        run.is_silent("silence");
    }

    #[test]
    fn a_search_for_a_dead_node_is_a_remark() {
        let mut run = talk_until(20_000);
        run.fault(5000, FaultChange::Kill { node: 0 });
        run.finds("silence", Validity::Valid, &["n0, which was down"]);
    }
}
