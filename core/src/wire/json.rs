//! A strict scanner for JSON (RFC 8259). It accepts exactly what `serde_json` accepts, up to a bound on depth.
//!
//! It is not recursive, and each input has a defined result. It copies nothing: a string stays escaped in the line
//! until its text is needed.

mod string;

use super::double::overflows_a_double;
use super::fast;

pub use string::Str;

/// Why a line cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The line is not JSON, or not UTF-8.
    Syntax {
        /// The byte at which this was seen.
        at: usize,
    },
    /// Arrays and objects are nested more deeply than [`DEPTH_MAX`].
    TooDeep,
    /// The line is JSON, but not a message: an object whose `body` is an object.
    NotAMessage,
}

impl Malformed {
    /// The reason in words, for drivers that cannot format text.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "it is not JSON",
            Self::TooDeep => "it is nested too deeply",
            Self::NotAMessage => "it is not an object with a body",
        }
    }
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())?;
        match self {
            Self::Syntax { at } => write!(f, ", seen at byte {at}"),
            Self::TooDeep => write!(f, ", at most {DEPTH_MAX} levels are read"),
            Self::NotAMessage => Ok(()),
        }
    }
}

impl core::error::Error for Malformed {}

/// How deeply arrays and objects may be nested, counting the line's own object.
pub const DEPTH_MAX: u32 = 32;

type Scanned<T> = Result<T, Malformed>;

