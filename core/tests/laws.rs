//! The laws that every data type, and their product, must keep: whatever the order, repetition and grouping in which
//! entries arrive, replicas that have the same dots hold the same state.
//!
//! A further data type is an implementation of [`Subject`] and a name in `together!`, both in `laws/subjects.rs`, and one
//! line in `laws!`.

#[path = "laws/cases.rs"]
mod cases;
#[path = "laws/lives.rs"]
mod lives;
#[path = "laws/subjects.rs"]
mod subjects;

use rumormill_core::data_type::Product;
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use rumormill_core::causality::{Arg, Dot, Entry, RowId, RowRefused, Sum, Tag, WINDOW};
use rumormill_core::id::NodeIndex;
use rumormill_core::replicated::{Bound, Lane, Outcome, Refused, Replica, Replicated as _, Sign, Store};
use rumormill_core::storage::{Storage as _, Tiny};
use rumormill_core::{Value, fixed_storage};

use subjects::{BroadcastSet, Counter, LwwMap, Together};

/// Makes one module of property tests per data type and storage.
macro_rules! laws {
    ($($(#[$when:meta])* $name:ident: $subject:ident on $storage:ty;)+) => {
        $($(#[$when])* mod $name {
            use super::*;

            proptest! {
                #![proptest_config(seeded())]

                #[test]
                fn order_and_repetition_do_not_matter(
                    (history, order) in history_and_order::<$subject>(),
                ) {
                    super::order_and_repetition_do_not_matter::<$subject, $storage>(&history, &order)?;
                }

                #[test]
                fn a_replica_walked_into_an_empty_one_is_the_same(history in any_part::<$subject>()) {
                    super::a_replica_walked_into_an_empty_one_is_the_same::<$subject, $storage>(&history)?;
                }

                #[test]
                fn replicas_join_in_any_grouping(parts in three_parts::<$subject>()) {
                    super::replicas_join_in_any_grouping::<$subject, $storage>(&parts)?;
                }

                #[test]
                fn fingerprints_are_equal_exactly_when_states_are(
                    [one, other, _] in three_parts::<$subject>(),
                    [another, _, _] in three_parts::<$subject>(),
                ) {
                    super::fingerprints_are_equal_exactly_when_states_are::<$subject, $storage>(&one, &other)?;
                    super::fingerprints_are_equal_exactly_when_states_are::<$subject, $storage>(&one, &another)?;
                }

                #[test]
                fn no_two_entries_that_differ_in_anything_have_equal_fingerprints(
                    entries in prop::collection::vec(authored::<$subject>(), 2..24),
                ) {
                    for (at, one) in entries.iter().enumerate() {
                        for other in &entries[..at] {
                            let (one, other) = ([dotted(1, one)], [dotted(1, other)]);
                            super::fingerprints_are_equal_exactly_when_states_are::<$subject, $storage>(&one, &other)?;
                        }
                    }
                }

                #[test]
                fn a_full_store_changes_nothing(
                    history in history::<$subject>(),
                    local in prop::collection::vec($subject::change(), 0..20),
                ) {
                    super::a_full_store_changes_nothing::<$subject>(&history, &local)?;
                }

                #[test]
                fn what_is_beyond_the_window_is_not_marked(
                    change in $subject::change(),
                    beyond in 2 + WINDOW - 6..2 + WINDOW + 6,
                ) {
                    super::what_is_beyond_the_window_is_not_marked::<$subject, $storage>(&change, beyond)?;
                }
            }
        })+
    };
}

laws! {
    set: BroadcastSet on Tiny;
    counter: Counter on Tiny;
    map: LwwMap on Tiny;
    product: Together on Tiny;
    #[cfg(feature = "alloc")]
    product_on_the_heap: Together on rumormill_core::storage::Heap;
}

/// All nodes, sorted by bytes as nodes sort them: `n10` comes before `n2`.
const NODES: [&str; 5] = ["b", "n10", "n2", "observer", "é"];
/// The nodes whose changes are merged. The observer makes no changes.
const AUTHORS: [usize; 4] = [0, 1, 2, 4];
const OBSERVER: &str = "observer";
const LIVES: [u64; 3] = [0, 7, 12];
const WRITE: Tag = Tag(b'w');

fixed_storage! {
    /// A storage with room for four values, sixteen bytes of strings in the set, and two keys.
    struct Cramped {
        values: 4,
        set_text_bytes: 16,
        dense_values: 64,
        keys: 2,
        rumors: 4,
        events: 0,
        payload_bytes: 64,
        ..Tiny::LIMITS
    }
}

/// What the laws need to know about a data type: changes to try, and the content of a state, whatever its
/// representation.
trait Subject {
    /// Any change that a node could make.
    fn change() -> BoxedStrategy<Change>;
    /// Whether no node makes both of these changes in one row. A history keeps only the first of them.
    fn excludes(_: &Change, _: &Change) -> bool {
        false
    }
    /// The content of the state, sorted.
    fn content<S: Product>(replica: &Replica<S>) -> Vec<String>;
    /// The content after these entries, by the definition of the data type.
    fn model(history: &[Dotted]) -> Vec<String>;
    /// The fingerprint of this data type alone.
    fn fingerprint<S: Product>(store: &Store<S>) -> u64;
}

/// An argument of an entry, owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Number(u64),
    Negative(i64),
    Text(String),
}

/// An entry, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    tag: Tag,
    fields: Vec<Field>,
}

