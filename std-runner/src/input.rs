//! Splits blocks of bytes into lines, with bounded memory.

/// How many bytes are read at once.
pub const BLOCK: usize = 128 << 10;

/// The next part of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// A line that was longer than the bound has ended. It was skipped.
    TooLong,
    /// A line has ended whose beginning was discarded. It was skipped; [`Lines::discard`] has counted it.
    Stale,
    /// More bytes are needed.
    More,
}

/// A buffer between blocks that are read and lines that are handled. A line that lies inside a block is not copied. A
/// line that does not fit makes the buffer grow up to the bound on lines; a line beyond the bound is skipped to its
/// end.
#[derive(Debug)]
pub struct Lines {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Everything before this byte was searched for a newline.
    searched: usize,
    max_line: usize,
    skipping: Skipping,
}

/// What is being skipped up to the next newline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skipping {
    #[default]
    Nothing,
    /// The rest of a line that is too long.
    TooLong,
    /// The rest of a line that was discarded.
    Stale,
}

impl Lines {
    /// A buffer for lines of up to `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self { bytes: vec![0; BLOCK], start: 0, end: 0, searched: 0, max_line, skipping: Skipping::Nothing }
    }

    /// Room for the next block. It is called when [`Lines::next_line`] gives [`Next::More`].
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.reset();
        } else if self.bytes.len() - self.end < BLOCK / 2 {
            self.make_room();
        }
        &mut self.bytes[self.end..]
    }

    fn reset(&mut self) {
        (self.start, self.end, self.searched) = (0, 0, 0);
        if self.bytes.len() > BLOCK {
            // A long line has ended: its memory is given back.
            self.bytes = vec![0; BLOCK];
        }
    }

    fn make_room(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.searched -= self.start;
        self.start = 0;
        if self.end > self.max_line {
            self.skip_too_long();
            self.reset();
        } else if self.bytes.len() - self.end < BLOCK / 2 {
            let len = (self.bytes.len() * 2).min(self.max_line + BLOCK);
            self.bytes.resize(len, 0);
        }
    }

    /// Forgets the part of a line that has come, and skips the rest. If the line was discarded before, it still counts
    /// as discarded.
    fn skip_too_long(&mut self) {
        if self.skipping == Skipping::Nothing {
            self.skipping = Skipping::TooLong;
        }
    }

    /// Forgets everything that was read and not given out. Returns the number of lines. A line that has not ended is
    /// counted, and its rest is skipped when it comes.
    pub fn discard(&mut self) -> u64 {
        let waiting = &self.bytes[self.start..self.end];
        let ended = memchr::memchr_iter(b'\n', waiting).count() as u64;
        let is_open = waiting.last().is_some_and(|byte| *byte != b'\n');
        let mut counted_before = false;
        if ended > 0 {
            // The line that was being skipped, if there was one, has ended.
            counted_before = std::mem::take(&mut self.skipping) == Skipping::Stale;
        }
        let begun = is_open && self.skipping == Skipping::Nothing;
        if begun {
            self.skipping = Skipping::Stale;
        }
        self.reset();
        ended + u64::from(begun) - u64::from(counted_before)
    }

    /// Notes that `count` bytes were read into [`Lines::room`].
    pub fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The next line.
    #[inline]
    pub fn next_line(&mut self) -> Next<'_> {
        let Some(found) = memchr::memchr(b'\n', &self.bytes[self.searched..self.end]) else {
            self.searched = self.end;
            if self.skipping != Skipping::Nothing {
                self.start = self.end;
            }
            return Next::More;
        };
        let (start, end) = (self.start, self.searched + found);
        self.start = end + 1;
        self.searched = end + 1;
        match std::mem::take(&mut self.skipping) {
            Skipping::Nothing if end - start <= self.max_line => {}
            Skipping::Nothing | Skipping::TooLong => return Next::TooLong,
            Skipping::Stale => return Next::Stale,
        }
        Next::Line(&self.bytes[start..end])
    }

    /// What is left when the input has ended: a last line without a newline.
    pub fn rest(&mut self) -> Next<'_> {
        let (start, end) = (self.start, self.end);
        self.start = end;
        match self.skipping {
            Skipping::Nothing if end - start <= self.max_line => {}
            Skipping::Nothing | Skipping::TooLong => return Next::TooLong,
            Skipping::Stale => return Next::Stale,
        }
        if start == end { Next::More } else { Next::Line(&self.bytes[start..end]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces and collects the lines; `None` for one that was too long.
    fn lines(input: &[u8], piece: usize, max_line: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(max_line);
        let mut found = Vec::new();
        let mut rest = input;
        while !rest.is_empty() {
            let room = lines.room();
            let count = piece.min(room.len()).min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            lines.filled(count);
            rest = &rest[count..];
            loop {
                match lines.next_line() {
                    Next::Line(line) => found.push(Some(line.to_vec())),
                    Next::TooLong | Next::Stale => found.push(None),
                    Next::More => break,
                }
            }
        }
        match lines.rest() {
            Next::Line(line) => found.push(Some(line.to_vec())),
            Next::TooLong | Next::Stale => found.push(None),
            Next::More => {}
        }
        found
    }

    #[test]
    fn lines_come_out_whole_however_the_blocks_fall() {
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for len in [0, 1, 5, 100_000, 300_000, 300_001, 700_000, 3, 0, 2] {
            let line = vec![b'x'; len];
            input.extend_from_slice(&line);
            input.push(b'\n');
            expected.push((len <= 300_000).then_some(line));
        }
        input.extend_from_slice(b"last");
        expected.push(Some(b"last".to_vec()));
        for piece in [1_000, 4_096, 65_536, 1 << 20] {
            assert!(lines(&input, piece, 300_000) == expected, "blocks of {piece}");
        }
    }

    /// Puts bytes into the buffer, as a read does.
    fn fill(lines: &mut Lines, bytes: &[u8]) {
        lines.room()[..bytes.len()].copy_from_slice(bytes);
        lines.filled(bytes.len());
    }

    #[test]
    fn what_is_discarded_is_counted_and_the_line_after_it_is_whole() {
        for (waiting, count, rest, expected) in [
            (&b"a\nb\n"[..], 2, &b"c\n"[..], &[Next::Line(b"c")][..]),
            (b"a\nbeg", 2, b"un\nc\n", &[Next::Stale, Next::Line(b"c")]),
            (b"beg", 1, b"un\nc\n", &[Next::Stale, Next::Line(b"c")]),
            (b"", 0, b"c\n", &[Next::Line(b"c")]),
        ] {
            let mut lines = Lines::new(100);
            fill(&mut lines, waiting);
            assert_eq!(lines.discard(), count, "{}", waiting.escape_ascii());
            fill(&mut lines, rest);
            for next in expected {
                assert_eq!(lines.next_line(), *next, "{}", waiting.escape_ascii());
            }
            assert_eq!(lines.next_line(), Next::More);
        }
    }

    #[test]
    fn a_line_that_is_discarded_in_pieces_counts_once() {
        let mut lines = Lines::new(100);
        for (piece, count) in
            [(&b"x"[..], 1), (b"y", 0), (b"z\nbegun", 1), (b"more", 0), (b"\n", 0), (b"a\nb\n", 2), (b"c", 1)]
        {
            fill(&mut lines, piece);
            assert_eq!(lines.discard(), count, "{}", piece.escape_ascii());
        }
        assert_eq!(lines.rest(), Next::Stale);
    }

    #[test]
    fn memory_stays_bounded_by_the_line_bound() {
        let mut lines = Lines::new(1 << 20);
        for _ in 0..1_000 {
            let room = lines.room();
            let count = room.len();
            room.fill(b'[');
            lines.filled(count);
            assert_eq!(lines.next_line(), Next::More);
            assert!(lines.bytes.len() <= (1 << 20) + BLOCK);
        }
        lines.room()[..4].copy_from_slice(b"\n{}\n");
        lines.filled(4);
        assert_eq!(lines.next_line(), Next::TooLong);
        assert_eq!(lines.next_line(), Next::Line(b"{}"));
    }
}
