//! The run at a leaf: no more faults, all messages arrive, all timers fire.

use rumormill_core::storage::Storage;

use super::step::Step;
use super::violation::Violation;
use super::world::{Recipe, Said, World};

/// Virtual time after which all have to be equal, settled and silent, in microseconds.
const LONGEST_US: u64 = 600_000_000;
/// Steps of a run, so that a storm without end, which takes no time at all, ends too. A run in which nothing is wrong takes
/// a hundredth of that.
const STEPS_MAX: usize = 10_000;

/// Runs fairly, and says what is wrong in the end. `world` is what it came to.
///
/// # Errors
/// A rule that was broken on the way or in the end.
pub(super) fn run<S: Storage>(world: &mut World<S>, recipe: &Recipe, said: &mut Said) -> Result<(), Violation> {
    let surviving = world.surviving();
    let start_us = world.latest_clock();
    for _ in 0..STEPS_MAX {
        let Some(step) = world.fair_step() else { break };
        if step == Step::Wait && world.latest_clock() - start_us > LONGEST_US {
            break;
        }
        world.take(step, recipe, said)?;
    }
    world.judge(surviving)
}