/// An entry under its dot.
#[derive(Clone, Debug)]
struct Dotted {
    node: usize,
    life: u64,
    seq: u64,
    change: Change,
}

impl Change {
    fn with_entry<R>(&self, take: impl FnOnce(&Entry<'_>) -> R) -> R {
        let args: Vec<Arg<'_>> = self
            .fields
            .iter()
            .map(|field| match field {
                Field::Number(number) => Arg::unsigned(*number),
                Field::Negative(int) => Arg::Int(*int),
                Field::Text(text) => Arg::Text(text),
            })
            .collect();
        take(&Entry::new(self.tag, &args).expect("as many arguments as an entry can have"))
    }
}

/// In any order, and with any entry any number of times, entries give the state of the definition. Every dot counts as
/// applied, and a second delivery of everything is no news.
fn order_and_repetition_do_not_matter<T: Subject, S: Product>(
    history: &[Dotted],
    order: &[Dotted],
) -> Result<(), TestCaseError> {
    let mut replica = observer::<S>();
    for dotted in order.iter().chain(history) {
        let outcome = deliver(&mut replica, dotted);
        prop_assert!(matches!(outcome, Outcome::News | Outcome::Covered | Outcome::Known), "{outcome:?}");
    }
    let straight = observer_of::<S>(history);
    prop_assert_eq!(T::content(&replica), T::model(history));
    prop_assert_eq!(whole(&replica, T::content), whole(&straight, T::content));
    for Dotted { node, life, seq, .. } in history {
        let row = row(&mut replica, *node, *life);
        prop_assert!(replica.causality.rows.get(row).contains(*seq));
    }
    for dotted in order {
        prop_assert_eq!(deliver(&mut replica, dotted), Outcome::Known);
    }
    prop_assert_eq!(T::content(&replica), T::model(history));
    Ok(())
}

/// A replica that is sent to an empty one, by a walk over the rows as in a message, gives the same state, sum and
/// vector.
fn a_replica_walked_into_an_empty_one_is_the_same<T: Subject, S: Product>(
    history: &[Dotted],
) -> Result<(), TestCaseError> {
    let replica = observer_of::<S>(history);
    let mut other = observer::<S>();
    transfer(&replica, &mut other, Since::TheBeginning);
    prop_assert_eq!(whole(&replica, T::content), whole(&other, T::content));
    Ok(())
}

/// Joining replicas is commutative, associative and idempotent, and a delta gives what the whole state gives.
fn replicas_join_in_any_grouping<T: Subject, S: Product>(parts: &[Vec<Dotted>; 3]) -> Result<(), TestCaseError> {
    let [a, b, c] = parts;
    let join = |into: &[Dotted], others: &[&Replica<S>], since| {
        let mut replica = observer_of::<S>(into);
        for other in others {
            transfer(other, &mut replica, since);
        }
        replica
    };
    let [ra, rb, rc] = [a, b, c].map(|part| observer_of::<S>(part));
    let all = whole(&join(a, &[&rb, &rc], Since::TheBeginning), T::content);
    let bc = join(b, &[&rc], Since::TheBeginning);
    let ca = join(c, &[&ra], Since::TheDigest);
    prop_assert_eq!(&all, &whole(&join(a, &[&bc], Since::TheBeginning), T::content));
    prop_assert_eq!(&all, &whole(&join(b, &[&ca], Since::TheBeginning), T::content));
    prop_assert_eq!(&all, &whole(&join(c, &[&rb, &ra], Since::TheBeginning), T::content));
    prop_assert_eq!(&all, &whole(&join(a, &[&bc, &bc, &ra], Since::TheBeginning), T::content));
    prop_assert_eq!(&all, &whole(&join(a, &[&rb, &rc], Since::TheDigest), T::content));
    prop_assert_eq!(&all, &whole(&join(a, &[&bc], Since::TheDigest), T::content));
    Ok(())
}

/// Two states are equal exactly if their fingerprints are equal.
fn fingerprints_are_equal_exactly_when_states_are<T: Subject, S: Product>(
    one: &[Dotted],
    other: &[Dotted],
) -> Result<(), TestCaseError> {
    let (one, other) = (observer_of::<S>(one), observer_of::<S>(other));
    let same = T::content(&one) == T::content(&other);
    prop_assert_eq!(T::fingerprint(&one.store) == T::fingerprint(&other.store), same);
    prop_assert_eq!(one.store.fingerprint() == other.store.fingerprint(), same);
    prop_assert_eq!(one.sum().state == other.sum().state, same);
    let vector = |of: &Replica<S>| -> Vec<(String, u64)> {
        let frontiers = vector(of).into_iter().map(|row| (row.0, row.1));
        frontiers.filter(|row| row.1 > 0).collect()
    };
    prop_assert_eq!(one.sum().vector == other.sum().vector, vector(&one) == vector(&other));
    Ok(())
}

/// A change that finds no room changes nothing and takes no dot, and neither does an entry of a peer.
fn a_full_store_changes_nothing<T: Subject>(history: &[Dotted], local: &[Change]) -> Result<(), TestCaseError> {
    let mut replica = observer::<Cramped>();
    let mut local = local.iter();
    for dotted in history {
        row(&mut replica, dotted.node, dotted.life);
        let before = whole(&replica, T::content);
        let outcome = deliver(&mut replica, dotted);
        if let Outcome::Refused(refused) = outcome {
            prop_assert!(matches!(refused, Refused::Full(_)), "{refused:?}");
            prop_assert_eq!(before, whole(&replica, T::content));
            prop_assert_eq!(deliver(&mut replica, dotted), outcome, "offered again");
        }
        let Some(change) = local.next() else { continue };
        let before = whole(&replica, T::content);
        let next = replica.own_seq() + 1;
        match change.with_entry(|entry| replica.update(entry)) {
            Ok(Some(dot)) => {
                prop_assert_eq!(dot.seq, next);
                prop_assert_eq!(replica.own_seq(), next);
            }
            Ok(None) => prop_assert_eq!(before, whole(&replica, T::content)),
            Err(refused) => {
                prop_assert!(matches!(refused, Refused::Full(_)), "{refused:?}");
                prop_assert_eq!(before, whole(&replica, T::content));
                prop_assert_eq!(replica.own_seq() + 1, next);
            }
        }
    }
    Ok(())
}

/// An entry beyond the window is merged but not marked, and its dot counts once the gap has closed.
fn what_is_beyond_the_window_is_not_marked<T: Subject, S: Product>(
    change: &Change,
    beyond: u64,
) -> Result<(), TestCaseError> {
    let dotted = Dotted { node: 1, life: 7, seq: beyond, change: change.clone() };
    let mut replica = observer::<S>();
    let id = row(&mut replica, 1, 7);
    let before = whole(&replica, T::content);
    let outcome = deliver(&mut replica, &dotted);
    if beyond <= 1 + WINDOW {
        prop_assert_eq!(outcome, Outcome::News);
        prop_assert!(replica.causality.rows.get(id).contains(beyond));
        return Ok(());
    }
    prop_assert_eq!(outcome, Outcome::TooFarAhead { news: true });
    prop_assert_eq!(deliver(&mut replica, &dotted), Outcome::TooFarAhead { news: false });
    prop_assert!(!replica.causality.rows.get(id).contains(beyond));
    prop_assert_eq!(replica.causality.rows.get(id).highest(), 0);
    prop_assert_ne!(before, whole(&replica, T::content));
    replica.skip(id, 0, beyond - 1, u64::MAX);
    prop_assert_eq!(deliver(&mut replica, &dotted), Outcome::Covered);
    prop_assert_eq!(replica.causality.rows.get(id).frontier, beyond);
    Ok(())
}

/// A configuration whose seed is printed when a test fails. The environment variable with its name repeats the run.
fn seeded() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        config.rng_seed = RngSeed::Fixed(now.as_nanos() as u64);
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}

