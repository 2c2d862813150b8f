//! Messages between nodes per second over time, and their bytes.

use super::sheet;
use super::{Axis, Colour, Layer, Panel, Sheet, fault_lanes, in_seconds, phases, time_axis};
use crate::report::Run;
use crate::settings::{Micros, SECOND};
use crate::trace::Trace;

/// The most columns.
const MOST_BINS: u64 = 600;

/// The plot. `None` if there were no messages.
pub(super) fn sheet(run: &Run<'_>) -> Option<Sheet> {
    if run.trace.messages.is_empty() {
        return None;
    }
    let last = run.trace.messages.iter().map(|message| message.sent_us).max().unwrap_or(0);
    let span_us = run.trace.end_us.max(last + 1);
    let width_us = bin_width(span_us);
    let (messages, bytes) = rates(run.trace, span_us, width_us);
    let largest = |points: &[(f64, f64)]| points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let panel = |label: &str, points: &[(f64, f64)], colour| {
        let steps = sheet::stairs(points);
        let area: Vec<_> = steps.iter().map(|(x, y)| (*x, 0.0, *y)).collect();
        Panel::new(Axis::up_to(label, largest(points)))
            .layer(Layer::band(&area, colour))
            .layer(Layer::line(steps, colour))
    };
    let kilobytes: Vec<_> = bytes.iter().map(|(x, value)| (*x, value / 1000.0)).collect();
    let spans = if width_us == SECOND { "one second".to_owned() } else { crate::report::text::seconds(width_us) };
    let caption = format!(
        "Above the messages that nodes sent to each other, below their size, each step an average over {spans}. \
         After the load has ended both should fall to nothing soon."
    );
    let sheet = Sheet::new("messages", "Messages between nodes", time_axis(run)).caption(&caption);
    let sheet = sheet.lanes(fault_lanes(run.trace)).moments(phases(run));
    let sheet = sheet.panel(panel("messages per second", &messages, Colour::Blue).height(210));
    Some(sheet.panel(panel("kB per second", &kilobytes, Colour::Green).height(130)))
}

/// The length of a column in seconds, so that there are enough columns and not too many.
fn bin_width(span_us: Micros) -> Micros {
    if span_us < 8 * SECOND { SECOND / 4 } else { SECOND * span_us.div_ceil(SECOND * MOST_BINS).max(1) }
}

type Points = Vec<(f64, f64)>;

/// Messages and bytes per second, each bin at its beginning, from 0 to the end of the span.
fn rates(trace: &Trace, span_us: Micros, width_us: Micros) -> (Points, Points) {
    let bins = span_us.div_ceil(width_us) as usize;
    let mut sums = vec![(0u64, 0u64); bins];
    for message in &trace.messages {
        let sum = &mut sums[(message.sent_us / width_us) as usize];
        sum.0 += 1;
        sum.1 += u64::from(message.bytes);
    }
    let per_second = in_seconds(width_us);
    let at = |i: usize| i as f64 * per_second;
    let mut messages: Points = sums.iter().enumerate().map(|(i, sum)| (at(i), sum.0 as f64 / per_second)).collect();
    let mut bytes: Points = sums.iter().enumerate().map(|(i, sum)| (at(i), sum.1 as f64 / per_second)).collect();
    for points in [&mut messages, &mut bytes] {
        if let Some((_, value)) = points.last().copied() {
            points.push((at(bins), value));
        }
    }
    (messages, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::PeerMessage;

    #[test]
    fn bins_count_each_message_once() {
        let message = |sent_us| PeerMessage { sent_us, from: 0, to: 1, bytes: 10 };
        let messages = [0, 1, 999_999, 1_000_000, 10_000_000].map(message).to_vec();
        let trace = Trace { messages, end_us: 10_000_000, ..Trace::default() };
        let (messages, bytes) = rates(&trace, 10_000_001, SECOND);
        assert_eq!(messages[..3], [(0.0, 3.0), (1.0, 1.0), (2.0, 0.0)]);
        assert_eq!(messages[10..], [(10.0, 1.0), (11.0, 1.0)]);
        assert_eq!(bytes[0], (0.0, 30.0));
    }
}
