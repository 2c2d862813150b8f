//! Reads of a set as rows of bits, so that the checkers compare words and not single values.
//!
//! Elements are numbered in the order in which their adds were first invoked. So the elements that had been invoked by
//! some time are a prefix of every row.

use std::collections::HashMap;

use crate::check::bits::has;
use crate::check::view::{Fate, View};
use crate::history::{Answer, Call, Elements, History, Outcome, Phase};
use crate::settings::Micros;
use crate::trace::NEVER;

/// A value that some client asked to add.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) value: i64,
    /// The index of the add that was acknowledged first, or of the first add if none was.
    pub(crate) op: usize,
    /// The node that this add was sent to.
    pub(crate) node: usize,
    /// First invocation.
    pub(crate) invoked_us: Micros,
    /// Index of the first invocation.
    pub(crate) first: usize,
    /// Completion of the first acknowledged add.
    pub(crate) acknowledged_us: Option<Micros>,
    /// Whether it may have been added. If not, all adds of it failed.
    pub(crate) possible: bool,
}

/// An acknowledged read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetRead {
    pub(crate) op: usize,
    pub(crate) node: usize,
    pub(crate) phase: Phase,
    pub(crate) invoked_us: Micros,
    pub(crate) completed_us: Micros,
}

/// The sets of a run that is judged. They are made once, and all checkers of the set look at them.
pub(crate) fn sets<'v>(view: &'v View<'_>) -> &'v Sets {
    view.shared(|| Sets::new(view.history))
}

/// All elements and all acknowledged reads of a run.
#[derive(Default)]
pub(crate) struct Sets {
    pub(crate) elements: Vec<Element>,
    /// All reads in order of invocation, with those of the inspection.
    pub(crate) reads: Vec<SetRead>,
    /// Pairs of a read and a value that nobody ever asked to add.
    pub(crate) strangers: Vec<(usize, i64)>,
    /// Pairs of a read and a value that the reply listed more than once.
    pub(crate) repeated: Vec<(usize, i64)>,
    words: usize,
    bits: Vec<u64>,
    /// Elements in any read after the main phase.
    end: Vec<u64>,
}

impl Sets {
    pub(crate) fn new(history: &History) -> Self {
        let elements = elements(history);
        let lookup = Lookup::new(&elements);
        let words = elements.len().div_ceil(64);
        let mut sets = Self { words, end: vec![0; words], elements, ..Self::default() };
        let mut strangers = Vec::new();
        let mut last: HashMap<usize, (usize, Elements)> = HashMap::new();
        for op in &history.ops {
            let (Call::Read, Some(Answer::Elements(values))) = (&op.call, op.answer()) else { continue };
            let read = sets.reads.len();
            let start = sets.bits.len();
            sets.bits.resize(start + words, 0);
            // A list that begins with the last list of the same node begins with the same bits, unless one of its
            // values was odd.
            let shared =
                last.get(&op.node).filter(|(_, before)| before.shares_with(values) && before.len() <= values.len());
            let known = shared.map_or(0, |(row, before)| {
                sets.bits.copy_within(row * words..(row + 1) * words, start);
                before.len()
            });
            let row = &mut sets.bits[start..];
            let odd = sets.strangers.len() + sets.repeated.len();
            values.with(|values| {
                for &value in &values[known..] {
                    let Some(number) = lookup.number(value) else {
                        strangers.push(value);
                        continue;
                    };
                    let bit = 1 << (number % 64);
                    if row[number / 64] & bit != 0 {
                        sets.repeated.push((read, value));
                    }
                    row[number / 64] |= bit;
                }
            });
            if op.phase != Phase::Main {
                sets.end.iter_mut().zip(row).for_each(|(all, word)| *all |= *word);
            }
            sets.keep_strangers(read, &mut strangers);
            if odd == sets.strangers.len() + sets.repeated.len() {
                last.insert(op.node, (read, values.clone()));
            } else {
                last.remove(&op.node);
            }
            sets.reads.push(SetRead {
                op: op.index,
                node: op.node,
                phase: op.phase,
                invoked_us: op.invoked_us,
                completed_us: op.completed_us,
            });
        }
        sets
    }

    /// The elements of a read; bits beyond the last element are 0.
    pub(crate) fn row(&self, read: usize) -> &[u64] {
        &self.bits[read * self.words..(read + 1) * self.words]
    }

    /// Words of a row.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Whether a read shows an element.
    pub(crate) fn shows(&self, read: usize, element: usize) -> bool {
        has(self.row(read), element)
    }

