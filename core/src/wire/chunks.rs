//! The entries in a message between nodes: for each row a stretch of its dots, covered without gaps.
//!
//! `["n1@7", 4, 10, "a", [2], ["w", "k", "v", 1700000000000001], ["p", 12]]` covers dots 5 to 10 of row `n1@7`: two set
//! values, two dots that newer ones superseded, one write, one counter cell. See `WIRE.md`.

use super::json::{Scanner, Str, Token};
use crate::causality::{Arg, Entry, Tag};
use crate::storage::Text;

/// Largest number of a dot: what fits an `i64`, so that no sum of two overflows.
pub const SEQ_MAX: u64 = (i64::MAX / 2) as u64;

const ARGS_MAX: usize = Entry::ARGS_MAX;

/// The chunks of a `data` field.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    scanner: Scanner<'a>,
}

/// The beginning of a chunk. Its items follow by [`Chunks::item`].
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
    /// The entry of the next dot is an integer and nothing else: most are.
    Int(i64),
    /// The entry of the next dot.
    Entry(RawEntry<'a>),
    /// The next dots were superseded.
    Skip(u64),
}

/// An entry as it stands in the line.
#[derive(Clone, Copy, Debug)]
pub struct RawEntry<'a> {
    tag: Tag,
    args: [Token<'a>; ARGS_MAX],
    len: usize,
}

/// Room for the strings of one entry, where they have up to 256 bytes.
pub type Scratch = [heapless::String<256>; ARGS_MAX];

impl<'a> RawEntry<'a> {
    /// The value, when this is an integer of the set.
    #[must_use]
    pub fn bare_int(&self) -> Option<i64> {
        match (self.tag == Tag::BARE && self.len == 1, self.args[0]) {
            (true, Token::Int(int)) => Some(int),
            _ => None,
        }
    }

    /// The entry, escapes resolved; `None` when an argument is of the wrong kind or too long.
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
    /// The chunks in `array`, the text of an array that was checked to be JSON.
    #[must_use]
    pub fn new(array: &'a str) -> Self {
        let mut scanner = Scanner::new(array.as_bytes());
        scanner.eat(b'[');
        Self { scanner }
    }

    /// The next chunk. All items of the one before must have been read. What is no chunk is stepped over.
    pub fn chunk(&mut self) -> Option<Chunk<'a>> {
        // Bounded by the length of the line: each turn reads a value or ends.
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

    /// The next item of the present chunk; `None` at its end. What is no item this version knows is an entry that cannot
    /// be resolved, and stands for one dot.
    #[inline]
    pub fn item(&mut self) -> Option<Item<'a>> {
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
        let token = self.scanner.value(0).ok()?;
        Some(Item::Entry(RawEntry { tag: Tag::BARE, args: [token, Token::Null, Token::Null], len: 1 }))
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

    /// Rows, starts, and per item `Some(dots)` or `None` for one that cannot be read.
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
