//! The layout of the last line of a kind predicts the next one.
//!
//! Clients write their lines with one and the same encoder, so two requests of a kind differ in a few numbers and in
//! who asks. A [`Layout`] is a line with holes for these. A line that fits is read by comparing what is between the
//! holes; one that does not fit goes to the scanner. Both read the same message: the fuzz target `decode` compares them.

use super::integer::{POWERS, up_to_eight};
use super::json::{Scanner, Str, Token};
use super::message::{Key, Kind, Message};
use super::shape::{Place, Shape};
use super::short;

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
        if self.layouts[self.last].read_alike(line, message) {
            return Ok(());
        }
        self.decode_unlike(line, message)
    }

    /// Reads a line that differs from the last one in more than the contents of its holes.
    #[inline(never)]
    fn decode_unlike<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), super::Malformed> {
        let other = 1 - self.last;
        if self.layouts[other].read_alike(line, message) {
            self.last = other;
            return Ok(());
        }
        for at in [self.last, other] {
            if self.layouts[at].read(line, message) {
                self.last = at;
                return Ok(());
            }
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
    /// The number of `msg_id`.
    MsgId,
    /// The number of the layout's field.
    Field,
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
#[derive(Clone, Debug, Default)]
struct Layout {
    literal: heapless::Vec<u8, LITERAL>,
    stretches: heapless::Vec<Stretch, STRETCHES>,
    kind: Option<Kind>,
    /// The one field of the body besides `type` and `msg_id` that a message may know.
    field: Option<Key>,
    dest: Fixed,
    type_name: Fixed,
    /// The last line as one piece, and where its texts lie in it.
    shape: Shape<STRETCHES>,
    texts: [Place; 2],
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

impl Layout {
    /// Reads the line if it differs from the last one only inside of holes of the same lengths. What does not depend on
    /// what is in them is known, and noted only when all of it fitted.
    #[inline]
    fn read_alike<'a>(&self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        if !self.shape.fits(line) {
            return false;
        }
        let (mut src, mut msg_id, mut field) = (None, None, None);
        for (stretch, place) in self.stretches.iter().zip(&self.shape.holes) {
            match stretch.hole {
                Hole::End => break,
                Hole::Src => {
                    let Some(text) = place.of(line).filter(|text| text.iter().copied().all(is_plain)) else {
                        return false;
                    };
                    src = Some(Str::plain(text));
                }
                hole @ (Hole::Ignored | Hole::MsgId | Hole::Field) => {
                    let Some(int) = place.integer(line).or_else(|| long_integer(line, *place)) else {
                        return false;
                    };
                    match hole {
                        Hole::MsgId => msg_id = Some(int),
                        Hole::Field => field = Some(int),
                        Hole::Ignored | Hole::Src | Hole::End => {}
                    }
                }
            }
        }
        let [dest, type_name] = self.texts.map(|place| place.of(line).map(Str::plain));
        message.set_all(src, dest, type_name, self.kind, msg_id, self.field.zip(field.map(Token::Int)));
        true
    }

    /// Reads the line if it fits.
    fn read<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        let mut starts = [0; STRETCHES];
        let mut literal = &self.literal[..];
        let mut rest = line;
        let (mut src, mut msg_id, mut field) = (None, None, None);
        for (stretch, start) in self.stretches.iter().zip(&mut starts) {
            *start = line.len() - rest.len();
            let len = usize::from(stretch.len);
            let (Some((expected, more)), Some((text, after))) =
                (literal.split_at_checked(len), rest.split_at_checked(len))
            else {
                return false;
            };
            if !short::same(text, expected) {
                return false;
            }
            literal = more;
            let len = match stretch.hole {
                Hole::End => {
                    if !after.is_empty() {
                        return false;
                    }
                    let (dest, type_name) = (self.dest.in_line(line, &starts), self.type_name.in_line(line, &starts));
                    message.set_all(src, dest, type_name, self.kind, msg_id, self.field.zip(field.map(Token::Int)));
                    self.take_shape(line, starts);
                    return true;
                }
                Hole::Src => {
                    let len = after.iter().position(|byte| !is_plain(*byte)).unwrap_or(after.len());
                    src = Some(Str::plain(&after[..len]));
                    len
                }
                Hole::Ignored => match integer(line, after) {
                    Some((_, len)) => len,
                    None => return false,
                },
                Hole::MsgId => match integer(line, after) {
                    Some((int, len)) => {
                        msg_id = Some(int);
                        len
                    }
                    None => return false,
                },
                Hole::Field => match integer(line, after) {
                    Some((int, len)) => {
                        field = Some(int);
                        len
                    }
                    None => return false,
                },
            };
            rest = &after[len..];
        }
        false
    }

    /// Remembers the line as one piece; its stretches begin at `starts`.
    fn take_shape(&mut self, line: &[u8], starts: [usize; STRETCHES]) {
        let ends = self.stretches.iter().map(|stretch| usize::from(stretch.len));
        if self.shape.take(line, &starts, ends) {
            let place = |fixed: &Fixed| {
                let start = starts.get(usize::from(fixed.stretch)).map_or(0, |start| start + usize::from(fixed.offset));
                Place::new(start, start + usize::from(fixed.len))
            };
            self.texts = [place(&self.dest), place(&self.type_name)];
        }
    }

    /// The layout of a line that was read into `message`, if it is of the kind that can be predicted: one object with a
    /// body, whose values are numbers and plain strings.
    fn learn(line: &[u8], message: &Message<'_>) -> Option<Self> {
        let mut layout = Self { kind: message.kind, ..Self::default() };
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
            Token::Int(_) if body => match Key::find(key) {
                None => self.hole(start, end, Hole::Ignored),
                Some(Key::MsgId) => self.hole(start, end, Hole::MsgId),
                Some(key) => {
                    self.layout.field = Some(key);
                    self.hole(start, end, Hole::Field)
                }
            },
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

/// A JSON integer of up to 18 digits at the start of `rest`, the end of `line`; and its length.
#[inline]
fn integer(line: &[u8], rest: &[u8]) -> Option<(i64, usize)> {
    let Some(word) = first_eight(line, rest) else {
        return unusual_integer(rest);
    };
    let (number, len) = up_to_eight(word);
    if (1..8).contains(&len) && (len == 1 || word.to_le_bytes()[0] != b'0') {
        // A fraction or an exponent does not fit the literal text that follows.
        return Some((number.cast_signed(), len));
    }
    unusual_integer(rest)
}

/// The first eight bytes of `rest`, the end of `line`, as a word, with zeros where there are fewer. `None` when the line is
/// shorter than that.
#[inline]
fn first_eight(line: &[u8], rest: &[u8]) -> Option<u64> {
    if let Some(eight) = rest.first_chunk::<8>() {
        return Some(u64::from_le_bytes(*eight));
    }
    let missing = 8 - rest.len() as u32;
    u64::from_le_bytes(*line.last_chunk::<8>()?).checked_shr(8 * missing)
}

/// The integer that takes all of a place.
#[cold]
fn long_integer(line: &[u8], place: Place) -> Option<i64> {
    let text = place.of(line)?;
    unusual_integer(text).filter(|(_, len)| *len == text.len()).map(|(int, _)| int)
}

/// As [`integer`], for those of eight digits and more and for negative ones.
#[inline(never)]
fn unusual_integer(text: &[u8]) -> Option<(i64, usize)> {
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
            if let Some((int, len)) = integer(text.as_bytes(), text.as_bytes()) {
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

        #[test]
        fn a_line_that_differs_in_one_byte_is_read_as_the_scanner_reads_it(
            message in any::<i32>(),
            msg_id in 0_u32..2_000_000,
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"0129-.e\"\\c{}[],: \0\x7f\x80"[..])), 1..20),
        ) {
            let mut predictor = Predictor::default();
            let line = std::format!(
                r#"{{"id":{msg_id},"src":"c1","dest":"n1","body":{{"type":"broadcast","message":{message},"msg_id":{msg_id}}}}}"#
            );
            for (at, byte) in changes {
                let mut changed = line.clone().into_bytes();
                changed[at.index(line.len())] = byte;
                // Thrice, so that it was learned, and read as one piece.
                for line in [line.as_bytes(), line.as_bytes(), line.as_bytes(), &changed] {
                    let (mut predicted, mut scanned) = (Message::new(), Message::new());
                    let outcome = predictor.decode(line, &mut predicted);
                    prop_assert_eq!(outcome, scanned.decode(line));
                    if outcome.is_ok() {
                        prop_assert_eq!(predicted, scanned);
                    }
                }
            }
        }
    }
}