fn value() -> impl Strategy<Value = Field> + Clone {
    let texts = ["", "a", "5", "\"\n", "äöü", "twenty-four bytes, a lot"];
    prop_oneof![
        4 => (0_u64..8).prop_map(Field::Number),
        1 => prop::sample::select(vec![1_023_u64, 1_024, 5_000, i64::MAX as u64]).prop_map(Field::Number),
        1 => prop::sample::select(vec![-1, -5, i64::MIN]).prop_map(Field::Negative),
        2 => prop::sample::select(texts.to_vec()).prop_map(|text| Field::Text(text.into())),
    ]
}

impl Field {
    fn get(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Int(i64::try_from(*number).expect("values are signed")),
            Self::Negative(int) => Value::Int(*int),
            Self::Text(text) => Value::Text(text),
        }
    }
}

fn life() -> impl Strategy<Value = u64> + Clone {
    prop::sample::select(LIVES.to_vec())
}

fn row_name(node: usize, life: u64) -> String {
    match life {
        0 => NODES[node].into(),
        life => format!("{}@{life}", NODES[node]),
    }
}

fn write_line(key: Value<'_>, value: Value<'_>, stamp: u64, node: &str, life: u64) -> String {
    format!("{key:?} = {value:?} at {stamp} by {node}@{life}")
}

