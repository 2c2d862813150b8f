//! The layout of the last line of a kind predicts the next one.
//!
//! Clients write their lines with one and the same encoder, so two requests of a kind differ in a few numbers and in
//! who asks. A [`Layout`] is a line with holes for these. A line that fits is read by comparing what is between the
//! holes; one that does not fit goes to the scanner. Both read the same message: the fuzz target `decode` compares them.

use super::json::{POWERS, Scanner, Str, Token, up_to_eight};
use super::message::{Key, Kind, Message};

/// Remembers the layouts of the last lines.
#[derive(Clone, Debug, Default)]
pub struct Predictor {
    layouts: [Layout; 2],
    last: usize,
}

impl Predictor {
    /// Reads a line into `message`, by prediction if it fits, else by the scanner. O(length of the line).
    ///
    /// # Errors
    /// As [`Message::decode`].
    #[inline]
    pub fn decode<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), super::Malformed> {
        if self.layouts[self.last].read(line, message) {
            return Ok(());
        }
        self.decode_unpredicted(line, message)
    }

    fn decode_unpredicted<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), super::Malformed> {
        let other = 1 - self.last;
        if self.layouts[other].read(line, message) {
            self.last = other;
            return Ok(());
        }
        message.decode(line)?;
        if message.is_predictable()
            && let Some(layout) = Layout::learn(line, message)
        {
            self.layouts[other] = layout;
            self.last = other;
        }
        Ok(())
    }
}

/// What stands in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// Nothing: the line ends here.
    End,
    /// A number of the envelope or of a key that no message knows.
    Ignored,
    /// The number of a key.
    Int(Key),
    /// The text of `src`.
    Src,
}

/// A stretch of literal text and the hole after it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    len: u8,
    hole: Hole,
}

const STRETCHES: usize = 6;
const LITERAL: usize = 192;

/// A line with holes.
#[derive(Clone, Debug)]
struct Layout {
    literal: heapless::Vec<u8, LITERAL>,
    stretches: heapless::Vec<Stretch, STRETCHES>,
    kind: Option<Kind>,
    dest: Fixed,
    type_name: Fixed,
}

/// A string that is part of the literal text.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    stretch: u8,
    offset: u8,
    len: u8,
}

impl Fixed {
    #[inline]
    fn in_line<'a>(&self, line: &'a [u8], starts: &[usize; STRETCHES]) -> Option<Str<'a>> {
        let start = starts.get(usize::from(self.stretch))? + usize::from(self.offset);
        line.get(start..start + usize::from(self.len)).map(Str::plain)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            literal: heapless::Vec::new(),
            stretches: heapless::Vec::new(),
            kind: None,
            dest: Fixed::default(),
            type_name: Fixed::default(),
        }
    }
}

impl Layout {
    /// Reads the line if it fits.
    #[inline]
    fn read<'a>(&self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        let mut starts = [0; STRETCHES];
        let mut literal = &self.literal[..];
        let mut at = 0;
        message.clear();
        for (stretch, start) in self.stretches.iter().zip(&mut starts) {
            let Some((expected, more)) = literal.split_at_checked(usize::from(stretch.len)) else {
                return false;
            };
            literal = more;
            *start = at;
            if !line.get(at..).is_some_and(|rest| begins_with(rest, expected)) {
                return false;
            }
            at += expected.len();
            match stretch.hole {
                Hole::End => {
                    message.kind = self.kind;
                    message.dest = self.dest.in_line(line, &starts);
                    message.type_name = self.type_name.in_line(line, &starts);
                    return at == line.len();
                }
                Hole::Src => {
                    let rest = &line[at..];
                    let len = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
                    message.src = Some(Str::plain(&rest[..len]));
                    at += len;
                }
                hole @ (Hole::Ignored | Hole::Int(_)) => {
                    let Some((int, len)) = integer(&line[at..]) else {
                        return false;
                    };
                    if let Hole::Int(key) = hole {
                        message.set(key, Token::Int(int));
                    }
                    at += len;
                }
            }
        }
        false
    }

    /// The layout of a line that was read into `message`, if it is of the kind that can be predicted: one object with a
    /// body, whose values are numbers and plain strings.
    fn learn(line: &[u8], message: &Message<'_>) -> Option<Self> {
        let mut layout = Self { kind: message.kind, ..Self::default() };
        if message.is_reply || message.known_field_twice().is_some() || message.envelope_twice().is_some() {
            return None;
        }
        let mut lexer = Lexer { line, scanner: Scanner::new(line), layout: &mut layout, done: 0 };
        lexer.object(false)?;
        lexer.scanner.end().ok()?;
        let end = line.len();
        lexer.hole(end, end, Hole::End)?;
        (layout.dest.len > 0 && layout.type_name.len > 0).then_some(layout)
    }
}

/// Cuts a line that is known to be JSON into stretches and holes.
struct Lexer<'a, 'l> {
    line: &'a [u8],
    scanner: Scanner<'a>,
    layout: &'l mut Layout,
    /// Everything before this byte is in the layout.
    done: usize,
}

impl Lexer<'_, '_> {
    fn object(&mut self, body: bool) -> Option<()> {
        self.scanner.white();
        self.scanner.expect(b'{').ok()?;
        loop {
            let key = self.scanner.key().ok()?;
            let start = self.scanner.position();
            if !body && key.is("body") {
                self.object(true)?;
            } else {
                let token = self.scanner.value(0).ok()?;
                self.value(body, key, token, start)?;
            }
            self.scanner.white();
            if self.scanner.eat(b'}') {
                return Some(());
            }
            self.scanner.expect(b',').ok()?;
        }
    }

