//! Entries of one row, in the order of their dots.
//!
//! An AVL tree (Adelson-Velsky and Landis, "An algorithm for the organization of information", 1962) whose links lie inside
//! the entries, so that "all of row r above s" needs no second table and no memory. Its height is at most 1.45 log2 of the
//! number of entries, whatever their order: a peer chooses the dots, and no choice makes a search long.

/// No entry.
const NONE: u32 = u32::MAX >> 1;
/// A mark on the link to a child: the subtree there is one level taller than that on the other side.
const TALLER: u32 = 1 << 31;

/// The part of an entry that links it into the tree of its row.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The number of the entry in its row. It is not to be changed while the entry is linked.
    pub seq: u64,
    /// For the data type to use. The data types of this crate keep the row here.
    pub note: u32,
    parent: u32,
    /// Before and after this entry, with [`TALLER`].
    children: [u32; 2],
}

impl Link {
    /// The link of an entry that is in no tree.
    #[must_use]
    pub const fn new(seq: u64, note: u32) -> Self {
        Self { seq, note, parent: NONE, children: [NONE; 2] }
    }

    fn child(&self, side: Side) -> u32 {
        self.children[side as usize] & !TALLER
    }

    fn set_child(&mut self, side: Side, child: u32) {
        let link = &mut self.children[side as usize];
        *link = child | (*link & TALLER);
    }

    /// The side on which the subtree is taller, if one is.
    fn taller(&self) -> Option<Side> {
        [Side::Before, Side::After].into_iter().find(|side| self.children[*side as usize] & TALLER != 0)
    }

    fn set_taller(&mut self, taller: Option<Side>) {
        for side in [Side::Before, Side::After] {
            let mark = if taller == Some(side) { TALLER } else { 0 };
            self.children[side as usize] = self.child(side) | mark;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
        }
    }
}

/// An entry that can be linked: an item of the table of a data type that has a [`Link`] inside.
pub trait Linked {
    /// The link.
    fn link(&self) -> &Link;
    /// The link, to be changed by [`Ends`] alone.
    fn link_mut(&mut self) -> &mut Link;
}

/// The link of an entry; beyond the table, where no link leads, that of one that stands alone.
fn link_of<T: Linked>(items: &[T], at: u32) -> &Link {
    const ALONE: Link = Link::new(0, 0);
    items.get(at as usize).map_or(&ALONE, Linked::link)
}

/// Changes the link of an entry.
fn relink<T: Linked>(items: &mut [T], at: u32, change: impl FnOnce(&mut Link)) {
    if let Some(item) = items.get_mut(at as usize) {
        change(item.link_mut());
    }
}

/// The last entry of a subtree on one side. O(log entries).
fn outermost<T: Linked>(items: &[T], mut at: u32, side: Side) -> u32 {
    // Bounded by the height of the tree.
    loop {
        let child = link_of(items, at).child(side);
        if child == NONE {
            return at;
        }
        at = child;
    }
}

/// The entry beside `at` on one side, or [`NONE`]. O(1) on average over a walk, O(log entries) at worst.
fn neighbour<T: Linked>(items: &[T], mut at: u32, side: Side) -> u32 {
    let link = link_of(items, at);
    let child = link.child(side);
    if child != NONE {
        return outermost(items, child, side.other());
    }
    let mut parent = link.parent;
    // Bounded by the height of the tree.
    while parent != NONE {
        let link = link_of(items, parent);
        if link.child(side) != at {
            return parent;
        }
        (at, parent) = (parent, link.parent);
    }
    NONE
}

/// The entry after `at` in its row. O(1) on average over a walk, O(log entries) at worst.
fn next<T: Linked>(items: &[T], at: u32) -> Option<u32> {
    let next = neighbour(items, at, Side::After);
    (next != NONE).then_some(next)
}

/// The tree of one row: its root, its first and its last entry. A data type has one `Ends` for each row, as in
/// `S::PerRow<Ends>`, and one table of items for all rows. `items` is that table in each of the methods, and `at` a place in it.
#[derive(Clone, Debug)]
pub struct Ends {
    root: u32,
    head: u32,
    tail: u32,
}

impl Ends {
    /// The tree of a row without entries.
    #[must_use]
    pub const fn empty() -> Self {
        Self { root: NONE, head: NONE, tail: NONE }
    }

    /// The entry after `at` in its row. O(1) on average over a walk, O(log entries) at worst.
    #[must_use]
    pub fn next<T: Linked>(items: &[T], at: u32) -> Option<u32> {
        next(items, at)
    }