/// A change, and the row that makes it.
fn authored<T: Subject>() -> impl Strategy<Value = (usize, u64, Change)> {
    (prop::sample::select(AUTHORS.to_vec()), life(), T::change())
}

fn dotted(seq: u64, (node, life, change): &(usize, u64, Change)) -> Dotted {
    Dotted { node: *node, life: *life, seq, change: change.clone() }
}

/// The changes of a few rows, each under the next dot of its row.
fn history<T: Subject>() -> impl Strategy<Value = Vec<Dotted>> {
    prop::collection::vec(authored::<T>(), 0..40).prop_map(|changes| {
        let mut history: Vec<Dotted> = Vec::new();
        for authored in &changes {
            let (node, life, change) = authored;
            let of_row = |dotted: &&Dotted| (dotted.node, dotted.life) == (*node, *life);
            let seq = 1 + history.iter().filter(of_row).count() as u64;
            if !history.iter().filter(of_row).any(|dotted| T::excludes(&dotted.change, change)) {
                history.push(dotted(seq, authored));
            }
        }
        history
    })
}

/// A history, and an order in which all of it arrives, some of it more than once.
fn history_and_order<T: Subject>() -> impl Strategy<Value = (Vec<Dotted>, Vec<Dotted>)> {
    let doubled = (history::<T>(), prop::collection::vec(any::<prop::sample::Index>(), 0..20));
    doubled.prop_flat_map(|(history, again)| {
        let mut order = history.clone();
        if !history.is_empty() {
            order.extend(again.iter().map(|index| index.get(&history).clone()));
        }
        (Just(history), Just(order).prop_shuffle())
    })
}

/// A part of a history in any order, so that rows have gaps.
fn any_part<T: Subject>() -> impl Strategy<Value = Vec<Dotted>> {
    three_parts::<T>().prop_map(|[part, _, _]| part)
}

/// Three parts of one history, each in an order of its own, that overlap and need not make up the whole.
fn three_parts<T: Subject>() -> impl Strategy<Value = [Vec<Dotted>; 3]> {
    let weights = prop::sample::select(vec![0.3, 0.8, 0.97]);
    (history::<T>(), weights).prop_flat_map(|(history, weight)| {
        let part = || {
            let history = history.clone();
            let mask = prop::collection::vec(prop::bool::weighted(weight), history.len());
            mask.prop_flat_map(move |mask| {
                let taken = history.iter().zip(mask).filter(|(_, taken)| *taken);
                let taken: Vec<Dotted> = taken.map(|(dotted, _)| dotted.clone()).collect();
                Just(taken).prop_shuffle()
            })
        };
        [part(), part(), part()]
    })
}

fn observer<S: Product>() -> Replica<S> {
    replica_of(OBSERVER, 3)
}

fn observer_of<S: Product>(history: &[Dotted]) -> Replica<S> {
    let mut replica = observer();
    for dotted in history {
        deliver(&mut replica, dotted);
    }
    replica
}

