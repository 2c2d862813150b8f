//! How long nodes may still talk and differ after clients have stopped and all faults have been taken back. If the
//! quiet time of a run is shorter, its end cannot be judged, and findings about the end say so.
//!
//! The bounds are those of the protocol for 25 nodes, rounds 460 ms apart and a delay of 100 ms. They grow with the
//! interval and with the delay. Beyond 25 nodes they grow with the logarithm of the number of nodes, because news needs
//! that many rounds to reach all of them.

use super::words::seconds;
use crate::history::{History, Phase};
use crate::settings::{LatencyDist, Micros, SECOND, Settings};
use crate::trace::{FaultChange, Trace};

/// The bound where nothing went wrong, counted from the last operation.
const CALM_US: Micros = 3 * SECOND;
/// The bound where links were cut, counted from the last operation.
const CUT_US: Micros = 6 * SECOND;
/// The bound where messages were lost or a process was paused, counted from the last operation. A process that was
/// paused may drop what waited for it. The same bound holds after the last new session has spoken for the first time.
const LOST_US: Micros = 15 * SECOND;
/// A new session speaks at the first message that follows `init`, or by itself after this time.
pub(crate) const NEW_SESSION_SPEAKS_US: Micros = 12 * SECOND;
/// The others look ever more rarely for a node that was away for longer than this.
const AWAY_US: Micros = 20 * SECOND;
/// The longest gap between two looks for a node that is away.
pub(crate) const LOOKS_APART_US: Micros = 30 * SECOND;
/// The bounds are stated for this interval and this delay.
const INTERVAL_US: Micros = 460_000;
const DELAY_US: Micros = 100_000;
/// And for this number of nodes.
const NODES: usize = 25;
/// An acknowledgement may take this long beyond the interval.
const ACKNOWLEDGED_US: Micros = SECOND;
/// At most so many messages have to wait for each other.
const IN_A_ROW: Micros = 10;

/// Until when nodes may talk and differ, and why so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From this moment on nodes are silent and hold the same.
    pub(crate) until_us: Micros,
    /// When the quiet time began.
    healed_us: Micros,
    /// When it ended.
    final_us: Micros,
    why: &'static str,
}

impl Patience {
    /// Computes it from the settings of a run and from what happened in it.
    pub(crate) fn new(settings: &Settings, history: &History, trace: &Trace) -> Self {
        let main = history.ops.iter().filter(|op| op.phase == Phase::Main).map(|op| op.completed_us);
        let calm = main.max().unwrap_or(trace.main_from_us).max(trace.healed_us);
        // A node that was asked to `configure` a longer interval may be slower.
        let told = trace.faults.iter().filter_map(|fault| match fault.what {
            FaultChange::Configure { interval_ms } => interval_ms,
            FaultChange::Partition { .. }
            | FaultChange::Heal
            | FaultChange::Kill { .. }
            | FaultChange::Restart { .. }
            | FaultChange::Pause { .. }
            | FaultChange::Resume { .. }
            | FaultChange::Loss { .. }
            | FaultChange::Duplicate { .. }
            | FaultChange::Clock { .. } => None,
        });
        let told_us = told.max().map_or(0, |ms| Micros::from(ms) * 1_000);
        let scaled = |bound: Micros| scaled_for(bound, settings, settings.interval_us.max(told_us));
        let mut longest = (calm + scaled(CALM_US), "after the last operation");
        let mut bear = |until: Micros, why| {
            if until > longest.0 {
                longest = (until, why);
            }
        };
        let mut cut_since = None;
        let mut paused_since = vec![None; settings.nodes];
        for fault in &trace.faults {
            let mut is_back = |since: Option<Micros>, bound: Micros, why| {
                let Some(since) = since else { return };
                let late = (fault.at_us - since).saturating_sub(AWAY_US).min(LOOKS_APART_US);
                bear(fault.at_us.max(calm) + scaled(bound) + late, why);
            };
            match fault.what {
                FaultChange::Partition { .. } => {
                    cut_since.get_or_insert(fault.at_us);
                }
                FaultChange::Heal => is_back(cut_since.take(), CUT_US, "after cuts"),
                FaultChange::Pause { node } => paused_since[node] = Some(fault.at_us),
                FaultChange::Resume { node } => is_back(paused_since[node].take(), LOST_US, "after pauses"),
                FaultChange::Kill { .. } => {}
                FaultChange::Restart { node } => {
                    let later = trace.messages.partition_point(|message| message.sent_us < fault.at_us);
                    let spoke = trace.messages[later..].iter().find(|message| message.from as usize == node);
                    let latest = fault.at_us + NEW_SESSION_SPEAKS_US;
                    let spoke_us = spoke.map_or(latest, |message| message.sent_us.min(latest));
                    bear(spoke_us + scaled(LOST_US), "after a new session has spoken for the first time");
                }
                FaultChange::Loss { rate } if rate > 0.0 => bear(calm + scaled(LOST_US), "after messages were lost"),
                FaultChange::Loss { .. }
                | FaultChange::Duplicate { .. }
                | FaultChange::Clock { .. }
                | FaultChange::Configure { .. } => {}
            }
        }
        let (until_us, why) = longest;
        Self { until_us, healed_us: trace.healed_us, final_us: trace.final_us, why }
    }

