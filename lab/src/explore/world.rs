//! A state of the search: nodes, messages in flight, and faults and writes left; and the state after a step.
//!
//! States share their nodes and messages, because a step changes one node at most. Steps of nodes are remembered for a
//! while ([`super::life`]). Each node has a clock of its own, see [`super::Clocks`].

use std::rc::Rc;

use rumormill_core::causality::Sum;
use rumormill_core::data_type::Application;

use super::contents::{Contents, Kind, Write};
use super::life::{self, Held, Input, Life, Said};
use super::packet::{NUMBER, Packet};
use super::recipe::Recipe;
use super::step::{Parcel, Step};
use super::violation::Violation;
use super::{Clocks, NODES_MAX, hash};

mod judge;

/// The first session of a node, and the distance to the next one. It leaves room for lower ones.
const SESSION_STEP: u64 = 10;
/// The numbers that clients write at one node lie within a range of this length.
const NUMBERS: u64 = 1_000;

/// A session that is over.
#[derive(Clone)]
struct Past {
    node: usize,
    session: u64,
    history: u128,
    held: Option<Rc<Held>>,
}

/// The parts of a node before a step that are compared with those after it.
struct Before {
    past: Past,
    sum: Sum,
    contents: Rc<Contents>,
}

/// A message in flight.
struct Flight {
    packet: Rc<Packet>,
    /// Its number among those of the same sender and receiver.
    number: u32,
}

impl Clone for Flight {
    fn clone(&self) -> Self {
        Self { packet: Rc::clone(&self.packet), number: self.number }
    }
}

impl Flight {
    fn parcel(&self) -> Parcel {
        Parcel { from: self.packet.from, to: self.packet.to, number: self.number }
    }
}

/// Faults and writes that may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) writes: [u8; Kind::ALL.len()],
    pub(super) losses: u8,
    pub(super) duplicates: u8,
    pub(super) crashes: u8,
    pub(super) crashes_behind: u8,
    pub(super) deaths: u8,
    pub(super) cuts: u8,
}

impl Left {
    /// More faults and writes than any trail uses.
    pub(super) const PLENTY: Self = Self {
        writes: [u8::MAX; Kind::ALL.len()],
        losses: u8::MAX,
        duplicates: u8::MAX,
        crashes: u8::MAX,
        crashes_behind: SESSION_STEP as u8 - 1,
        deaths: u8::MAX,
        cuts: u8::MAX,
    };

    /// All of them in one number.
    fn word(&self) -> u128 {
        let Self { writes, losses, duplicates, crashes, crashes_behind, deaths, cuts } = *self;
        let faults = [losses, duplicates, crashes, crashes_behind, deaths, cuts];
        writes.into_iter().chain(faults).fold(0, |all, left| all << 8 | u128::from(left))
    }
}

/// A state.
pub(super) struct World<S: Application> {
    lives: Vec<Rc<Life<S>>>,
    /// The messages in flight, the oldest first.
    net: Vec<Flight>,
    clocks: [u64; NODES_MAX],
    /// One bit for each node that is dead.
    dead: u8,
    /// One bit for each node that is cut off from all others.
    cut: u8,
    pub(super) left: Left,
    /// Messages sent so far, by sender and receiver.
    sent: [[u32; NODES_MAX]; NODES_MAX],
    /// The highest session each node was started with.
    sessions: [u64; NODES_MAX],
    writes: Rc<Vec<Write>>,
    past: Rc<Vec<Past>>,
}

impl<S: Application> Clone for World<S> {
    fn clone(&self) -> Self {
        Self {
            lives: self.lives.clone(),
            net: self.net.clone(),
            writes: Rc::clone(&self.writes),
            past: Rc::clone(&self.past),
            ..*self
        }
    }
}

impl<S: Application> World<S> {
    /// All nodes have just started.
    pub(super) fn start(recipe: &Recipe, left: Left, said: &mut Said<S>) -> Result<Self, Violation> {
        let mut world = Self {
            lives: Vec::new(),
            net: Vec::new(),
            clocks: [0; NODES_MAX],
            dead: 0,
            cut: 0,
            left,
            sent: [[0; NODES_MAX]; NODES_MAX],
            sessions: [SESSION_STEP; NODES_MAX],
            writes: Rc::default(),
            past: Rc::default(),
        };
        for at in 0..recipe.nodes {
            world.start_node(at, SESSION_STEP, recipe, said)?;
        }
        Ok(world)
    }

