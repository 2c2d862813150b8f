//! Coverage over rounds, and over time.

use super::{Group, theory};
use crate::report::plot::{Axis, Colour, Layer, Panel, Sheet};
use crate::report::text::count;

/// Points of one line.
const MOST_POINTS: usize = 300;

/// All plots that have something to show.
#[must_use]
pub fn sheets(groups: &[Group]) -> Vec<Sheet> {
    [rounds(groups), time(groups)].into_iter().flatten().collect()
}

fn sizes(groups: &[Group]) -> Vec<usize> {
    let mut sizes: Vec<usize> = groups.iter().map(|group| group.nodes).collect();
    sizes.dedup();
    sizes
}

/// Each fanout has its colour in all panels.
fn colour(groups: &[Group], fanout: u8) -> Colour {
    let mut fanouts: Vec<u8> = groups.iter().map(|group| group.fanout).collect();
    fanouts.sort_unstable();
    fanouts.dedup();
    let at = fanouts.iter().position(|other| *other == fanout).unwrap_or(0);
    Colour::SERIES[at % Colour::SERIES.len()]
}

/// Push alone: share of the nodes after each round, with the share that theory gives as a dashed line.
fn rounds(groups: &[Group]) -> Option<Sheet> {
    let longest = |least: u8| {
        let all = groups.iter().filter(move |group| group.fanout >= least).flat_map(|group| &group.runs);
        all.map(|run| run.reached.len()).max()
    };
    // A chain of single pushes is long and goes nowhere: the others decide what is shown.
    let last = longest(2).or_else(|| longest(1))?;
    let x = Axis::linear("rounds of one delay since the broadcast", 0.0, last as f64);
    let mut sheet = Sheet::new("coverage-rounds", "Push alone: nodes reached, round by round", x).caption(
        "Every node that learns the value pushes it once to K random others. Lines: mean of all runs; bands: from the \
         run with least to the one with most. Dashed: the share at which theory says that pushes end, p = 1 − e^(−Kp). \
         What is missing is left to anti-entropy.",
    );
    for nodes in sizes(groups) {
        let y = Axis::linear(&format!("{} nodes: share that holds the value, %", count(nodes)), 0.0, 102.0);
        let mut panel = Panel::new(y).height(260);
        for group in groups.iter().filter(|group| group.nodes == nodes) {
            let colour = colour(groups, group.fanout);
            let (mut line, mut band) = (Vec::new(), Vec::new());
            for round in 0..=last {
                let at = |reached: &[usize]| reached.get(round).or(reached.last()).copied().unwrap_or(0);
                let share = group.spread(|run| Some(100.0 * at(&run.reached) as f64 / nodes as f64))?;
                line.push((round as f64, share.mean));
                band.push((round as f64, share.min, share.max));
            }
            let share = 100.0 * theory::final_share(f64::from(group.fanout));
            let name = match group.fanout {
                1 => "K = 1".to_owned(),
                fanout => format!("K = {fanout}, theory {share:.1} %"),
            };
            panel = panel.layer(Layer::band(&band, colour)).layer(Layer::line(line, colour).named(&name));
            if group.fanout > 1 {
                let theory = vec![(0.0, share), (last as f64, share)];
                panel = panel.layer(Layer::line(theory, colour).small().dashed());
            }
        }
        sheet = sheet.panel(panel);
    }
    Some(sheet)
}

/// With anti-entropy: share of the nodes over time.
fn time(groups: &[Group]) -> Option<Sheet> {
    let last_us = groups.iter().flat_map(|group| &group.runs).filter_map(|run| run.arrivals_us.last()).max()?;
    let last_s = *last_us as f64 / 1e6;
    let x = Axis::up_to("seconds since the broadcast", last_s);
    let mut sheet = Sheet::new("coverage-time", "Push and anti-entropy together, over time", x).caption(
        "The same values with anti-entropy: the mean of all runs. The mark is where the last node of the slowest run has \
         the value.",
    );
    for nodes in sizes(groups) {
        let y = Axis::linear(&format!("{} nodes: share that holds the value, %", count(nodes)), 0.0, 102.0);
        let mut panel = Panel::new(y).height(260);
        for group in groups.iter().filter(|group| group.nodes == nodes) {
            let colour = colour(groups, group.fanout);
            let line = (0..=MOST_POINTS).filter_map(|step| {
                let at_s = last_s * 1.06 * step as f64 / MOST_POINTS as f64;
                let held = |arrivals: &[u64]| arrivals.partition_point(|at| *at as f64 <= at_s * 1e6);
                let share = group.spread(|run| Some(100.0 * held(&run.arrivals_us) as f64 / nodes as f64));
                Some((at_s, share?.mean))
            });
            let slowest = group.spread(|run| run.all_us().map(|us| us as f64 / 1e6));
            let end = slowest.map(|slowest| (slowest.max, 100.0)).into_iter().collect();
            panel = panel
                .layer(Layer::line(line.collect(), colour).named(&format!("K = {}", group.fanout)))
                .layer(Layer::marks(end, colour).large());
        }
        sheet = sheet.panel(panel);
    }
    Some(sheet)
}
