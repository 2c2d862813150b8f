//! Inputs of the target `node`: scripts with one step per line, so that a person can write and read them.
//!
//! | line | step |
//! |---|---|
//! | `!` options, first line only | see [`Setup`] |
//! | `{…` and whatever else | the line, to the first node, `n1` |
//! | `>…` | the rest of it, to the second node, `n2` |
//! | `@…` or `<…` | bytes for an [`Op`]: a well-formed request or gossip message, to the first or the second node |
//! | `~N` | N milliseconds pass |
//! | `^` | the time until the next timer of either node passes |
//! | `-N` | the clock goes back by N milliseconds |
//! | `$N` | the next messages have room for N bytes |
//! | `%` | the second node starts again, with an empty memory and the next incarnation |

mod op;

use arbitrary::{Arbitrary, Unstructured};
use rumormill_core::Workload;
use rumormill_core::id::json_len;

pub use op::{Change, Facts, Op};

/// Which of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `n1`
    First,
    /// `n2`
    Second,
}

/// A step of a script.
#[derive(Debug)]
pub enum Step<'a> {
    /// A line arrives as it is.
    Line(Side, &'a [u8]),
    /// A line arrives that is made of these bytes.
    Made(Side, Op<'a>),
    /// Milliseconds pass.
    Pass(u64),
    /// Time passes until the next timer is due.
    Wake,
    /// The clock goes back by this many milliseconds.
    Back(u64),
    /// The next messages have room for this many bytes.
    Room(usize),
    /// The second node starts again.
    Restart,
}

/// The steps of a script, after its options.
pub fn steps(script: &[u8]) -> impl Iterator<Item = Step<'_>> {
    script.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"!")).filter_map(|line| {
        Some(match line {
            [b'>', rest @ ..] => Step::Line(Side::Second, rest),
            [b'@', bytes @ ..] => Step::Made(Side::First, op(bytes)?),
            [b'<', bytes @ ..] => Step::Made(Side::Second, op(bytes)?),
            [b'~', digits @ ..] => Step::Pass(number(digits)),
            [b'^', ..] => Step::Wake,
            [b'-', digits @ ..] => Step::Back(number(digits)),
            [b'$', digits @ ..] => Step::Room(number(digits) as usize),
            [b'%', ..] => Step::Restart,
            line => Step::Line(Side::First, line),
        })
    })
}

fn op(bytes: &[u8]) -> Option<Op<'_>> {
    Op::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

/// The digits at the start, at most six of them.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// The options of a script, each a letter and a number, in any order, such as `!s1n3l4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// `s1`: the smallest tables; else those of `Tiny`, beside the same on the heap.
    pub smallest: bool,
    /// `nN`: members of the cluster, 2 to 8. Two of them run.
    pub nodes: usize,
    /// `mN`: bytes of a message beyond the least that is allowed.
    pub message_bytes: usize,
    /// `lN`: every N-th message between the nodes is lost, until the script ends.
    pub lost: u64,
    /// `iN`: incarnation.
    pub incarnation: u64,
    /// `wN`: workload, the N-th.
    pub workload: Option<Workload>,
    /// `fN`: fanout.
    pub fanout: u8,
    /// `gN`: milliseconds between two rounds.
    pub interval_ms: Option<u32>,
    /// `q1`: the first node waits for a line with `init`.
    pub uninitialised: bool,
    /// `c1`: no wall clock.
    pub clockless: bool,
    /// `e1`: events.
    pub events: bool,
    /// `d1`: messages between the nodes arrive only when time passes.
    pub delayed: bool,
    /// `rN`: seed.
    pub seed: u64,
    /// `x1`: ids of the largest length, with escapes in them. Lines that a script has in full do not use these ids.
    pub long_ids: bool,
}

impl Setup {
    /// The options of a script.
    pub fn of(script: &[u8]) -> Self {
        let mut setup = Self {
            smallest: false,
            nodes: 2,
            message_bytes: 200,
            lost: 0,
            incarnation: 7,
            workload: None,
            fanout: 2,
            interval_ms: None,
            uninitialised: false,
            clockless: false,
            events: false,
            delayed: false,
            seed: 0,
            long_ids: false,
        };
        let [b'!', options @ ..] = script.split(|byte| *byte == b'\n').next().unwrap_or_default() else { return setup };
        for (at, letter) in options.iter().enumerate() {
            let number = number(&options[at + 1..]);
            let at_least_one = number.max(1);
            match letter {
                b's' => setup.smallest = number == 1,
                b'n' => setup.nodes = 2 + (number.saturating_sub(2) % 7) as usize,
                b'm' => setup.message_bytes = number as usize,
                b'l' => setup.lost = number,
                b'i' => setup.incarnation = number,
                b'w' => setup.workload = Workload::ALL.get(number as usize).copied(),
                b'f' => setup.fanout = at_least_one.min(255) as u8,
                b'g' => setup.interval_ms = Some(at_least_one.min(60_000) as u32),
                b'q' => setup.uninitialised = number == 1,
                b'c' => setup.clockless = number == 1,
                b'e' => setup.events = number == 1,
                b'd' => setup.delayed = number == 1,
                b'r' => setup.seed = number,
                b'x' => setup.long_ids = number == 1,
                _ => {}
            }
        }
        setup
    }

    /// The ids of the cluster's members, and one id that is no member. An id may have at most `id_bytes` bytes.
    pub fn ids(&self, id_bytes: usize) -> Vec<String> {
        let id = |node: usize| {
            let mut id = format!("n{node}");
            while self.long_ids && id_bytes - json_len(&id) >= 2 {
                id.push('"');
            }
            while self.long_ids && json_len(&id) < id_bytes {
                id.push('x');
            }
            id
        };
        (1..=self.nodes + 1).map(id).collect()
    }
}
