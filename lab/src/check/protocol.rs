//! What nodes did that the protocol forbids, in words. Maelstrom is silent about most of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::view::View;
use super::words::examples;
use crate::trace::{Complaint, Misdeed};

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let mut kinds: BTreeMap<Misdeed, Vec<&Complaint>> = BTreeMap::new();
    for complaint in &view.trace.complaints {
        kinds.entry(complaint.what).or_default().push(complaint);
    }
    for (what, complaints) in kinds {
        let message = describe(view, what, &complaints);
        if what == Misdeed::NoInit && nobody_came_up(view, &complaints) {
            found.unknown(format!("No node came up. {message}"));
        } else {
            found.invalid(message);
        }
    }
    let kept = view.trace.complaints.len() as u64;
    if view.trace.complaints_total > kept {
        found.remark(format!("Only the first {kept} of {} such complaints were kept.", view.trace.complaints_total));
    }
    found
}

fn nobody_came_up(view: &View<'_>, complaints: &[&Complaint]) -> bool {
    let down: BTreeSet<usize> = complaints.iter().map(|complaint| complaint.node).collect();
    down.len() >= view.settings.nodes
}

/// Describes complaints of one kind: the first in full, the number and the nodes of the others, and what Maelstrom
/// would do.
fn describe(view: &View<'_>, what: Misdeed, complaints: &[&Complaint]) -> String {
    let Some((first, more)) = complaints.split_first() else { return String::new() };
    let (node, at, detail) = (view.node(first.node), view.time(first.at_us), first.detail.trim_end_matches('.'));
    let (deed, consequence) = words(what);
    let rest = if more.is_empty() {
        String::new()
    } else {
        let nodes: BTreeSet<usize> = more.iter().map(|complaint| complaint.node).collect();
        let nodes = examples(nodes.into_iter().map(|node| view.node(node)));
        format!(" {} more of the kind, by {nodes}.", more.len())
    };
    format!("{node} {deed} at {at}: {detail}.{rest} {consequence}")
}

const MUTED: &str = "Maelstrom would stop reading the node for good, and every later request to it would time out.";

/// What the node did, and what Maelstrom would do.
fn words(what: Misdeed) -> (&'static str, &'static str) {
    match what {
        Misdeed::MalformedLine => ("printed a line that is no message", MUTED),
        Misdeed::EnvelopeKey => ("sent a message with an unknown key in its envelope", MUTED),
        Misdeed::WrongSource => {
            ("sent a message in the name of another", "Maelstrom would deliver it and say nothing.")
        }
        Misdeed::UnknownDestination => ("sent a message to somebody who does not exist", MUTED),
        Misdeed::TooEarly => (
            "sent a message to a peer before the first message that follows `init`",
            "In Maelstrom the peer may not be registered yet; then it would stop reading the node for good.",
        ),
        Misdeed::ExtraKey => (
            "sent a reply with a key that does not belong there",
            "Maelstrom's client would reject the reply and take the outcome as unknown.",
        ),
        Misdeed::BadReply => (
            "sent a reply that lacks a key or has a value of the wrong kind",
            "Maelstrom's client would reject the reply and take the outcome as unknown.",
        ),
        Misdeed::LateReply => ("replied to a client that had given up", MUTED),
        Misdeed::UnknownRequest => {
            ("replied to a request that was never made", "Maelstrom's client would ignore it and say nothing.")
        }
        Misdeed::SecondReply => (
            "replied to a request a second time",
            "Maelstrom's client would ignore it, and once that client is gone Maelstrom would stop reading the node.",
        ),
        Misdeed::Exit => ("ended by itself", "Maelstrom would call the run crashed, even with exit status 0."),
        Misdeed::NoInit => (
            "did not answer `init` in time",
            "Does the program start a node when it is run by hand, print `init_ok` as one line on stdout, and flush \
             after each line? Its stderr may say more.",
        ),
        Misdeed::Unsafe => {
            ("broke a rule that its state has to keep at every step", "Only a simulation can look inside and see it.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::check::testing::Run;
    use crate::judgement::Validity;
    use crate::settings::Workload;
    use crate::trace::Misdeed;

    const ALL: [Misdeed; 13] = [
        Misdeed::MalformedLine,
        Misdeed::EnvelopeKey,
        Misdeed::WrongSource,
        Misdeed::UnknownDestination,
        Misdeed::TooEarly,
        Misdeed::ExtraKey,
        Misdeed::BadReply,
        Misdeed::LateReply,
        Misdeed::UnknownRequest,
        Misdeed::SecondReply,
        Misdeed::Exit,
        Misdeed::NoInit,
        Misdeed::Unsafe,
    ];

    #[test]
    fn every_misdeed_is_invalid_and_said_in_words() {
        for what in ALL {
            let mut run = Run::new(Workload::Broadcast, 3);
            run.complain(2310, 1, what, "the detail");
            let (deed, consequence) = words(what);
            run.finds("protocol", Validity::Invalid, &["n1", "2.31 s", "the detail", deed, consequence]);
        }
    }

    #[test]
    fn complaints_of_one_kind_are_one_finding_that_names_the_others() {
        let mut run = Run::new(Workload::Broadcast, 3);
        run.complain(100, 1, Misdeed::MalformedLine, "\"hello\": no JSON");
        run.complain(200, 2, Misdeed::MalformedLine, "x");
        run.complain(300, 0, Misdeed::MalformedLine, "x");
        run.finds("protocol", Validity::Invalid, &["n1", "\"hello\": no JSON", "2 more of the kind, by n0, n2"]);
    }

    #[test]
    fn a_run_in_which_no_node_came_up_is_unknown_with_a_hint() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.complain(10_000, 0, Misdeed::NoInit, "nothing came");
        run.complain(10_000, 1, Misdeed::NoInit, "nothing came");
        run.finds("protocol", Validity::Unknown, &["No node came up", "flush"]);
        assert_eq!(run.judge().validity, Validity::Unknown);
    }

    #[test]
    fn complaints_that_were_not_kept_are_mentioned() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.complain(100, 0, Misdeed::LateReply, "x");
        run.trace.complaints_total = 500;
        assert!(run.findings("protocol").iter().any(|finding| finding.message.contains("first 1 of 500")));
    }
}