    /// A hash of everything that decides what can still happen: nodes, clocks, messages, faults and writes left, and
    /// sessions that are over.
    pub(super) fn key(&self) -> u128 {
        let left = self.left.word() << 8 | u128::from(self.cut);
        let hash = hash::word(hash::word(self.fair_key(), left as u64), (left >> 64) as u64);
        let past = self.past.iter().map(|past| hash::part(past.history, 100 + past.node as u64));
        past.fold(hash, u128::wrapping_add)
    }

    /// The same hash without the parts that do not count once all faults are over.
    pub(super) fn fair_key(&self) -> u128 {
        // The order of messages in flight decides only which of them is the oldest. It does not count here, because all
        // orders of delivery are searched.
        let nodes = self.lives.iter().zip(self.clocks).enumerate();
        let kind = |at: usize| at as u64 + if self.is_dead(at) { 50 } else { 0 };
        let nodes = nodes.map(|(at, (life, clock))| hash::part(hash::word(life.history, clock), kind(at)));
        let packets = self.net.iter().map(|flight| hash::part(flight.packet.hash, 200));
        nodes.chain(packets).fold(0, u128::wrapping_add)
    }

    /// The steps that can be taken now. Of messages that are the same in every byte, one is enough.
    pub(super) fn steps(&self, recipe: &Recipe, all: &mut Vec<Step>) {
        all.clear();
        let nodes = (0..self.lives.len() as u8).filter(|at| !self.is_dead(usize::from(*at)));
        let distinct = || {
            self.net
                .iter()
                .enumerate()
                .filter(|(at, flight)| self.net[..*at].iter().all(|f| f.packet.hash != flight.packet.hash))
        };
        let parcels = || distinct().map(|(_, flight)| flight.parcel());
        match recipe.clocks {
            Clocks::Own => all.extend(nodes.clone().filter(|at| self.due(usize::from(*at)).is_some()).map(Step::Fire)),
            Clocks::Shared => all.extend(self.next_due().map(|_| Step::Wait)),
        }
        if self.left.losses > 0 {
            all.extend(parcels().map(Step::Lose));
        }
        if self.left.duplicates > 0 {
            all.extend(parcels().map(Step::Repeat));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.left.writes[*kind as usize] > 0) {
            all.extend(nodes.clone().map(|at| Step::Write(kind, at)));
        }
        if self.left.crashes > 0 {
            all.extend(nodes.clone().map(Step::Crash));
        }
        if self.left.crashes_behind > 0 {
            all.extend(nodes.clone().map(Step::CrashBehind));
        }
        if self.left.deaths > 0 && nodes.clone().count() > 1 {
            all.extend(nodes.clone().map(Step::Kill));
        }
        if self.left.cuts > 0 {
            all.extend(nodes.clone().filter(|at| self.cut >> at & 1 == 0).map(Step::Cut));
        }
        all.extend(nodes.filter(|at| self.cut >> at & 1 == 1).map(Step::Heal));
        all.extend(parcels().map(Step::Deliver));
    }

    /// The fair step: the oldest message arrives or, with none in flight, the next timer fires.
    pub(super) fn fair_step(&self) -> Option<Step> {
        match self.net.first() {
            Some(flight) => Some(Step::Deliver(flight.parcel())),
            None => self.next_due().map(|_| Step::Wait),
        }
    }

