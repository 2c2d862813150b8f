//! The plots of a sweep.

use super::figures::places;
use super::floors::{Floors, GLOMERS, PUBLISHED, is_standard};
use super::{Condition, Point, Sweep, has_fanout};
use crate::judge;
use crate::report::plot::{Axis, Colour, Layer, Mark, Panel, Sheet};
use crate::report::{self, Run};

/// The number of points of a drawn floor.
const FLOOR_STEPS: usize = 120;
/// The interval whose coverage is drawn, if it was run.
const USUAL_INTERVAL_MS: u32 = 200;

/// A figure of a point, if the point has it.
type Figure = fn(&Point) -> Option<f64>;

/// All plots that have something to show.
#[must_use]
pub fn sheets(sweep: &Sweep) -> Vec<Sheet> {
    let all = [cost(sweep, Latency::Max), cost(sweep, Latency::Median), coverage(sweep), counter(sweep), stale(sweep)];
    all.into_iter().flatten().collect()
}

/// A strategy and a fanout. Their points are a line, which has the same colour and mark in all plots.
struct Series {
    name: String,
    strategy: String,
    fanout: u8,
    colour: Colour,
    mark: Mark,
}

fn series(sweep: &Sweep) -> Vec<Series> {
    let mut strategies: Vec<&str> = Vec::new();
    let mut fanouts: Vec<u8> = Vec::new();
    for point in &sweep.points {
        if !strategies.contains(&point.cell.strategy.as_str()) {
            strategies.push(&point.cell.strategy);
        }
        if !fanouts.contains(&point.cell.fanout) {
            fanouts.push(point.cell.fanout);
        }
    }
    let mut all = Vec::new();
    for (s, strategy) in strategies.iter().enumerate() {
        for (f, fanout) in fanouts.iter().enumerate() {
            let is_run = |point: &Point| point.cell.strategy == *strategy && point.cell.fanout == *fanout;
            if !sweep.points.iter().any(is_run) {
                continue;
            }
            all.push(Series {
                name: match (strategies.len() > 1, has_fanout(strategy)) {
                    (true, true) => format!("{strategy}, fanout {fanout}"),
                    (false, true) => format!("fanout {fanout}"),
                    (_, false) => (*strategy).to_owned(),
                },
                strategy: (*strategy).to_owned(),
                fanout: *fanout,
                colour: Colour::SERIES[f % Colour::SERIES.len()],
                mark: Mark::SERIES[(s + f / Colour::SERIES.len()) % Mark::SERIES.len()],
            });
        }
    }
    all
}

/// The points of a series under a condition, in the order of the intervals.
fn of_series<'a>(sweep: &'a Sweep, series: &Series, condition: Condition) -> Vec<&'a Point> {
    let is_meant = |point: &&Point| point.cell.strategy == series.strategy && point.cell.fanout == series.fanout;
    let mut points: Vec<&Point> = sweep.of(condition).map(|(_, point)| point).filter(is_meant).collect();
    points.sort_by_key(|point| point.cell.interval_ms);
    points
}

#[derive(Clone, Copy)]
enum Latency {
    Median,
    Max,
}

impl Latency {
    fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::Median => point.median_ms(),
            Self::Max => point.max_ms(),
        }
    }

    /// The same latency as Maelstrom computes it. Limits and published results are compared with this one.
    fn stable_of(self, point: &Point) -> Option<f64> {
        match self {
            Self::Median => point.stable_median_ms.map(|spread| spread.mean),
            Self::Max => point.stable_max_ms.map(|spread| spread.max),
        }
    }

    /// What the panel of a condition shows.
    const fn meaning(self, condition: Condition) -> &'static str {
        match (self, condition) {
            (Self::Median, _) => "median latency",
            (Self::Max, Condition::Calm) => "max latency",
            (Self::Max, Condition::Partition) => "catch-up",
        }
    }
}

