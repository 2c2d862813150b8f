//! Reads a schedule file: one event a line.

use std::str::SplitWhitespace;

use clap::ValueEnum as _;
use rumormill_core::Strategy;

use super::standing::Standing;
use crate::settings::{Micros, PartitionKind, Planned, SECOND, Scheduled, Tuning};

const EVENTS: &str =
    "partition, isolate, cut, heal, kill, restart, pause, resume, loss, duplicate, clock and configure";
const TUNING: &str = "configure needs a node or all, and then fanout, interval or strategy, each with what it is to be";
const KINDS: &str = "one, majority, minority-third and majorities-ring";
/// Some thirty years: more than any run, and far from the end of [`Micros`].
const SECONDS_MAX: f64 = 1e9;

/// Reads a schedule file.
///
/// One event a line: `<seconds> <what> [arguments]`. What follows `#` is a comment, and blank lines are allowed.
/// Seconds count from the first moment at which an operation can be invoked, and may have decimals.
///
/// ```text
/// 0   loss 0.3                     # share of messages lost from now on
/// 0   duplicate 0.1                # share of messages that arrive twice from now on
/// 2.5 partition one n3             # cuts off n3; without a node, one by chance
/// 4   partition majorities-ring    # replaces what was cut before
/// 5   isolate n1 n2                # cuts off both from the rest; replaces what was cut before
/// 6   cut n1 n4                    # nothing from n1 to n4, beside what is cut already
/// 7   heal                         # all links work again
/// 8   kill n1
/// 9   restart n1
/// 10  pause n2
/// 11  resume n2
/// 12  clock n1 -61                  # the wall clock of n1 goes back by 61 s, in simulation
/// 13  configure all interval 500 fanout 3
/// 14  configure n1 strategy relay
/// ```
///
/// Lines may be in any order, so that lines about one node can be together. The result is in order of time, and events
/// of one moment are in the order of the file.
///
/// # Errors
/// Line number, what is wrong and what is allowed. An event that makes no sense at its time is an error too, such as
/// the kill of a node that is dead.
pub fn parse_schedule(text: &str, nodes: usize) -> Result<Vec<Scheduled>, String> {
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let event = parse_line(line).map_err(|why| format!("line {number}: {why}"))?;
        events.extend(event.map(|event| (number, event)));
    }
    events.sort_by_key(|(_, event)| event.at_us);
    let mut standing = Standing::new(nodes);
    for (number, event) in &events {
        standing.apply(&event.what).map_err(|why| format!("line {number}: {why}"))?;
    }
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

fn parse_line(line: &str) -> Result<Option<Scheduled>, String> {
    let mut words = line.split_whitespace();
    let Some(seconds) = words.next() else {
        return Ok(None);
    };
    let at_us = micros(seconds)?;
    let what = words.next().ok_or_else(|| format!("nothing happens at {seconds}; events are {EVENTS}"))?;
    let what = event(what, &mut words)?;
    match words.next() {
        Some(word) => Err(format!("'{word}' is one word too many")),
        None => Ok(Some(Scheduled { at_us, what })),
    }
}

fn event(what: &str, words: &mut SplitWhitespace<'_>) -> Result<Planned, String> {
    Ok(match what {
        "partition" => Planned::Partition(kind(words.next())?, words.next().map(node).transpose()?),
        "isolate" => Planned::Isolate(words.map(node).collect::<Result<_, _>>()?),
        "cut" => Planned::Cut(a_node(words, "cut")?, a_node(words, "cut")?),
        "heal" => Planned::Heal,
        "kill" => Planned::Kill(a_node(words, "kill")?),
        "restart" => Planned::Restart(a_node(words, "restart")?),
        "pause" => Planned::Pause(a_node(words, "pause")?),
        "resume" => Planned::Resume(a_node(words, "resume")?),
        "loss" => Planned::Loss(share(words.next())?),
        "duplicate" => Planned::Duplicate(share(words.next())?),
        "clock" => Planned::Clock(a_node(words, "clock")?, jump(words.next())?),
        "configure" => configure(words)?,
        word => return Err(format!("'{word}' is no event; events are {EVENTS}")),
    })
}

fn jump(word: Option<&str>) -> Result<i64, String> {
    let word = word.ok_or_else(|| "the seconds are missing by which the clock jumps, such as -61".to_owned())?;
    let seconds = word.parse::<f64>().ok().filter(|seconds| seconds.abs() <= SECONDS_MAX);
    let us = seconds.map(|seconds| (seconds * SECOND as f64).round() as i64);
    us.ok_or_else(|| format!("'{word}' is no time by which a clock jumps, such as -61"))
}

