//! When which fault happens: by chance from a seed, or by a schedule.
//!
//! It owns the choice of faults, and knows which faults are in force. It knows neither messages nor processes: the
//! bench carries faults out.
//!
//! ```text
//!   clocks, one per kind --.                        .--> Cuts: which links carry nothing
//!                           >-- Planned -- Fault --<
//!   schedule --------------'       |                `--> kill, pause, loss, duplicate
//!                                  v
//!                   standing: what is in force, what would make no sense
//! ```

mod clock;
mod nemesis;
mod partition;
mod schedule;
mod standing;

use rumormill_sim::Cuts;

use crate::settings::Tuning;

pub use nemesis::Nemesis;
pub use schedule::parse_schedule;

/// A fault, ready to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// These directed links lose all messages from now on, and all others work again.
    Partition {
        /// Which.
        cuts: Cuts,
        /// For a person.
        label: String,
    },
    /// These directed links lose all messages from now on, as well as those that are cut already.
    Cut {
        /// (from, to); for [`Cuts::add`].
        links: Vec<(usize, usize)>,
        /// For a person.
        label: String,
    },
    /// All links work again.
    Heal,
    /// The process is killed.
    Kill(usize),
    /// A killed process is started again.
    Restart(usize),
    /// The process is stopped.
    Pause(usize),
    /// It goes on.
    Resume(usize),
    /// Share of messages lost from now on.
    Loss(f64),
    /// Share of messages duplicated from now on.
    Duplicate(f64),
    /// The wall clock of a node jumps by so many microseconds.
    Clock(usize, i64),
    /// A node is asked to `configure`, or all nodes are.
    Configure(Option<usize>, Tuning),
}

impl Fault {
    /// What happens, for a person: "n3 killed".
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Partition { label, .. } | Self::Cut { label, .. } => label.clone(),
            Self::Heal => "all links work".to_owned(),
            Self::Kill(node) => format!("n{node} killed"),
            Self::Restart(node) => format!("n{node} started again, with an empty memory"),
            Self::Pause(node) => format!("n{node} paused"),
            Self::Resume(node) => format!("n{node} goes on"),
            Self::Loss(rate) => format!("{} of messages lost", percent(*rate)),
            Self::Duplicate(rate) => format!("{} of messages arrive twice", percent(*rate)),
            Self::Clock(node, us) => format!("the clock of n{node} jumps by {} s", *us as f64 / 1e6),
            Self::Configure(node, tuning) => {
                let who = node.map_or("all nodes".to_owned(), |node| format!("n{node}"));
                format!("configure {who}: {}", tuning.fields().trim_start_matches(','))
            }
        }
    }
}

/// A share as a person writes it: 0.125 is "12.5%".
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}

/// The names of nodes, or of some of them and the number of the others.
fn names(nodes: &[usize]) -> String {
    const MOST: usize = 8;
    let shown = if nodes.len() > MOST + 1 { MOST } else { nodes.len() };
    let mut text = nodes[..shown].iter().map(|node| format!("n{node}")).collect::<Vec<_>>().join(" ");
    if shown < nodes.len() {
        text += &format!(" and {} more", nodes.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_what_happens() {
        let said: Vec<_> = [
            Fault::Partition { cuts: Cuts::default(), label: "one: n3 cut off from the rest".to_owned() },
            Fault::Heal,
            Fault::Kill(1),
            Fault::Loss(0.125),
            Fault::Duplicate(0.0),
        ]
        .iter()
        .map(Fault::label)
        .collect();
        let expected = [
            "one: n3 cut off from the rest",
            "all links work",
            "n1 killed",
            "12.5% of messages lost",
            "0% of messages arrive twice",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_long_list_of_nodes_is_cut_and_a_list_one_longer_than_the_bound_is_not() {
        assert_eq!(names(&[]), "");
        assert_eq!(names(&[3, 7]), "n3 n7");
        assert_eq!(names(&(0..9).collect::<Vec<_>>()), "n0 n1 n2 n3 n4 n5 n6 n7 n8");
        assert_eq!(names(&(0..5_000).collect::<Vec<_>>()), "n0 n1 n2 n3 n4 n5 n6 n7 and 4992 more");
    }
}
