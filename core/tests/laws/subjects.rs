//! The data types that the laws are checked for.

use super::*;

/// The set of `broadcast`.
pub(crate) struct BroadcastSet;

impl Subject for BroadcastSet {
    fn change() -> BoxedStrategy<Change> {
        value().prop_map(|value| Change { tag: Tag::BARE, fields: vec![value] }).boxed()
    }

    fn content<S: Product>(replica: &Replica<S>) -> Vec<String> {
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

    fn fingerprint<S: Product>(store: &Store<S>) -> u64 {
        store.set.fingerprint()
    }
}

/// The counter of `add`.
pub(crate) struct Counter;

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

    fn content<S: Product>(replica: &Replica<S>) -> Vec<String> {
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

    fn fingerprint<S: Product>(store: &Store<S>) -> u64 {
        store.counter.fingerprint()
    }
}

/// The key-value store of `write`.
pub(crate) struct LwwMap;

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

    fn content<S: Product>(replica: &Replica<S>) -> Vec<String> {
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

    fn fingerprint<S: Product>(store: &Store<S>) -> u64 {
        store.map.fingerprint()
    }
}

/// All data types side by side.
pub(crate) struct Together;

macro_rules! together {
    ($($subject:ident),+) => {
        impl Subject for Together {
            fn change() -> BoxedStrategy<Change> {
                prop_oneof![$($subject::change()),+].boxed()
            }

            fn excludes(one: &Change, other: &Change) -> bool {
                [$($subject::excludes(one, other)),+].contains(&true)
            }

            fn content<S: Product>(replica: &Replica<S>) -> Vec<String> {
                [$($subject::content(replica)),+].concat()
            }

            fn model(history: &[Dotted]) -> Vec<String> {
                [$($subject::model(history)),+].concat()
            }

            fn fingerprint<S: Product>(store: &Store<S>) -> u64 {
                store.fingerprint()
            }
        }
    };
}

together!(BroadcastSet, Counter, LwwMap);
