//! Maelstrom's checker set-full, computed as Maelstrom does, so that figures can be compared with published ones.
//!
//! Which reads matter: a read is judged when it completes. It says something about every element whose add had been
//! *invoked* by then. Of two reads, the one that was *invoked* later is the later one. A read that overlaps the add of
//! an element counts as well. If it lacks the element, the element may not be stable yet; but it is not lost, because
//! an element is lost only to a read that was invoked after the element was known. The inspection by the lab does not
//! count, because Maelstrom has none.
//!
//! There are two deviations, and reports state both. Latencies keep their fraction of a millisecond, which Maelstrom
//! cuts off. A value that died with the only process that had it is counted apart.

use super::sets::{SetRead, Sets, sets};
use crate::check::bits::{for_each_bit, prefix};
use crate::check::figures::quantiles;
use crate::check::view::{Fate, View};
use crate::check::words::{examples, millis, were};
use crate::check::{Figures, Found};
use crate::history::Phase;
use crate::judgement::SetFigures;
use crate::settings::Micros;

/// What happened to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fortune {
    /// The last read that says anything about it shows it. The number is the stable latency in microseconds.
    Stable(Micros),
    /// It was known, and is missing from this read.
    Lost(usize),
    /// It is neither stable nor lost.
    NeverRead,
}

/// No element that was known is missing later.
pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let sets = sets(view);
    let mut figures = SetFigures { attempted: sets.elements.len(), ..SetFigures::default() };
    let mut latencies = Vec::new();
    let (mut lost, mut unread) = (Vec::new(), 0);
    for (number, fortune) in fortunes(sets).into_iter().enumerate() {
        let element = &sets.elements[number];
        figures.acknowledged += usize::from(element.acknowledged_us.is_some());
        match (fortune, sets.excused(view, number)) {
            (Fortune::Stable(latency), _) => {
                // Maelstrom counts whole milliseconds, so less than one is not stale.
                figures.stale += usize::from(latency >= 1000);
                latencies.push(millis(latency));
            }
            (Fortune::Lost(_) | Fortune::NeverRead, Some(Fate::Unsent)) => figures.died_unsent.push(element.value),
            (Fortune::Lost(_) | Fortune::NeverRead, Some(Fate::Undelivered)) => {
                figures.died_undelivered.push(element.value);
            }
            (Fortune::Lost(read), None) => {
                lost.push((number, read));
                figures.lost.push(element.value);
            }
            (Fortune::NeverRead, None) => {
                unread += usize::from(element.acknowledged_us.is_some());
                figures.never_read.push(element.value);
            }
        }
    }
    figures.stable = latencies.len();
    figures.stable_latency_ms = quantiles(latencies);
    for list in [&mut figures.lost, &mut figures.never_read, &mut figures.died_unsent, &mut figures.died_undelivered] {
        list.sort_unstable();
    }
    report(view, &figures, &lost, unread, &mut found);
    found.figures = Figures::Set(figures);
    found
}

fn report(view: &View<'_>, figures: &SetFigures, lost: &[(usize, usize)], unread: usize, found: &mut Found) {
    if !lost.is_empty() {
        let list = examples(lost.iter().map(|&(number, read)| describe(view, number, read)));
        let hint = view.quiet_hint();
        found.note(view.in_the_end(), format!("{} lost: {list}{hint}.", were(lost.len(), "value")));
    } else if figures.acknowledged == 0 {
        found.unknown(format!(
            "{} asked to be added and none was acknowledged: does the node answer? Otherwise a longer time limit or a \
             higher share of writes helps.",
            were(figures.attempted, "value")
        ));
    } else if figures.stable == 0 {
        found.unknown(
            "No value was seen to stay: more reads are needed, by a longer time limit or a smaller share of writes."
                .to_owned(),
        );
    }
    if unread > 0 {
        let what = were(unread, "acknowledged value");
        found.remark(format!("{what} never read after the acknowledgement, so nothing is known about them."));
    }
    for (list, how) in [
        (&figures.died_unsent, "before a message had carried them away"),
        (&figures.died_undelivered, "before any message with them had arrived"),
    ] {
        if !list.is_empty() {
            found.remark(format!(
                "{} gone with a process that was killed {how}: {}. Without a disk nothing could have kept them, so \
                 they are not counted as lost.",
                were(list.len(), "acknowledged value"),
                examples(list.iter().map(i64::to_string)),
            ));
        }
    }
}