    /// Takes a step. If it cannot be taken in this state, nothing changes and the result is false.
    ///
    /// # Errors
    /// What a node did that it must not do.
    pub(super) fn take(&mut self, step: Step, recipe: &Recipe, said: &mut Said<S>) -> Result<bool, Violation> {
        match step {
            Step::Deliver(parcel) => {
                let Some(at) = self.find(parcel) else { return Ok(false) };
                let packet = self.net.remove(at).packet;
                self.input(usize::from(parcel.to), &Input::Packet(&packet), recipe, said)?;
            }
            Step::Repeat(parcel) => {
                let Some(at) = self.find(parcel).filter(|_| self.left.duplicates > 0) else { return Ok(false) };
                self.left.duplicates -= 1;
                let packet = Rc::clone(&self.net[at].packet);
                self.input(usize::from(parcel.to), &Input::Packet(&packet), recipe, said)?;
            }
            Step::Lose(parcel) => {
                let Some(at) = self.find(parcel).filter(|_| self.left.losses > 0) else { return Ok(false) };
                self.left.losses -= 1;
                self.net.remove(at);
            }
            Step::Fire(at) => {
                let at = usize::from(at);
                let Some(due) = self.due(at) else { return Ok(false) };
                self.clocks[at] = self.clocks[at].max(due);
                self.input(at, &Input::Timer, recipe, said)?;
            }
            Step::Wait => {
                let Some((at, wait_us)) = self.next_due() else { return Ok(false) };
                self.clocks.iter_mut().for_each(|clock| *clock += wait_us);
                self.input(at, &Input::Timer, recipe, said)?;
            }
            Step::Write(kind, at) => {
                if !self.is_there(at) || self.left.writes[kind as usize] == 0 {
                    return Ok(false);
                }
                self.left.writes[kind as usize] -= 1;
                self.write(kind, usize::from(at), recipe, said)?;
            }
            Step::Crash(at) | Step::CrashBehind(at) => return self.crash(step, usize::from(at), recipe, said),
            Step::Kill(_) | Step::Cut(_) | Step::Heal(_) => return Ok(self.part(step)),
        }
        Ok(true)
    }

    /// A node loses its memory, and starts again with a larger number than before, or with a smaller one.
    fn crash(&mut self, step: Step, at: usize, recipe: &Recipe, said: &mut Said<S>) -> Result<bool, Violation> {
        let left = if matches!(step, Step::Crash(_)) { &mut self.left.crashes } else { &mut self.left.crashes_behind };
        let Some(fewer) = left.checked_sub(1) else { return Ok(false) };
        let Some(life) = self.lives.get(at).filter(|_| self.dead >> at & 1 == 0) else { return Ok(false) };
        let session = if matches!(step, Step::Crash(_)) {
            let newest = self.sessions[at].max(life.session);
            newest - newest % SESSION_STEP + SESSION_STEP
        } else {
            // An earlier crash of this kind may have taken the number already.
            let taken = |session| self.past.iter().any(|past| past.node == at && past.session == session);
            let Some(session) = (1..life.session).rev().find(|session| !taken(*session)) else { return Ok(false) };
            session
        };
        *left = fewer;
        self.close_session(self.before(at).past);
        self.start_node(at, session, recipe, said)?;
        Ok(true)
    }

    /// Takes a step after which a node is dead, or cut off, or not cut off any longer.
    fn part(&mut self, step: Step) -> bool {
        match step {
            Step::Kill(at) if self.is_there(at) && self.left.deaths > 0 => {
                self.left.deaths -= 1;
                self.dead |= 1 << at;
                self.net.retain(|flight| flight.packet.to != at);
            }
            Step::Cut(at) if self.is_there(at) && self.cut >> at & 1 == 0 && self.left.cuts > 0 => {
                self.left.cuts -= 1;
                self.cut |= 1 << at;
                self.net.retain(|flight| flight.packet.to != at && flight.packet.from != at);
            }
            Step::Heal(at) if self.is_there(at) && self.cut >> at & 1 == 1 => self.cut &= !(1 << at),
            _ => return false,
        }
        true
    }

    /// Ends all cuts.
    pub(super) fn heal(&mut self) {
        self.cut = 0;
    }

    /// Whether the node exists and is not dead.
    fn is_there(&self, at: u8) -> bool {
        usize::from(at) < self.lives.len() && !self.is_dead(usize::from(at))
    }

    fn is_dead(&self, at: usize) -> bool {
        self.dead >> at & 1 == 1
    }

    /// The clock that is ahead of all others, in microseconds.
    pub(super) fn latest_clock(&self) -> u64 {
        self.clocks.into_iter().max().unwrap_or(0)
    }

    /// The message in flight with this name, or another one that is the same in every byte.
    fn find(&self, parcel: Parcel) -> Option<usize> {
        self.net.iter().position(|flight| flight.parcel() == parcel)
    }

