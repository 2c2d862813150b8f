//! The entries in a message between nodes. A chunk covers a range of the dots of one row without gaps.
//!
//! `["n1@7", 4, 10, "a", [2], ["w", "k", "v", 1700000000000001], ["p", 12]]` covers dots 5 to 10 of row `n1@7`: two
//! values of the set, two dots that newer ones superseded, one write, and one cell of the counter. See `WIRE.md`.

use super::fast::Kept;
use super::json::{Scanner, Str, Token};
use crate::causality::{Arg, Entry, Tag};
use crate::storage::Text;

/// The largest `seq` of a dot: half of the largest `i64`, so that no sum of two overflows.
pub const SEQ_MAX: u64 = (i64::MAX / 2) as u64;

const ARGS_MAX: usize = Entry::ARGS_MAX;

/// The chunks of a `data` field.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    scanner: Scanner<'a>,
    /// Integers that were kept when the line was checked.
    kept: Kept<'a>,
}

/// The beginning of a chunk. [`Chunks::item`] then gives its items.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Name of the row.
    pub row: Str<'a>,
    /// The chunk covers the dots after this one.
    pub from: u64,
}

/// One item of a chunk.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// The entry of the next dot, which is a single integer. Most entries are.
    Int(i64),
    /// The entry of the next dot.
    Entry(RawEntry<'a>),
    /// This many dots that follow were superseded.
    Skip(u64),
}

/// An entry as it is written in the line.
#[derive(Clone, Copy, Debug)]
pub struct RawEntry<'a> {
    tag: Tag,
    args: [Token<'a>; ARGS_MAX],
    len: usize,
}

/// Room for the strings of one entry, of up to 256 bytes each.
pub type Scratch = [heapless::String<256>; ARGS_MAX];

impl<'a> RawEntry<'a> {
    /// The value, if this is an entry of the set and an integer.
    #[must_use]
    pub fn bare_int(&self) -> Option<i64> {
        match (self.tag == Tag::BARE && self.len == 1, self.args[0]) {
            (true, Token::Int(int)) => Some(int),
            _ => None,
        }
    }

    /// The entry, with escapes resolved in `scratch`. `None` if an argument is of the wrong kind or too long.
    #[must_use]
    pub fn resolve<'s>(&self, scratch: &'s mut [impl Text; ARGS_MAX]) -> Option<Entry<'s>>
    where
        'a: 's,
    {
        let mut args = [Arg::Int(0); ARGS_MAX];
        for ((arg, token), room) in args.iter_mut().zip(&self.args).take(self.len).zip(scratch) {
            *arg = match token {
                Token::Int(int) => Arg::Int(*int),
                Token::Big(big) => Arg::Big(*big),
                Token::Text(text) => Arg::Text(text.unescape(room)?),
                Token::Number(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => return None,
            };
        }
        Entry::new(self.tag, args.get(..self.len)?)
    }
}

impl<'a> Chunks<'a> {
    /// The chunks in `array`, which is the text of a JSON array that was checked before.
    #[must_use]
    pub fn new(array: &'a str) -> Self {
        Self::kept(array, Kept::default())
    }

    /// The chunks in `array`. Some of its integers were kept while it was checked.
    pub(super) fn kept(array: &'a str, kept: Kept<'a>) -> Self {
        let mut scanner = Scanner::new(array.as_bytes());
        scanner.eat(b'[');
        Self { scanner, kept }
    }

