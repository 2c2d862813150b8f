//! Inputs of the target `altered`: scripts with one step per line, so that a person can write and read them.
//!
//! | line | step |
//! |---|---|
//! | `!` options, first line only | see [`Setup`] |
//! | `a=V`, `b=V` | the value V is added to the set at the first or the second node |
//! | `a+N`, `b+N` | N is added to the counter |
//! | `aK:V`, `bK:V` | V is written under the key K |
//! | `~N` | N milliseconds pass |
//! | `*`, `#`, `"`, `&`, `-` | the next message of the first node is altered, see [`super::edit`] |
//! | `/` | what follows is done to the message after that |

use rumormill_core::{Change, Strategy};

use super::edit::Edit;
use super::{FIRST, SECOND, value};

/// A step of a script.
pub(super) enum Step<'a> {
    Change(usize, Change<'a>),
    Pass(u64),
    Edit(Edit),
    NextMessage,
}

/// The options of a script, each a letter and a number, such as `!r1m200`.
pub(super) struct Setup {
    /// `rN`: the strategy at this place of `Strategy::ALL`, such as `r1` for `relay`; else `rumor`.
    pub(super) strategy: Strategy,
    /// `s1`: tables that a few entries fill.
    pub(super) small: bool,
    /// `mN`: bytes of a message beyond the least that is allowed.
    pub(super) message_bytes: usize,
}

impl Setup {
    /// The options of a script.
    pub(super) fn of(script: &[u8]) -> Self {
        let mut setup = Self { strategy: Strategy::Rumor, small: false, message_bytes: 1_000 };
        let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let Some(options) = first.strip_prefix(b"!") else { return setup };
        for (at, letter) in options.iter().enumerate() {
            let number = number(&options[at + 1..]);
            match letter {
                b'r' => setup.strategy = Strategy::ALL.get(number as usize).copied().unwrap_or_default(),
                b's' => setup.small = number == 1,
                b'm' => setup.message_bytes = number.min(10_000) as usize,
                _ => {}
            }
        }
        setup
    }
}

/// The steps of a script, after its options.
pub(super) fn steps(script: &[u8]) -> impl Iterator<Item = Step<'_>> {
    script.split(|byte| *byte == b'\n').filter_map(|line| match line {
        [b'a', rest @ ..] => Some(Step::Change(FIRST, change(rest)?)),
        [b'b', rest @ ..] => Some(Step::Change(SECOND, change(rest)?)),
        [b'~', digits @ ..] => Some(Step::Pass(number(digits))),
        [b'/', ..] => Some(Step::NextMessage),
        line => Edit::of(line).map(Step::Edit),
    })
}

fn change(line: &[u8]) -> Option<Change<'_>> {
    let text = std::str::from_utf8(line).ok()?;
    match line {
        [b'=', ..] => Some(Change::Broadcast(value(&text[1..]))),
        [b'+', ..] => Some(Change::Add(text[1..].parse().ok()?)),
        _ => {
            let (key, written) = text.split_once(':')?;
            Some(Change::Write { key: value(key), value: value(written) })
        }
    }
}

/// The digits at the start, at most six of them.
pub(super) fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