/// `17 (acknowledged by n3 at 4.21 s, missing from a read of n5 at 9.10 s)`
fn describe(view: &View<'_>, number: usize, read: usize) -> String {
    let sets = sets(view);
    let (element, read) = (&sets.elements[number], &sets.reads[read]);
    let known = match element.acknowledged_us {
        Some(at) => format!("acknowledged by {} at {}", view.node(element.node), view.time(at)),
        None => format!(
            "asked of {} at {}, never acknowledged but shown",
            view.node(element.node),
            view.time(element.invoked_us)
        ),
    };
    let (reader, at) = (view.node(read.node), view.time(read.invoked_us));
    format!("{} ({known}, missing from a read of {reader} at {at})", element.value)
}

/// What happened to each element. The work is linear in the words of all reads.
pub(super) fn fortunes(sets: &Sets) -> Vec<Fortune> {
    let counted = |read: &&SetRead| read.phase != Phase::Inspection;
    let numbers: Vec<usize> = (0..sets.reads.len()).filter(|&read| counted(&&sets.reads[read])).collect();
    let mut last_present = Firsts::new(sets);
    let mut last_absent = Firsts::new(sets);
    for &read in numbers.iter().rev() {
        let asked = sets.asked_before_end_of(&sets.reads[read]);
        for (place, &word) in sets.row(read).iter().enumerate() {
            let exists = prefix(place, asked);
            last_present.see(place, word & exists, read);
            last_absent.see(place, !word & exists, read);
        }
    }
    let mut by_completion = numbers;
    by_completion.sort_by_key(|&read| sets.reads[read].completed_us);
    let mut first_present = Firsts::new(sets);
    for &read in &by_completion {
        let asked = sets.asked_before_end_of(&sets.reads[read]);
        for (place, &word) in sets.row(read).iter().enumerate() {
            first_present.see(place, word & prefix(place, asked), read);
        }
    }
    (0..sets.elements.len())
        .map(|number| {
            let shown = first_present.reads[number].map(|read| sets.reads[read].completed_us);
            let known = sets.elements[number].acknowledged_us.into_iter().chain(shown).min();
            fortune(sets, known, last_present.reads[number], last_absent.reads[number])
        })
        .collect()
}

fn fortune(sets: &Sets, known: Option<Micros>, present: Option<usize>, absent: Option<usize>) -> Fortune {
    // `None` is smaller than any read, and the numbers of reads are in the order of their invocation.
    let Some(known) = known else { return Fortune::NeverRead };
    let absent_us = absent.map(|read| sets.reads[read].invoked_us);
    if present.is_some() && absent < present {
        return Fortune::Stable(absent_us.map_or(0, |at| at.saturating_sub(known)));
    }
    match absent {
        Some(read) if present < absent && absent_us > Some(known) => Fortune::Lost(read),
        Some(_) | None => Fortune::NeverRead,
    }
}

/// For each element the first read that concerns it, in the order in which reads are told.
struct Firsts {
    seen: Vec<u64>,
    reads: Vec<Option<usize>>,
}

impl Firsts {
    fn new(sets: &Sets) -> Self {
        Self { seen: vec![0; sets.words()], reads: vec![None; sets.elements.len()] }
    }

    fn see(&mut self, place: usize, word: u64, read: usize) {
        let new = word & !self.seen[place];
        self.seen[place] |= new;
        for_each_bit(place, new, |element| self.reads[element] = Some(read));
    }
}
