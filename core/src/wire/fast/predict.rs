//! Prediction: the layout of an earlier line is tried on the next one.
//!
//! All lines of a client come from one encoder, so two requests of a kind differ only in a few numbers and in the
//! sender. A [`Layout`] is a line with holes for these parts. To read a line that fits, only the text between the holes
//! is compared. A line that does not fit goes to the scanner. Both ways give the same message: the fuzz target `decode`
//! compares them.

use super::super::json::{Malformed, Scanner, Str, Token};
use super::super::message::Message;
use super::super::names::{Key, Kind};
use super::bytes::same;
use super::shape::{LINE, Place, Shape, integer_len, is_plain};

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
    pub fn decode<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), Malformed> {
        if self.layouts[self.last].read_alike(line, message) {
            return Ok(());
        }
        self.decode_unlike(line, message)
    }

    /// Reads a line that differs from the last one in more than the contents of holes.
    #[inline(never)]
    fn decode_unlike<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), Malformed> {
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

impl<'a> Message<'a> {
    /// Makes the message hold exactly these parts. The line has no duplicate field.
    #[inline]
    fn set_all(
        &mut self,
        src: Option<Str<'a>>,
        dest: Option<Str<'a>>,
        type_name: Option<Str<'a>>,
        kind: Option<Kind>,
        msg_id: Option<i64>,
        field: Option<(Key, Token<'a>)>,
    ) {
        (self.src, self.dest, self.type_name) = (src, dest, type_name);
        (self.kind, self.msg_id, self.is_reply) = (kind, msg_id, false);
        (self.twice, self.envelope_twice) = (0, None);
        self.fields.clear();
        if let Some(field) = field {
            // There is a place for each key.
            let _ = self.fields.push(field);
        }
    }

    /// Whether the layout of the line can be learned: no field is a duplicate, and besides `type` and `msg_id` the body
    /// has at most one known field, which is an integer.
    fn is_predictable(&self) -> bool {
        !self.has_twice()
            && !self.is_reply
            && self.fields.len() <= 1
            && self.fields.iter().all(|field| matches!(field.1, Token::Int(_)))
    }
}

/// The part of a line that fills a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// Nothing: the line ends here.
    End,
    /// A number of the envelope, or of a key that no message knows.
    Ignored,
    /// The number of `msg_id`.
    MsgId,
    /// The number of the layout's field.
    Field,
    /// The text of `src`.
    Src,
}

/// A piece of literal text and the hole after it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The place of the text in the line that the layout remembers.
    text: Place,
    hole: Hole,
}

const STRETCHES: usize = 6;

/// A string that is part of the literal text.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    stretch: u8,
    offset: u8,
    len: u8,
}

/// The places of the parts of a line that a message is made of. The place of a part that the line does not have is
/// empty.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    src: Place,
    dest: Place,
    type_name: Place,
    msg_id: Place,
    field: Place,
}

/// Where the stretches of a line begin.
type Starts = [u8; STRETCHES];

/// A line with holes.
#[derive(Clone, Debug, Default)]
struct Layout {
    stretches: heapless::Vec<Stretch, STRETCHES>,
    kind: Option<Kind>,
    /// The known field of the body besides `type` and `msg_id`, if there is one.
    field: Option<Key>,
    dest: Fixed,
    type_name: Fixed,
    /// The shape of the last line, and the places of its parts.
    shape: Shape,
    parts: Parts,
    /// The length of the last line that fitted the layout and not the shape.
    missed: u8,
}

