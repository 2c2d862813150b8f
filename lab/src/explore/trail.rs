//! Trails as text: how they are written, read, run again and shortened.
//!
//! The choices that make the nodes come first, then the steps. Each is a line. Text after a `#` is a comment.

use rumormill_core::data_type::Application;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use clap::ValueEnum;
use rumormill_core::ConfigError;
use rumormill_core::storage::{Heap, Limits, Storage as _};

use super::contents::Kind;
use super::life::Said;
use super::recipe::Recipe;
use super::step::{Step, node};
use super::violation::Violation;
use super::world::{Left, World};
use super::{Few, HEAP_LIMITS, Options, fair, rule_name, rule_named};

/// Steps, and the choices that make the nodes that take them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The choices that make the nodes. The bounds of a search, its faults and its writes do not count.
    pub options: Options,
    /// The steps.
    pub steps: Vec<Step>,
}

/// What a trail did.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The first rule that it broke, on its way or in the fair run after it.
    pub violation: Option<Violation>,
    /// The step that broke it. `None` if it was broken in the fair run.
    pub broken_at: Option<usize>,
    /// The number of steps that could be taken in their places.
    pub taken: Vec<Step>,
    /// The number of steps that could not be taken in their places.
    pub skipped: Vec<Step>,
    /// A line for each step, and one for each line that a node sent in it.
    pub told: String,
    /// Hash of all lines that nodes sent.
    pub lines: u128,
}

/// Runs a trail on the storage of the search or on the heap.
///
/// # Errors
/// The node cannot be made with these choices.
pub fn replay(trail: &Trail, on_heap: bool) -> Result<Replayed, ConfigError> {
    if on_heap { run::<Heap>(trail, HEAP_LIMITS, true) } else { run::<Few>(trail, Few::LIMITS, true) }
}

/// As [`replay`], without the lines.
pub(super) fn replay_quietly(trail: &Trail, on_heap: bool) -> Result<Replayed, ConfigError> {
    if on_heap { run::<Heap>(trail, HEAP_LIMITS, false) } else { run::<Few>(trail, Few::LIMITS, false) }
}

fn run<S: Application>(trail: &Trail, limits: Limits, tells: bool) -> Result<Replayed, ConfigError> {
    let recipe = Recipe::new(&trail.options, limits)?;
    let mut said = Said::<S>::default();
    said.lines = tells.then(Vec::new);
    let mut done = Replayed {
        violation: None,
        broken_at: None,
        taken: Vec::new(),
        skipped: Vec::new(),
        told: String::new(),
        lines: 0,
    };
    match walk::<S>(trail, &recipe, &mut said, &mut done) {
        Ok(()) => {}
        Err(violation) => done.violation = Some(violation),
    }
    done.lines = said.hash;
    Ok(done)
}

fn walk<S: Application>(
    trail: &Trail,
    recipe: &Recipe,
    said: &mut Said<S>,
    done: &mut Replayed,
) -> Result<(), Violation> {
    let mut world = World::<S>::start(recipe, Left::PLENTY, said)?;
    tell(&mut done.told, "start", &world, said);
    for step in &trail.steps {
        done.broken_at = Some(done.taken.len());
        let taken = world.take(*step, recipe, said);
        if matches!(taken, Ok(false)) {
            done.skipped.push(*step);
            continue;
        }
        done.taken.push(*step);
        tell(&mut done.told, &step.to_string(), &world, said);
        taken?;
    }
    done.broken_at = None;
    let ended = fair::run(&mut world, recipe, said, |_| false);
    tell(&mut done.told, "heal, and run fairly", &world, said);
    ended
}

/// The most lines of a step that are shown. A fair run may have thousands.
const LINES_SHOWN: usize = 60;

fn tell<S: Application>(told: &mut String, step: &str, world: &World<S>, said: &mut Said<S>) {
    let Some(lines) = &mut said.lines else { return };
    // To write to a `String` cannot fail.
    let _ = writeln!(told, "{step:<20} # {}", world.summary());
    for line in lines.iter().take(LINES_SHOWN) {
        let _ = writeln!(told, "    {line}");
    }
    if lines.len() > LINES_SHOWN {
        let _ = writeln!(told, "    … and {} lines more", lines.len() - LINES_SHOWN);
    }
    lines.clear();
}

impl Trail {
    /// Shortens the trail while it breaks the same rule, by leaving steps out: first long stretches, then single steps,
    /// until no single step can be left out. This is delta debugging (Zeller and Hildebrandt, 2002).
    #[must_use]
    pub fn shortened(&self, violation: &Violation) -> (Self, Violation) {
        let mut best = (self.clone(), violation.clone());
        if let Some(better) = best.0.without(&(0..0), violation) {
            best = better;
        }
        let mut stretch = (best.0.steps.len() / 2).max(1);
        loop {
            let mut at = 0;
            let mut any = false;
            while at < best.0.steps.len() {
                let end = (at + stretch).min(best.0.steps.len());
                match best.0.without(&(at..end), violation) {
                    Some(better) => (best, any) = (better, true),
                    None => at = end,
                }
            }
            match (stretch, any) {
                (1, false) => return best,
                (1, true) => {}
                (_, _) => stretch = stretch.div_ceil(2).min(stretch - 1),
            }
        }
    }

