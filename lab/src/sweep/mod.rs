//! Compares settings of the node: every fanout with every interval and strategy, calm and under partition, each
//! simulated with several seeds.
//!
//! ```text
//!   grid: cells × seeds --> sim, judge --> figures --> points --> pareto, spots --> table, files, plots, page
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `grid` | the cells, and how they are run on several threads |
//! | `figures` | the figures of a run, and those of all runs of a cell: a [`Point`] |
//! | [`pareto`] | points that no other beats in both figures |
//! | [`floors`] | what theory and others say: lower bounds, limits, published results |
//! | `spots` | the points a person asks for: "cheapest inside 3d's limits" |
//! | `table`, `files`, `plots`, `page` | the result on screen, as CSV and JSON, as SVG, as HTML |

mod figures;
mod files;
pub mod floors;
mod grid;
mod page;
pub mod pareto;
mod plots;
mod spots;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use figures::{Point, Spread};
pub use files::{csv, json, write_folder};
pub use grid::{Cell, has_fanout, run};
pub use plots::sheets;
pub use spots::{Spot, spots};
pub use table::screen;

use crate::settings::Settings;
use crate::sim::Simulated;

/// Whether links are cut during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// No link is cut.
    Calm,
    /// Partitions as those of Jepsen come and go.
    Partition,
}

impl Condition {
    /// Its name in tables and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Partition => "partition",
        }
    }
}

/// A sweep that is done.
#[derive(Debug)]
pub struct Sweep {
    /// The settings that all runs had in common. The faults are those of calm runs.
    pub settings: Settings,
    /// Runs of each cell, with seeds upwards from that of the settings.
    pub seeds: u64,
    /// The command that repeats it.
    pub command: String,
    /// A point for each cell, in the order of the cells.
    pub points: Vec<Point>,
    /// A counter under partition, for the plot of its replicas; with the options of its node.
    pub counter: Option<(String, Simulated)>,
}

impl Sweep {
    /// The points of one condition, with their places in the list of all.
    pub fn of(&self, condition: Condition) -> impl Iterator<Item = (usize, &Point)> {
        self.points.iter().enumerate().filter(move |(_, point)| point.cell.condition == condition)
    }
}
