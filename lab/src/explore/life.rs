//! One node in one state, and what it makes of an input.
//!
//! A node is a function of its inputs and their times, so what it makes of one is remembered for a while under the hash of
//! all of them: in a search, most steps are the same step of a node beside other states of the other nodes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use rumormill_core::causality::{RowId, Sum};
use rumormill_core::replicated::Sign;
use rumormill_core::storage::Storage;
use rumormill_core::{Config, Instant, Node, Now, Transmit, Value};

use super::violation::Violation;
use super::world::Recipe;
use super::{Fewer, NODES_MAX, hash, observe};

/// What is written is above this number, so that no other number in a message looks like it.
pub(super) const NUMBER: u64 = 7_000_000;
/// The key that is written to.
pub(super) const KEY: &str = "k";
/// Wall time when all clocks stand at 0, in microseconds since 1970.
const EPOCH_US: u64 = 1_700_000_000_000_000;
/// Steps of nodes that are remembered by each worker, and as many older ones: some 20 MB.
const REMEMBERED: usize = 2_048;

/// A node after some inputs.
pub(super) struct Life<S: Storage> {
    node: Vessel<S>,
    /// Hash of all inputs and their times: of all that decides the node's future.
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
    /// The member that has just shown another state, in a message that is newer than all that came before it from there.
    pub(super) other_shown: Option<usize>,
    pub(super) contents: Rc<Contents>,
    pub(super) held: Option<Rc<Held>>,
}

/// A node. Apart from the rest of a life, so that it is copied once when it takes a step.
#[derive(Clone)]
enum Vessel<S: Storage> {
    Usual(Box<Node<S>>),
    /// With room for little.
    Small(Box<Node<Fewer>>),
}

/// Does the same with a node of either storage.
macro_rules! vessel {
    ($vessel:expr, $node:ident => $call:expr) => {
        match $vessel {
            Vessel::Usual($node) => $call,
            Vessel::Small($node) => $call,
        }
    };
}

/// What a node holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The set.
    pub(super) values: Vec<u64>,
    /// The increments of the counter: node, life, number.
    pub(super) cells: Vec<(usize, u64, u64)>,
    /// The value of the key, and its stamp.
    pub(super) stored: Option<(u64, u64)>,
    /// Something else, which nobody can have written.
    pub(super) strange: Option<String>,
}

/// The states that a session has held, the latest first.
pub(super) struct Held {
    sum: Sum,
    before: Option<Rc<Held>>,
}

/// A message.
pub(super) struct Packet {
    pub(super) from: u8,
    pub(super) to: u8,
    pub(super) line: Box<[u8]>,
    pub(super) hash: u128,
    /// The numbers above [`NUMBER`] in its entries.
    pub(super) numbers: Vec<u64>,
    /// The sender's session, the number of the message in it, and the state that it shows.
    session: u64,
    number: u64,
    sum: Sum,
}