    /// The trail without a stretch, and without steps that cannot be taken then. `None` if it does not break the same
    /// rule.
    fn without(&self, stretch: &std::ops::Range<usize>, violation: &Violation) -> Option<(Self, Violation)> {
        let kept = self.steps.iter().enumerate().filter(|(at, _)| !stretch.contains(at)).map(|(_, step)| *step);
        let candidate = Self { options: self.options.clone(), steps: kept.collect() };
        let done = replay_quietly(&candidate, false).ok()?;
        let broken = done.violation.filter(|broken| broken.is_like(violation))?;
        let shorter = done.taken.len() < self.steps.len() || stretch.is_empty();
        shorter.then_some((Self { options: candidate.options, steps: done.taken }, broken))
    }

    /// The choices, one a line.
    fn choices(&self) -> Vec<(&'static str, String)> {
        let Options {
            nodes,
            strategies,
            fanout,
            interval_ms,
            max_message_bytes,
            seed,
            greeted,
            lenient,
            small,
            recovery_s,
            clocks,
            without,
            ..
        } = &self.options;
        let name =
            |value: Option<clap::builder::PossibleValue>| value.map_or(String::new(), |v| v.get_name().to_owned());
        let mut choices = vec![
            ("nodes", nodes.to_string()),
            ("strategy", name(strategies.to_possible_value())),
            ("fanout", fanout.to_string()),
            ("clocks", name(clocks.to_possible_value())),
            ("greeted", greeted.to_string()),
            ("lenient", lenient.to_string()),
            ("seed", seed.to_string()),
            ("recovery", recovery_s.to_string()),
        ];
        choices.extend(small.map(|at| ("small", format!("n{at}"))));
        choices.extend(interval_ms.map(|ms| ("interval-ms", ms.to_string())));
        choices.extend(max_message_bytes.map(|bytes| ("max-message-bytes", bytes.to_string())));
        choices.extend(without.iter().map(|rule| ("without", rule_name(*rule))));
        choices
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choices().into_iter().try_for_each(|(name, value)| writeln!(f, "{name} {value}"))?;
        writeln!(f, "steps")?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Trail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Options { without: Vec::new(), writes: Vec::<Kind>::new(), ..Options::default() };
        let mut steps = None;
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            let in_line = |error: String| format!("line {}: {error}", at + 1);
            match &mut steps {
                _ if line.is_empty() => {}
                None if line == "steps" => steps = Some(Vec::new()),
                None => choose(&mut options, line).map_err(in_line)?,
                Some(steps) => steps.push(line.parse().map_err(in_line)?),
            }
        }
        let steps = steps.ok_or_else(|| "no line says \"steps\": after it, steps follow one a line".to_owned())?;
        options.check()?;
        Ok(Self { options, steps })
    }
}

fn choose(options: &mut Options, line: &str) -> Result<(), String> {
    let (name, value) = line.split_once(' ').ok_or_else(|| format!("\"{line}\" has no value"))?;
    match name {
        "nodes" => options.nodes = number(value)?,
        "strategy" => options.strategies = ValueEnum::from_str(value, false)?,
        "fanout" => options.fanout = number(value)?,
        "clocks" => options.clocks = ValueEnum::from_str(value, false)?,
        "greeted" => options.greeted = truth(name, value)?,
        "lenient" => options.lenient = truth(name, value)?,
        "small" => options.small = Some(node(value).ok_or_else(|| format!("\"{value}\" is no node"))?),
        "seed" => options.seed = number(value)?,
        "recovery" => options.recovery_s = number(value)?,
        "interval-ms" => options.interval_ms = Some(number(value)?),
        "max-message-bytes" => options.max_message_bytes = Some(number(value)?),
        "without" => options.without.push(rule_named(value)?),
        _ => return Err(format!("\"{name}\" is no choice of a trail")),
    }
    Ok(())
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("\"{value}\" is no number that fits"))
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("\"{name}\" is true or false"))
}

#[cfg(test)]
mod tests {
    use super::super::{Clocks, Strategies};
    use super::*;

    #[test]
    fn the_text_of_a_trail_reads_as_that_trail() {
        let options = Options {
            nodes: 4,
            strategies: Strategies::Mixed,
            writes: Vec::new(),
            fanout: 1,
            interval_ms: Some(460),
            max_message_bytes: Some(4_000),
            seed: 9,
            greeted: true,
            lenient: true,
            small: Some(3),
            recovery_s: 77,
            clocks: Clocks::Shared,
            without: vec![rumormill_core::gossip::Rule::Probes],
            ..Options::default()
        };
        let trail = Trail { options, steps: vec![Step::Write(Kind::Set, 0), Step::Wait, Step::Crash(2)] };
        assert_eq!(trail.to_string().parse(), Ok(trail.clone()));
        let commented = trail.to_string().replace("wait", "\nwait # n0@10 holds nothing");
        assert_eq!(commented.parse(), Ok(trail));
        for (wrong, said) in
            [("nodes 3\n", "steps"), ("nodes 9\nsteps\n", "2 to 4"), ("steps\nfly\n", "line 2: \"fly\"")]
        {
            assert!(wrong.parse::<Trail>().is_err_and(|error| error.contains(said)), "{wrong}");
        }
    }
}
