//! Integers of a list that are kept while the line is checked. So most entries of a message between nodes are read only
//! once.
//!
//! An item that is not kept, because it is no short integer or because there is no room, is read from the line again.
//! The entries are the same either way.

use super::super::json::{Malformed, Recorder, Scanner, Token};

/// How many integers of one list are kept: as many as a message of the usual size has.
const INTEGERS: usize = 128;
/// How many runs of integers of one list are kept.
const RUNS: usize = 8;

/// Integers with nothing but commas between them.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// The byte of the list at which the comma before the first integer is, and the byte after the last one.
    start: usize,
    end: usize,
    /// The range of its integers on the tape.
    from: u16,
    to: u16,
}

/// The integers of the list that was read last, if one was.
///
/// The compiler notes `None` in the flag of [`List`], so that a line without a list writes one byte here. If the mark
/// were a zero, the compiler would set it together with the zeros around it, and all of the room between them, for
/// every line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape(Option<List>);

/// The integers of one list.
#[derive(Clone, Debug, Default)]
struct List {
    integers: heapless::Vec<u32, INTEGERS>,
    runs: heapless::Vec<Run, RUNS>,
    /// An integer found no room. No other one is kept after it.
    is_full: bool,
}

/// A list that is being read and kept.
struct Recording<'t> {
    list: &'t mut List,
    run: Run,
    /// The byte of the line at which the list begins.
    base: usize,
}

impl Tape {
    /// A tape that holds nothing yet.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Reads a value as [`Scanner::value`] does. If it is a list, its integers replace those that were kept before.
    #[inline(never)]
    pub(crate) fn value<'a>(&mut self, scanner: &mut Scanner<'a>, depth: u32) -> Result<Token<'a>, Malformed> {
        let list = self.0.insert(List::default());
        let base = scanner.position();
        scanner.recorded_value(depth, &mut Recording { list, run: Run::default(), base })
    }

    /// The integers of the list that was read last.
    pub(crate) fn kept(&self) -> Kept<'_> {
        match &self.0 {
            Some(list) => Kept { integers: &list.integers, runs: &list.runs, run: [].iter() },
            None => Kept::default(),
        }
    }
}

impl Recorder for Recording<'_> {
    #[inline]
    fn begin(&mut self, at: usize) {
        let (at, from) = (at - self.base, self.list.integers.len() as u16);
        self.run = Run { start: at, end: at, from, to: from };
    }

    #[inline]
    fn push(&mut self, int: i64, end: usize) {
        if self.list.is_full || self.list.integers.push(int as u32).is_err() {
            self.list.is_full = true;
        } else {
            self.run.end = end - self.base;
        }
    }

    fn end(&mut self) {
        let list = &mut *self.list;
        self.run.to = list.integers.len() as u16;
        if self.run.to > self.run.from && list.runs.push(self.run).is_err() {
            list.integers.truncate(self.run.from.into());
            list.is_full = true;
        }
    }
}

/// The integers on a tape, while the list is read a second time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept<'a> {
    integers: &'a [u32],
    runs: &'a [Run],
    /// The integers of the present run that were not given yet.
    run: core::slice::Iter<'a, u32>,
}

impl Kept<'_> {
    /// How many integers are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| usize::from(run.to - run.from)).sum()
    }

    /// The next integer of the present run.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<i64> {
        self.run.next().map(|int| i64::from(*int))
    }

    /// Begins the run that starts at this byte of the list, if there is one. Returns the byte at which the run ends.
    pub(crate) fn begin(&mut self, at: usize) -> Option<usize> {
        // The loop is bounded by the number of runs: each turn drops one.
        while let Some((run, rest)) = self.runs.split_first() {
            if run.start > at {
                return None;
            }
            self.runs = rest;
            if run.start == at {
                self.run = self.integers.get(run.from.into()..run.to.into())?.iter();
                return Some(run.end);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::chunks::Chunks;
    use super::super::super::json::Token;
    use super::super::super::message::Message;
    use super::super::super::names::Key;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// All chunks and items, as text.
    fn all(mut chunks: Chunks<'_>) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(chunk) = chunks.chunk() {
            all.push(format!("{chunk:?}"));
            while let Some(item) = chunks.item() {
                all.push(format!("{item:?}"));
            }
        }
        all
    }

    /// Reads `data` with the integers that were kept and without them. Returns the items, and how many integers were
    /// kept.
    fn read(data: &str) -> (Vec<String>, usize) {
        let line = format!("{{\"body\":{{\"x\":[1,2,3],\"data\":{data},\"data\":[[\"b\",0,1,2]],\"y\":[4,5]}}}}");
        let mut message = Message::new();
        message.decode(line.as_bytes()).unwrap();
        let Some(Token::Array(array)) = message.get(Key::Data) else { panic!("{data} is a list") };
        let read = all(message.chunks().unwrap());
        assert_eq!(read, all(Chunks::new(array)), "{data}");
        (read, message.tape.kept().len())
    }

    #[test]
    fn what_is_kept_is_what_stands_in_the_line() {
        let long = |ints: usize| (0..ints).map(|int| format!(",{int}")).collect::<String>();
        for (data, kept) in [
            ("[]".into(), 0),
            (r#"[["a",0]]"#.into(), 0),
            (r#"[["a",0,7]]"#.into(), 1),
            (r#"[["a", 0, 7, 8], ["b", 5, 9]]"#.into(), 3),
            (r#"[["a" , 0 , 7 , 8 ] , ["b",5,9]]"#.into(), 1),
            (r#"[["a",0,7,[2],8,9,"x",1,2,-3,4,5]]"#.into(), 5),
            (r#"[["a",0,["w",1,2,3],5]]"#.into(), 2),
            (r#"[7,8,["a",0,1]]"#.into(), 2),
            (format!(r#"[["a",0{}]]"#, long(127)), 127),
            (format!(r#"[["a",0{}],["b",0{}]]"#, long(100), long(100)), 128),
            (format!(r#"[["a",0{}]]"#, r#",1,2,"x""#.repeat(20)), 9),
        ] {
            let (_, found) = read(&data);
            assert_eq!(found, kept, "{data}");
        }
    }

    fn item() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => (0_u32..20_000_000).prop_map(|int| format!("{int}")),
            4 => (0_u32..2_000).prop_map(|int| format!("{int}")),
            1 => any::<i64>().prop_map(|int| format!("{int}")),
            1 => prop::sample::select(&[r#""x""#, "[3]", r#"["w",1,2,3]"#, r#"["p",5]"#, "[[1,2],3]", "{}", r#"{"a":[1,2]}"#, "1.5", "[]", "true"][..])
                .prop_map(Into::into),
        ]
    }

    fn chunk() -> impl Strategy<Value = String> {
        let separator = prop::sample::select(&[",", ", ", " , "][..]);
        let head = prop::sample::select(&[r#""a",0"#, r#""b@7",12345678"#, r#""c",-1"#, "5", r#""d""#][..]);
        (head, separator, prop::collection::vec(item(), 0..60)).prop_map(|(head, separator, items)| {
            let items: String = items.into_iter().map(|item| format!("{separator}{item}")).collect();
            format!("[{head}{items}]")
        })
    }

    proptest! {
        #[test]
        fn entries_are_the_same_whether_they_were_kept_or_not(chunks in prop::collection::vec(chunk(), 0..6)) {
            read(&format!("[{}]", chunks.join(", ")));
        }
    }
}
