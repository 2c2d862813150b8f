//! The layout of the last line of a kind predicts the next one.
//!
//! Clients write their lines with one and the same encoder, so two requests of a kind differ in a few numbers and in
//! who asks. A [`Layout`] is a line with holes for these. A line that fits is read by comparing what is between the
//! holes; one that does not fit goes to the scanner. Both read the same message: the fuzz target `decode` compares them.

use super::json::{Scanner, Str, Token};
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
        if message.field_count() <= 1
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
    /// Where `dest` and `type` stand: stretch, offset in it, length.
    dest: (u8, u8, u8),
    type_name: (u8, u8, u8),
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            literal: heapless::Vec::new(),
            stretches: heapless::Vec::new(),
            kind: None,
            dest: (0, 0, 0),
            type_name: (0, 0, 0),
        }
    }
}

impl Layout {
    /// Reads the line if it fits.
    #[inline]
    fn read<'a>(&self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        if self.stretches.is_empty() {
            return false;
        }
        message.clear();
        let mut literal = &self.literal[..];
        let mut rest = line;
        for (at, stretch) in self.stretches.iter().enumerate() {
            let (expected, more) = literal.split_at(usize::from(stretch.len));
            literal = more;
            let Some((text, after)) = rest.split_at_checked(expected.len()) else { return false };
            if text != expected {
                return false;
            }
            for (place, slot) in [(self.dest, &mut message.dest), (self.type_name, &mut message.type_name)] {
                if usize::from(place.0) == at && place.2 > 0 {
                    let text = &text[usize::from(place.1)..][..usize::from(place.2)];
                    let Ok(text) = core::str::from_utf8(text) else { return false };
                    *slot = Some(Str::plain(text));
                }
            }
            rest = after;
            match stretch.hole {
                Hole::End => {
                    message.kind = self.kind;
                    return rest.is_empty();
                }
                Hole::Src => {
                    let len = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
                    let (text, after) = rest.split_at(len);
                    let Ok(text) = core::str::from_utf8(text) else { return false };
                    message.src = Some(Str::plain(text));
                    rest = after;
                }
                hole @ (Hole::Ignored | Hole::Int(_)) => {
                    let Some((int, after)) = integer(rest) else { return false };
                    if let Hole::Int(key) = hole {
                        message.set(key, Token::Int(int));
                    }
                    rest = after;
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
        (layout.dest.2 > 0 && layout.type_name.2 > 0).then_some(layout)
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
            Token::Text(text) if text.raw().bytes().all(is_plain) && !text.raw().is_empty() => {
                let len = u8::try_from(text.raw().len()).ok()?;
                let place = (self.layout.stretches.len() as u8, u8::try_from(start + 1 - self.done).ok()?, len);
                match (body, key.raw()) {
                    (false, "src") => self.hole(start + 1, end - 1, Hole::Src),
                    (false, "dest") => {
                        self.layout.dest = place;
                        Some(())
                    }
                    (true, "type") => {
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

/// A JSON integer of up to 18 digits at the start of `text`, and what follows it.
#[inline]
fn integer(text: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let mut magnitude: i64 = 0;
    let mut len = 0;
    while let Some(digit @ b'0'..=b'9') = digits.get(len) {
        if len == 18 {
            return None;
        }
        magnitude = magnitude * 10 + i64::from(digit - b'0');
        len += 1;
    }
    let canonical = len > 0 && (len == 1 || digits[0] != b'0') && !(negative && magnitude == 0);
    // A fraction or an exponent does not fit the literal text that follows.
    canonical.then_some((if negative { -magnitude } else { magnitude }, &digits[len..]))
}
