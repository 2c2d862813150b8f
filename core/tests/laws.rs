//! The laws that every data type, and their product, must keep: whatever the order, repetition and grouping in which
//! entries arrive, replicas that have the same dots hold the same state.
//!
//! A further data type is an implementation of [`Subject`] and one line in `laws!`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use rumormill_core::causality::{Arg, Dot, Entry, RowId, RowRefused, Sum, Tag, WINDOW};
use rumormill_core::id::NodeIndex;
use rumormill_core::replicated::{Bound, Lane, Outcome, Refused, Replica, Replicated as _, Sign, Store};
use rumormill_core::storage::{Storage, Tiny};
use rumormill_core::{Value, fixed_storage};

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
    product: Product on Tiny;
    #[cfg(feature = "alloc")]
    product_on_the_heap: Product on rumormill_core::storage::Heap;
}

/// All nodes, sorted by bytes as nodes sort them: `n10` comes before `n2`.
const NODES: [&str; 5] = ["b", "n10", "n2", "observer", "é"];
/// The nodes whose changes are merged. The observer makes no changes.
const AUTHORS: [usize; 4] = [0, 1, 2, 4];
const OBSERVER: &str = "observer";
const LIVES: [u64; 3] = [0, 7, 12];

fixed_storage! {
    /// A storage with room for four values, sixteen bytes of strings in the set, and two keys.
    struct Cramped {
        values: 4,
        set_text_bytes: 16,
        dense_values: 64,
        keys: 2,
        rumors: 4,
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
    fn content<S: Storage>(replica: &Replica<S>) -> Vec<String>;
    /// The content after these entries, by the definition of the data type.
    fn model(history: &[Dotted]) -> Vec<String>;
    /// The fingerprint of this data type alone.
    fn fingerprint<S: Storage>(store: &Store<S>) -> u64;
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

/// The set of `broadcast`.
struct BroadcastSet;

impl Subject for BroadcastSet {
    fn change() -> BoxedStrategy<Change> {
        value().prop_map(|value| Change { tag: Tag::BARE, fields: vec![value] }).boxed()
    }

    fn content<S: Storage>(replica: &Replica<S>) -> Vec<String> {
        let set = &replica.store.set;
        let content = sorted(set.values().map(|value| format!("{value:?}")));
        assert_eq!(content.len(), set.len());
        assert!(set.values().all(|value| set.contains(value)));
        content
    }

    fn model(history: &[Dotted]) -> Vec<String> {
        let own = history.iter().filter(|dotted| dotted.change.tag == Tag::BARE);
        let values: BTreeSet<&Field> = own.map(|dotted| &dotted.change.fields[0]).collect();
        sorted(values.into_iter().map(|value| format!("{:?}", value.get())))
    }

    fn fingerprint<S: Storage>(store: &Store<S>) -> u64 {
        store.set.fingerprint()
    }
}

/// The counter of `add`.
struct Counter;

impl Subject for Counter {
    fn change() -> BoxedStrategy<Change> {
        let tag = prop::sample::select(Sign::ALL.map(Sign::tag).to_vec());
        let number = prop_oneof![6 => 1_u64..9, 1 => Just(u64::MAX), 1 => Just(1 << 63)];
        let own =
            (tag.clone(), number.clone()).prop_map(|(tag, number)| Change { tag, fields: vec![Field::Number(number)] });
        let foreign = (tag, 0..NODES.len(), life(), number).prop_map(|(tag, node, life, number)| Change {
            tag,
            fields: vec![Field::Text(row_name(node, life)), Field::Number(number)],
        });
        prop_oneof![own, foreign].boxed()
    }

    fn content<S: Storage>(replica: &Replica<S>) -> Vec<String> {
        let counter = &replica.store.counter;
        let mut cells = Vec::new();
        let mut value = 0_i128;
        for (row, _) in replica.causality.rows.iter() {
            let name = replica.causality.name(row);
            let [p, n] = Sign::ALL.map(|sign| counter.cell(row, sign));
            value += i128::from(p) - i128::from(n);
            cells.extend([("P", p), ("N", n)].map(|(sign, number)| (name, sign, number)));
        }
        assert_eq!(counter.value(), value);
        let shown = cells.into_iter().filter(|cell| cell.2 > 0);
        sorted(shown.map(|((node, life), sign, number)| format!("{node}@{life} {sign} {number}")))
    }

    fn model(history: &[Dotted]) -> Vec<String> {
        let mut cells: BTreeMap<String, u64> = BTreeMap::new();
        for Dotted { node, life, change, .. } in history {
            let Some(sign) = Sign::ALL.into_iter().find(|sign| sign.tag() == change.tag) else {
                continue;
            };
            let (name, number) = match &change.fields[..] {
                [Field::Number(number)] => (row_name(*node, *life), number),
                [Field::Text(name), Field::Number(number)] => (name.clone(), number),
                other => panic!("{other:?} is no cell"),
            };
            let name = if name.contains('@') { name } else { name + "@0" };
            let cell = cells.entry(format!("{name} {sign:?}")).or_default();
            *cell = (*cell).max(*number);
        }
        sorted(cells.into_iter().map(|(cell, number)| format!("{cell} {number}")))
    }

    fn fingerprint<S: Storage>(store: &Store<S>) -> u64 {
        store.counter.fingerprint()
    }
}

/// The key-value store of `write`.
struct LwwMap;

const WRITE: Tag = Tag(b'w');

impl Subject for LwwMap {
    fn change() -> BoxedStrategy<Change> {
        let keys = [Field::Number(1), Field::Number(5), Field::Text("5".into()), Field::Text("k".into())];
        let key = prop::sample::select(keys.to_vec());
        let stamp = prop_oneof![4 => 0_u64..5, 1 => Just(i64::MAX as u64 - 1)];
        (key, value(), stamp)
            .prop_map(|(key, value, stamp)| Change { tag: WRITE, fields: vec![key, value, Field::Number(stamp)] })
            .boxed()
    }

    /// Stamps of one node never repeat for a key.
    fn excludes(one: &Change, other: &Change) -> bool {
        one.tag == WRITE && one.tag == other.tag && one.fields[0] == other.fields[0] && one.fields[2] == other.fields[2]
    }

    fn content<S: Storage>(replica: &Replica<S>) -> Vec<String> {
        let Replica { causality, store, .. } = replica;
        let mut content = Vec::new();
        for (row, _) in causality.rows.iter() {
            let mut at = store.map.seek(row, 0);
            while let Some(here) = at {
                let (key, value, stamp) = store.map.slot(here.slot).expect("a place that was found");
                assert_eq!(store.map.get(key), Some((value, stamp)));
                let (node, life) = causality.name(row);
                content.push(write_line(key, value, stamp, node, life));
                at = store.map.next(here);
            }
        }
        assert_eq!(content.len(), store.map.len());
        sorted(content.into_iter())
    }

    fn model(history: &[Dotted]) -> Vec<String> {
        let mut winners: BTreeMap<&Field, (u64, usize, u64, &Field)> = BTreeMap::new();
        for Dotted { node, life, change, .. } in history {
            let [key, value, Field::Number(stamp)] = &change.fields[..] else {
                continue;
            };
            let rank = (*stamp, *node, *life);
            let winner = winners.entry(key).or_insert((rank.0, rank.1, rank.2, value));
            if rank > (winner.0, winner.1, winner.2) {
                *winner = (rank.0, rank.1, rank.2, value);
            }
        }
        sorted(
            winners
                .into_iter()
                .map(|(key, (stamp, node, life, value))| write_line(key.get(), value.get(), stamp, NODES[node], life)),
        )
    }

    fn fingerprint<S: Storage>(store: &Store<S>) -> u64 {
        store.map.fingerprint()
    }
}

/// All data types side by side.
struct Product;

impl Subject for Product {
    fn change() -> BoxedStrategy<Change> {
        prop_oneof![BroadcastSet::change(), Counter::change(), LwwMap::change()].boxed()
    }

    fn excludes(one: &Change, other: &Change) -> bool {
        LwwMap::excludes(one, other)
    }

    fn content<S: Storage>(replica: &Replica<S>) -> Vec<String> {
        let parts = [BroadcastSet::content(replica), Counter::content(replica), LwwMap::content(replica)];
        parts.concat()
    }

    fn model(history: &[Dotted]) -> Vec<String> {
        let parts = [BroadcastSet::model(history), Counter::model(history), LwwMap::model(history)];
        parts.concat()
    }

    fn fingerprint<S: Storage>(store: &Store<S>) -> u64 {
        store.fingerprint()
    }
}

/// In any order, and with any entry any number of times, entries give the state of the definition. Every dot counts as
/// applied, and a second delivery of everything is no news.
fn order_and_repetition_do_not_matter<T: Subject, S: Storage>(
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
fn a_replica_walked_into_an_empty_one_is_the_same<T: Subject, S: Storage>(
    history: &[Dotted],
) -> Result<(), TestCaseError> {
    let replica = observer_of::<S>(history);
    let mut other = observer::<S>();
    transfer(&replica, &mut other, Since::TheBeginning);
    prop_assert_eq!(whole(&replica, T::content), whole(&other, T::content));
    Ok(())
}

/// Joining replicas is commutative, associative and idempotent, and a delta gives what the whole state gives.
fn replicas_join_in_any_grouping<T: Subject, S: Storage>(parts: &[Vec<Dotted>; 3]) -> Result<(), TestCaseError> {
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
fn fingerprints_are_equal_exactly_when_states_are<T: Subject, S: Storage>(
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
fn what_is_beyond_the_window_is_not_marked<T: Subject, S: Storage>(
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

#[test]
fn a_value_said_under_several_dots_is_once_in_the_set_and_all_its_dots_count() {
    let said =
        |node, seq| Dotted { node, life: 0, seq, change: Change { tag: Tag::BARE, fields: vec![Field::Number(5)] } };
    let history = [said(0, 1), said(1, 1), said(0, 2)];
    let mut replica = observer::<Tiny>();
    let outcomes = history.each_ref().map(|dotted| deliver(&mut replica, dotted));
    assert_eq!(outcomes, [Outcome::News, Outcome::Covered, Outcome::Covered]);
    assert_eq!(replica.store.set.values().collect::<Vec<_>>(), [Value::Int(5)]);
    assert_eq!(frontiers(&replica), [("b".into(), 2), ("n10".into(), 1)]);
}

#[test]
fn superseded_entries_count_as_applied_when_they_come_late_and_when_they_never_come() {
    let cell = |seq, number| Dotted {
        node: 2,
        life: 7,
        seq,
        change: Change { tag: Sign::P.tag(), fields: vec![Field::Number(number)] },
    };
    let mut late = observer::<Tiny>();
    assert_eq!(deliver(&mut late, &cell(3, 30)), Outcome::News);
    assert_eq!(frontiers(&late), []);
    assert_eq!(deliver(&mut late, &cell(1, 10)), Outcome::Covered);
    assert_eq!(deliver(&mut late, &cell(2, 20)), Outcome::Covered);
    assert_eq!(frontiers(&late), [("n2@7".into(), 3)]);
    let mut never = observer::<Tiny>();
    transfer(&late, &mut never, Since::TheDigest);
    assert_eq!(whole(&late, Counter::content), whole(&never, Counter::content));
}

#[test]
fn among_writes_of_one_key_stamp_then_node_then_life_decide_in_every_order_of_arrival() {
    let write = |node: usize, life, seq, stamp| Dotted {
        node,
        life,
        seq,
        change: Change {
            tag: WRITE,
            fields: vec![
                Field::Text("k".into()),
                Field::Text(format!("{}@{life}#{seq}", NODES[node])),
                Field::Number(stamp),
            ],
        },
    };
    // In ascending order: by stamp, then by the bytes of the id (`n10` before `n2`), then by life as a number.
    let ascending = [
        write(4, 12, 1, 8),
        write(0, 12, 1, 9),
        write(1, 0, 1, 9),
        write(1, 7, 1, 9),
        write(1, 12, 1, 9),
        write(2, 0, 1, 9),
    ];
    for count in 2..=ascending.len() {
        let writes = &ascending[..count];
        let expected = LwwMap::model(&writes[count - 1..]);
        permutations(count, &mut |order| {
            let mut replica = observer::<Tiny>();
            for at in order {
                deliver(&mut replica, &writes[*at]);
            }
            assert_eq!(LwwMap::content(&replica), expected, "{order:?}");
            let all = writes.iter().all(|Dotted { node, life, .. }| {
                let row = row(&mut replica, *node, *life);
                replica.causality.rows.get(row).frontier == 1
            });
            assert!(all, "{order:?}");
        });
    }
}

#[test]
fn cells_of_foreign_rows_are_kept_apart_from_the_row_that_brought_them() {
    let mut replica = observer::<Tiny>();
    let cell = |seq, sign: Sign, of: &str, number| Dotted {
        node: 0,
        life: 7,
        seq,
        change: Change { tag: sign.tag(), fields: vec![Field::Text(of.into()), Field::Number(number)] },
    };
    for dotted in [
        cell(1, Sign::P, "n10", 10),
        cell(2, Sign::N, "n10", 3),
        cell(3, Sign::P, "n2@12", 5),
        cell(4, Sign::P, "n10", 7),
    ] {
        deliver(&mut replica, &dotted);
    }
    let expected = ["n10@0 N 3", "n10@0 P 10", "n2@12 P 5"];
    assert_eq!(Counter::content(&replica), expected);
    assert_eq!(replica.store.counter.value(), 12);
    assert_eq!(frontiers(&replica), [("b@7".into(), 4)]);
    let mut other = observer::<Tiny>();
    transfer(&replica, &mut other, Since::TheBeginning);
    assert_eq!(Counter::content(&other), expected);
}

#[test]
fn states_that_differ_in_one_place_have_different_fingerprints() {
    let one_and_five = [Field::Number(1), Field::Number(5), Field::Text("5".into())];
    let mut changes = Vec::new();
    for first in &one_and_five {
        changes.push(Change { tag: Tag::BARE, fields: vec![first.clone()] });
        for second in &one_and_five {
            let write = |stamp| vec![first.clone(), second.clone(), Field::Number(stamp)];
            changes.extend([1, 5].map(|stamp| Change { tag: WRITE, fields: write(stamp) }));
        }
    }
    for tag in Sign::ALL.map(Sign::tag) {
        for number in [1, 5].map(Field::Number) {
            let names = ["b", "b@12", "n10"].map(|name| Field::Text(name.into()));
            changes.extend(names.map(|name| Change { tag, fields: vec![name, number.clone()] }));
            changes.push(Change { tag, fields: vec![number] });
        }
    }
    let all: BTreeSet<u64> = changes
        .iter()
        .map(|change| observer_of::<Tiny>(&[dotted(1, &(0, 7, change.clone()))]).store.fingerprint())
        .collect();
    assert_eq!(all.len(), changes.len());
}

#[test]
fn every_table_that_can_be_full_refuses_and_the_refused_dot_fits_where_there_is_room() {
    let numbers = |from: u64| (from..).map(Field::Number);
    let texts = (0..).map(|at| Field::Text(format!("seven{at:02}")));
    let said = |value| Change { tag: Tag::BARE, fields: vec![value] };
    let write = |key| Change { tag: WRITE, fields: vec![key, Field::Number(0), Field::Number(1)] };
    full::<BroadcastSet>(&mut numbers(0).map(said), 4, Bound::Values(4));
    full::<BroadcastSet>(&mut numbers(1_000).map(said), 4, Bound::Values(4));
    full::<BroadcastSet>(&mut texts.clone().map(said), 2, Bound::SetText(16));
    full::<LwwMap>(&mut texts.map(write), 2, Bound::Keys(2));
    full::<LwwMap>(&mut numbers(0).map(write), 2, Bound::Keys(2));
}

/// The first `fitting` changes fit, and the next one finds `bound` full: as local changes, and as entries of a peer.
fn full<T: Subject>(changes: &mut dyn Iterator<Item = Change>, fitting: u64, bound: Bound) {
    let changes: Vec<Change> = changes.take(fitting as usize + 1).collect();
    let (last, first) = changes.split_last().expect("there is one more");
    let refused = Refused::Full(bound);
    let mut local = observer::<Cramped>();
    let mut remote = observer::<Cramped>();
    let mut roomy = observer::<Tiny>();
    let dotted = |seq: u64, change: &Change| Dotted { node: 1, life: 7, seq, change: change.clone() };
    for (seq, change) in (1..).zip(first) {
        let dot = change.with_entry(|entry| local.update(entry)).expect("there is room");
        assert_eq!(dot.map(|dot| dot.seq), Some(seq));
        assert_eq!(deliver(&mut remote, &dotted(seq, change)), Outcome::News);
        assert_eq!(deliver(&mut roomy, &dotted(seq, change)), Outcome::News);
    }
    let before = (whole(&local, T::content), whole(&remote, T::content));
    let last = dotted(fitting + 1, last);
    assert_eq!(last.change.with_entry(|entry| local.update(entry)), Err(refused));
    assert_eq!(deliver(&mut remote, &last), Outcome::Refused(refused));
    assert_eq!(before, (whole(&local, T::content), whole(&remote, T::content)));
    assert_eq!((local.own_seq(), frontiers(&remote)), (fitting, vec![("n10@7".into(), fitting)]));
    assert_eq!(deliver(&mut roomy, &last), Outcome::News);
    assert_eq!(frontiers(&roomy), [("n10@7".into(), fitting + 1)]);
    // The dot was not used up: a change that fits takes it.
    let cell = Entry::new(Sign::P.tag(), &[Arg::Int(1)]).expect("a cell has one argument");
    assert_eq!(local.update(&cell).map(|dot| dot.map(|dot| dot.seq)), Ok(Some(fitting + 1)));
}

#[test]
fn only_this_life_of_this_node_makes_its_own_dots() {
    let mut replica = observer::<Tiny>();
    let own = replica.own_row().expect("its life has begun");
    replica.update(&Entry::bare(Arg::Int(1))).expect("there is room");
    let before = whole(&replica, Product::content);
    let forged = Entry::bare(Arg::Int(2));
    assert_eq!(replica.merge(Dot { row: own, seq: 2 }, &forged), Outcome::Impostor);
    assert_eq!(replica.merge(Dot { row: own, seq: 1 }, &forged), Outcome::Impostor, "another value under a used dot");
    assert_eq!(replica.merge(Dot { row: own, seq: 1 }, &Entry::bare(Arg::Int(1))), Outcome::Known);
    assert_eq!(replica.skip(own, 1, 9, u64::MAX), Outcome::Impostor);
    assert_eq!(before, whole(&replica, Product::content));
}

#[test]
fn an_own_change_that_was_superseded_is_still_known_and_another_under_its_dot_is_not() {
    let mut replica = observer::<Tiny>();
    let own = replica.own_row().expect("its life has begun");
    let write = |value, stamp_us| Entry::three(WRITE, [Arg::Text("k"), Arg::Int(value), Arg::Int(stamp_us)]);
    for entry in
        [write(1, 10), write(2, 20), Entry::one(Sign::P.tag(), Arg::Int(3)), Entry::one(Sign::P.tag(), Arg::Int(5))]
    {
        replica.update(&entry).expect("there is room").expect("it is new");
    }
    let cell = |number| Entry::one(Sign::P.tag(), Arg::Int(number));
    let other = Entry::three(WRITE, [Arg::Text("z"), Arg::Int(1), Arg::Int(10)]);
    for (seq, entry, outcome) in [
        (1, write(1, 10), Outcome::Known),
        (2, write(2, 20), Outcome::Known),
        (3, cell(3), Outcome::Known),
        (4, cell(5), Outcome::Known),
        (1, other, Outcome::Impostor),
        (1, write(9, 30), Outcome::Impostor),
        (3, cell(6), Outcome::Impostor),
    ] {
        assert_eq!(replica.merge(Dot { row: own, seq }, &entry), outcome, "{seq}: {entry:?}");
    }
}

#[test]
fn the_counters_of_rows_that_this_memory_makes_change_only_here_by_whatever_name_they_come() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let first = replica.own_row().expect("its life has begun");
    let cell = |args: &[Arg<'static>]| Entry::new(Sign::P.tag(), args).expect("two arguments at most");
    replica.update(&cell(&[Arg::Int(7)])).expect("there is room");
    let second = replica.take_life(9).expect("there is room");
    replica.update(&cell(&[Arg::Int(1)])).expect("there is room");
    assert_eq!((replica.own_row(), replica.own_seq()), (Some(second), 1));
    let other = row(&mut replica, 1, 3);
    let number = |replica: &Replica<Tiny>| [first, second].map(|row| replica.store.counter.cell(row, Sign::P));
    for (seq, name) in [(1, "b@5"), (2, "b@9")] {
        let before = whole(&replica, Product::content);
        for args in [[Arg::Text(name), Arg::Int(8)], [Arg::Text(name), Arg::Big(u64::MAX)]] {
            assert_eq!(replica.merge(Dot { row: other, seq }, &cell(&args)), Outcome::Impostor);
        }
        let (node, incarnation) = (&name[..1], name[2..].parse().expect("a life"));
        let structured = cell(&[Arg::Row { node, incarnation }, Arg::Int(8)]);
        assert_eq!(replica.merge(Dot { row: other, seq }, &structured), Outcome::Impostor);
        assert_eq!(replica.update(&structured), Err(Refused::Impostor));
        assert_eq!(before, whole(&replica, Product::content));
        // A change that it has made itself is no claim.
        let known = cell(&[Arg::Text(name), Arg::Int(1)]);
        assert_eq!(replica.merge(Dot { row: other, seq }, &known), Outcome::Covered);
    }
    assert_eq!(number(&replica), [7, 1]);
    for row in [first, second] {
        assert_eq!(replica.merge(Dot { row, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::Impostor);
        assert_eq!(replica.skip(row, 1, 2, u64::MAX), Outcome::Impostor);
        assert_eq!(replica.skip(row, 0, 1, u64::MAX), Outcome::Known);
    }
    replica.causality.rows.give_up(first);
    assert_eq!(replica.merge(Dot { row: first, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::News);
    assert_eq!(replica.merge(Dot { row: other, seq: 3 }, &cell(&[Arg::Text("b@5"), Arg::Int(10)])), Outcome::News);
    assert_eq!(replica.merge(Dot { row: second, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::Impostor);
    assert_eq!((number(&replica), replica.store.counter.value()), ([10, 1], 11));
}

#[test]
fn a_counter_stays_in_64_bits_and_may_come_back_from_beyond() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let own = replica.own_row().expect("its life has begun");
    let other = row(&mut replica, 1, 7);
    let cell = |sign: Sign, number| Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
    let after = |replica: &Replica<Tiny>, delta| replica.store.counter.after(own, delta);
    let max = i64::MAX.cast_unsigned();
    for (sign, against, one) in [(Sign::P, Sign::N, 1), (Sign::N, Sign::P, -1)] {
        let mut replica = replica_of::<Tiny>("b", 5);
        row(&mut replica, 1, 7);
        let most = if sign == Sign::P { max } else { max + 1 };
        assert_eq!(after(&replica, 0), Some((Sign::P, 0)));
        replica.update(&cell(sign, most - 1)).expect("there is room");
        assert_eq!((after(&replica, one), after(&replica, 2 * one)), (Some((sign, most)), None));
        replica.update(&cell(sign, most)).expect("there is room");
        assert_eq!((after(&replica, one), after(&replica, -one)), (None, Some((against, 1))));
        // A peer that did not know that number has added more.
        assert_eq!(replica.merge(Dot { row: other, seq: 1 }, &cell(sign, 10)), Outcome::News);
        assert_eq!(after(&replica, one), None);
        assert_eq!(
            (after(&replica, 0), after(&replica, -one)),
            (Some((Sign::P, replica.store.counter.cell(own, Sign::P))), Some((against, 1)))
        );
        assert_eq!(replica.store.counter.cells(), 2);
    }
    // A cell is full before the value is.
    replica.update(&cell(Sign::P, u64::MAX - 1)).expect("there is room");
    replica.update(&cell(Sign::N, u64::MAX - 1)).expect("there is room");
    assert_eq!((after(&replica, 1), after(&replica, 2)), (Some((Sign::P, u64::MAX)), None));
    assert_eq!((after(&replica, -1), after(&replica, -2)), (Some((Sign::N, u64::MAX)), None));
    assert_eq!((replica.store.counter.value(), replica.store.counter.cells()), (0, 2));
    replica.update(&cell(Sign::P, u64::MAX)).expect("there is room");
    assert_eq!(replica.store.counter.cells(), 2);
}

#[test]
fn strings_are_bounded_by_what_they_take_in_a_message_and_an_unknown_tag_changes_nothing() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let own = replica.own_row().expect("its life has begun");
    let (fits, long) = ("\"".repeat(12), "\"".repeat(13));
    assert!(replica.store.set.is_empty());
    let before = whole(&replica, Product::content);
    for entry in [
        Entry::bare(Arg::Text(&long)),
        Entry::new(WRITE, &[Arg::Text(&long), Arg::Int(1), Arg::Int(1)]).expect("three arguments"),
        Entry::new(WRITE, &[Arg::Int(1), Arg::Text(&long), Arg::Int(1)]).expect("three arguments"),
        Entry::new(Tag(b'?'), &[Arg::Int(1), Arg::Int(1), Arg::Int(1)]).expect("three arguments"),
        Entry::new(Tag(b'?'), &[Arg::Int(1)]).expect("one argument"),
    ] {
        assert_eq!(replica.update(&entry), Err(Refused::Unreadable), "{entry:?}");
    }
    assert_eq!((before, replica.own_seq()), (whole(&replica, Product::content), 0));
    for (seq, entry) in [
        (1, Entry::bare(Arg::Text(&fits))),
        (2, Entry::new(WRITE, &[Arg::Text(&fits), Arg::Text(&fits), Arg::Int(1)]).expect("three arguments")),
    ] {
        assert_eq!(replica.update(&entry), Ok(Some(Dot { row: own, seq })));
    }
    assert!(!replica.store.set.is_empty());
}

#[test]
fn the_hash_of_a_set_depends_on_its_values_and_not_on_their_order() {
    let set = |values: &[Value<'static>]| {
        let mut replica = replica_of::<Tiny>("b", 5);
        for value in values {
            replica.update(&Entry::bare((*value).into())).expect("there is room");
        }
        replica.store.set.hash()
    };
    let (one, two) = (Value::Int(1), Value::Text("1"));
    assert_eq!(set(&[one, two]), set(&[two, one]));
    let hashes = [set(&[]), set(&[one]), set(&[two]), set(&[one, two]), set(&[Value::Int(-1)])];
    assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
}

#[test]
fn a_row_is_found_by_name_and_a_name_makes_none() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let zero = row(&mut replica, 1, 0);
    let seven = row(&mut replica, 1, 7);
    let find = |name| replica.causality.find_row(name);
    assert_eq!([find("n10"), find("n10@7"), find("b@5")], [Some(zero), Some(seven), replica.own_row()]);
    assert_eq!(["b", "n10@8", "n2", "x", "n10@07", "@7"].map(find), [None; 6]);
    assert_eq!(replica.causality.rows.len(), 3);
}

#[test]
fn reads_that_turn_out_older_than_a_write_are_counted_once() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let other = row(&mut replica, 1, 7);
    let mut seq = 0;
    let mut write = |replica: &mut Replica<Tiny>, key: i64, stamp_us: i64| {
        seq += 1;
        let entry = Entry::new(WRITE, &[Arg::Int(key), Arg::Int(seq), Arg::Int(stamp_us)]).expect("three arguments");
        replica.merge(Dot { row: other, seq: seq.cast_unsigned() }, &entry)
    };
    let read = |replica: &mut Replica<Tiny>, key, now| replica.store.map.read(Value::Int(key), now).is_some();
    assert!(replica.store.map.is_empty());
    // Reads of missing keys.
    assert!(!read(&mut replica, 1, 100) && !read(&mut replica, 1, 100) && !read(&mut replica, 2, 100));
    assert_eq!(write(&mut replica, 1, 100), Outcome::News);
    assert_eq!(replica.store.map.reads(), (3, 0), "a write of the same moment");
    assert!(!replica.store.map.is_empty());
    assert_eq!(write(&mut replica, 1, 40), Outcome::Covered);
    assert_eq!(replica.store.map.reads(), (3, 2));
    assert_eq!(write(&mut replica, 1, 50), Outcome::Covered);
    assert_eq!(replica.store.map.reads(), (3, 2), "each read counts once");
    // Reads of a key that exists: the last two are watched.
    assert!([200, 210, 220].map(|now| read(&mut replica, 1, now)).iter().all(|found| *found));
    assert_eq!(write(&mut replica, 1, 100), Outcome::Covered);
    assert_eq!(replica.store.map.reads(), (6, 2), "a write that is not newer than what was seen");
    assert_eq!(write(&mut replica, 1, 215), Outcome::News);
    assert_eq!(replica.store.map.reads(), (6, 3), "the read of 210 is older than the write");
    assert_eq!(write(&mut replica, 1, 220), Outcome::News);
    assert_eq!(replica.store.map.reads(), (6, 3));
    // Of the reads of missing keys the last 32 are watched. That of key 2 and the first of these are no longer watched.
    for key in 10..43 {
        assert!(!read(&mut replica, key, 1_000));
    }
    assert_eq!(
        [2, 10, 11, 12, 41].map(|key| (write(&mut replica, key, 60), replica.store.map.reads().1)),
        [(Outcome::News, 3), (Outcome::News, 3), (Outcome::News, 4), (Outcome::News, 5), (Outcome::News, 6),]
    );
    assert_eq!(replica.store.map.reads().0, 39);
}

#[test]
fn every_row_of_the_pool_has_both_cells_of_a_counter_and_shows_them_in_its_vectors() {
    fn check<S: Storage>() {
        let mut replica = replica_of::<S>("b", 5);
        let mut rows = vec![];
        for (node, life) in (0..5).flat_map(|node| (0..9).map(move |life| (node, life))) {
            let row = replica.causality.rows.find_or_add(NodeIndex(node), life, NODES[node as usize]);
            rows.extend(row);
        }
        assert_eq!(replica.causality.rows.len(), 32);
        let own = replica.own_row().expect("its life has begun");
        for row in rows.iter().copied().filter(|row| *row != own) {
            for (seq, sign) in [(1, Sign::P), (2, Sign::N)] {
                let number = 10 * u64::from(row.0) + seq;
                let cell = Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
                assert_eq!(replica.merge(Dot { row, seq }, &cell), Outcome::News);
                assert_eq!(replica.store.counter.cell(row, sign), number);
            }
        }
        let first = rows[0];
        let mut shown = vec![];
        replica.store.vectors(Lane::Tick, |name, number| {
            shown.push((name, number(first), number(RowId(31)), number(own)));
        });
        let expected = |number| (Some(10 * u64::from(first.0) + number), Some(310 + number), None);
        assert_eq!(
            shown.iter().map(|shown| (shown.1, shown.2, shown.3)).collect::<Vec<_>>(),
            [expected(1), expected(2)]
        );
        assert_eq!([shown[0].0, shown[1].0], ["p_counters", "n_counters"]);
        // A row with one of the numbers shows both.
        let cell = Entry::new(Sign::N.tag(), &[Arg::Int(3)]).expect("one argument");
        replica.update(&cell).expect("there is room");
        let mut numbers = vec![];
        replica.store.vectors(Lane::Tick, |_, number| numbers.push(number(own)));
        assert_eq!(numbers, [Some(0), Some(3)]);
        replica.store.vectors(Lane::Push, |name, _| panic!("{name}"));
    }
    check::<Tiny>();
    #[cfg(feature = "alloc")]
    check::<rumormill_core::storage::Heap>();
}

#[test]
fn an_entry_travels_on_the_lane_of_its_data_type() {
    let lane = Store::<Tiny>::lane;
    assert_eq!([Tag::BARE, WRITE].map(lane), [Some(Lane::Push); 2]);
    assert_eq!(Sign::ALL.map(|sign| lane(sign.tag())), [Some(Lane::Tick); 2]);
    assert_eq!(lane(Tag(b'?')), None);
    assert_eq!(Lane::ALL.map(Lane::at), [0, 1]);
    assert_eq!(Lane::ALL.map(Lane::default_interval_ms), [200, 100]);
}

#[test]
fn whatever_changes_state_or_vector_is_news_and_nothing_else_is() {
    for outcome in
        [Outcome::News, Outcome::Covered, Outcome::TooFarAhead { news: true }, Outcome::SkipTooFar { marked: true }]
    {
        assert!(outcome.is_news(), "{outcome:?}");
    }
    for outcome in [
        Outcome::Known,
        Outcome::Impostor,
        Outcome::Refused(Refused::ClockAhead),
        Outcome::TooFarAhead { news: false },
        Outcome::SkipTooFar { marked: false },
    ] {
        assert!(!outcome.is_news(), "{outcome:?}");
    }
}

#[test]
fn a_sum_in_short_depends_on_vector_and_state() {
    let sums = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)].map(|(vector, state)| Sum { vector, state }.short());
    assert_eq!(sums.iter().collect::<BTreeSet<_>>().len(), sums.len());
}

#[test]
fn a_node_takes_only_a_life_above_all_that_are_known_of_it() {
    let mut replica = replica_of::<Tiny>("b", 5);
    replica.update(&Entry::bare(Arg::Int(1))).expect("there is room");
    row(&mut replica, 0, 8);
    let before = whole(&replica, Product::content);
    for life in [0, 4, 5, 7, 8] {
        assert_eq!(replica.take_life(life), Err(RowRefused::Taken));
    }
    assert_eq!((replica.own_seq(), &before), (1, &whole(&replica, Product::content)));
    let row = replica.take_life(9).expect("there is room");
    assert_eq!(replica.causality.name(row), ("b", 9));
    let dot = replica.update(&Entry::bare(Arg::Int(2))).expect("there is room");
    assert_eq!(dot, Some(Dot { row, seq: 1 }));
    assert_eq!(frontiers(&replica), [("b@5".into(), 1), ("b@9".into(), 1)]);
}

#[test]
fn a_node_takes_lives_until_the_pool_has_none_for_it() {
    let mut replica = replica_of::<Tiny>("b", 0);
    let nodes = NODES.len();
    let fits = 32 - (nodes - 1) * (16 / nodes);
    for life in 1..fits as u64 {
        assert!(replica.take_life(life).is_ok(), "{life}");
    }
    let own = replica.own_row();
    assert_eq!(replica.take_life(1_000), Err(RowRefused::Full));
    assert_eq!(replica.own_row(), own);
}

#[test]
fn a_row_is_made_only_when_something_in_it_is_applied() {
    let mut replica = replica_of::<Cramped>("b", 5);
    let rows = |replica: &Replica<Cramped>| replica.causality.rows.len();
    let node = NodeIndex(1);
    let cell = |args: &[Arg<'static>]| Entry::new(Sign::P.tag(), args).expect("two arguments at most");
    let write = Entry::new(WRITE, &[Arg::Int(1), Arg::Int(2), Arg::Big(u64::MAX)]).expect("three arguments");
    for (entry, outcome) in [
        (cell(&[Arg::Text("x@1"), Arg::Int(1)]), Outcome::Refused(Refused::Row(RowRefused::Stranger))),
        (cell(&[Arg::Text("b@5"), Arg::Int(1)]), Outcome::Impostor),
        (cell(&[Arg::Text("n10@8"), Arg::Text("x")]), Outcome::Refused(Refused::Unreadable)),
        (write, Outcome::Refused(Refused::ClockAhead)),
        (Entry::bare(Arg::Big(u64::MAX)), Outcome::Refused(Refused::Unreadable)),
    ] {
        let row = replica.open(node, 7).expect("there is room");
        assert_eq!(replica.merge(Dot { row, seq: 1 }, &entry), outcome);
        assert_eq!((replica.close(row), rows(&replica)), (None, 1), "{entry:?}");
    }
    // The number 0 is known already, and its dot counts. The row that it names is not made.
    let row = replica.open(node, 7).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 1 }, &cell(&[Arg::Text("n10@8"), Arg::Int(0)])), Outcome::Covered);
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 2));
    // An entry too far ahead is kept in its row.
    let row = replica.open(node, 9).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &Entry::bare(Arg::Int(3))), Outcome::TooFarAhead { news: true });
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 3));
    let row = replica.open(node, 10).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &Entry::bare(Arg::Int(3))), Outcome::TooFarAhead { news: false });
    assert_eq!(replica.skip(row, 500, 600, u64::MAX), Outcome::TooFarAhead { news: false });
    assert_eq!((replica.close(row), rows(&replica)), (None, 3));
    // An entry too far ahead that names another row is kept as well, and that row is made.
    let row = replica.open(node, 11).expect("there is room");
    let named = cell(&[Arg::Text("n10@12"), Arg::Int(4)]);
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &named), Outcome::TooFarAhead { news: true });
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 5));
    // A full set refuses a value, but not a skip.
    for value in 10..13 {
        replica.update(&Entry::bare(Arg::Int(value))).expect("there is room");
    }
    let row = replica.open(node, 13).expect("there is room");
    let refused = replica.merge(Dot { row, seq: 1 }, &Entry::bare(Arg::Int(99)));
    assert_eq!(refused, Outcome::Refused(Refused::Full(Bound::Values(4))));
    assert_eq!((replica.close(row), rows(&replica)), (None, 5));
    let row = replica.open(node, 13).expect("there is room");
    assert_eq!(replica.skip(row, 4, 5, u64::MAX), Outcome::Covered);
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 6));
}

