//! The steps of a trail, and their text.

use std::fmt;
use std::str::FromStr;

use super::contents::Kind;

/// The name of a message: sender, receiver, and its number among the messages from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parcel {
    /// The sender.
    pub from: u8,
    /// The receiver.
    pub to: u8,
    /// The number, from 1.
    pub number: u32,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A client writes at a node.
    Write(Kind, u8),
    /// A message arrives.
    Deliver(Parcel),
    /// A message is lost.
    Lose(Parcel),
    /// A message arrives, and a copy of it stays under way.
    Repeat(Parcel),
    /// The clock of one node moves to its next timer, which fires.
    Fire(u8),
    /// All clocks move until the first timer of any node is due. That timer fires.
    Wait,
    /// A node loses its memory and starts again, with a larger number than before.
    Crash(u8),
    /// A node loses its memory and starts again with a smaller number than before, because its wall clock was set back.
    CrashBehind(u8),
    /// A node dies, and does not come back.
    Kill(u8),
    /// A node is cut off from all others. Messages to it and from it are lost, also those under way.
    Cut(u8),
    /// A node is cut off no longer.
    Heal(u8),
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}>n{} {}", self.from, self.to, self.number)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(kind, node) => write!(f, "write {} n{node}", kind.name()),
            Self::Deliver(parcel) => write!(f, "deliver {parcel}"),
            Self::Lose(parcel) => write!(f, "lose {parcel}"),
            Self::Repeat(parcel) => write!(f, "repeat {parcel}"),
            Self::Fire(node) => write!(f, "fire n{node}"),
            Self::Wait => f.write_str("wait"),
            Self::Crash(node) => write!(f, "crash n{node}"),
            Self::CrashBehind(node) => write!(f, "crash-behind n{node}"),
            Self::Kill(node) => write!(f, "kill n{node}"),
            Self::Cut(node) => write!(f, "cut n{node}"),
            Self::Heal(node) => write!(f, "heal n{node}"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let step = match words.as_slice() {
            ["write", kind, at] => {
                Kind::ALL.into_iter().find(|known| known.name() == *kind).zip(node(at)).map(|(k, n)| Self::Write(k, n))
            }
            ["deliver", link, number] => parcel(link, number).map(Self::Deliver),
            ["lose", link, number] => parcel(link, number).map(Self::Lose),
            ["repeat", link, number] => parcel(link, number).map(Self::Repeat),
            ["fire", at] => node(at).map(Self::Fire),
            ["wait"] => Some(Self::Wait),
            ["crash", at] => node(at).map(Self::Crash),
            ["crash-behind", at] => node(at).map(Self::CrashBehind),
            ["kill", at] => node(at).map(Self::Kill),
            ["cut", at] => node(at).map(Self::Cut),
            ["heal", at] => node(at).map(Self::Heal),
            _ => None,
        };
        step.ok_or_else(|| {
            format!(
                "\"{text}\" is no step; steps are \"write set|counter|store n0\", \"deliver n0>n1 1\", \"lose n0>n1 1\", \
                 \"repeat n0>n1 1\", \"fire n0\", \"wait\", \"crash n0\", \"crash-behind n0\", \"kill n0\", \"cut n0\" and \
                 \"heal n0\""
            )
        })
    }
}

/// The node of a name: `n0`, `n1`, …
pub(super) fn node(text: &str) -> Option<u8> {
    text.strip_prefix('n')?.parse().ok()
}

fn parcel(link: &str, number: &str) -> Option<Parcel> {
    let (from, to) = link.split_once('>')?;
    Some(Parcel { from: node(from)?, to: node(to)?, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_step_reads_as_that_step() {
        let parcel = Parcel { from: 0, to: 2, number: 17 };
        let kinds = Kind::ALL.map(|kind| Step::Write(kind, 1));
        let steps = [
            Step::Deliver(parcel),
            Step::Lose(parcel),
            Step::Repeat(parcel),
            Step::Fire(3),
            Step::Wait,
            Step::Crash(0),
            Step::CrashBehind(1),
            Step::Kill(2),
            Step::Cut(0),
            Step::Heal(0),
        ];
        for step in steps.into_iter().chain(kinds) {
            assert_eq!(step.to_string().parse(), Ok(step));
        }
        for wrong in ["", "deliver n0 1", "deliver n0>n1", "fire 1", "write map n0", "wait n1"] {
            assert!(wrong.parse::<Step>().is_err(), "{wrong}");
        }
    }
}