fn configure(words: &mut SplitWhitespace<'_>) -> Result<Planned, String> {
    let who = words.next().ok_or_else(|| TUNING.to_owned())?;
    let who = if who == "all" { None } else { Some(node(who)?) };
    let mut tuning = Tuning::default();
    while let Some(what) = words.next() {
        let value = words.next().ok_or_else(|| TUNING.to_owned())?;
        let number = || value.parse::<u32>().map_err(|_| format!("'{value}' is no {what}"));
        match what {
            "fanout" => tuning.fanout = Some(number()?),
            "interval" => tuning.interval_ms = Some(number()?),
            "strategy" => tuning.strategy = Some(strategy(value)?),
            _ => return Err(TUNING.to_owned()),
        }
    }
    if tuning == Tuning::default() { Err(TUNING.to_owned()) } else { Ok(Planned::Configure(who, tuning)) }
}

fn strategy(word: &str) -> Result<String, String> {
    let names = Strategy::ALL.map(Strategy::name);
    let found = names.contains(&word).then(|| word.to_owned());
    found.ok_or_else(|| format!("'{word}' is no strategy; there are {}", names.join(" and ")))
}

fn micros(word: &str) -> Result<Micros, String> {
    match word.parse::<f64>() {
        Ok(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok((seconds * SECOND as f64).round() as Micros),
        Ok(_) | Err(_) => {
            Err(format!("'{word}' is no time; a line begins with seconds from 0 to {SECONDS_MAX}, such as 2.5"))
        }
    }
}

fn kind(word: Option<&str>) -> Result<PartitionKind, String> {
    let word = word.ok_or_else(|| format!("a partition needs a kind: {KINDS}"))?;
    PartitionKind::from_str(word, false).map_err(|_| format!("'{word}' is no kind of partition; kinds are {KINDS}"))
}

fn a_node(words: &mut SplitWhitespace<'_>, what: &str) -> Result<usize, String> {
    let form = if what == "cut" { "two nodes, such as cut n1 n4" } else { "one node, such as n1" };
    node(words.next().ok_or_else(|| format!("{what} needs {form}"))?)
}

/// It is checked later whether the node exists.
fn node(word: &str) -> Result<usize, String> {
    let digits = word.strip_prefix('n').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<u32>().ok());
    // `n01` would be a second name of `n1`.
    let number = number.filter(|number| format!("n{number}") == word);
    number.map(|number| number as usize).ok_or_else(|| format!("'{word}' is no node; nodes are called n0, n1, …"))
}

