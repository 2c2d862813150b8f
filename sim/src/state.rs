//! The state of a node, in a form that can be compared. It does not use the digest, because tests compare it with the
//! digest.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_core::causality::RowId;
use rumormill_core::data_type::Application;
use rumormill_core::replicated::Sign;
use rumormill_core::{Member, Store, Value};

/// The whole state of a node, without the data type of a user, in an order that does not depend on the order of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Values of the set, as `Debug` shows them.
    pub set: BTreeSet<String>,
    /// Numbers of the counter above 0, by node, life and whether they are increments.
    pub cells: BTreeMap<(String, u64, bool), u64>,
    /// Keys of the map, each with its value and stamp.
    pub map: BTreeMap<String, (String, u64)>,
}

impl State {
    /// The state of a member. O(state · log state).
    ///
    /// # Panics
    /// The node lists a value of its set twice.
    #[must_use]
    pub fn of<S: Application>(node: &Member<S>) -> Self {
        // All data types are named here, so a new one does not compile without its part of the state.
        let Store { set, counter, map, own: _ } = node.store();
        let causality = &node.replica().causality;
        let show = |value: Value<'_>| format!("{value:?}");
        let mut state = Self::default();
        for value in set.values() {
            assert!(state.set.insert(show(value)), "{value:?} is in the set twice");
        }
        for row in (0..causality.rows.len() as u32).map(RowId) {
            let (id, incarnation) = causality.name(row);
            for sign in Sign::ALL {
                let number = counter.cell(row, sign);
                if number > 0 {
                    state.cells.insert((id.to_owned(), incarnation, sign == Sign::P), number);
                }
            }
        }
        for (key, value, stamp_us) in map.iter() {
            state.map.insert(show(key), (show(value), stamp_us));
        }
        state
    }

    /// The difference to another state, in a few words.
    #[must_use]
    pub fn against(&self, other: &Self) -> String {
        let Self { set, cells, map } = self;
        let lacks = other.set.difference(set).count();
        let more = set.difference(&other.set).count();
        let cells = differing(cells, &other.cells);
        let keys = differing(map, &other.map);
        format!("{lacks} values missing, {more} more; {cells} counter cells and {keys} keys differ")
    }
}

/// Keys that have different values in two maps, or a value in one of them only.
fn differing<K: Ord, V: PartialEq>(one: &BTreeMap<K, V>, other: &BTreeMap<K, V>) -> usize {
    let of_other = other.iter().filter(|(key, value)| one.get(key) != Some(value)).count();
    of_other + one.keys().filter(|key| !other.contains_key(key)).count()
}