/// A value as it is written in the line. Arrays and objects were checked to be JSON, and are kept as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// An integer in the range of `i64`.
    Int(i64),
    /// An integer above the range of `i64`, in that of `u64`.
    Big(u64),
    /// Any other number, as text.
    Number(&'a str),
    /// A string.
    Text(Str<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An array, with its brackets.
    Array(&'a str),
    /// An object, with its braces.
    Object(&'a str),
}

/// Is told of the integers in an array or object while the scanner checks it.
pub(super) trait Recorder {
    /// A run of integers may begin after this byte of the line. Each has a comma before it.
    fn begin(&mut self, at: usize);
    /// The next integer of the run. It has at most seven digits and ends before byte `end`.
    fn push(&mut self, int: i64, end: usize);
    /// The run has ended.
    fn end(&mut self);
}

/// A recorder that keeps nothing.
impl Recorder for () {
    #[inline(always)]
    fn begin(&mut self, _: usize) {}

    #[inline(always)]
    fn push(&mut self, _: i64, _: usize) {}

    #[inline(always)]
    fn end(&mut self) {}
}

/// A cursor over one line.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Skips text that was read before, up to the byte `at`. Never goes back.
    #[inline]
    pub(super) fn advance_to(&mut self, at: usize) {
        self.at = self.at.max(at);
    }

    /// The next byte; 0 at the end. (A byte 0 is valid nowhere in JSON, so the two are not confused.)
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        match self.bytes.get(self.at) {
            Some(byte) => *byte,
            None => 0,
        }
    }

    /// Skips white space.
    #[inline]
    pub fn white(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Skips `byte` if it is next. True if it was.
    #[inline]
    pub fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == byte && byte != 0;
        self.at += usize::from(here);
        here
    }

    /// Skips `byte`.
    ///
    /// # Errors
    /// Something else is next.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.wrong()) }
    }

    /// Skips white space up to the end of the line.
    ///
    /// # Errors
    /// There is more.
    pub fn end(&mut self) -> Scanned<()> {
        self.white();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.wrong()) }
    }

    fn wrong(&self) -> Malformed {
        Malformed::Syntax { at: self.at }
    }

    fn text(&self, from: usize, to: usize) -> Scanned<&'a str> {
        let bytes = self.bytes.get(from..to).ok_or(Malformed::Syntax { at: from })?;
        core::str::from_utf8(bytes).map_err(|error| Malformed::Syntax { at: from + error.valid_up_to() })
    }

    /// Reads a key and the colon after it, with the white space around.
    ///
    /// # Errors
    /// Something else is next.
    #[inline]
    pub fn key(&mut self) -> Scanned<Str<'a>> {
        self.white();
        let key = self.string()?;
        self.white();
        self.expect(b':')?;
        self.white();
        Ok(key)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// Something else is next, or the string is not valid.
    #[inline]
    pub fn string(&mut self) -> Scanned<Str<'a>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        let mut high = false;
        loop {
            match STRING[usize::from(self.peek())] {
                Byte::Plain => self.at += 1,
                Byte::High => {
                    high = true;
                    self.at += 1;
                }
                Byte::Quote => break,
                Byte::Escape => {
                    escaped = true;
                    self.escape()?;
                }
                Byte::Refused => return Err(self.wrong()),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or(&[]);
        if high {
            self.text(start, self.at)?;
        }
        self.at += 1;
        Ok(Str { raw, escaped })
    }

    fn escape(&mut self) -> Scanned<()> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                let high = self.unicode()?;
                match high {
                    0xd800..=0xdbff => {
                        self.expect(b'\\')?;
                        if self.peek() != b'u' || !(0xdc00..=0xdfff).contains(&self.unicode()?) {
                            return Err(self.wrong());
                        }
                        Ok(())
                    }
                    0xdc00..=0xdfff => Err(self.wrong()),
                    _ => Ok(()),
                }
            }
            _ => Err(self.wrong()),
        }
    }

    /// Reads the `u` of an escape and its four hexadecimal digits.
    fn unicode(&mut self) -> Scanned<u32> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).ok_or(self.wrong())?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or(self.wrong())?;
        }
        self.at += 5;
        Ok(code)
    }

    /// Reads a value of any kind. `depth` counts the arrays and objects around it.
    ///
    /// # Errors
    /// It is not JSON, or nested too deeply.
    #[inline]
    pub fn value(&mut self, depth: u32) -> Scanned<Token<'a>> {
        self.recorded_value(depth, &mut ())
    }

    /// Reads a value as [`Scanner::value`] does, and tells `recorder` of its integers.
    ///
    /// # Errors
    /// As [`Scanner::value`].
    #[cfg_attr(feature = "fast", inline)]
    #[cfg_attr(not(feature = "fast"), inline(never))]
    pub(super) fn recorded_value(&mut self, depth: u32, recorder: &mut impl Recorder) -> Scanned<Token<'a>> {
        match self.peek() {
            b'"' => Ok(Token::Text(self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            first @ (b'{' | b'[') => {
                let start = self.at;
                self.container(depth, recorder)?;
                let text = self.text(start, self.at)?;
                Ok(if first == b'{' { Token::Object(text) } else { Token::Array(text) })
            }
            _ => self.literal(),
        }
    }

    fn literal(&mut self) -> Scanned<Token<'a>> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        for (word, token) in [("true", Token::Bool(true)), ("false", Token::Bool(false)), ("null", Token::Null)] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(token);
            }
        }
        Err(self.wrong())
    }

    #[inline]
    fn number(&mut self) -> Scanned<Token<'a>> {
        match self.short_integer() {
            Some(int) => Ok(Token::Int(int)),
            None => self.any_number(),
        }
    }

    /// Reads an integer of one to seven digits without a sign, the most common kind. For any other value `None`, and
    /// nothing is read.
    #[inline]
    pub(super) fn short_integer(&mut self) -> Option<i64> {
        let (int, len) = fast::short_integer(self.bytes.get(self.at..)?)?;
        self.at += len;
        Some(int)
    }

    fn any_number(&mut self) -> Scanned<Token<'a>> {
        let start = self.at;
        let negative = self.eat(b'-');
        let digits = self.at;
        let mut magnitude: u64 = 0;
        while let digit @ b'0'..=b'9' = self.peek() {
            magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - digits;
        if count == 0 || (count > 1 && self.bytes.get(digits) == Some(&b'0')) {
            return Err(self.wrong());
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') || count > 18 || (negative && magnitude == 0) {
            return self.unusual_number(start, count);
        }
        let magnitude = magnitude.cast_signed();
        Ok(Token::Int(if negative { -magnitude } else { magnitude }))
    }

    /// Reads the rest of a number that is not a plain integer of up to 18 digits. Its integer part was read already.
    #[cold]
    fn unusual_number(&mut self, start: usize, digits: usize) -> Scanned<Token<'a>> {
        let mut exponent = false;
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            exponent = true;
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = self.text(start, self.at)?;
        if let Ok(int) = text.parse::<i64>()
            && text != "-0"
        {
            return Ok(Token::Int(int));
        }
        if let Ok(big) = text.parse::<u64>() {
            return Ok(Token::Big(big));
        }
        // A number that overflows a double is refused, as `serde_json` does.
        let may_overflow = exponent || digits > 308;
        if may_overflow && overflows_a_double(text.as_bytes()) {
            return Err(Malformed::Syntax { at: start });
        }
        Ok(Token::Number(text))
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong()) } else { Ok(()) }
    }

    /// Skips a run of integers, each after a comma: most of a gossip message is such runs. True if another value
    /// follows a comma.
    #[inline]
    fn more_integers(&mut self, recorder: &mut impl Recorder) -> bool {
        recorder.begin(self.at);
        let mut goes_on = false;
        while self.eat(b',') {
            self.white();
            let Some(int) = self.short_integer() else {
                goes_on = true;
                break;
            };
            recorder.push(int, self.at);
        }
        recorder.end();
        goes_on
    }

    /// Skips an array or object, and checks all of it. `depth` counts the arrays and objects around it.
    fn container(&mut self, depth: u32, recorder: &mut impl Recorder) -> Scanned<()> {
        let mut open = Open::default();
        loop {
            // A value begins here.
            match self.peek() {
                b'{' => {
                    open.push(true, depth)?;
                    self.at += 1;
                    self.white();
                    if self.peek() != b'}' {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    open.push(false, depth)?;
                    self.at += 1;
                    self.white();
                    if self.peek() != b']' {
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                    if open.is_array() && self.more_integers(recorder) {
                        continue;
                    }
                }
                _ => {
                    self.literal()?;
                }
            }
            // A value has ended here, or an empty container is about to end.
            loop {
                self.white();
                match self.peek() {
                    b'}' if open.is_object() => open.pop(),
                    b']' if open.is_array() => open.pop(),
                    b',' if open.is_object() => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    b',' if open.is_array() => {
                        self.at += 1;
                        self.white();
                        break;
                    }
                    _ => return Err(self.wrong()),
                }
                self.at += 1;
                if open.depth == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// The arrays and objects that are open, one bit each: 1 for an object.
#[derive(Default)]
struct Open {
    objects: u64,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool, around: u32) -> Scanned<()> {
        if around + self.depth >= DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        self.objects = self.objects << 1 | u64::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn is_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    fn is_array(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 0
    }
}

/// The meaning of a byte inside a string.
#[derive(Clone, Copy)]
enum Byte {
    Plain,
    /// Part of a character beyond ASCII.
    High,
    Quote,
    Escape,
    Refused,
}

static STRING: [Byte; 256] = {
    let mut table = [Byte::Plain; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = Byte::Refused;
        control += 1;
    }
    let mut high = 0x80;
    while high < 0x100 {
        table[high] = Byte::High;
        high += 1;
    }
    table[b'"' as usize] = Byte::Quote;
    table[b'\\' as usize] = Byte::Escape;
    table
};