fn share(word: Option<&str>) -> Result<f64, String> {
    let word = word.ok_or_else(|| "a share from 0 to 1 is missing".to_owned())?;
    let share = word.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("'{word}' is no share; shares are from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_can_be_written_down() {
        let text = "\
# A schedule with everything in it.
0 loss 0.3
0 duplicate 0.1

2.5 partition one n3 # cut off
2.500001 partition majorities-ring
3 isolate n1 n2
\t3.5  cut   n1 n4
5 heal
6 kill n1
8 restart n1
9 pause n2
11 resume n2
12 clock n1 -61.5
13 configure all interval 500 fanout 3
13 configure n1 strategy relay
";
        let expected = [
            (0, Planned::Loss(0.3)),
            (0, Planned::Duplicate(0.1)),
            (2_500_000, Planned::Partition(PartitionKind::One, Some(3))),
            (2_500_001, Planned::Partition(PartitionKind::MajoritiesRing, None)),
            (3_000_000, Planned::Isolate(vec![1, 2])),
            (3_500_000, Planned::Cut(1, 4)),
            (5_000_000, Planned::Heal),
            (6_000_000, Planned::Kill(1)),
            (8_000_000, Planned::Restart(1)),
            (9_000_000, Planned::Pause(2)),
            (11_000_000, Planned::Resume(2)),
            (12_000_000, Planned::Clock(1, -61_500_000)),
            (13_000_000, Planned::Configure(None, Tuning { fanout: Some(3), interval_ms: Some(500), strategy: None })),
            (
                13_000_000,
                Planned::Configure(Some(1), Tuning { strategy: Some("relay".to_owned()), ..Tuning::default() }),
            ),
        ];
        assert_eq!(parse_schedule(text, 5), Ok(expected.map(|(at_us, what)| Scheduled { at_us, what }).to_vec()));
        assert_eq!(parse_schedule("", 5), Ok(Vec::new()));
        assert_eq!(parse_schedule("# nothing\r\n\r\n", 5), Ok(Vec::new()));
    }

    #[test]
    fn lines_may_come_in_any_order_and_events_come_in_order_of_time() {
        let text = "6 kill n1\n8 restart n1\n1 pause n0\n7 resume n0\n8 kill n1\n8 restart n1\n";
        let events = parse_schedule(text, 2).expect("a schedule that makes sense");
        let times: Vec<_> = events.iter().map(|event| event.at_us / SECOND).collect();
        assert_eq!(times, [1, 6, 7, 8, 8, 8]);
        let last: Vec<_> = events[3..].iter().map(|event| event.what.clone()).collect();
        assert_eq!(last, [Planned::Restart(1), Planned::Kill(1), Planned::Restart(1)]);
    }

    #[test]
    fn an_error_names_the_line_the_word_and_what_is_allowed() {
        let wrong = [
            (
                "\n# x\nsoon heal",
                "line 3: 'soon' is no time; a line begins with seconds from 0 to 1000000000, such as 2.5",
            ),
            ("-1 heal", "line 1: '-1' is no time; a line begins with seconds from 0 to 1000000000, such as 2.5"),
            ("NaN heal", "line 1: 'NaN' is no time; a line begins with seconds from 0 to 1000000000, such as 2.5"),
            ("1e300 heal", "line 1: '1e300' is no time; a line begins with seconds from 0 to 1000000000, such as 2.5"),
            (
                "1",
                "line 1: nothing happens at 1; events are partition, isolate, cut, heal, kill, restart, pause, resume, \
                 loss, duplicate, clock and configure",
            ),
            (
                "1 explode",
                "line 1: 'explode' is no event; events are partition, isolate, cut, heal, kill, restart, pause, resume, \
                 loss, duplicate, clock and configure",
            ),
            ("1 partition", "line 1: a partition needs a kind: one, majority, minority-third and majorities-ring"),
            (
                "1 partition half",
                "line 1: 'half' is no kind of partition; kinds are one, majority, minority-third and majorities-ring",
            ),
            ("1 partition one 3", "line 1: '3' is no node; nodes are called n0, n1, …"),
            ("1 kill n+1", "line 1: 'n+1' is no node; nodes are called n0, n1, …"),
            ("1 kill n01", "line 1: 'n01' is no node; nodes are called n0, n1, …"),
            ("1 kill n", "line 1: 'n' is no node; nodes are called n0, n1, …"),
            ("1 kill", "line 1: kill needs one node, such as n1"),
            ("1 cut n1", "line 1: cut needs two nodes, such as cut n1 n4"),
            ("1 kill n1 n2", "line 1: 'n2' is one word too many"),
            ("1 loss", "line 1: a share from 0 to 1 is missing"),
            ("1 clock n1", "line 1: the seconds are missing by which the clock jumps, such as -61"),
            ("1 clock n1 back", "line 1: 'back' is no time by which a clock jumps, such as -61"),
            ("1 configure all strategy x", "line 1: 'x' is no strategy; there are rumor and relay"),
            (
                "1 configure n1",
                "line 1: configure needs a node or all, and then fanout, interval or strategy, each with what it is to be",
            ),
            ("1 configure n5 fanout 1", "line 1: n5 is no node; nodes are n0 to n4"),
            ("1 loss 30", "line 1: '30' is no share; shares are from 0 to 1"),
            ("1 duplicate x", "line 1: 'x' is no share; shares are from 0 to 1"),
            ("1 kill n5", "line 1: n5 is no node; nodes are n0 to n4"),
            ("1 isolate", "line 1: at least one node is needed"),
            ("1 isolate n1 n1", "line 1: n1 is named twice"),
            ("1 partition majorities-ring n1", "line 1: majorities-ring cuts off no side, so it takes no node"),
        ];
        for (text, why) in wrong {
            assert_eq!(parse_schedule(text, 5), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_when_its_time_comes_is_refused_with_its_line() {
        let senseless = [
            ("3 kill n1\n1 kill n1", "line 1: n1 is dead; only 'restart n1' can come before this"),
            ("1 restart n1", "line 1: n1 was not killed, so it cannot be started again"),
            ("2 restart n1\n3 kill n1", "line 1: n1 was not killed, so it cannot be started again"),
            ("1 kill n1\n2 pause n1", "line 2: n1 is dead; only 'restart n1' can come before this"),
            ("1 pause n1\n2 kill n1", "line 2: n1 is paused; 'resume n1' has to come before this"),
            ("1 kill n1\n2 resume n1", "line 2: n1 is not paused, so it cannot go on"),
        ];
        for (text, why) in senseless {
            assert_eq!(parse_schedule(text, 5), Err(why.to_owned()), "{text}");
        }
    }
}
