//! One node in one state, and how it answers an input.
//!
//! A node is a function of its inputs and their times. So each step of a node is remembered for a while under the hash
//! of all its inputs: in a search, most steps of a node are repeated beside other states of the other nodes. Late in a
//! fair run few steps are repeated. There nothing is remembered, and a node that no other state shares is changed
//! without a copy.

use rumormill_core::data_type::Application;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use rumormill_core::causality::Sum;
use rumormill_core::{Config, Instant, Node, Now, Transmit};

use super::contents::Contents;
use super::packet::Packet;
use super::recipe::Recipe;
use super::violation::Violation;
use super::{Fewer, NODES_MAX, hash, observe};

/// Wall time when all clocks stand at 0, in microseconds since 1970.
const EPOCH_US: u64 = 1_700_000_000_000_000;
/// Each worker remembers so many steps of nodes, and as many older ones. They fit into the cache of a core.
const REMEMBERED: usize = 256;

/// A node after some inputs.
#[derive(Clone)]
pub(super) struct Life<S: Application> {
    node: Vessel<S>,
    /// The hash of all inputs and their times, which decide everything that the node will do.
    pub(super) history: u128,
    /// The number of this start of its process.
    pub(super) session: u64,
    /// The session of each member that its view names.
    pub(super) view: [Option<u64>; NODES_MAX],
    /// The life in which it makes changes, and how many it has made.
    pub(super) own: (u64, u64),
    pub(super) sum: Sum,
    pub(super) is_settled: bool,
    /// When its next timer is due, by its clock.
    pub(super) due_us: Option<u64>,
    /// The session and number of the newest message of each member.
    newest: [(u64, u64); NODES_MAX],
    /// The member whose message has just shown another state, if that message is the newest from there.
    pub(super) other_shown: Option<usize>,
    pub(super) contents: Rc<Contents>,
    pub(super) held: Option<Rc<Held>>,
}

/// A node. It is kept apart from the rest of a life, so that it is copied only once for a step.
#[derive(Clone)]
enum Vessel<S: Application> {
    Usual(Box<Node<S>>),
    /// A node with the small capacities.
    Small(Box<Node<Fewer>>),
}

/// Evaluates an expression for a node of either storage.
macro_rules! vessel {
    ($vessel:expr, $node:ident => $call:expr) => {
        match $vessel {
            Vessel::Usual($node) => $call,
            Vessel::Small($node) => $call,
        }
    };
}

/// The states that a session has held, the latest first.
pub(super) struct Held {
    sum: Sum,
    before: Option<Rc<Held>>,
}

