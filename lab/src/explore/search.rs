//! The search. It is depth first, on all cores, and each pass reaches further than the one before.
//!
//! The first pass searches all trails of one step (or detour), the second those of two, and so on. So the first
//! violation is among the shortest, and a search that is stopped has completed some passes. Each pass visits the states
//! of earlier passes again, but most of its states are new. Each worker has a stack of its own. When another worker is
//! idle, it gives away the older half of its stack, which has most of the work.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumormill_core::storage::Storage as _;

use super::life::Said;
use super::recipe::Recipe;
use super::step::Step;
use super::trail::{Trail, replay_quietly};
use super::violation::Violation;
use super::visited::Visited;
use super::world::{Left, World};
use super::{Ended, Few, Found, HEAP_LIMITS, Options, Reach, Report, fair};

/// One leaf in so many is run again on the heap.
const SAMPLE: u64 = 20_000;
/// The most steps of a trail, far more than nodes need to fall silent. A trail that reaches them ends as a leaf.
const STEPS_MAX: usize = 2_000;
/// The number of states of a fair run that are remembered. Runs that begin alike meet early, and further states would
/// only cost memory.
const KNOWN_STEPS: u32 = 3;
/// A worker reports what it did after so many expansions.
const TELL_EVERY: u32 = 64;

/// What a search has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Depth, or number of detours, of the pass under way.
    pub reach: u8,
    /// Passes that are complete.
    pub complete: u8,
    /// Steps taken. A state that is reached again counts again.
    pub states: u64,
    /// Different states, without leaves.
    pub distinct: u64,
    /// Different leaves. Each had a fair run.
    pub leaves: u64,
    /// Steps of all fair runs.
    pub leaf_steps: u64,
    /// Steps of nodes that were computed. All others were remembered.
    pub handled: u64,
    /// Trails that were run on the heap as well.
    pub sampled: u64,
    /// The share of the present pass that is done. The weight of a state is divided evenly among its steps.
    pub share: f64,
    /// Bytes of the tables of known states.
    pub bytes: usize,
    /// Time since the start.
    pub elapsed: Duration,
}

/// The way to a state. States share the beginnings of their ways.
struct Way {
    step: Step,
    before: Option<Rc<Way>>,
}

/// A state that is to be expanded.
struct Job {
    world: World<Few>,
    budget: u8,
    weight: f64,
    way: Option<Rc<Way>>,
    steps: usize,
}

/// A job on its way to another worker. Threads share no states, so the other worker takes the steps again.
struct Parcelled {
    steps: Vec<Step>,
    budget: u8,
    weight: f64,
}

/// What workers share.
struct Shared<'o> {
    options: &'o Options,
    recipe: Recipe,
    jobs: usize,
    /// States, with the budget that was left.
    visited: Visited,
    /// Leaves, whatever faults were left, and the first states of fair runs.
    fair: Visited,
    queue: Mutex<Vec<Parcelled>>,
    more: Condvar,
    idle: AtomicUsize,
    stop: AtomicBool,
    progress: Mutex<Progress>,
    broken: Mutex<Option<(Vec<Step>, Violation)>>,
    other_on_heap: Mutex<Option<Vec<Step>>>,
}

/// Searches.
///
/// # Errors
/// What is wrong with the choices.
pub fn run(options: &Options) -> Result<Report, String> {
    run_with(options, &mut |_| {})
}

