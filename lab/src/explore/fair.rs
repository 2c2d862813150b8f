//! The run at a leaf: no more faults, all messages arrive, all timers fire.

use super::life::Said;
use super::recipe::Recipe;
use super::step::Step;
use super::violation::Violation;
use super::world::World;
use rumormill_core::data_type::Application;

/// The most steps of a run. They bound a storm of messages, which takes no virtual time and would never end. A run in
/// which nothing is wrong takes a hundredth of them.
const STEPS_MAX: usize = 10_000;
/// The number of steps of a run that are remembered. Later steps are seldom those of another run.
const REMEMBERED: usize = 4;

/// Runs fairly, and says what is wrong in the end. `is_known` is told each state on the way. If it knows the state and
/// nothing was lost since the start of this run, the run ends there.
///
/// # Errors
/// The rule that was broken on the way or in the end.
pub(super) fn run<S: Application>(
    world: &mut World<S>,
    recipe: &Recipe,
    said: &mut Said<S>,
    is_known: impl FnMut(&World<S>) -> bool,
) -> Result<(), Violation> {
    let ended = go(world, recipe, said, is_known);
    said.in_place = false;
    ended
}

fn go<S: Application>(
    world: &mut World<S>,
    recipe: &Recipe,
    said: &mut Said<S>,
    mut is_known: impl FnMut(&World<S>) -> bool,
) -> Result<(), Violation> {
    world.heal();
    let surviving = world.surviving();
    let start_us = world.latest_clock();
    for steps in 0..STEPS_MAX {
        said.in_place = steps >= REMEMBERED;
        let Some(step) = world.fair_step().filter(|_| !world.is_done(recipe, surviving)) else { break };
        if step == Step::Wait && world.latest_clock() - start_us > recipe.recovery_us {
            break;
        }
        world.take(step, recipe, said)?;
        if is_known(world) && surviving & !world.surviving() == 0 {
            return Ok(());
        }
    }
    world.judge(recipe, surviving)
}
