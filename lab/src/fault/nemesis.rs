//! The nemesis decides which fault happens when.

use std::collections::VecDeque;

use rand::SeedableRng as _;
use rand_xorshift::XorShiftRng;

use super::clock::{Clock, Comes};
use super::standing::Standing;
use super::{Fault, partition};
use crate::settings::{FaultKind, FaultPlan, Micros, Planned, Scheduled};

/// Decides which fault happens when. It is a state machine: told the time, it says which faults happen now and when it
/// wants to be asked again.
///
/// The same plan, number of nodes, seed and start give the same faults at the same moments, however often it is asked.
/// A node is killed or paused only while it is up.
#[derive(Debug)]
pub struct Nemesis {
    standing: Standing,
    /// Random numbers that choose which nodes are cut off.
    rng: XorShiftRng,
    one_way: bool,
    victim: Option<usize>,
    /// Whether nodes that are dead in the end stay dead.
    keep_dead: bool,
    /// Faults at known moments: the schedule, or loss and duplication from the start.
    timed: VecDeque<Scheduled>,
    /// Faults at random moments.
    clocks: Vec<Clock>,
}

impl Nemesis {
    /// A nemesis for a cluster of `nodes`, from the moment `start_us`.
    ///
    /// An event of a schedule that makes no sense when its time comes is left out; [`super::parse_schedule`] refuses
    /// such schedules. If the victim is no node of the cluster, faults that need a victim do not happen.
    #[must_use]
    pub fn new(plan: &FaultPlan, nodes: usize, seed: u64, start_us: Micros) -> Self {
        let by_chance = |kind| plan.schedule.is_empty() && plan.kinds.contains(&kind);
        let come = [
            (FaultKind::Partition, Comes::Partition),
            (FaultKind::Kill, Comes::Kill),
            (FaultKind::Pause, Comes::Pause),
        ];
        let clocks = come.into_iter().filter(|(kind, _)| nodes > 0 && by_chance(*kind));
        let stay = [
            (FaultKind::Loss, Planned::Loss(plan.loss_rate), plan.loss_rate),
            (FaultKind::Duplicate, Planned::Duplicate(plan.duplicate_rate), plan.duplicate_rate),
        ];
        let weather = stay.into_iter().filter(|(kind, _, rate)| by_chance(*kind) && *rate > 0.0);
        let weather = weather.map(|(_, what, _)| Scheduled { at_us: start_us, what });
        let planned = plan.schedule.iter().cloned();
        let planned = planned.map(|event| Scheduled { at_us: event.at_us.saturating_add(start_us), ..event });
        let mut timed: Vec<_> = weather.chain(planned).collect();
        timed.sort_by_key(|event| event.at_us);
        Self {
            standing: Standing::new(nodes),
            rng: XorShiftRng::seed_from_u64(seed),
            one_way: plan.one_way,
            victim: plan.victim,
            keep_dead: plan.keep_dead,
            timed: timed.into(),
            clocks: clocks.map(|(_, kind)| Clock::new(kind, plan, seed, start_us)).collect(),
        }
    }

    /// The next fault that is due. To be called until `None`.
    pub fn poll(&mut self, now_us: Micros) -> Option<Fault> {
        while self.poll_timeout().is_some_and(|due_us| due_us <= now_us) {
            if let Some(what) = self.next_planned()
                && self.standing.apply(&what).is_ok()
            {
                return Some(self.ready(what));
            }
        }
        None
    }