fn replica_of<S: Product>(me: &str, life: u64) -> Replica<S> {
    let limits = if S::ADJUSTABLE { Tiny::LIMITS } else { S::LIMITS };
    let mut replica = Replica::new(&limits, 0);
    replica.causality.members.set(me, NODES.into_iter()).expect("a cluster");
    replica.begin(life).expect("there is room for one row");
    replica
}

fn row<S: Product>(replica: &mut Replica<S>, node: usize, life: u64) -> RowId {
    let rows = &mut replica.causality.rows;
    rows.find_or_add(NodeIndex(node as u32), life, NODES[node]).expect("room for every life")
}

fn deliver<S: Product>(replica: &mut Replica<S>, dotted: &Dotted) -> Outcome {
    let row = row(replica, dotted.node, dotted.life);
    let dot = Dot { row, seq: dotted.seq };
    dotted.change.with_entry(|entry| replica.merge(dot, entry))
}

/// The point from which on a replica sends entries.
#[derive(Clone, Copy)]
enum Since {
    /// It sends everything.
    TheBeginning,
    /// It sends what the receiver's version vector lacks.
    TheDigest,
}

/// Sends entries as a message does: for each row a range that is covered completely. A dot without an entry in that
/// range was superseded.
fn transfer<S: Product>(from: &Replica<S>, to: &mut Replica<S>, since: Since) {
    for (id, row) in from.causality.rows.iter() {
        let node = NODES[row.node.at()];
        let theirs = to.causality.rows.find_or_add(row.node, row.incarnation, node);
        let theirs = theirs.expect("room for every life");
        let known = match since {
            Since::TheBeginning => 0,
            Since::TheDigest => to.causality.rows.get(theirs).frontier,
        };
        if row.frontier > known {
            send_stretch(from, to, (id, theirs), known, row.frontier);
        }
        for seq in row.beyond().filter(|seq| *seq > known) {
            send_stretch(from, to, (id, theirs), seq - 1, seq);
        }
    }
}

fn send_stretch<S: Product>(from: &Replica<S>, to: &mut Replica<S>, row: (RowId, RowId), after: u64, last: u64) {
    let (mine, theirs) = row;
    let mut covered = after;
    let mut cursor = from.store.seek(mine, after);
    while let Some((seq, entry)) = from.store.next(&mut cursor, &from.causality).filter(|next| next.0 <= last) {
        assert!(seq > covered, "the entries of a row come in the order of their dots");
        to.skip(theirs, covered, seq - 1, u64::MAX);
        to.merge(Dot { row: theirs, seq }, &entry);
        covered = seq;
    }
    to.skip(theirs, covered, last, u64::MAX);
}

/// Rows by name, with the frontier and the dots beyond it.
fn vector<S: Product>(replica: &Replica<S>) -> Vec<(String, u64, Vec<u64>)> {
    let rows = replica.causality.rows.iter().map(|(id, row)| {
        let (node, life) = replica.causality.name(id);
        let name = if life == 0 { node.to_owned() } else { format!("{node}@{life}") };
        (name, row.frontier, row.beyond().collect())
    });
    let mut rows: Vec<_> = rows.filter(|row: &(_, _, Vec<u64>)| row.1 > 0 || !row.2.is_empty()).collect();
    rows.sort();
    rows
}

fn frontiers<S: Product>(replica: &Replica<S>) -> Vec<(String, u64)> {
    vector(replica).into_iter().map(|row| (row.0, row.1)).filter(|row| row.1 > 0).collect()
}

/// Everything that two replicas with the same dots have in common.
#[derive(Debug, PartialEq)]
struct Whole {
    content: Vec<String>,
    sum: Sum,
    fingerprint: u64,
    vector: Vec<(String, u64, Vec<u64>)>,
}

fn whole<S: Product>(replica: &Replica<S>, content: impl FnOnce(&Replica<S>) -> Vec<String>) -> Whole {
    Whole {
        content: content(replica),
        sum: replica.sum(),
        fingerprint: replica.store.fingerprint(),
        vector: vector(replica),
    }
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// Calls `visit` with every order of `0..count` (Heap, 1963).
fn permutations(count: usize, visit: &mut dyn FnMut(&[usize])) {
    fn permute(order: &mut [usize], fixed: usize, visit: &mut dyn FnMut(&[usize])) {
        if fixed == order.len() {
            return visit(order);
        }
        for at in fixed..order.len() {
            order.swap(fixed, at);
            permute(order, fixed + 1, visit);
            order.swap(fixed, at);
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    permute(&mut order, 0, visit);
}