impl Layout {
    /// Reads the line if it differs from the last one only inside of holes, and each hole is as long as there.
    #[inline]
    fn read_alike<'a>(&self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        self.shape.fits(line) && self.set(line, self.parts, message)
    }

    /// Reads the line if it fits.
    fn read<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> bool {
        let Some(starts) = self.starts(line) else { return false };
        let parts = self.parts(&starts);
        if !self.set(line, parts, message) {
            return false;
        }
        // The first line of another length does not change the shape: if two lengths took turns, a new shape each time
        // would cost more than it saves.
        let len = line.len() as u8;
        if core::mem::replace(&mut self.missed, len) == len {
            self.remember(line, &starts);
        }
        true
    }

    /// Makes the message from a line that fits and has its parts at these places.
    #[inline]
    fn set<'a>(&self, line: &'a [u8], parts: Parts, message: &mut Message<'a>) -> bool {
        let text = |place: Place| place.of(line).map(|raw| Str { raw, escaped: false });
        let integer = |place: Place| if place.is_empty() { Some(None) } else { place.integer(line).map(Some) };
        let (Some(msg_id), Some(field)) = (integer(parts.msg_id), integer(parts.field)) else {
            return false;
        };
        let src = if parts.src.is_empty() { None } else { text(parts.src) };
        let (dest, type_name) = (text(parts.dest), text(parts.type_name));
        message.set_all(src, dest, type_name, self.kind, msg_id, self.field.zip(field.map(Token::Int)));
        true
    }

    /// The bytes at which the stretches begin, if the line fits.
    fn starts(&self, line: &[u8]) -> Option<Starts> {
        if line.len() > LINE {
            return None;
        }
        let mut starts = Starts::default();
        let mut rest = line;
        for (stretch, start) in self.stretches.iter().zip(&mut starts) {
            *start = (line.len() - rest.len()) as u8;
            let literal = self.shape.literal(stretch.text)?;
            let (text, after) = rest.split_at_checked(literal.len())?;
            if !same(text, literal) {
                return None;
            }
            let hole = match stretch.hole {
                Hole::End => return after.is_empty().then_some(starts),
                // An empty `src` would be taken for an absent one.
                Hole::Src => after.iter().position(|byte| !is_plain(*byte)).filter(|len| *len > 0)?,
                // A fraction or an exponent does not fit the literal text that follows.
                Hole::Ignored | Hole::MsgId | Hole::Field => integer_len(after)?,
            };
            rest = after.get(hole..)?;
        }
        None
    }

    /// The places of the parts in a line whose stretches begin at `starts`.
    fn parts(&self, starts: &Starts) -> Parts {
        let fixed = |fixed: Fixed| {
            let start = starts.get(usize::from(fixed.stretch)).map_or(0, |start| start + fixed.offset);
            Place::new(usize::from(start), usize::from(start) + usize::from(fixed.len))
        };
        let mut parts = Parts { dest: fixed(self.dest), type_name: fixed(self.type_name), ..Parts::default() };
        for (hole, place) in self.holes(starts) {
            match hole {
                Hole::Src => parts.src = place,
                Hole::MsgId => parts.msg_id = place,
                Hole::Field => parts.field = place,
                Hole::Ignored | Hole::End => {}
            }
        }
        parts
    }

    /// The holes of a line whose stretches begin at `starts`.
    fn holes(&self, starts: &Starts) -> impl Iterator<Item = (Hole, Place)> {
        let between = self.stretches.iter().zip(starts.windows(2)).take_while(|(stretch, _)| stretch.hole != Hole::End);
        between.map(|(stretch, ends)| {
            let start = usize::from(ends[0]) + stretch.text.len();
            (stretch.hole, Place::new(start, usize::from(ends[1])))
        })
    }

    /// Remembers the shape of a line that fits. Its stretches begin at `starts`.
    fn remember(&mut self, line: &[u8], starts: &Starts) {
        self.parts = self.parts(starts);
        let holes: heapless::Vec<(Hole, Place), STRETCHES> = self.holes(starts).collect();
        self.shape.take(line);
        for (hole, place) in holes {
            match hole {
                Hole::Ignored | Hole::MsgId | Hole::Field => self.shape.open_integer(place),
                Hole::Src => self.shape.open_text(place),
                Hole::End => {}
            }
        }
        for (stretch, start) in self.stretches.iter_mut().zip(starts) {
            stretch.text = stretch.text.moved_to(*start);
        }
    }

    /// The layout of a line that was read into `message`, if such a line can be predicted: an object with a body, whose
    /// values are integers and plain strings.
    fn learn(line: &[u8], message: &Message<'_>) -> Option<Self> {
        if line.len() > LINE {
            return None;
        }
        let mut layout = Self { kind: message.kind, ..Self::default() };
        let mut lexer = Lexer { scanner: Scanner::new(line), layout: &mut layout, starts: Starts::default(), done: 0 };
        lexer.object(false)?;
        lexer.scanner.end().ok()?;
        lexer.hole(line.len(), line.len(), Hole::End)?;
        let starts = lexer.starts;
        if layout.dest.len == 0 || layout.type_name.len == 0 {
            return None;
        }
        layout.remember(line, &starts);
        Some(layout)
    }
}