    /// When the next fault is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Micros> {
        let timed = self.timed.front().map(|event| event.at_us);
        self.clocks.iter().map(Clock::due_us).chain(timed).min()
    }

    /// The faults that take back everything that is in force, each of them once. After this, no fault happens.
    pub fn take_back(&mut self) -> Vec<Fault> {
        self.timed.clear();
        self.clocks.clear();
        let mut back = self.standing.take_back();
        back.retain(|fault| !(self.keep_dead && matches!(fault, Fault::Restart(_))));
        back
    }

    /// The next fault, whatever the time is. At the same moment scheduled faults come before random ones, and then the
    /// order of kinds decides.
    fn next_planned(&mut self) -> Option<Planned> {
        let clock = self.clocks.iter_mut().min_by_key(|clock| clock.due_us());
        match (self.timed.front(), clock) {
            (Some(event), Some(clock)) if clock.due_us() < event.at_us => clock.ring(&self.standing),
            (Some(_), _) => self.timed.pop_front().map(|event| event.what),
            (None, clock) => clock?.ring(&self.standing),
        }
    }

    fn ready(&mut self, what: Planned) -> Fault {
        let nodes = self.standing.nodes();
        match what {
            Planned::Partition(kind, victim) => {
                partition::partition(kind, nodes, victim.or(self.victim), self.one_way, &mut self.rng)
            }
            Planned::Isolate(apart) => partition::cut_off("isolate", nodes, &apart, self.one_way),
            Planned::Cut(from, to) => partition::cut(from, to),
            Planned::Heal => Fault::Heal,
            Planned::Kill(node) => Fault::Kill(node),
            Planned::Restart(node) => Fault::Restart(node),
            Planned::Pause(node) => Fault::Pause(node),
            Planned::Resume(node) => Fault::Resume(node),
            Planned::Loss(rate) => Fault::Loss(rate),
            Planned::Duplicate(rate) => Fault::Duplicate(rate),
            Planned::Clock(node, us) => Fault::Clock(node, us),
            Planned::Configure(node, tuning) => Fault::Configure(node, tuning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{PartitionKind, SECOND};

    const START: Micros = 3 * SECOND;

    #[test]
    fn without_a_plan_nothing_happens() {
        let mut nemesis = Nemesis::new(&FaultPlan::default(), 5, 1, START);
        assert_eq!((nemesis.poll_timeout(), nemesis.poll(Micros::MAX)), (None, None));
        assert_eq!(nemesis.take_back(), []);
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_however_often_one_asks() {
        for seed in 0..50 {
            let plan = plan(&ALL_KINDS);
            let at_once = faults(&plan, 7, seed, 200 * SECOND);
            let mut nemesis = Nemesis::new(&plan, 7, seed, START);
            let mut asked_each_ms = Vec::new();
            for now_us in (0..START + 200 * SECOND).step_by(1_000) {
                while let Some(fault) = nemesis.poll(now_us) {
                    asked_each_ms.push(fault);
                }
            }
            let at_once: Vec<_> = at_once.into_iter().map(|(_, fault)| fault).collect();
            assert!(at_once.len() > 20, "seed {seed}");
            assert_eq!(at_once, asked_each_ms, "seed {seed}");
        }
    }

    #[test]
    fn another_seed_gives_other_faults() {
        let plan = plan(&ALL_KINDS);
        assert_ne!(faults(&plan, 7, 1, 100 * SECOND), faults(&plan, 7, 2, 100 * SECOND));
    }

    #[test]
    fn another_kind_in_the_plan_does_not_move_the_clock_of_a_kind() {
        for seed in 0..50 {
            let times = |kinds: &[FaultKind], of: fn(&Fault) -> bool| -> Vec<_> {
                let faults = faults(&plan(kinds), 2, seed, 100 * SECOND).into_iter();
                faults.filter(|(_, fault)| of(fault)).map(|(at_us, _)| at_us).collect()
            };
            let of_links = |fault: &Fault| matches!(fault, Fault::Partition { .. } | Fault::Heal);
            assert_eq!(times(&[FaultKind::Partition], of_links), times(&ALL_KINDS, of_links), "seed {seed}");
            // Of two nodes one is always left to be killed.
            let of_life = |fault: &Fault| matches!(fault, Fault::Kill(_) | Fault::Restart(_));
            assert_eq!(times(&[FaultKind::Kill], of_life), times(&ALL_KINDS, of_life), "seed {seed}");
        }
    }

    #[test]
    fn the_first_partition_is_at_the_start_and_then_heal_and_partition_alternate() {
        for seed in 0..200 {
            let faults = faults(&plan(&[FaultKind::Partition]), 5, seed, 300 * SECOND);
            assert_eq!(faults[0].0, START, "seed {seed}");
            for (at, (_, fault)) in faults.iter().enumerate() {
                let as_expected = match fault {
                    Fault::Partition { .. } => at % 2 == 0,
                    Fault::Heal => at % 2 == 1,
                    other => panic!("{other:?}, seed {seed}"),
                };
                assert!(as_expected, "{at}: {fault:?}, seed {seed}");
            }
        }
    }

    #[test]
    fn gaps_are_uniform_between_nothing_and_twice_the_interval() {
        for kind in [FaultKind::Partition, FaultKind::Kill, FaultKind::Pause] {
            let mut tenths = [0; 10];
            let mut all = 0;
            for seed in 0..200 {
                let faults = faults(&plan(&[kind]), 5, seed, 500 * SECOND);
                for pair in faults.windows(2) {
                    let gap = pair[1].0 - pair[0].0;
                    assert!((1..20 * SECOND).contains(&gap), "{gap}, {kind:?}, seed {seed}");
                    tenths[(gap / (2 * SECOND)) as usize] += 1;
                    all += 1;
                }
            }
            let (least, most) = (all * 9 / 100, all * 11 / 100);
            assert!(tenths.iter().all(|part| (least..most).contains(part)), "{kind:?}: {tenths:?} of {all}");
        }
    }

    #[test]
    fn the_first_kill_and_the_first_pause_let_the_node_live_for_a_gap() {
        for kind in [FaultKind::Kill, FaultKind::Pause] {
            let first = |seed| faults(&plan(&[kind]), 5, seed, 100 * SECOND)[0].0 - START;
            let mean = (0..500).map(first).sum::<Micros>() / 500;
            assert!((9 * SECOND..11 * SECOND).contains(&mean), "{kind:?}: {mean}");
        }
    }

    #[test]
    fn each_kind_of_partition_is_equally_likely_and_a_chosen_kind_is_the_only_one() {
        let counts = |partition_kind| {
            let plan = FaultPlan { partition_kind, ..plan(&[FaultKind::Partition]) };
            let faults = (0..200).flat_map(move |seed| faults(&plan, 7, seed, 500 * SECOND));
            let mut counts = [0; 4];
            for (_, fault) in faults {
                let kinds = ["one:", "majority:", "minority-third:", "majorities-ring:"];
                let kind = kinds.iter().position(|kind| fault.label().starts_with(kind));
                kind.into_iter().for_each(|kind| counts[kind] += 1);
            }
            counts
        };
        let by_chance = counts(None);
        let all: i32 = by_chance.iter().sum();
        assert!(by_chance.iter().all(|&count| (all / 5..all * 3 / 10).contains(&count)), "{by_chance:?}");
        assert_eq!(counts(Some(PartitionKind::Majority)).map(|count| count > 0), [false, true, false, false]);
    }

    #[test]
    fn who_is_killed_or_paused_was_up_and_comes_back() {
        for (victim, nodes) in [(None, 1), (None, 2), (None, 5), (Some(1), 3)] {
            let plan = FaultPlan { victim, interval_us: SECOND, ..plan(&[FaultKind::Kill, FaultKind::Pause]) };
            for seed in 0..100 {
                let (mut killed, mut paused) = (None, None);
                let faults = faults(&plan, nodes, seed, 100 * SECOND);
                assert!(faults.len() > 50, "seed {seed}: {}", faults.len());
                for (_, fault) in faults {
                    let context = format!("{fault:?}, victim {victim:?} of {nodes} nodes, seed {seed}");
                    let before = (killed, paused);
                    match fault {
                        Fault::Kill(node) => killed = Some(node),
                        Fault::Pause(node) => paused = Some(node),
                        Fault::Restart(node) => assert_eq!(killed.take(), Some(node), "{context}"),
                        Fault::Resume(node) => assert_eq!(paused.take(), Some(node), "{context}"),
                        _ => panic!("{context}"),
                    }
                    if let Fault::Kill(node) | Fault::Pause(node) = fault {
                        assert!(before.0 != Some(node) && before.1 != Some(node), "{context}");
                        assert_eq!(victim.unwrap_or(node), node, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn several_nodes_can_be_killed_at_one_moment_and_come_back_at_one_moment() {
        for at_once in [2, 5] {
            let plan = FaultPlan { at_once, interval_us: SECOND, ..plan(&[FaultKind::Kill]) };
            for seed in 0..50 {
                let faults = faults(&plan, 5, seed, 20 * SECOND);
                for group in faults.chunks(at_once) {
                    let of_one_moment = group.iter().all(|(at_us, _)| *at_us == group[0].0);
                    let kills = group.iter().filter(|(_, fault)| matches!(fault, Fault::Kill(_))).count();
                    assert!(of_one_moment && (kills == 0 || kills == group.len()), "seed {seed}: {faults:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_to_stay_dead_is_not_started_again() {
        let schedule = vec![Scheduled { at_us: 0, what: Planned::Kill(0) }];
        let plan = FaultPlan { schedule, keep_dead: true, ..FaultPlan::default() };
        let mut nemesis = Nemesis::new(&plan, 5, 1, START);
        assert_eq!(nemesis.poll(START), Some(Fault::Kill(0)));
        assert_eq!(nemesis.take_back(), []);
    }

    #[test]
    fn loss_and_duplication_are_on_from_the_start_until_taken_back() {
        let rates = FaultPlan { loss_rate: 0.3, duplicate_rate: 0.0, ..FaultPlan::default() };
        let plan = FaultPlan { kinds: vec![FaultKind::Loss, FaultKind::Duplicate], ..rates };
        let mut nemesis = Nemesis::new(&plan, 5, 1, START);
        assert_eq!((nemesis.poll_timeout(), nemesis.poll(START - 1)), (Some(START), None));
        assert_eq!((nemesis.poll(START), nemesis.poll(Micros::MAX)), (Some(Fault::Loss(0.3)), None));
        assert_eq!(nemesis.take_back(), [Fault::Loss(0.0)]);
    }

    #[test]
    fn once_taken_back_nothing_is_in_force_and_nothing_happens_any_more() {
        for seed in 0..100 {
            let mut nemesis = Nemesis::new(&plan(&ALL_KINDS), 5, seed, START);
            let mut force = Force::default();
            while let Some(fault) = nemesis.poll(START + 60 * SECOND) {
                force.note(&fault);
            }
            for fault in nemesis.take_back() {
                assert_ne!(force, Force::default(), "{fault:?} ends nothing, seed {seed}");
                force.note(&fault);
            }
            assert_eq!(force, Force::default(), "seed {seed}");
            assert_eq!((nemesis.poll_timeout(), nemesis.poll(Micros::MAX)), (None, None), "seed {seed}");
            assert_eq!(nemesis.take_back(), [], "seed {seed}");
        }
    }

    #[test]
    fn what_a_schedule_has_left_does_not_happen_once_all_is_taken_back() {
        let schedule = vec![Scheduled { at_us: SECOND, what: Planned::Kill(0) }];
        let mut nemesis = Nemesis::new(&FaultPlan { schedule, ..FaultPlan::default() }, 5, 1, START);
        assert_eq!((nemesis.poll_timeout(), nemesis.take_back()), (Some(START + SECOND), vec![]));
        assert_eq!((nemesis.poll_timeout(), nemesis.poll(Micros::MAX)), (None, None));
    }

    #[test]
    fn at_one_moment_the_weather_comes_before_the_partition() {
        let first: Vec<_> = faults(&plan(&ALL_KINDS), 2, 1, 0).into_iter().map(|(_, fault)| fault).collect();
        assert_eq!(first[..2], [Fault::Loss(0.1), Fault::Duplicate(0.1)]);
        assert!(matches!(first[2..], [Fault::Partition { .. }]), "{first:?}");
    }

    #[test]
    fn a_schedule_is_used_instead_of_chance_and_counts_from_the_start() {
        let event = |at_us, what| Scheduled { at_us, what };
        let schedule = vec![
            event(0, Planned::Partition(PartitionKind::One, None)),
            event(SECOND, Planned::Cut(0, 1)),
            event(2 * SECOND, Planned::Kill(2)),
            event(2 * SECOND, Planned::Kill(2)),
            event(2 * SECOND, Planned::Isolate(vec![1, 3])),
            event(SECOND / 2, Planned::Heal),
        ];
        let plan = FaultPlan { schedule, victim: Some(4), ..plan(&ALL_KINDS) };
        let said: Vec<_> = faults(&plan, 5, 1, 100 * SECOND)
            .into_iter()
            .map(|(at_us, fault)| ((at_us - START) / SECOND, fault.label()))
            .collect();
        let expected = [
            (0, "one: n4 cut off from the rest"),
            (0, "all links work"),
            (1, "cut: nothing from n0 to n1"),
            (2, "n2 killed"),
            (2, "isolate: n1 n3 cut off from the rest"),
        ];
        assert_eq!(said, expected.map(|(at, label)| (at, label.to_owned())));
    }

    #[test]
    fn a_single_node_is_never_cut_off_and_no_node_at_all_is_no_problem() {
        assert_eq!(faults(&plan(&[FaultKind::Partition]), 1, 1, 1_000 * SECOND), []);
        assert_eq!(faults(&plan(&[FaultKind::Partition, FaultKind::Kill]), 0, 1, 1_000 * SECOND), []);
    }

    #[test]
    fn an_interval_of_nothing_comes_to_an_end() {
        let plan = FaultPlan { interval_us: 0, ..plan(&[FaultKind::Partition]) };
        assert_eq!(faults(&plan, 5, 1, 100).len(), 101);
    }

    const ALL_KINDS: [FaultKind; 5] =
        [FaultKind::Partition, FaultKind::Kill, FaultKind::Pause, FaultKind::Loss, FaultKind::Duplicate];

    fn plan(kinds: &[FaultKind]) -> FaultPlan {
        FaultPlan { kinds: kinds.to_vec(), ..FaultPlan::default() }
    }

    /// All faults until `us` after the start, each with the moment when it was due.
    fn faults(plan: &FaultPlan, nodes: usize, seed: u64, us: Micros) -> Vec<(Micros, Fault)> {
        let mut nemesis = Nemesis::new(plan, nodes, seed, START);
        let mut faults = Vec::new();
        while let Some(due_us) = nemesis.poll_timeout().filter(|&due_us| due_us <= START + us) {
            assert!(due_us == 0 || nemesis.poll(due_us - 1).is_none());
            faults.extend(nemesis.poll(due_us).map(|fault| (due_us, fault)));
        }
        faults
    }

    /// What a careful observer sees.
    #[derive(Debug, Default, PartialEq)]
    struct Force {
        cut: bool,
        down: Vec<usize>,
        loss: f64,
        duplicate: f64,
    }

    impl Force {
        fn note(&mut self, fault: &Fault) {
            match *fault {
                Fault::Partition { .. } | Fault::Cut { .. } => self.cut = true,
                Fault::Heal => self.cut = false,
                Fault::Kill(node) | Fault::Pause(node) => self.down.push(node),
                Fault::Restart(node) | Fault::Resume(node) => self.down.retain(|&down| down != node),
                Fault::Loss(rate) => self.loss = rate,
                Fault::Duplicate(rate) => self.duplicate = rate,
                Fault::Clock(..) | Fault::Configure(..) => {}
            }
        }
    }
}