    /// When a node's next timer is due, by its clock.
    fn due(&self, at: usize) -> Option<u64> {
        self.lives.get(at).filter(|_| !self.is_dead(at))?.due_us
    }

    /// The node whose timer is due first, and in how many microseconds. A timer that has just fired is not due again at
    /// the same moment, or time would stand still.
    fn next_due(&self) -> Option<(usize, u64)> {
        let due = |at: usize| Some((at, self.due(at)?.saturating_sub(self.clocks[at]).max(1)));
        (0..self.lives.len()).filter_map(due).min_by_key(|(_, wait_us)| *wait_us)
    }

    /// Starts a node, for the first time or after a crash.
    fn start_node(&mut self, at: usize, session: u64, recipe: &Recipe, said: &mut Said<S>) -> Result<(), Violation> {
        self.sessions[at] = self.sessions[at].max(session);
        let done = life::born(recipe, at, session, self.clocks[at], said);
        match self.lives.get_mut(at) {
            Some(life) => *life = Rc::clone(&done.life),
            None => self.lives.push(Rc::clone(&done.life)),
        }
        self.send(at, &done.told.packets);
        done.told.rejected.clone().map_or(Ok(()), Err)
    }

    fn before(&self, at: usize) -> Before {
        let life = &self.lives[at];
        Before {
            past: Past { node: at, session: life.session, history: life.history, held: life.held.clone() },
            sum: life.sum,
            contents: Rc::clone(&life.contents),
        }
    }

    fn close_session(&mut self, past: Past) {
        Rc::make_mut(&mut self.past).push(past);
    }

    fn write(&mut self, kind: Kind, at: usize, recipe: &Recipe, said: &mut Said<S>) -> Result<(), Violation> {
        let earlier = self.writes.iter().filter(|write| write.node == at).count() as u64;
        let number = NUMBER + NUMBERS * at as u64 + 1 + earlier;
        let body = kind.request(number);
        let line = format!("{{\"src\":\"c1\",\"dest\":\"n{at}\",\"body\":{{{body},\"msg_id\":{}}}}}", 10 + earlier);
        let before = &self.lives[at];
        let (life, seq) = (before.own.0, before.own.1 + 1);
        let number = number + before.contents.counted_before(kind, at, life);
        let before = self.before(at);
        let refused = self.tell(at, &before, &Input::Line(&line.into_bytes()), said)?;
        if !refused {
            if self.writes.iter().any(|other| (other.node, other.life, other.seq) == (at, life, seq)) {
                return Err(Violation::DotTwice { node: at, life, seq });
            }
            let stamp_us = self.lives[at].contents.stamp_us(kind);
            Rc::make_mut(&mut self.writes).push(Write { kind, node: at, life, seq, number, stamp_us });
        }
        self.look_at(at, &before, recipe)
    }

    fn input(&mut self, at: usize, input: &Input<'_>, recipe: &Recipe, said: &mut Said<S>) -> Result<(), Violation> {
        let before = self.before(at);
        self.tell(at, &before, input, said)?;
        self.look_at(at, &before, recipe)
    }

    /// Hands a node an input and takes what it says. True if it answered with an error.
    fn tell(&mut self, at: usize, before: &Before, input: &Input<'_>, said: &mut Said<S>) -> Result<bool, Violation> {
        let (told, done);
        let told = if said.in_place {
            told = Life::tell_in_place(&mut self.lives[at], at, input, self.clocks[at], said);
            &told
        } else {
            done = self.lives[at].tell(at, input, self.clocks[at], said);
            self.lives[at] = Rc::clone(&done.life);
            &done.told
        };
        if self.lives[at].session != before.past.session {
            self.close_session(before.past.clone());
        }
        self.send(at, &told.packets);
        match &told.rejected {
            Some(violation) => Err(violation.clone()),
            None => Ok(told.refused),
        }
    }

    fn send(&mut self, at: usize, packets: &[Rc<Packet>]) {
        for packet in packets {
            let number = &mut self.sent[at][usize::from(packet.to)];
            *number += 1;
            let gone = self.dead >> packet.to & 1 | (self.cut >> packet.to | self.cut >> at) & 1;
            if gone == 0 {
                self.net.push(Flight { packet: Rc::clone(packet), number: *number });
            }
        }
    }
}