#[test]
fn a_skip_counts_up_to_its_bound() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let id = row(&mut replica, 1, 7);
    let frontier = |replica: &Replica<Tiny>| replica.causality.rows.get(id).frontier;
    assert_eq!(replica.skip(id, 0, 1 << 62, 3), Outcome::SkipTooFar { marked: true });
    assert_eq!(frontier(&replica), 3);
    assert_eq!(replica.skip(id, 0, 1 << 62, 3), Outcome::SkipTooFar { marked: false });
    assert_eq!(replica.skip(id, 5, 1 << 62, 8), Outcome::SkipTooFar { marked: true });
    assert_eq!(replica.causality.rows.get(id).beyond().collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(replica.skip(id, 5, 9, 4), Outcome::SkipTooFar { marked: false });
    assert_eq!(replica.skip(id, 5, 8, 8), Outcome::Known);
    assert_eq!(replica.skip(id, 0, 3, 0), Outcome::Known, "whatever the bound, what is known is known");
    assert_eq!(replica.skip(id, 1_000, 1_001, 2_000), Outcome::TooFarAhead { news: false });
    assert_eq!(replica.skip(id, 60, 2_000, 2_000), Outcome::Covered);
    assert_eq!(replica.causality.rows.get(id).highest(), 3 + 65);
    assert_eq!(replica.skip(id, 3, 5, 5), Outcome::Covered);
    assert_eq!(frontier(&replica), 8);
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn a_life_that_reuses_the_dots_of_the_one_before_loses_data(first in 1_u64..40, second in 1_u64..40) {
        let Lives { survivor, reborn, said } = two_lives(7, 7, first, second);
        let lacks = |replica: &Replica<Tiny>, lives: &[u64]| -> u64 {
            let values = said.iter().filter(|(life, _)| lives.contains(life));
            values.filter(|(_, value)| !replica.store.set.contains(Value::Int(*value))).count() as u64
        };
        // Changes of the first life that others know never come back. Changes of the second life under the same dots
        // are taken for known.
        prop_assert_eq!(lacks(&reborn, &[1]), first);
        prop_assert_eq!(lacks(&survivor, &[2]), first.min(second));
        if second >= first {
            // No version vector shows it; the fingerprint does.
            prop_assert_eq!(survivor.sum().vector, reborn.sum().vector);
        }
        prop_assert_ne!(survivor.sum().state, reborn.sum().state);
    }

    #[test]
    fn a_life_of_its_own_incarnation_loses_nothing(first in 1_u64..40, second in 1_u64..40, later in 1_u64..9) {
        let Lives { survivor, reborn, said } = two_lives(7, 7 + later, first, second);
        for replica in [&survivor, &reborn] {
            for (_, value) in &said {
                prop_assert!(replica.store.set.contains(Value::Int(*value)), "{value} is lost");
            }
        }
        prop_assert_eq!(survivor.sum(), reborn.sum());
        prop_assert_eq!(reborn.own_seq(), second);
    }

    #[test]
    fn a_counter_keeps_what_every_life_added(deltas in prop::collection::vec(prop::collection::vec(-9_i64..10, 0..6), 1..5)) {
        let mut survivor = replica_of::<Tiny>(OBSERVER, 1);
        let mut expected = 0;
        for (life, deltas) in (1..).zip(&deltas) {
            let mut node = replica_of::<Tiny>("b", life);
            for delta in deltas {
                let row = node.own_row().expect("its life has begun");
                let (sign, number) = node.store.counter.after(row, *delta).expect("small numbers");
                let cell = Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
                node.update(&cell).expect("there is room");
                expected += i128::from(*delta);
            }
            transfer(&node, &mut survivor, Since::TheDigest);
            transfer(&survivor, &mut node, Since::TheDigest);
            prop_assert_eq!(node.store.counter.value(), expected);
            prop_assert_eq!(survivor.store.counter.value(), expected);
        }
    }
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

/// A node that died and came back, and a node that has heard both lives.
struct Lives {
    survivor: Replica<Tiny>,
    reborn: Replica<Tiny>,
    /// Every value that was sent, with the number of the life that sent it.
    said: Vec<(u64, i64)>,
}

fn two_lives(life: u64, next_life: u64, first: u64, second: u64) -> Lives {
    let mut survivor = replica_of::<Tiny>(OBSERVER, 1);
    let mut said = Vec::new();
    let mut say = |replica: &mut Replica<Tiny>, life: u64, count: u64| {
        for at in 0..count {
            let value = (1_000 * life + at) as i64;
            replica.update(&Entry::bare(Arg::Int(value))).expect("there is room");
            said.push((life, value));
        }
    };
    let mut node = replica_of::<Tiny>("b", life);
    say(&mut node, 1, first);
    transfer(&node, &mut survivor, Since::TheDigest);
    let mut reborn = replica_of::<Tiny>("b", next_life);
    say(&mut reborn, 2, second);
    // Four times is more than needed.
    for _ in 0..4 {
        transfer(&reborn, &mut survivor, Since::TheDigest);
        transfer(&survivor, &mut reborn, Since::TheDigest);
    }
    Lives { survivor, reborn, said }
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

fn observer<S: Storage>() -> Replica<S> {
    replica_of(OBSERVER, 3)
}

fn observer_of<S: Storage>(history: &[Dotted]) -> Replica<S> {
    let mut replica = observer();
    for dotted in history {
        deliver(&mut replica, dotted);
    }
    replica
}

fn replica_of<S: Storage>(me: &str, life: u64) -> Replica<S> {
    let limits = if S::ADJUSTABLE { Tiny::LIMITS } else { S::LIMITS };
    let mut replica = Replica::new(&limits, 0);
    replica.causality.members.set(me, NODES.into_iter()).expect("a cluster");
    replica.begin(life).expect("there is room for one row");
    replica
}

fn row<S: Storage>(replica: &mut Replica<S>, node: usize, life: u64) -> RowId {
    let rows = &mut replica.causality.rows;
    rows.find_or_add(NodeIndex(node as u32), life, NODES[node]).expect("room for every life")
}

fn deliver<S: Storage>(replica: &mut Replica<S>, dotted: &Dotted) -> Outcome {
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
fn transfer<S: Storage>(from: &Replica<S>, to: &mut Replica<S>, since: Since) {
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

fn send_stretch<S: Storage>(from: &Replica<S>, to: &mut Replica<S>, row: (RowId, RowId), after: u64, last: u64) {
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
fn vector<S: Storage>(replica: &Replica<S>) -> Vec<(String, u64, Vec<u64>)> {
    let rows = replica.causality.rows.iter().map(|(id, row)| {
        let (node, life) = replica.causality.name(id);
        let name = if life == 0 { node.to_owned() } else { format!("{node}@{life}") };
        (name, row.frontier, row.beyond().collect())
    });
    let mut rows: Vec<_> = rows.filter(|row: &(_, _, Vec<u64>)| row.1 > 0 || !row.2.is_empty()).collect();
    rows.sort();
    rows
}

fn frontiers<S: Storage>(replica: &Replica<S>) -> Vec<(String, u64)> {
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

fn whole<S: Storage>(replica: &Replica<S>, content: impl FnOnce(&Replica<S>) -> Vec<String>) -> Whole {
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
