//! What a person sees: one screen, a folder of results, plots, one HTML page.
//!
//! | module | owns |
//! |---|---|
//! | `screen`, `compare` | the end of a run in a terminal |
//! | `facts` | sentences that screen and page share |
//! | `folder` | the files of a run |
//! | `html` | the page |
//! | `page` | the frame of pages that show no run |
//! | [`plot`] | plots, and the parts to build others from |
//! | `limits` | limits for runs, and whether a run keeps them |
//! | `timeline` | faults as intervals |
//! | `text` | how numbers and foreign text are written |

mod compare;
mod facts;
mod folder;
mod html;
mod limits;
pub(crate) mod page;
pub mod plot;
mod screen;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod timeline;

pub use compare::compare;
pub use folder::{write_folder, write_messages};
pub use screen::screen;

use crate::history::History;
use crate::judgement::Judgement;
use crate::settings::Settings;
use crate::trace::Trace;

/// A run to report.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The settings of the run.
    pub settings: &'a Settings,
    /// The program under test, as given on the command line.
    pub program: &'a str,
    /// The whole command that repeats it.
    pub command: &'a str,
    /// What clients did and saw.
    pub history: &'a History,
    /// Everything else that was seen.
    pub trace: &'a Trace,
    /// The result.
    pub judgement: &'a Judgement,
}