    /// The next chunk. All items of the chunk before have to be read first. Values that are no chunk are skipped.
    pub fn chunk(&mut self) -> Option<Chunk<'a>> {
        // The loop is bounded by the length of the line: each turn reads a value or ends.
        loop {
            self.separator();
            let before = self.scanner.clone();
            if let Some(chunk) = self.head() {
                return Some(chunk);
            }
            self.scanner = before;
            self.scanner.value(0).ok()?;
        }
    }

    fn head(&mut self) -> Option<Chunk<'a>> {
        if !self.scanner.eat(b'[') {
            return None;
        }
        self.scanner.white();
        let row = self.scanner.string().ok()?;
        self.separator();
        let Ok(Token::Int(from)) = self.scanner.value(0) else {
            return None;
        };
        let from = u64::try_from(from).ok().filter(|from| *from < SEQ_MAX)?;
        Some(Chunk { row, from })
    }

    /// The next item of the present chunk; `None` at its end. An item that this version does not know counts as the
    /// entry of one dot, and [`RawEntry::resolve`] gives `None` for it.
    #[inline]
    pub fn item(&mut self) -> Option<Item<'a>> {
        match self.kept.next() {
            Some(int) => Some(Item::Int(int)),
            None => self.item_of_line(),
        }
    }

    /// The next item, read from the line, or the first of a run of integers that were kept.
    fn item_of_line(&mut self) -> Option<Item<'a>> {
        if let Some(end) = self.kept.begin(self.scanner.position()) {
            self.scanner.advance_to(end);
            return self.kept.next().map(Item::Int);
        }
        self.separator();
        if let Some(int) = self.scanner.short_integer() {
            return Some(Item::Int(int));
        }
        if self.scanner.eat(b']') {
            return None;
        }
        let before = self.scanner.clone();
        if self.scanner.eat(b'[') {
            if let Some(item) = self.tagged() {
                return Some(item);
            }
            self.scanner = before;
        }
        Some(match self.scanner.value(0).ok()? {
            Token::Int(int) => Item::Int(int),
            token => Item::Entry(RawEntry { tag: Tag::BARE, args: [token, Token::Null, Token::Null], len: 1 }),
        })
    }

    /// The rest of `[n]` or `["tag", …]`.
    fn tagged(&mut self) -> Option<Item<'a>> {
        self.scanner.white();
        let item = match self.scanner.value(0).ok()? {
            Token::Int(count) => Item::Skip(u64::try_from(count).ok().filter(|count| (1..SEQ_MAX).contains(count))?),
            Token::Text(tag) => {
                let [tag] = *tag.raw() else { return None };
                let (args, len) = self.args()?;
                return Some(Item::Entry(RawEntry { tag: Tag(tag), args, len }));
            }
            _ => return None,
        };
        self.scanner.white();
        self.scanner.eat(b']').then_some(item)
    }

    fn args(&mut self) -> Option<([Token<'a>; ARGS_MAX], usize)> {
        let mut args = [Token::Null; ARGS_MAX];
        let mut len = 0;
        loop {
            self.scanner.white();
            if self.scanner.eat(b']') {
                return Some((args, len));
            }
            self.separator();
            *args.get_mut(len)? = self.scanner.value(0).ok()?;
            len += 1;
        }
    }

    #[inline]
    fn separator(&mut self) {
        self.scanner.white();
        if self.scanner.eat(b',') {
            self.scanner.white();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row and start of each chunk, and for each item `Some(dots)`, or `None` if it cannot be read.
    fn read(data: &str) -> std::vec::Vec<(std::string::String, u64, std::vec::Vec<Option<u64>>)> {
        let mut chunks = Chunks::new(data);
        let mut all = std::vec::Vec::new();
        while let Some(chunk) = chunks.chunk() {
            let mut items = std::vec::Vec::new();
            while let Some(item) = chunks.item() {
                items.push(match item {
                    Item::Int(_) => Some(1),
                    Item::Skip(dots) => Some(dots),
                    Item::Entry(raw) => raw.resolve(&mut Scratch::default()).map(|_| 1),
                });
            }
            all.push((chunk.row.chars().collect(), chunk.from, items));
        }
        all
    }

    #[test]
    fn what_cannot_be_read_costs_one_dot_and_nothing_that_follows() {
        let (a, b) = ("a".into(), "b".into());
        for item in
            ["1.5", "null", r#"{"a": 1}"#, r#"["long", 1]"#, r#"["w", 1, 2, 3, 4]"#, "[[1]]", "[]", r#"["a", 3, 4]"#]
        {
            let data = std::format!(r#"[["a", 0, 5, {item}, 6, [2]], ["b", 3, "x"]]"#);
            let (_, _, items) = &read(&data)[0];
            assert_eq!((items.len(), items[0], items[2], items[3]), (4, Some(1), Some(1), Some(2)), "{data}");
            assert_eq!(read(&data)[1], (std::clone::Clone::clone(&b), 3, std::vec![Some(1)]), "{data}");
        }
        assert_eq!(read(r#"[7, ["c"], [1, 2], ["a", -1, 5], ["a", 2, 5]]"#), [(a, 2, std::vec![Some(1)])]);
    }
}