/// What a node is told.
pub(super) enum Input<'a> {
    Line(&'a [u8]),
    Packet(&'a Packet),
    Timer,
}

/// What a node made of an input.
pub(super) struct Done<S: Storage> {
    pub(super) life: Rc<Life<S>>,
    pub(super) packets: Vec<Rc<Packet>>,
    /// A request was answered with an error.
    pub(super) refused: bool,
    /// The line was no line to the node.
    pub(super) rejected: Option<Violation>,
    /// Hash of all lines, in their order.
    lines_hash: u128,
    lines: Vec<String>,
}

/// What nodes said, and what is remembered of their steps.
pub(super) struct Said<S: Storage> {
    /// Hash of all lines, in their order.
    pub(super) hash: u128,
    /// The lines; `None` when only the hash counts.
    pub(super) lines: Option<Vec<String>>,
    /// Steps of nodes.
    pub(super) inputs: u64,
    /// Those of them that were not remembered.
    pub(super) handled: u64,
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

impl<S: Storage> Default for Said<S> {
    fn default() -> Self {
        Self { hash: 0, lines: None, inputs: 0, handled: 0, young: Steps::default(), old: Steps::default() }
    }
}

impl<S: Storage> Said<S> {
    /// Takes note that nodes are told something under this history, which `handle` does unless it is remembered.
    fn remember(&mut self, history: u128, handle: impl FnOnce(bool) -> Done<S>) -> Rc<Done<S>> {
        self.inputs += 1;
        let found = self.young.get(&history).map(Rc::clone);
        let done =
            found.or_else(|| self.old.remove(&history).inspect(|done| self.keep(history, done))).unwrap_or_else(|| {
                self.handled += 1;
                let done = Rc::new(handle(self.lines.is_some()));
                self.keep(history, &done);
                done
            });
        self.hash = hash::part(self.hash ^ done.lines_hash, 1);
        if let Some(lines) = &mut self.lines {
            lines.extend_from_slice(&done.lines);
        }
        done
    }

    fn keep(&mut self, history: u128, done: &Rc<Done<S>>) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(history, Rc::clone(done));
    }
}

/// A node that has just started, has got its `init`, and was greeted if that is wanted.
pub(super) fn born<S: Storage>(
    recipe: &Recipe,
    at: usize,
    session: u64,
    clock_us: u64,
    said: &mut Said<S>,
) -> Rc<Done<S>> {
    let history = hash::word(hash::word(hash::word(0, at as u64), session), clock_us);
    said.remember(history, |wants_lines| {
        let config = Config { incarnation: session, ..recipe.configs[at] };
        let mut node = Vessel::<S>::new(config, recipe, at);
        let ids = (0..recipe.nodes).map(|node| format!("\"n{node}\"")).collect::<Vec<_>>().join(",");
        let line = |body: &str| format!("{{\"src\":\"c0\",\"dest\":\"n{at}\",\"body\":{{{body}}}}}").into_bytes();
        let init = format!("\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n{at}\",\"node_ids\":[{ids}]");
        let mut heard = Heard::new(at, wants_lines);
        heard.tell(&mut node, &Input::Line(&line(&init)), clock_us);
        vessel!(&mut node, node => recipe.without.iter().for_each(|rule| node.switch_off(*rule)));
        if recipe.greeted {
            let greeting = line("\"type\":\"topology\",\"msg_id\":2,\"topology\":{}");
            heard.tell(&mut node, &Input::Line(&greeting), clock_us);
        }
        heard.done(node, history, None, &Input::Timer)
    })
}

impl<S: Storage> Vessel<S> {
    fn new(config: Config, recipe: &Recipe, at: usize) -> Self {
        let made = if recipe.is_small(at) {
            Node::new(config).map(|node| Self::Small(Box::new(node)))
        } else {
            Node::with_limits(config, recipe.limits).map(|node| Self::Usual(Box::new(node)))
        };
        made.unwrap_or_else(|error| unreachable!("the choices were checked before: {error}"))
    }
}

impl<S: Storage> Life<S> {
    /// What the node makes of an input.
    pub(super) fn tell(&self, at: usize, input: &Input<'_>, clock_us: u64, said: &mut Said<S>) -> Rc<Done<S>> {
        let history = hash::word(self.history, clock_us);
        let history = match input {
            Input::Line(line) => hash::bytes(history, line),
            Input::Packet(packet) => hash::word(hash::word(history, packet.hash as u64), (packet.hash >> 64) as u64),
            Input::Timer => hash::word(history, 1 << 63),
        };
        said.remember(history, |wants_lines| {
            let mut node = self.node.clone();
            let mut heard = Heard::new(at, wants_lines);
            heard.tell(&mut node, input, clock_us);
            heard.done(node, history, Some(self), input)
        })
    }
}

/// What a node says while it is told something.
struct Heard {
    at: usize,
    packets: Vec<Rc<Packet>>,
    refused: bool,
    rejected: Option<Violation>,
    lines_hash: u128,
    lines: Option<Vec<String>>,
}

impl Heard {
    fn new(at: usize, wants_lines: bool) -> Self {
        let lines = wants_lines.then(Vec::new);
        Self { at, packets: Vec::new(), refused: false, rejected: None, lines_hash: 0, lines }
    }

    fn tell<S: Storage>(&mut self, node: &mut Vessel<S>, input: &Input<'_>, clock_us: u64) {
        vessel!(node, node => self.tell_node(node, input, clock_us));
    }

    fn tell_node<S: Storage>(&mut self, node: &mut Node<S>, input: &Input<'_>, clock_us: u64) {
        let now = Now { at: Instant::from_micros(clock_us), wall_us: Some(EPOCH_US + clock_us) };
        let line = match input {
            Input::Line(line) => Some(*line),
            Input::Packet(packet) => Some(&*packet.line),
            Input::Timer => None,
        };
        match line.map(|line| (line, node.handle_line(now, line))) {
            Some((line, Err(why))) => {
                let line = String::from_utf8_lossy(line).into_owned();
                self.rejected = Some(Violation::Rejected { node: self.at, why: format!("{why:?}"), line });
            }
            Some((_, Ok(()))) => {}
            None => node.handle_timeout(now),
        }
        let mut text = Vec::with_capacity(512);
        // A `Vec` takes everything.
        while let Ok(Some(sent)) = node.poll_transmit(now, &mut text) {
            let line = text.strip_suffix(b"\n").unwrap_or(&text);
            let hash = hash::bytes(0, line);
            self.lines_hash = hash::part(self.lines_hash ^ hash, 2);
            if let Some(lines) = &mut self.lines {
                lines.push(String::from_utf8_lossy(line).into_owned());
            }
            match sent {
                Transmit::Reply => self.refused |= find(line, b"\"type\": \"error\"").is_some(),
                Transmit::Gossip(to) => {
                    self.packets.push(Rc::new(Packet::new(self.at, to.at(), line, hash)));
                }
            }
            text.clear();
        }
    }

    fn done<S: Storage>(
        self,
        vessel: Vessel<S>,
        history: u128,
        before: Option<&Life<S>>,
        input: &Input<'_>,
    ) -> Done<S> {
        let (sum, session) = vessel!(&vessel, node => (node.digest(), observe::session(node)));
        let unchanged = before.filter(|before| before.sum == sum);
        let contents = unchanged.map_or_else(
            || Rc::new(vessel!(&vessel, node => Contents::of(node))),
            |before| Rc::clone(&before.contents),
        );
        let earlier = before.filter(|before| before.session == session).and_then(|before| before.held.clone());
        let held = match earlier {
            Some(held) if held.sum == sum => held,
            before => Rc::new(Held { sum, before }),
        };
        let view = std::array::from_fn(|member| vessel!(&vessel, node => observe::view_session(node, member)));
        let mut life = Life {
            history,
            session,
            view,
            own: vessel!(&vessel, node => observe::own_changes(node)),
            sum,
            is_settled: vessel!(&vessel, node => node.is_settled()),
            due_us: vessel!(&vessel, node => node.poll_timeout()).map(|wakeup| wakeup.at.as_micros()),
            newest: before.map_or_else(Default::default, |before| before.newest),
            other_shown: None,
            contents,
            held: Some(held),
            node: vessel,
        };
        if let Input::Packet(packet) = input {
            life.heard(packet);
        }
        let Self { packets, refused, rejected, lines_hash, lines, .. } = self;
        Done { life: Rc::new(life), packets, refused, rejected, lines_hash, lines: lines.unwrap_or_default() }
    }
}

impl<S: Storage> Life<S> {
    /// Notes the number of a message that came, and whether it shows another state.
    fn heard(&mut self, packet: &Packet) {
        let from = usize::from(packet.from);
        let number = (packet.session, packet.number);
        if self.view[from] == Some(packet.session) && number > self.newest[from] {
            self.newest[from] = number;
            self.other_shown = (packet.sum != self.sum).then_some(from);
        }
    }
}

impl Packet {
    fn new(from: usize, to: usize, line: &[u8], hash: u128) -> Self {
        let after = |key: &[u8]| find(line, key).map(|at| &line[at + key.len()..]).unwrap_or_default();
        let part = |text: &[u8], is_of: fn(&u8) -> bool| {
            let end = text.iter().position(|byte| !is_of(byte)).unwrap_or(text.len());
            String::from_utf8_lossy(&text[..end]).into_owned()
        };
        let number = |key: &[u8]| part(after(key), u8::is_ascii_digit).parse().unwrap_or(0);
        let sum = u128::from_str_radix(&part(after(b"\"sum\": \""), u8::is_ascii_hexdigit), 16).unwrap_or(0);
        Self {
            from: from as u8,
            to: to as u8,
            line: line.into(),
            hash,
            numbers: numbers(line),
            session: number(b"\"inc\": "),
            number: number(b"\"msg_id\": "),
            sum: Sum { vector: (sum >> 64) as u64, state: sum as u64 },
        }
    }
}

impl Contents {
    fn of<S: Storage>(node: &Node<S>) -> Self {
        let store = node.store();
        let rows = &node.replica().causality.rows;
        let mut contents = Self::default();
        for value in store.set.values() {
            match value {
                Value::Int(value) if value > 0 => contents.values.push(value.unsigned_abs()),
                Value::Int(_) | Value::Text(_) => contents.strange = Some(format!("{value:?} in the set")),
            }
        }
        contents.values.sort_unstable();
        let mut total = 0;
        for (id, row) in (0..rows.len() as u32).map(RowId).map(|id| (id, rows.get(id))) {
            let number = store.counter.cell(id, Sign::P);
            if number > 0 {
                contents.cells.push((row.node.at(), row.incarnation, number));
                total += i128::from(number);
            }
        }
        contents.cells.sort_unstable();
        if store.counter.value() != total {
            contents.strange = Some(format!("a counter of {}", store.counter.value()));
        }
        for (key, value, stamp_us) in store.map.iter() {
            match (key, value) {
                (Value::Text(KEY), Value::Int(value)) if value > 0 => {
                    contents.stored = Some((value.unsigned_abs(), stamp_us));
                }
                (Value::Text(_) | Value::Int(_), _) => contents.strange = Some(format!("{value:?} under {key:?}")),
            }
        }
        contents
    }
}

/// Whether a session has ever held a state.
pub(super) fn has_held(held: Option<&Rc<Held>>, sum: Sum) -> bool {
    std::iter::successors(held, |held| held.before.as_ref()).any(|held| held.sum == sum)
}

/// The numbers above [`NUMBER`] in the entries of a message.
fn numbers(line: &[u8]) -> Vec<u64> {
    let Some(data) = find(line, b"\"data\"").map(|at| &line[at..]) else { return Vec::new() };
    // Entries are nested in lists, and none of the strings in them has a bracket.
    let mut depth = 0_usize;
    let end = data.iter().position(|byte| {
        depth = match byte {
            b'[' => depth + 1,
            b']' => depth.saturating_sub(1),
            _ => return false,
        };
        depth == 0
    });
    let words = data[..end.unwrap_or(data.len())].split(|byte| !byte.is_ascii_digit());
    let numbers = words.filter_map(|word| str::from_utf8(word).ok()?.parse().ok());
    numbers.filter(|number| *number > NUMBER).collect()
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}
