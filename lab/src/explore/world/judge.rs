//! The rules that a state has to keep after each step and in the end.

use rumormill_core::data_type::Application;
use std::rc::Rc;

use super::super::contents::Contents;
use super::super::life::{self, Life};
use super::super::recipe::Recipe;
use super::super::violation::Violation;
use super::{Before, Flight, World, Write};

impl<S: Application> World<S> {
    /// Whether nothing is in flight and no timer runs, so that only a client could make anything happen.
    fn is_silent(&self) -> bool {
        self.net.is_empty() && self.next_due().is_none()
    }

    /// The writes that must not get lost, one bit each. They are those that a node holds or a message carries.
    pub(in crate::explore) fn surviving(&self) -> u32 {
        let carries = |flight: &Flight| self.bits(|write| flight.packet.numbers.contains(&write.number));
        let held = self.living().map(|(_, life)| self.held_by(&life.contents));
        held.chain(self.net.iter().map(carries)).fold(0, |all, some| all | some)
    }

    /// The nodes that are not dead.
    fn living(&self) -> impl Iterator<Item = (usize, &Rc<Life<S>>)> + Clone {
        self.lives.iter().enumerate().filter(|(at, _)| !self.is_dead(*at))
    }

    /// The nodes that are to be the same in the end.
    fn compared(&self, recipe: &Recipe) -> impl Iterator<Item = (usize, &Rc<Life<S>>)> + Clone {
        self.living().filter(|(at, _)| !recipe.is_small(*at))
    }

    /// Whether a node is dead, or has the small capacities. If so, no node is ever settled or silent.
    fn is_open_ended(&self, recipe: &Recipe) -> bool {
        self.dead != 0 || recipe.small != 0
    }

    fn are_same(&self, recipe: &Recipe) -> bool {
        let mut lives = self.compared(recipe).map(|(_, life)| life);
        lives.next().is_none_or(|first| lives.all(|life| life.sum == first.sum && life.contents == first.contents))
    }

    /// The writes that a node lacks and that must not be lost. A write that was superseded is not lost.
    fn lost(&self, life: &Life<S>, surviving: u32) -> u32 {
        let superseded = self.bits(|write| life.contents.supersedes(write));
        surviving & !self.held_by(&life.contents) & !superseded
    }

    /// Whether a state is final although nodes will never be silent: nothing is in flight, and all nodes that can be
    /// the same are the same.
    pub(in crate::explore) fn is_done(&self, recipe: &Recipe, surviving: u32) -> bool {
        self.is_open_ended(recipe)
            && self.net.is_empty()
            && self.are_same(recipe)
            && self.compared(recipe).all(|(_, life)| self.lost(life, surviving) == 0)
    }

    /// What is wrong with a state in which all nodes should be the same, settled and silent. `surviving` are the writes
    /// that must not be lost. If a node is dead, or has the small capacities, the others only have to be the same.
    pub(in crate::explore) fn judge(&self, recipe: &Recipe, surviving: u32) -> Result<(), Violation> {
        let all = |what: &dyn Fn(&Life<S>) -> String| {
            self.living().map(|(at, life)| format!("n{at} {}", what(life))).collect::<Vec<_>>().join(", ")
        };
        let holds = |life: &Life<S>| format!("holds {}", self.names(self.held_by(&life.contents)));
        if !self.are_same(recipe) {
            return Err(Violation::Differ { who: all(&holds), silent: self.is_silent() });
        }
        let lost = self.compared(recipe).next().map_or(0, |(_, first)| self.lost(first, surviving));
        if lost != 0 {
            return Err(Violation::Lost { what: self.names(lost) });
        }
        if self.is_open_ended(recipe) {
            return Ok(());
        }
        if !recipe.lenient && self.lives.iter().any(|life| !life.is_settled) {
            let settled = |life: &Life<S>| if life.is_settled { "is settled" } else { "is not" }.to_owned();
            return Err(Violation::Unsettled { who: all(&settled), silent: self.is_silent() });
        }
        if !self.is_silent() {
            return Err(Violation::Talks { messages: self.net.len() });
        }
        Ok(())
    }

    /// All nodes and what they hold, in one line.
    pub(in crate::explore) fn summary(&self) -> String {
        let life = |(at, life): (usize, &Rc<Life<S>>)| {
            let state = match () {
                () if self.is_dead(at) => ", dead",
                () if self.cut >> at & 1 == 1 && life.is_settled => ", cut off, settled",
                () if self.cut >> at & 1 == 1 => ", cut off",
                () if life.is_settled => ", settled",
                () => "",
            };
            format!("n{at}@{} {}{state}", life.session, self.names(self.held_by(&life.contents)))
        };
        self.lives.iter().enumerate().map(life).collect::<Vec<_>>().join(" | ")
    }

    fn names(&self, writes: u32) -> String {
        let named = self.writes.iter().enumerate().filter(|(bit, _)| writes >> bit & 1 == 1);
        let named: Vec<String> = named.map(|(_, write)| format!("{} {}", write.kind.name(), write.number)).collect();
        if named.is_empty() { "nothing".to_owned() } else { named.join(" and ") }
    }

    /// Holds a node that has just taken a step against the rules.
    pub(super) fn look_at(&self, at: usize, before: &Before, recipe: &Recipe) -> Result<(), Violation> {
        let life = &self.lives[at];
        if life.sum != before.sum {
            self.check_written(at)?;
            let lasting = self.bits(|write| write.kind.is_lasting());
            let forgotten = self.held_by(&before.contents) & !self.held_by(&life.contents) & lasting;
            if forgotten != 0 || life.contents.has_lost_the_key(&before.contents) {
                return Err(Violation::Forgot { node: at, what: self.names(self.held_by(&before.contents)) });
            }
            let twin = self.lives.iter().position(|other| other.sum == life.sum && other.contents != life.contents);
            if let Some(other) = twin {
                return Err(Violation::SameSum { node: at, other });
            }
        }
        if life.is_settled && !recipe.lenient { self.check_settled(at) } else { Ok(()) }
    }

    /// The writes for which something holds, one bit each.
    fn bits(&self, holds: impl Fn(&Write) -> bool) -> u32 {
        self.writes.iter().enumerate().map(|(bit, write)| u32::from(holds(write)) << bit).fold(0, |all, one| all | one)
    }

    /// The writes that a node holds, one bit each.
    fn held_by(&self, contents: &Contents) -> u32 {
        self.bits(|write| contents.holds(write))
    }

    /// Checks that everything that a node holds was written by a client.
    fn check_written(&self, at: usize) -> Result<(), Violation> {
        let invented = self.lives[at].contents.invented(&self.writes);
        invented.map_or(Ok(()), |what| Err(Violation::Invented { node: at, what }))
    }

    /// Checks a node that is settled: every member, in the session that the node's view names, has held the same state.
    fn check_settled(&self, at: usize) -> Result<(), Violation> {
        let life = &self.lives[at];
        if let Some(member) = life.other_shown {
            return Err(Violation::Overruled { node: at, member });
        }
        for (member, other) in self.lives.iter().enumerate().filter(|(member, _)| *member != at) {
            let session = life.view[member];
            let is_meant = |of: u64| session.is_none_or(|session| session == of);
            let mut past = self.past.iter().filter(|past| past.node == member && is_meant(past.session));
            let has_held = (is_meant(other.session) && life::has_held(other.held.as_ref(), life.sum))
                || past.any(|past| life::has_held(past.held.as_ref(), life.sum));
            if !has_held {
                let holds = self.names(self.held_by(&life.contents));
                return Err(Violation::Settled { node: at, member, session, holds });
            }
        }
        Ok(())
    }
}