/// Cuts a line that is known to be JSON, and no longer than [`LINE`], into stretches and holes.
struct Lexer<'a, 'l> {
    scanner: Scanner<'a>,
    layout: &'l mut Layout,
    starts: Starts,
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
                let stretch = self.layout.stretches.len() as u8;
                let fixed = Fixed { stretch, offset: (start + 1 - self.done) as u8, len: text.raw().len() as u8 };
                match (body, key.raw()) {
                    (false, b"src") => self.hole(start + 1, end - 1, Hole::Src),
                    (false, b"dest") => {
                        self.layout.dest = fixed;
                        Some(())
                    }
                    (true, b"type") => {
                        self.layout.type_name = fixed;
                        Some(())
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn hole(&mut self, start: usize, end: usize, hole: Hole) -> Option<()> {
        *self.starts.get_mut(self.layout.stretches.len())? = self.done as u8;
        self.layout.stretches.push(Stretch { text: Place::new(self.done, start), hole }).ok()?;
        self.done = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
        fn lines_with_and_without_a_part_are_told_apart(
            parts in prop::collection::vec((0_u8..3, any::<bool>(), any::<bool>(), 0_u8..20), 1..12),
        ) {
            let mut predictor = Predictor::default();
            for (src, msg_id, field, int) in parts {
                let src = ["", r#""src":"","#, r#""src":"c1","#][usize::from(src)];
                let msg_id = if msg_id { std::format!(r#","msg_id":{int}"#) } else { std::string::String::new() };
                let field = if field { std::format!(r#","message":{int}"#) } else { std::string::String::new() };
                let line = std::format!(r#"{{{src}"dest":"n1","body":{{"type":"broadcast"{field}{msg_id}}}}}"#);
                for _ in 0..3 {
                    let (mut predicted, mut scanned) = (Message::new(), Message::new());
                    prop_assert_eq!(predictor.decode(line.as_bytes(), &mut predicted), Ok(()));
                    prop_assert_eq!(scanned.decode(line.as_bytes()), Ok(()));
                    prop_assert_eq!(predicted, scanned);
                }
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
                // The line comes three times: it is learned, and then read as one piece.
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

    #[test]
    fn only_a_line_with_one_integer_at_most_and_nothing_twice_is_a_layout_to_be_learned() {
        for (fields, is_predictable) in [
            (r#""type":"read","msg_id":1"#, true),
            (r#""type":"add","msg_id":1,"delta":5"#, true),
            (r#""type":"add","msg_id":1,"delta":5,"element":5"#, false),
            (r#""type":"add","msg_id":1,"delta":"5""#, false),
            (r#""type":"add","msg_id":null,"x":1"#, false),
            (r#""type":"add","msg_id":1,"in_reply_to":5"#, false),
            (r#""type":"add","msg_id":1,"delta":5,"delta":5"#, false),
        ] {
            let line = std::format!(r#"{{"src":"c1","dest":"n1","body":{{{fields}}}}}"#);
            let mut message = Message::new();
            assert_eq!(message.decode(line.as_bytes()), Ok(()), "{fields}");
            assert_eq!(message.is_predictable(), is_predictable, "{fields}");
        }
    }
}