/// What a node is told.
pub(super) enum Input<'a> {
    Line(&'a [u8]),
    Packet(&'a Packet),
    Timer,
}

/// A node after an input, and what it said.
pub(super) struct Done<S: Application> {
    pub(super) life: Rc<Life<S>>,
    pub(super) told: Told,
}

/// What a node says to an input.
#[derive(Default)]
pub(super) struct Told {
    pub(super) packets: Vec<Rc<Packet>>,
    /// A request was answered with an error.
    pub(super) refused: bool,
    /// Why the node rejected the line, if it did.
    pub(super) rejected: Option<Violation>,
    /// The hash of all lines in their order.
    lines_hash: u128,
    lines: Vec<String>,
}

/// What nodes said, and what is remembered of their steps.
pub(super) struct Said<S: Application> {
    /// The hash of all lines in their order.
    pub(super) hash: u128,
    /// The lines; `None` when only the hash counts.
    pub(super) lines: Option<Vec<String>>,
    /// Steps of nodes.
    pub(super) inputs: u64,
    /// How many of these steps were not remembered.
    pub(super) handled: u64,
    /// Whether steps are not remembered any more. A node that no other state shares then takes them without a copy.
    pub(super) in_place: bool,
    /// The buffer for lines.
    text: Vec<u8>,
    young: Steps<S>,
    old: Steps<S>,
}

type Steps<S> = HashMap<u128, Rc<Done<S>>, BuildHasherDefault<Hashed>>;

/// The keys are hashes.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only numbers of 128 bits are hashed");
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

impl<S: Application> Default for Said<S> {
    fn default() -> Self {
        Self {
            hash: 0,
            lines: None,
            inputs: 0,
            handled: 0,
            in_place: false,
            text: Vec::with_capacity(512),
            young: Steps::default(),
            old: Steps::default(),
        }
    }
}

impl<S: Application> Said<S> {
    /// A node takes an input after which this is its history. If the step is not remembered, `handle` does it.
    fn remember(&mut self, history: u128, handle: impl FnOnce(Heard<'_>) -> Done<S>) -> Rc<Done<S>> {
        self.inputs += 1;
        let found = self.young.get(&history).map(Rc::clone);
        let done =
            found.or_else(|| self.old.remove(&history).inspect(|done| self.keep(history, done))).unwrap_or_else(|| {
                let done = Rc::new(handle(self.hear()));
                self.keep(history, &done);
                done
            });
        self.note(&done.told);
        done
    }

    /// A node is to take an input.
    fn hear(&mut self) -> Heard<'_> {
        self.handled += 1;
        Heard { told: Told::default(), wants_lines: self.lines.is_some(), text: &mut self.text }
    }

    fn note(&mut self, told: &Told) {
        self.hash = hash::part(self.hash ^ told.lines_hash, 1);
        if let Some(lines) = &mut self.lines {
            lines.extend_from_slice(&told.lines);
        }
    }

    fn keep(&mut self, history: u128, done: &Rc<Done<S>>) {
        if self.young.len() >= REMEMBERED {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(history, Rc::clone(done));
    }
}

/// A node that has just started and has got its `init`. It has been greeted as well, if the recipe says so.
pub(super) fn born<S: Application>(
    recipe: &Recipe,
    at: usize,
    session: u64,
    clock_us: u64,
    said: &mut Said<S>,
) -> Rc<Done<S>> {
    let history = hash::word(hash::word(hash::word(0, at as u64), session), clock_us);
    said.remember(history, |mut heard| {
        let config = Config { incarnation: session, ..recipe.configs[at] };
        let mut node = Vessel::<S>::new(config, recipe, at);
        let ids = (0..recipe.nodes).map(|node| format!("\"n{node}\"")).collect::<Vec<_>>().join(",");
        let line = |body: &str| format!("{{\"src\":\"c0\",\"dest\":\"n{at}\",\"body\":{{{body}}}}}").into_bytes();
        let init = format!("\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n{at}\",\"node_ids\":[{ids}]");
        heard.tell(&mut node, at, &Input::Line(&line(&init)), clock_us);
        vessel!(&mut node, node => recipe.without.iter().for_each(|rule| {
            if let Some(member) = node.member_mut() {
                member.switch_off(*rule);
            }
        }));
        if recipe.greeted {
            let greeting = line("\"type\":\"topology\",\"msg_id\":2,\"topology\":{}");
            heard.tell(&mut node, at, &Input::Line(&greeting), clock_us);
        }
        Done { life: Rc::new(Life::of(node, history)), told: heard.told }
    })
}

impl<S: Application> Vessel<S> {
    fn new(config: Config, recipe: &Recipe, at: usize) -> Self {
        let made = if recipe.is_small(at) {
            Node::new(config).map(|node| Self::Small(Box::new(node)))
        } else {
            Node::with_limits(config, recipe.limits).map(|node| Self::Usual(Box::new(node)))
        };
        made.unwrap_or_else(|error| unreachable!("the choices were checked before: {error}"))
    }
}

impl<S: Application> Life<S> {
    fn of(node: Vessel<S>, history: u128) -> Self {
        let mut life = Self {
            node,
            history,
            session: 0,
            view: [None; NODES_MAX],
            own: (0, 0),
            sum: Sum::default(),
            is_settled: false,
            due_us: None,
            newest: [(0, 0); NODES_MAX],
            other_shown: None,
            contents: Rc::default(),
            held: None,
        };
        life.look();
        life
    }

    /// The node after an input, and what it says.
    pub(super) fn tell(&self, at: usize, input: &Input<'_>, clock_us: u64, said: &mut Said<S>) -> Rc<Done<S>> {
        let history = self.after(input, clock_us);
        said.remember(history, |heard| {
            let mut life = self.clone();
            let told = life.take(history, at, input, clock_us, heard);
            Done { life: Rc::new(life), told }
        })
    }

    /// Gives the node an input. It is copied first if other states share it.
    pub(super) fn tell_in_place(
        life: &mut Rc<Self>,
        at: usize,
        input: &Input<'_>,
        clock_us: u64,
        said: &mut Said<S>,
    ) -> Told {
        said.inputs += 1;
        let history = life.after(input, clock_us);
        let told = Rc::make_mut(life).take(history, at, input, clock_us, said.hear());
        said.note(&told);
        told
    }

    /// The hash of all inputs and one more.
    fn after(&self, input: &Input<'_>, clock_us: u64) -> u128 {
        let history = hash::word(self.history, clock_us);
        match input {
            Input::Line(line) => hash::bytes(history, line),
            Input::Packet(packet) => packet.after(history),
            Input::Timer => hash::word(history, 1 << 63),
        }
    }

    fn take(&mut self, history: u128, at: usize, input: &Input<'_>, clock_us: u64, mut heard: Heard<'_>) -> Told {
        heard.tell(&mut self.node, at, input, clock_us);
        self.history = history;
        self.look();
        self.other_shown = None;
        if let Input::Packet(packet) = input {
            self.hear(packet);
        }
        heard.told
    }

    /// Takes note of what the node shows of itself.
    fn look(&mut self) {
        let (before, session) = (self.sum, self.session);
        vessel!(&self.node, node => {
            self.sum = observe::member(node).digest();
            self.session = observe::session(node);
            self.view = std::array::from_fn(|member| observe::view_session(node, member));
            self.own = observe::own_changes(node);
            self.is_settled = node.is_settled();
            self.due_us = node.poll_timeout().map(|wakeup| wakeup.at.as_micros());
            if self.sum != before {
                self.contents = Rc::new(Contents::of(node));
            }
        });
        let earlier = self.held.take().filter(|_| self.session == session);
        self.held = Some(match earlier {
            Some(held) if held.sum == self.sum => held,
            before => Rc::new(Held { sum: self.sum, before }),
        });
    }

    /// Notes the number of a message that came, and whether it shows another state.
    fn hear(&mut self, packet: &Packet) {
        let from = usize::from(packet.from);
        let number = (packet.session, packet.number);
        if self.view[from] == Some(packet.session) && number > self.newest[from] {
            self.newest[from] = number;
            self.other_shown = (packet.sum != self.sum).then_some(from);
        }
    }
}

/// What a node says while it is told something.
struct Heard<'t> {
    told: Told,
    wants_lines: bool,
    text: &'t mut Vec<u8>,
}

impl Heard<'_> {
    fn tell<S: Application>(&mut self, node: &mut Vessel<S>, at: usize, input: &Input<'_>, clock_us: u64) {
        vessel!(node, node => self.tell_node(node, at, input, clock_us));
    }

    fn tell_node<S: Application>(&mut self, node: &mut Node<S>, at: usize, input: &Input<'_>, clock_us: u64) {
        let now = Now { at: Instant::from_micros(clock_us), wall_us: Some(EPOCH_US + clock_us) };
        let line = match input {
            Input::Line(line) => Some(*line),
            Input::Packet(packet) => Some(&*packet.line),
            Input::Timer => None,
        };
        match line.map(|line| (line, node.handle_line(now, line))) {
            Some((line, Err(why))) => {
                let line = String::from_utf8_lossy(line).into_owned();
                self.told.rejected = Some(Violation::Rejected { node: at, why: format!("{why:?}"), line });
            }
            Some((_, Ok(()))) => {}
            None => node.handle_timeout(now),
        }
        self.text.clear();
        // To write into a `Vec` cannot fail.
        while let Ok(Some(sent)) = node.poll_transmit(now, self.text) {
            let line = self.text.strip_suffix(b"\n").unwrap_or(self.text);
            let hash = hash::bytes(0, line);
            self.told.lines_hash = hash::part(self.told.lines_hash ^ hash, 2);
            if self.wants_lines {
                self.told.lines.push(String::from_utf8_lossy(line).into_owned());
            }
            match sent {
                Transmit::Reply => self.told.refused |= is_error(line),
                Transmit::Gossip(to) => self.told.packets.push(Rc::new(Packet::new(at, to.at(), line, hash))),
            }
            self.text.clear();
        }
    }
}

/// Whether a reply says that a request was refused.
fn is_error(line: &[u8]) -> bool {
    let word = b"\"type\": \"error\"";
    line.windows(word.len()).any(|window| window == word)
}

/// Whether a session has ever held a state.
pub(super) fn has_held(held: Option<&Rc<Held>>, sum: Sum) -> bool {
    std::iter::successors(held, |held| held.before.as_ref()).any(|held| held.sum == sum)
}