    /// Whether any read after the main phase shows an element.
    pub(crate) fn shown_at_end(&self, element: usize) -> bool {
        has(&self.end, element)
    }

    /// Whether an acknowledged element is rightly lost. It is if a killed process was the only one to have it, no read
    /// in the end shows it, and every process that got it later was killed as well.
    pub(crate) fn excused(&self, view: &View<'_>, element: usize) -> Option<Fate> {
        let Element { op, node: author, value, .. } = self.elements[element];
        let fate = view.fate(op)?;
        if self.shown_at_end(element) {
            return None;
        }
        // The author is dead already, although its acknowledgement may have been read after its death.
        let arrivals = view.trace.arrivals.get(&value).into_iter().flatten().enumerate();
        let mut others = arrivals.filter(|&(node, &at)| node != author && at != NEVER);
        let survived = others.any(|(node, &at)| !view.lives.killed_since(node, at));
        (!survived).then_some(fate)
    }

    /// The number of elements whose adds had been invoked when a read completed. They are the first ones.
    pub(crate) fn asked_before_end_of(&self, read: &SetRead) -> usize {
        self.elements.partition_point(|element| {
            element.invoked_us < read.completed_us
                || (element.invoked_us == read.completed_us && element.first < read.op)
        })
    }

    fn keep_strangers(&mut self, read: usize, strangers: &mut Vec<i64>) {
        strangers.sort_unstable();
        let repeated = strangers.windows(2).filter(|pair| pair[0] == pair[1]);
        self.repeated.extend(repeated.map(|pair| (read, pair[0])));
        strangers.dedup();
        self.strangers.extend(strangers.drain(..).map(|value| (read, value)));
    }
}

/// All elements, in the order of their first invocation.
fn elements(history: &History) -> Vec<Element> {
    let adds =
        history.ops.iter().filter_map(|op| if let Call::Add(value) = op.call { Some((value, op)) } else { None });
    let mut adds: Vec<_> = adds.collect();
    adds.sort_by_key(|&(value, op)| (value, op.index));
    let mut elements: Vec<Element> = Vec::with_capacity(adds.len());
    for (value, op) in adds {
        if elements.last().is_none_or(|last| last.value != value) {
            elements.push(Element {
                value,
                op: op.index,
                node: op.node,
                invoked_us: op.invoked_us,
                first: op.index,
                acknowledged_us: None,
                possible: false,
            });
        }
        let Some(element) = elements.last_mut() else { continue };
        match op.outcome {
            Outcome::Ok { .. } => {
                element.possible = true;
                if element.acknowledged_us.is_none_or(|at| op.completed_us < at) {
                    element.acknowledged_us = Some(op.completed_us);
                    (element.op, element.node) = (op.index, op.node);
                }
            }
            Outcome::Info { .. } => element.possible = true,
            Outcome::Fail { .. } => {}
        }
    }
    elements.sort_by_key(|element| element.first);
    elements
}

/// Finds the number of the element of a value.
enum Lookup {
    /// The smallest value, and a table that begins with it. It serves the small dense integers that the lab writes.
    Table(i64, Vec<u32>),
    /// Values and numbers, sorted by value. It serves all others.
    Sorted(Vec<(i64, usize)>),
}

impl Lookup {
    const NONE: u32 = u32::MAX;

    fn new(elements: &[Element]) -> Self {
        let mut sorted: Vec<_> = elements.iter().enumerate().map(|(number, element)| (element.value, number)).collect();
        sorted.sort_unstable();
        let (Some(&(least, _)), Some(&(most, _))) = (sorted.first(), sorted.last()) else {
            return Self::Sorted(sorted);
        };
        // A table with at most eight places for each element costs less than the rows that are filled with its help.
        let width = i128::from(most) - i128::from(least) + 1;
        let Some(width) = usize::try_from(width).ok().filter(|&width| width <= 8 * elements.len() + 1024) else {
            return Self::Sorted(sorted);
        };
        let mut table = vec![Self::NONE; width];
        for (value, number) in sorted {
            if let (Ok(place), Ok(number)) = (usize::try_from(value - least), u32::try_from(number)) {
                table[place] = number;
            }
        }
        Self::Table(least, table)
    }

    fn number(&self, value: i64) -> Option<usize> {
        match self {
            Self::Table(least, table) => {
                let place = usize::try_from(value.checked_sub(*least)?).ok()?;
                table.get(place).filter(|&&number| number != Self::NONE).map(|&number| number as usize)
            }
            Self::Sorted(sorted) => {
                let place = sorted.binary_search_by_key(&value, |&(value, _)| value).ok()?;
                Some(sorted[place].1)
            }
        }
    }
}