/// Messages per operation against latency.
fn cost(sweep: &Sweep, latency: Latency) -> Option<Sheet> {
    let figures = |point: &Point| latency.of(point).map(|ms| (ms, point.messages_per_op.mean));
    let all: Vec<(f64, f64)> = sweep.points.iter().filter_map(figures).filter(|(x, y)| *x > 0.0 && *y > 0.0).collect();
    let fastest = all.iter().map(|(x, _)| *x).reduce(f64::min)?;
    let slowest = all.iter().map(|(x, _)| *x).reduce(f64::max)?;
    let cheapest = all.iter().map(|(_, y)| *y).reduce(f64::min)?;
    let dearest = all.iter().map(|(_, y)| *y).reduce(f64::max)?;
    let standard = is_standard(&sweep.settings);
    let latency_ms = sweep.settings.latency_us as f64 / 1e3;
    let (name, title) = match latency {
        Latency::Median => ("cost-median", "Messages per operation against the median latency"),
        Latency::Max => ("cost-max", "Messages per operation against the maximum latency"),
    };
    let from = if standard { 150.0 } else { (fastest * 0.6).min(2.0 * latency_ms.max(fastest * 0.2)) };
    let x = Axis::log("ms", from, slowest * 1.4);
    let floor = Floors::new(&sweep.settings).and_then(|floors| floors.any_design(slowest / 1e3, 1.0));
    let least = floor.map_or(cheapest * 0.5, |floor| (floor * 0.7).clamp(cheapest * 0.1, cheapest * 0.7));
    let y = Axis::log("messages per operation", least, (dearest * 1.8).max(if standard { 45.0 } else { 0.0 }));
    let mut caption = format!(
        "One mark per setting, labelled fanout/interval in ms (a relay: interval): lower and further left is better. {} Dashed lines are what \
         theory demands.",
        match latency {
            Latency::Median =>
                "Latency is the true one, until the last node has a value: the mean of the runs' medians.",
            Latency::Max =>
                "Calm: until the last node has the slowest value of all runs. Partition: until everything known before a \
                 heal is everywhere, the slowest of all runs.",
        }
    );
    if standard {
        caption.push_str(
            " Boxes are the Gossip Glomers' limits and crosses published results; both are Maelstrom's stable latency, \
             which lies below the true one: small open marks are where a setting stands by that.",
        );
    }
    let mut sheet = Sheet::new(name, title, x.clone()).caption(&caption);
    for condition in [Condition::Calm, Condition::Partition] {
        if sweep.of(condition).next().is_some() {
            sheet = sheet.panel(cost_panel(sweep, (latency, condition), &x, &y));
        }
    }
    Some(sheet)
}

fn cost_panel(sweep: &Sweep, (latency, condition): (Latency, Condition), x: &Axis, y: &Axis) -> Panel {
    let label = format!("{}: msgs/op against {}", condition.name(), latency.meaning(condition));
    let height = if condition == Condition::Calm { 420 } else { 300 };
    let mut panel = Panel::new(Axis::log(&label, y.from(), y.to())).height(height);
    if let Some(floors) = Floors::new(&sweep.settings).filter(|_| condition == Condition::Calm) {
        panel = with_floors(panel, &floors, latency, x, y);
    }
    if is_standard(&sweep.settings) && condition == Condition::Calm {
        panel = with_known(panel, latency, x, y);
    }
    let mut notes = Vec::new();
    for series in series(sweep) {
        let points = of_series(sweep, &series, condition);
        let place = |point: &&Point| latency.of(point).map(|ms| (ms, point.messages_per_op.mean));
        let at: Vec<(f64, f64)> = points.iter().filter_map(place).collect();
        // Marks of calm runs are filled. Marks of runs under partition are open.
        let mark = if condition == Condition::Calm { series.mark } else { series.mark.open() };
        panel = panel
            .layer(Layer::line(at.clone(), series.colour).small().opacity(0.5))
            .layer(Layer::marks(at, series.colour).shaped(mark).large().named(&series.name));
        if is_standard(&sweep.settings) && condition == Condition::Calm {
            let stable = |point: &&Point| latency.stable_of(point).map(|ms| (ms, point.messages_per_op.mean));
            let at = points.iter().filter_map(stable).filter(|(ms, _)| *ms >= x.from()).collect();
            let marks = Layer::marks(at, series.colour).shaped(series.mark.open()).opacity(0.7);
            panel = panel.layer(marks.named("the same, as Maelstrom measures"));
        }
        for point in points {
            let on_front = match latency {
                Latency::Median => point.front_median,
                Latency::Max => point.front_max,
            };
            notes.extend(place(&point).map(|at| (!on_front, at, point.cell.label())));
        }
    }
    notes.sort_by_key(|(is_beaten, ..)| *is_beaten);
    notes.into_iter().fold(panel, |panel, (_, (x, y), text)| panel.note(x, y, &text))
}