/// Searches, and tells now and then how far it is.
///
/// # Errors
/// What is wrong with the choices.
pub fn run_with(options: &Options, tell: &mut dyn FnMut(&Progress)) -> Result<Report, String> {
    options.check()?;
    let recipe = |limits| Recipe::new(options, limits).map_err(|error| format!("the node: {error}"));
    recipe(HEAP_LIMITS)?;
    let from = Trail { options: Options { from: Vec::new(), ..options.clone() }, steps: options.from.clone() };
    let skipped = replay_quietly(&from, false).map_err(|error| format!("the node: {error}"))?.skipped;
    if let Some(step) = skipped.first() {
        return Err(format!("the search cannot begin there: \"{step}\" cannot be taken where it stands"));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shared = Shared {
        options,
        recipe: recipe(Few::LIMITS)?,
        jobs: if options.jobs == 0 { cores } else { options.jobs },
        visited: Visited::new(),
        fair: Visited::new(),
        queue: Mutex::default(),
        more: Condvar::new(),
        idle: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        progress: Mutex::default(),
        broken: Mutex::default(),
        other_on_heap: Mutex::default(),
    };
    let started = Instant::now();
    let ended = shared.passes(started, tell);
    let found =
        lock(&shared.broken).take().map(|(steps, violation)| shared.found(steps, &violation, started.elapsed()));
    let other_on_heap = lock(&shared.other_on_heap).take().map(|steps| shared.trail(steps));
    let mut progress = *lock(&shared.progress);
    progress.elapsed = started.elapsed();
    Ok(Report { ended, progress, jobs: shared.jobs, found, other_on_heap })
}

impl Shared<'_> {
    fn passes(&self, started: Instant, tell: &mut dyn FnMut(&Progress)) -> Ended {
        let (first, last) = match self.options.reach {
            Reach::Depth(last) => (1, last.max(1)),
            Reach::Detours(last) => (0, last),
        };
        for reach in first..=last {
            {
                let mut progress = lock(&self.progress);
                (progress.reach, progress.share) = (reach, 0.0);
            }
            if let Some(ended) = self.pass(reach, started, tell) {
                return ended;
            }
            lock(&self.progress).complete += 1;
        }
        Ended::Complete
    }

    /// Runs one pass. `None` if it was completed without a violation.
    fn pass(&self, reach: u8, started: Instant, tell: &mut dyn FnMut(&Progress)) -> Option<Ended> {
        lock(&self.queue).push(Parcelled { steps: Vec::new(), budget: reach, weight: 1.0 });
        self.idle.store(0, Ordering::SeqCst);
        let running = AtomicUsize::new(self.jobs);
        let mut bound = None;
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    Worker::new(self).work();
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
            let mut pause = Duration::from_micros(200);
            while running.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
                let progress = self.now(started);
                tell(&progress);
                bound = bound.or_else(|| self.bound(&progress));
                if bound.is_some() {
                    self.stop();
                }
            }
        });
        self.now(started);
        if lock(&self.broken).is_some() || lock(&self.other_on_heap).is_some() {
            return Some(Ended::Violated);
        }
        bound
    }

    fn now(&self, started: Instant) -> Progress {
        let mut progress = lock(&self.progress);
        progress.elapsed = started.elapsed();
        progress.bytes = self.visited.bytes() + self.fair.bytes();
        progress.distinct = self.visited.len() as u64;
        *progress
    }

    fn bound(&self, progress: &Progress) -> Option<Ended> {
        match () {
            () if progress.states + progress.leaf_steps > self.options.max_states => Some(Ended::States),
            () if progress.elapsed > self.options.max_time => Some(Ended::Time),
            () if progress.bytes > self.options.max_bytes => Some(Ended::Memory),
            () => None,
        }
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        // A worker that is about to wait holds the lock, and looks at `stop` before it waits.
        drop(lock(&self.queue));
        self.more.notify_all();
    }

    fn report(&self, steps: Vec<Step>, violation: Violation) {
        lock(&self.broken).get_or_insert((steps, violation));
        self.stop();
    }

    /// The whole trail, from the start of the nodes.
    fn trail(&self, steps: Vec<Step>) -> Trail {
        let steps = self.options.from.iter().copied().chain(steps).collect();
        Trail { options: Options { from: Vec::new(), ..self.options.clone() }, steps }
    }

    fn found(&self, steps: Vec<Step>, violation: &Violation, found_after: Duration) -> Found {
        let found_steps = steps.len();
        let (trail, violation) = self.trail(steps).shortened(violation);
        let on_heap = replay_quietly(&trail, true)
            .is_ok_and(|done| done.violation.is_some_and(|other| other.is_like(&violation)));
        Found { violation, trail, found_steps, found_reach: lock(&self.progress).reach, found_after, on_heap }
    }

    /// The next state to expand, from another worker. `None` when the search is over.
    fn wait(&self) -> Option<Parcelled> {
        let mut queue = lock(&self.queue);
        if self.idle.fetch_add(1, Ordering::SeqCst) + 1 == self.jobs && queue.is_empty() {
            // All workers are idle, so none can give anything any more.
            self.more.notify_all();
            return None;
        }
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            if let Some(job) = queue.pop() {
                self.idle.fetch_sub(1, Ordering::SeqCst);
                return Some(job);
            }
            if self.idle.load(Ordering::SeqCst) == self.jobs {
                return None;
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker<'s, 'o> {
    shared: &'s Shared<'o>,
    stack: Vec<Job>,
    steps: Vec<Step>,
    said: Said<Few>,
    /// What this worker has not reported yet.
    states: u64,
    leaf_steps: u64,
    sampled: u64,
    share: f64,
    leaves: u64,
    leaves_told: u64,
}

impl<'s, 'o> Worker<'s, 'o> {
    fn new(shared: &'s Shared<'o>) -> Self {
        Self {
            shared,
            stack: Vec::new(),
            steps: Vec::new(),
            said: Said::default(),
            states: 0,
            leaf_steps: 0,
            sampled: 0,
            share: 0.0,
            leaves: 0,
            leaves_told: 0,
        }
    }

    fn work(&mut self) {
        let mut untold = 0;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let Some(job) = self.next() else { break };
            self.expand(&job);
            untold += 1;
            if untold >= TELL_EVERY || self.stack.is_empty() {
                untold = 0;
                self.tell();
            }
            if self.stack.len() > 1 && self.shared.idle.load(Ordering::Relaxed) > 0 {
                self.give();
            }
        }
        self.tell();
    }

    /// The next state to expand, from the own stack or from another worker. `None` when the search is over.
    fn next(&mut self) -> Option<Job> {
        self.stack.pop().or_else(|| {
            let parcelled = self.shared.wait()?;
            self.unpack(parcelled)
        })
    }

    /// Takes the steps that lead to a job. `None` if a step breaks a rule. Only the first state of all can do that
    /// here, because all other states were reached before.
    fn unpack(&mut self, Parcelled { steps, budget, weight }: Parcelled) -> Option<Job> {
        let Shared { recipe, options, .. } = self.shared;
        let mut way = None;
        let mut world = World::<Few>::start(recipe, Left::PLENTY, &mut self.said);
        for step in &options.from {
            world = world.and_then(|mut world| world.take(*step, recipe, &mut self.said).map(|_| world));
        }
        if let Ok(world) = &mut world {
            world.left = options.left();
        }
        for step in &steps {
            way = Some(Rc::new(Way { step: *step, before: way.take() }));
            world = world.and_then(|mut world| world.take(*step, recipe, &mut self.said).map(|_| world));
        }
        match world {
            Ok(world) => Some(Job { world, budget, weight, way, steps: steps.len() }),
            Err(violation) => {
                self.shared.report(steps, violation);
                None
            }
        }
    }

    fn tell(&mut self) {
        let mut progress = lock(&self.shared.progress);
        progress.states += std::mem::take(&mut self.states);
        progress.leaf_steps += std::mem::take(&mut self.leaf_steps);
        progress.leaves += self.leaves - std::mem::replace(&mut self.leaves_told, self.leaves);
        progress.handled += std::mem::take(&mut self.said.handled);
        progress.sampled += std::mem::take(&mut self.sampled);
        progress.share += std::mem::take(&mut self.share);
    }

    fn give(&mut self) {
        let mut queue = lock(&self.shared.queue);
        if queue.is_empty() {
            let older = self.stack.drain(..self.stack.len() / 2);
            queue.extend(older.map(|Job { budget, weight, way, .. }| Parcelled {
                steps: list(way.as_ref()),
                budget,
                weight,
            }));
            drop(queue);
            self.shared.more.notify_all();
        }
    }

    /// Takes all steps that are possible in a state.
    fn expand(&mut self, job: &Job) {
        let mut steps = std::mem::take(&mut self.steps);
        job.world.steps(&self.shared.recipe, &mut steps);
        let fair = job.world.fair_step();
        let by_detours = matches!(self.shared.options.reach, Reach::Detours(_));
        if by_detours {
            // The fair step comes last and so is taken first: a trail first runs to its end.
            steps.retain(|step| Some(*step) != fair);
            steps.extend(fair);
        }
        let is_over = by_detours && job.world.latest_clock() > u64::from(self.shared.options.time_limit_s) * 1_000_000;
        if steps.is_empty() || is_over || job.steps >= STEPS_MAX {
            self.steps = steps;
            self.share += job.weight;
            return self.leaf(&job.world, job.way.as_ref());
        }
        let weight = job.weight / steps.len() as f64;
        for step in steps.drain(..) {
            let cost = u8::from(!(by_detours && Some(step) == fair));
            // In a search by detours the budget of a job may be used up. Then only the fair step is left.
            match job.budget.checked_sub(cost) {
                Some(budget) => self.take(job, step, budget, weight),
                None => self.share += weight,
            }
        }
        self.steps = steps;
    }

    fn take(&mut self, job: &Job, step: Step, budget: u8, weight: f64) {
        self.states += 1;
        let mut world = job.world.clone();
        let taken = world.take(step, &self.shared.recipe, &mut self.said);
        let way = || Some(Rc::new(Way { step, before: job.way.clone() }));
        match taken {
            Err(violation) => return self.shared.report(list(way().as_ref()), violation),
            Ok(taken) => debug_assert!(taken, "a step that is offered can be taken"),
        }
        let key = world.key();
        if budget == 0 {
            self.share += weight;
            if !self.shared.visited.contains(key) {
                self.leaf(&world, way().as_ref());
            }
        } else if self.shared.visited.offer(key, budget) {
            self.stack.push(Job { world, budget, weight, way: way(), steps: job.steps + 1 });
        } else {
            self.share += weight;
        }
    }

    /// Heals a state, and runs it fairly to the end.
    fn leaf(&mut self, world: &World<Few>, way: Option<&Rc<Way>>) {
        if !self.shared.fair.offer(world.fair_key(), 0) {
            return;
        }
        let mut world = world.clone();
        let before = self.said.inputs;
        let mut steps = 0;
        let ended = fair::run(&mut world, &self.shared.recipe, &mut self.said, |world| {
            steps += 1;
            steps <= KNOWN_STEPS && !self.shared.fair.offer(world.fair_key(), 0)
        });
        self.leaf_steps += self.said.inputs - before;
        self.leaves += 1;
        if let Err(violation) = ended {
            self.shared.report(list(way), violation);
        } else if self.leaves % SAMPLE == 1 {
            self.sampled += 1;
            let trail = self.shared.trail(list(way));
            let lines = |on_heap| replay_quietly(&trail, on_heap).map(|done| (done.lines, done.violation));
            if lines(false) != lines(true) {
                lock(&self.shared.other_on_heap).get_or_insert(trail.steps);
                self.shared.stop();
            }
        }
    }
}

/// The steps of a way, the first one first.
fn list(way: Option<&Rc<Way>>) -> Vec<Step> {
    let mut steps: Vec<Step> = std::iter::successors(way, |way| way.before.as_ref()).map(|way| way.step).collect();
    steps.reverse();
    steps
}