    /// Whether the quiet time of the run was too short, so that its end cannot be judged.
    pub(crate) fn is_too_long(&self) -> bool {
        self.final_us < self.until_us
    }

    /// Ends a sentence about the end of a run that cannot be judged: ` (…)`.
    pub(crate) fn hint(&self) -> String {
        if !self.is_too_long() {
            return String::new();
        }
        let (allowed, quiet) = (self.until_us - self.healed_us, self.final_us.saturating_sub(self.healed_us));
        let enough = allowed.div_ceil(SECOND) + 1;
        format!(
            " (this could not be judged: {}, nodes may need {:.1} s, and the quiet time was {:.1} s; --recovery {enough} \
             is enough)",
            self.why,
            seconds(allowed),
            seconds(quiet)
        )
    }
}

/// A quiet time that is long enough for what may go wrong in a run, when nobody has chosen one.
pub fn recovery_us(settings: &Settings) -> Micros {
    use crate::settings::{FaultKind, Planned};
    let faults = &settings.faults;
    let by_chance = |kind| faults.schedule.is_empty() && faults.kinds.contains(&kind);
    let planned = |is: fn(&Planned) -> bool| faults.schedule.iter().any(|event| is(&event.what));
    let cuts = |what: &Planned| matches!(what, Planned::Partition(..) | Planned::Isolate(_) | Planned::Cut(..));
    let loses = |what: &Planned| match what {
        Planned::Loss(rate) => *rate > 0.0,
        Planned::Pause(_) => true,
        Planned::Partition(..)
        | Planned::Isolate(_)
        | Planned::Cut(..)
        | Planned::Heal
        | Planned::Kill(_)
        | Planned::Restart(_)
        | Planned::Resume(_)
        | Planned::Duplicate(_)
        | Planned::Clock(..)
        | Planned::Configure(..) => false,
    };
    let mut bound = scaled(CALM_US, settings);
    if by_chance(FaultKind::Partition) || planned(cuts) {
        bound = scaled(CUT_US, settings);
    }
    if by_chance(FaultKind::Loss) || by_chance(FaultKind::Pause) || planned(loses) {
        bound = scaled(LOST_US, settings);
    }
    if by_chance(FaultKind::Kill) || planned(|what| matches!(what, Planned::Kill(_))) {
        bound = NEW_SESSION_SPEAKS_US + scaled(LOST_US, settings);
    }
    (bound + 2 * SECOND).max(10 * SECOND)
}

fn scaled(bound: Micros, settings: &Settings) -> Micros {
    scaled_for(bound, settings, settings.interval_us)
}

/// A bound for an interval, and for the delay and the number of nodes of a run.
fn scaled_for(bound: Micros, settings: &Settings, interval_us: Micros) -> Micros {
    let interval = interval_us.max(INTERVAL_US);
    let slowest = settings.latency_us
        * match settings.latency_dist {
            LatencyDist::Constant => 1,
            LatencyDist::Uniform => 2,
            // One message in 3,000 takes longer.
            LatencyDist::Exponential => 8,
        };
    let rounds = (settings.nodes.max(NODES) as f64).ln() / (NODES as f64).ln();
    let longest = (bound as f64 * rounds) as Micros;
    longest * (interval + ACKNOWLEDGED_US) / (INTERVAL_US + ACKNOWLEDGED_US)
        + IN_A_ROW * slowest.saturating_sub(DELAY_US)
}