    /// The first entry above `after`. O(log entries), and O(1) where all or none are.
    #[must_use]
    pub fn seek<T: Linked>(&self, items: &[T], after: u64) -> Option<u32> {
        let found = if self.tail == NONE || link_of(items, self.tail).seq <= after {
            NONE
        } else if link_of(items, self.head).seq > after {
            self.head
        } else {
            self.split(items, after)[Side::After as usize]
        };
        (found != NONE).then_some(found)
    }

    /// The last entry up to `limit`. O(log entries), and O(1) where all or none are.
    #[must_use]
    pub fn floor<T: Linked>(&self, items: &[T], limit: u64) -> Option<u32> {
        let found = if self.tail == NONE || link_of(items, self.head).seq > limit {
            NONE
        } else if link_of(items, self.tail).seq <= limit {
            self.tail
        } else {
            self.split(items, limit)[Side::Before as usize]
        };
        (found != NONE).then_some(found)
    }

    /// The first entry.
    #[must_use]
    pub fn head(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Whether this is the last entry.
    #[must_use]
    pub fn is_tail(&self, at: u32) -> bool {
        self.tail == at
    }

    /// Links the entry at `at` where its number belongs, behind those of the same number. O(log entries), and O(1) on average
    /// where it is the last one.
    pub fn insert<T: Linked>(&mut self, items: &mut [T], at: u32) {
        let before = self.floor(items, link_of(items, at).seq);
        self.insert_after(items, before, at);
    }

    /// Links the entry at `at` behind `before`, or in front of all others. Same bound as [`Ends::insert`].
    pub fn insert_after<T: Linked>(&mut self, items: &mut [T], before: Option<u32>, at: u32) {
        let (parent, side) = match before {
            None => (self.head, Side::Before),
            Some(before) => match link_of(items, before).child(Side::After) {
                NONE => (before, Side::After),
                after => (outermost(items, after, Side::Before), Side::Before),
            },
        };
        relink(items, at, |link| (link.parent, link.children) = (parent, [NONE; 2]));
        if parent == NONE {
            *self = Self { root: at, head: at, tail: at };
            return;
        }
        relink(items, parent, |link| link.set_child(side, at));
        if before.is_none() {
            self.head = at;
        }
        if before == Some(self.tail) {
            self.tail = at;
        }
        self.has_grown(items, parent, side);
    }

    /// Takes the entry at `at` out of the tree. O(log entries).
    pub fn remove<T: Linked>(&mut self, items: &mut [T], at: u32) {
        if self.head == at {
            self.head = neighbour(items, at, Side::After);
        }
        if self.tail == at {
            self.tail = neighbour(items, at, Side::Before);
        }
        let link = *link_of(items, at);
        let [before, after] = [Side::Before, Side::After].map(|side| link.child(side));
        let (shrunk, side) = if before == NONE || after == NONE {
            let side = self.replace(items, at, if before == NONE { after } else { before });
            (link.parent, side)
        } else {
            // The next entry takes its place.
            let heir = outermost(items, after, Side::Before);
            let old = *link_of(items, heir);
            let below = if heir == after {
                (heir, Side::After)
            } else {
                self.replace(items, heir, old.child(Side::After));
                (old.parent, Side::Before)
            };
            self.replace(items, at, heir);
            let after = if heir == after { old.child(Side::After) } else { after };
            relink(items, heir, |heir| heir.children = link.children);
            relink(items, heir, |heir| heir.set_child(Side::After, after));
            relink(items, before, |before| before.parent = heir);
            relink(items, after, |after| after.parent = heir);
            below
        };
        self.has_shrunk(items, shrunk, side);
    }

    /// The last entry up to `limit` and the first one above it. O(log entries).
    fn split<T: Linked>(&self, items: &[T], limit: u64) -> [u32; 2] {
        let mut around = [NONE; 2];
        let mut at = self.root;
        // Bounded by the height of the tree.
        while at != NONE {
            let link = link_of(items, at);
            let (side, down) =
                if link.seq <= limit { (Side::Before, Side::After) } else { (Side::After, Side::Before) };
            around[side as usize] = at;
            at = link.child(down);
        }
        around
    }

    /// Puts `new`, or nothing, where `old` hangs. Gives the side of the parent on which that is.
    fn replace<T: Linked>(&mut self, items: &mut [T], old: u32, new: u32) -> Side {
        let parent = link_of(items, old).parent;
        relink(items, new, |new| new.parent = parent);
        if parent == NONE {
            self.root = new;
            return Side::Before;
        }
        let side = if link_of(items, parent).child(Side::Before) == old { Side::Before } else { Side::After };
        relink(items, parent, |parent| parent.set_child(side, new));
        side
    }

    /// Restores the balance after the subtree on one side of `at` has become one level taller.
    fn has_grown<T: Linked>(&mut self, items: &mut [T], mut at: u32, mut side: Side) {
        // Bounded by the height of the tree.
        while at != NONE {
            let link = *link_of(items, at);
            match link.taller() {
                None => relink(items, at, |link| link.set_taller(Some(side))),
                Some(taller) if taller == side => {
                    self.rotate(items, at, side);
                    return;
                }
                Some(_) => {
                    relink(items, at, |link| link.set_taller(None));
                    return;
                }
            }
            side = side_of(items, at, link.parent);
            at = link.parent;
        }
    }

    /// Restores the balance after the subtree on one side of `at` has become one level lower.
    fn has_shrunk<T: Linked>(&mut self, items: &mut [T], mut at: u32, mut side: Side) {
        // Bounded by the height of the tree.
        while at != NONE {
            let link = *link_of(items, at);
            let mut top = at;
            match link.taller() {
                None => {
                    relink(items, at, |link| link.set_taller(Some(side.other())));
                    return;
                }
                Some(taller) if taller == side => relink(items, at, |link| link.set_taller(None)),
                Some(taller) => {
                    let level = link_of(items, link.child(taller)).taller().is_none();
                    top = self.rotate(items, at, taller);
                    if level {
                        return;
                    }
                }
            }
            side = side_of(items, top, link.parent);
            at = link.parent;
        }
    }

    /// Makes a subtree that is two levels taller on one side balanced again. Gives its new root.
    fn rotate<T: Linked>(&mut self, items: &mut [T], at: u32, side: Side) -> u32 {
        let child = link_of(items, at).child(side);
        let other = side.other();
        let leaning = link_of(items, child).taller();
        if leaning != Some(other) {
            self.lift(items, child, at, side);
            let level = leaning.is_none();
            relink(items, at, |link| link.set_taller(level.then_some(side)));
            relink(items, child, |link| link.set_taller(level.then_some(other)));
            return child;
        }
        let grandchild = link_of(items, child).child(other);
        let leaning = link_of(items, grandchild).taller();
        self.lift(items, grandchild, child, other);
        self.lift(items, grandchild, at, side);
        relink(items, at, |link| link.set_taller((leaning == Some(side)).then_some(other)));
        relink(items, child, |link| link.set_taller((leaning == Some(other)).then_some(side)));
        relink(items, grandchild, |link| link.set_taller(None));
        grandchild
    }

    /// Rotates `child`, which hangs on one side of `parent`, into the place of that.
    fn lift<T: Linked>(&mut self, items: &mut [T], child: u32, parent: u32, side: Side) {
        let between = link_of(items, child).child(side.other());
        self.replace(items, parent, child);
        relink(items, parent, |link| {
            link.set_child(side, between);
            link.parent = child;
        });
        relink(items, between, |link| link.parent = parent);
        relink(items, child, |link| link.set_child(side.other(), parent));
    }
}

/// The side of `parent` on which `at` hangs.
fn side_of<T: Linked>(items: &[T], at: u32, parent: u32) -> Side {
    if link_of(items, parent).child(Side::Before) == at { Side::Before } else { Side::After }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use proptest::prelude::*;
    use std::vec::Vec;

    std::thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    fn step() {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }

    /// Links that were looked at or changed by this thread so far.
    fn steps() -> u64 {
        STEPS.with(Cell::get)
    }

    struct Item(Link);

    impl Linked for Item {
        fn link(&self) -> &Link {
            step();
            &self.0
        }
        fn link_mut(&mut self) -> &mut Link {
            step();
            &mut self.0
        }
    }

    fn all(ends: &Ends, items: &[Item]) -> Vec<(u64, u32)> {
        let mut found = Vec::new();
        let mut at = ends.head();
        while let Some(here) = at {
            found.push((items[here as usize].0.seq, here));
            at = next(items, here);
        }
        found
    }

    /// The height of a subtree, of which every part is checked.
    fn height(items: &[Item], at: u32, parent: u32) -> u32 {
        if at == NONE {
            return 0;
        }
        let link = &items[at as usize].0;
        assert_eq!(link.parent, parent);
        let [before, after] = [Side::Before, Side::After].map(|side| height(items, link.child(side), at));
        let taller = match after.cast_signed() - before.cast_signed() {
            0 => None,
            1 => Some(Side::After),
            -1 => Some(Side::Before),
            other => panic!("{other} levels of difference"),
        };
        assert_eq!(link.taller(), taller);
        1 + before.max(after)
    }

    fn check(ends: &Ends, items: &[Item], model: &[(u64, u32)]) {
        height(items, ends.root, NONE);
        assert_eq!(all(ends, items), model);
        assert_eq!(ends.head(), model.first().map(|item| item.1));
        for (place, item) in model.iter().enumerate() {
            assert_eq!(ends.is_tail(item.1), place + 1 == model.len());
        }
    }

    proptest! {
        #[test]
        fn a_chain_is_the_sorted_list_of_what_is_in_it(
            ops in prop::collection::vec((1_u64..60, any::<bool>(), any::<prop::sample::Index>()), 1..120),
            searched in prop::collection::vec(0_u64..64, 1..20),
        ) {
            let mut ends = Ends::empty();
            let mut items = Vec::new();
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (seq, removes, index) in ops {
                if removes && !model.is_empty() {
                    let (_, at) = model.remove(index.index(model.len()));
                    ends.remove(&mut items, at);
                } else {
                    let at = items.len() as u32;
                    items.push(Item(Link::new(seq, at)));
                    ends.insert(&mut items, at);
                    let place = model.partition_point(|item| item.0 <= seq);
                    model.insert(place, (seq, at));
                }
                check(&ends, &items, &model);
            }
            for limit in searched {
                let place = model.partition_point(|item| item.0 <= limit);
                prop_assert_eq!(ends.seek(&items, limit), model.get(place).map(|item| item.1));
                let before = place.checked_sub(1).and_then(|place| model.get(place));
                prop_assert_eq!(ends.floor(&items, limit), before.map(|item| item.1));
            }
        }

        #[test]
        fn what_is_put_behind_an_entry_stands_there(
            places in prop::collection::vec(any::<prop::sample::Index>(), 1..80),
        ) {
            let mut ends = Ends::empty();
            let mut items = Vec::new();
            let mut model: Vec<(u64, u32)> = Vec::new();
            for place in places {
                let place = place.index(model.len() + 1);
                let at = items.len() as u32;
                let before = place.checked_sub(1).map(|before| model[before].1);
                items.push(Item(Link::new(5, at)));
                ends.insert_after(&mut items, before, at);
                model.insert(place, (5, at));
                check(&ends, &items, &model);
            }
        }
    }

    const MANY: u32 = 100_000;

    /// The number of the n-th entry.
    type Order = fn(u32) -> u64;

    /// Inserts [`MANY`] entries with these numbers; gives the steps that one takes on average and at most.
    fn fill(seq: impl Fn(u32) -> u64) -> (Ends, Vec<Item>, f64, u64) {
        let mut ends = Ends::empty();
        let mut items: Vec<Item> = Vec::new();
        let (start, mut most) = (steps(), 0);
        for at in 0..MANY {
            items.push(Item(Link::new(seq(at), 0)));
            let before = steps();
            ends.insert(&mut items, at);
            most = most.max(steps() - before);
        }
        let mean = (steps() - start) as f64 / f64::from(MANY);
        (ends, items, mean, most)
    }

    const fn random(at: u32) -> u64 {
        crate::id::mix(at as u64)
    }

    #[test]
    fn an_entry_at_a_random_dot_costs_a_few_steps_per_level_whatever_the_order() {
        let log = f64::from(MANY).log2();
        let orders: [(&str, Order); 5] = [
            ("random", random),
            ("descending", |at| u64::from(MANY - at)),
            ("from both ends", |at| if at % 2 == 0 { u64::from(at) } else { u64::from(2 * MANY - at) }),
            ("towards the middle", |at| if at % 2 == 0 { u64::from(at) } else { 1 << 40 | u64::from(MANY - at) }),
            ("one number", |_| 7),
        ];
        for (name, order) in orders {
            let (mut ends, mut items, mean, most) = fill(order);
            assert!(mean <= 4.0 * log, "{name}: {mean} steps on average");
            assert!(most as f64 <= 12.0 * log, "{name}: {most} steps");
            assert!(f64::from(height(&items, ends.root, NONE)) <= 1.45 * log, "{name}");
            let before = steps();
            for at in (0..MANY).step_by(3) {
                ends.remove(&mut items, at);
            }
            let mean = (steps() - before) as f64 / f64::from(MANY / 3);
            assert!(mean <= 4.0 * log, "{name}: {mean} steps per removal");
            height(&items, ends.root, NONE);
        }
    }

    #[test]
    fn an_entry_at_the_end_costs_a_few_steps_however_many_there_are() {
        let (_, _, mean, _) = fill(u64::from);
        assert!(mean <= 26.0, "{mean}");
    }

    #[test]
    fn a_walk_costs_a_few_steps_per_entry_and_a_search_few_per_level() {
        let (ends, items, ..) = fill(random);
        let before = steps();
        assert_eq!(all(&ends, &items).len(), MANY as usize);
        assert!(steps() - before <= 3 * u64::from(MANY), "{}", steps() - before);
        let before = steps();
        for at in 1..1_001 {
            assert!(ends.seek(&items, random(at) - 1).is_some_and(|found| items[found as usize].0.seq == random(at)));
        }
        let mean = (steps() - before) as f64 / 1_000.0;
        assert!(mean <= 1.45 * f64::from(MANY).log2() + 2.0, "{mean}");
    }
}