fn with_floors(panel: Panel, floors: &Floors, latency: Latency, x: &Axis, y: &Axis) -> Panel {
    let at = |step: usize| x.from() * (x.to() / x.from()).powf(step as f64 / FLOOR_STEPS as f64);
    let is_shown = |(_, value): &(f64, f64)| (y.from()..=y.to()).contains(value);
    let share = match latency {
        Latency::Median => 0.5,
        Latency::Max => 1.0,
    };
    let any = (0..=FLOOR_STEPS).map(at).filter_map(|ms| Some((ms, floors.any_design(ms / 1e3, share)?)));
    let relay = |skipping: bool| -> Vec<(f64, f64)> {
        // From one round in 5 ms to one in 100 s.
        let waits = (0..=FLOOR_STEPS).map(|step| 0.005 * 20_000f64.powf(step as f64 / FLOOR_STEPS as f64));
        let point = |wait_s: f64| {
            let (messages, median_s, max_s) = floors.relay(wait_s, skipping);
            match latency {
                Latency::Median => (median_s * 1e3, messages),
                Latency::Max => (max_s * 1e3, messages),
            }
        };
        waits.map(point).filter(is_shown).filter(|(ms, _)| (x.from()..=x.to()).contains(ms)).collect()
    };
    panel
        .layer(Layer::line(any.filter(is_shown).collect(), Colour::Ink).dashed().named("floor of any design"))
        .layer(Layer::line(relay(false), Colour::Muted).dashed().named("one relay, every node each round"))
        .layer(Layer::line(relay(true), Colour::Red).small().dashed().named("one relay, who has news"))
}

/// The limits as boxes, and what others reached.
fn with_known(mut panel: Panel, latency: Latency, x: &Axis, y: &Axis) -> Panel {
    for limits in &GLOMERS {
        let ms = match latency {
            Latency::Median => limits.median_ms,
            Latency::Max => limits.max_ms,
        };
        let messages = limits.messages_per_op;
        let edge = vec![(x.from(), messages), (ms, messages), (ms, y.from())];
        panel = panel.layer(Layer::line(edge, Colour::Muted).opacity(0.8).named("limits of 3d and 3e"));
        panel = panel.note(ms, messages, limits.name);
    }
    let published: Vec<(f64, f64, &str)> = PUBLISHED
        .iter()
        .map(|(name, messages, median_ms, max_ms)| match latency {
            Latency::Median => (*median_ms, *messages, *name),
            Latency::Max => (*max_ms, *messages, *name),
        })
        .collect();
    let marks = published.iter().map(|(ms, messages, _)| (*ms, *messages)).collect();
    panel = panel.layer(Layer::marks(marks, Colour::Ink).shaped(Mark::Cross).named("published by others"));
    published.into_iter().fold(panel, |panel, (ms, messages, name)| panel.note(ms, messages, name))
}