    fn value(&mut self, body: bool, key: Str<'_>, token: Token<'_>, start: usize) -> Option<()> {
        let end = self.scanner.position();
        match token {
            Token::Int(_) if body => {
                let hole = Key::find(key).map_or(Hole::Ignored, Hole::Int);
                self.hole(start, end, hole)
            }
            Token::Int(_) => self.hole(start, end, Hole::Ignored),
            Token::Text(text) if text.raw().iter().copied().all(is_plain) && !text.raw().is_empty() => {
                let len = u8::try_from(text.raw().len()).ok()?;
                let stretch = self.layout.stretches.len() as u8;
                let place = Fixed { stretch, offset: u8::try_from(start + 1 - self.done).ok()?, len };
                match (body, key.raw()) {
                    (false, b"src") => self.hole(start + 1, end - 1, Hole::Src),
                    (false, b"dest") => {
                        self.layout.dest = place;
                        Some(())
                    }
                    (true, b"type") => {
                        self.layout.type_name = place;
                        Some(())
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn hole(&mut self, start: usize, end: usize, hole: Hole) -> Option<()> {
        let text = self.line.get(self.done..start)?;
        self.layout.literal.extend_from_slice(text).ok()?;
        self.layout.stretches.push(Stretch { len: u8::try_from(text.len()).ok()?, hole }).ok()?;
        self.done = end;
        Some(())
    }
}

/// A byte of a string that stands for itself and for no other.
#[inline]
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

/// Whether `text` begins with `expected`. In words, the last of which overlap: the stretches are short.
#[inline]
fn begins_with(text: &[u8], expected: &[u8]) -> bool {
    let Some(text) = text.get(..expected.len()) else {
        return false;
    };
    match expected.len() {
        16.. => {
            let (text_blocks, _) = text.as_chunks::<16>();
            let (expected_blocks, _) = expected.as_chunks::<16>();
            let blocks = text_blocks
                .iter()
                .zip(expected_blocks)
                .all(|(a, b)| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b));
            blocks && text.last_chunk::<16>() == expected.last_chunk::<16>()
        }
        8..16 => {
            text.first_chunk::<8>() == expected.first_chunk::<8>()
                && text.last_chunk::<8>() == expected.last_chunk::<8>()
        }
        4..8 => {
            text.first_chunk::<4>() == expected.first_chunk::<4>()
                && text.last_chunk::<4>() == expected.last_chunk::<4>()
        }
        0..4 => text == expected,
    }
}

/// A JSON integer of up to 18 digits at the start of `text`, and its length.
#[inline]
fn integer(text: &[u8]) -> Option<(i64, usize)> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut magnitude, mut len) = (0, 0);
    while let Some(eight) = text.get(start + len..).and_then(<[u8]>::first_chunk::<8>)
        && len < 16
    {
        let (number, count) = up_to_eight(u64::from_le_bytes(*eight));
        magnitude = magnitude * POWERS[count] + number;
        len += count;
        if count < 8 {
            return finish(text, start, len, negative, magnitude);
        }
    }
    while let Some(digit) = text.get(start + len).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        if len == 18 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
        len += 1;
    }
    finish(text, start, len, negative, magnitude)
}

#[inline]
fn finish(text: &[u8], start: usize, len: usize, negative: bool, magnitude: u64) -> Option<(i64, usize)> {
    let canonical = len > 0 && (len == 1 || text[start] != b'0') && !(negative && magnitude == 0);
    let magnitude = magnitude.cast_signed();
    // A fraction or an exponent does not fit the literal text that follows.
    canonical.then_some((if negative { -magnitude } else { magnitude }, start + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_read_as_the_scanner_reads_them(text in "-?[0-9]{0,21}[,}.e ]?[0-9]{0,9}") {
            let mut scanner = Scanner::new(text.as_bytes());
            let scanned = scanner.value(0);
            if let Some((int, len)) = integer(text.as_bytes()) {
                let rest = text.as_bytes().get(len);
                if !matches!(rest, Some(b'.' | b'e')) {
                    prop_assert_eq!(scanned, Ok(Token::Int(int)));
                    prop_assert_eq!(scanner.position(), len);
                }
            } else if let Ok(Token::Int(int)) = scanned {
                prop_assert!(int.unsigned_abs() >= 10_u64.pow(18), "{}", int);
            }
        }

        #[test]
        fn a_predicted_line_is_read_as_the_scanner_reads_it(
            src in "[a-z]{1,3}[0-9]{0,2}",
            numbers in prop::collection::vec((any::<i64>(), any::<u32>(), any::<i16>()), 1..5),
            spaced: bool,
        ) {
            let mut predictor = Predictor::default();
            for (message, msg_id, id) in numbers {
                let mut line = std::format!(
                    r#"{{"id":{id},"src":"{src}","dest":"n1","body":{{"type":"broadcast","message":{message},"msg_id":{msg_id}}}}}"#
                );
                if spaced {
                    line = line.replace(':', ": ").replace(',', " , ");
                }
                let (mut predicted, mut scanned) = (Message::new(), Message::new());
                prop_assert!(predictor.decode(line.as_bytes(), &mut predicted).is_ok());
                prop_assert!(scanned.decode(line.as_bytes()).is_ok());
                prop_assert_eq!(predicted, scanned);
            }
        }
    }
}