/// The share of nodes that hold the median value, against time, for each fanout at one interval in calm runs.
fn coverage(sweep: &Sweep) -> Option<Sheet> {
    let mut intervals: Vec<u32> = sweep.of(Condition::Calm).map(|(_, point)| point.cell.interval_ms).collect();
    intervals.sort_unstable();
    let middle = *intervals.get(intervals.len() / 2)?;
    let interval = if intervals.contains(&USUAL_INTERVAL_MS) { USUAL_INTERVAL_MS } else { middle };
    let nodes = sweep.settings.nodes;
    let mut layers = Vec::new();
    let mut latest = 0.0f64;
    for series in series(sweep) {
        let points = of_series(sweep, &series, Condition::Calm);
        let Some(point) = points.into_iter().find(|point| point.cell.interval_ms == interval) else { continue };
        let reached = places(nodes).into_iter().zip(&point.coverage_ms);
        let at = |(place, ms): (usize, &Option<f64>)| ms.map(|ms| (ms, 100.0 * place as f64 / nodes as f64));
        let line: Vec<(f64, f64)> = reached.filter_map(at).collect();
        latest = line.last().map_or(latest, |(ms, _)| latest.max(*ms));
        layers.push((line, series));
    }
    layers.retain(|(line, _)| !line.is_empty());
    if layers.is_empty() {
        return None;
    }
    let mut panel = Panel::new(Axis::linear("nodes that hold a value, %", 0.0, 102.0));
    for (mut line, series) in layers {
        let (mark, end) = (series.mark, *line.last()?);
        line.push((latest * 1.06, end.1));
        panel = panel
            .layer(Layer::steps(&line, series.colour).named(&series.name))
            .layer(Layer::marks(vec![end], series.colour).shaped(mark).large());
    }
    let caption = format!(
        "How the median value spreads at an interval of {interval} ms, calm: the share of nodes that hold it so long after \
         its acknowledgement. The mark is where the last node gets it."
    );
    let axis = Axis::up_to("ms since the value was acknowledged", latest);
    Some(Sheet::new("coverage", "How values spread, by fanout", axis).caption(&caption).panel(panel))
}

/// The total at every replica of a counter during a partition. It is the plot of a run.
fn counter(sweep: &Sweep) -> Option<Sheet> {
    let (options, done) = sweep.counter.as_ref()?;
    let judgement = judge::judge(&done.settings, &done.history, &done.trace);
    let run = Run {
        settings: &done.settings,
        program: "rumormill, simulated",
        command: "",
        history: &done.history,
        trace: &done.trace,
        judgement: &judgement,
    };
    let mut sheet = report::plot::sheets(&run).into_iter().find(|sheet| sheet.name == "convergence")?;
    sheet.name = "counter".to_owned();
    sheet.title = "Every replica of a counter through a partition".to_owned();
    sheet.caption = format!("A pn-counter with {options}. {}", sheet.caption);
    Some(sheet)
}

/// The share of stale reads, and what they lack, against the interval for each fanout.
fn stale(sweep: &Sweep) -> Option<Sheet> {
    let intervals: Vec<f64> = sweep.points.iter().map(|point| f64::from(point.cell.interval_ms)).collect();
    let least = intervals.iter().copied().reduce(f64::min)?;
    let most = intervals.iter().copied().reduce(f64::max)?;
    let x = Axis::log("gossip interval, ms", least * 0.9, (most * 1.1).max(least * 2.0));
    let mut sheet = Sheet::new("stale", "How stale reads are", x).caption(
        "Share of reads that lacked something which had been acknowledged anywhere before they were asked, and how many \
         values they lacked in the mean. Where many write, nearly every read lacks the last few.",
    );
    let mut is_empty = true;
    for condition in [Condition::Calm, Condition::Partition] {
        let share: Figure = |point| point.stale_share.map(|spread| 100.0 * spread.mean);
        let lacking: Figure = |point| point.lacking.map(|spread| spread.mean);
        let panels: [(&str, Figure, bool); 2] =
            [("stale reads, %", share, true), ("values a read lacks, mean", lacking, false)];
        for (what, get, is_share) in panels {
            let largest = sweep.of(condition).filter_map(|(_, point)| get(point)).reduce(f64::max);
            let Some(largest) = largest else { continue };
            is_empty = false;
            let label = format!("{}: {what}", condition.name());
            let y = if is_share { Axis::linear(&label, 0.0, 102.0) } else { Axis::up_to(&label, largest) };
            sheet = sheet.panel(stale_panel(sweep, condition, y, get).height(if is_share { 130 } else { 200 }));
        }
    }
    (!is_empty).then_some(sheet)
}

fn stale_panel(sweep: &Sweep, condition: Condition, y: Axis, get: Figure) -> Panel {
    let mut panel = Panel::new(y);
    for series in series(sweep) {
        let points = of_series(sweep, &series, condition);
        let place = |point: &&Point| get(point).map(|figure| (f64::from(point.cell.interval_ms), figure));
        let line: Vec<(f64, f64)> = points.iter().filter_map(place).collect();
        panel = panel
            .layer(Layer::line(line.clone(), series.colour))
            .layer(Layer::marks(line, series.colour).shaped(series.mark).large().named(&series.name));
    }
    panel
}
