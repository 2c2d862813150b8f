//! Messages to bytes, in the text form of the protocol: `, ` and `: ` are the separators, and there is no other white
//! space.

use super::fast;
use super::json::Str;
use crate::causality::{Arg, Entry, Tag};
use crate::id::{Value, escaped_len};
use crate::output::{Sink, SinkFull};

/// A sink that only counts the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count(pub usize);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// The beginning of every message, and the text between the ids of its sender and its receiver.
pub(super) const SRC: &str = "{\"src\": \"";
pub(super) const DEST: &str = "\", \"dest\": \"";

/// How many bytes are gathered before the sink gets them.
const STAGE: usize = 256;

/// Writes pieces of JSON to a sink, and remembers whether all of them fitted. Short pieces are gathered first, in
/// memory that the sink lends or in `stage`, so that the sink gets a few long pieces.
pub struct Out<'w, W: Sink> {
    sink: &'w mut W,
    /// `None` for a sink that lends memory: then no stage is needed.
    stage: Option<[u8; STAGE]>,
    staged: usize,
    flushed: usize,
    full: bool,
}

names_itself!(impl[W: Sink] Out<'_, W>, "Out");

impl<'w, W: Sink> Out<'w, W> {
    /// A writer to `sink`.
    #[inline]
    pub fn new(sink: &'w mut W) -> Self {
        let stage = if W::LENDS { None } else { Some([0; STAGE]) };
        Self { sink, stage, staged: 0, flushed: 0, full: false }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn written(&self) -> usize {
        self.flushed + self.staged
    }

    /// Hands everything to the sink.
    ///
    /// # Errors
    /// The sink did not take all of it.
    #[inline]
    pub fn finish(mut self) -> Result<usize, SinkFull> {
        self.flush();
        if self.full { Err(SinkFull) } else { Ok(self.flushed) }
    }

    /// The memory in which pieces are gathered.
    #[cfg_attr(feature = "fast", inline(always))]
    fn stage(&mut self) -> &mut [u8] {
        match &mut self.stage {
            Some(stage) if !W::LENDS => stage,
            _ => self.sink.room(),
        }
    }

    #[inline]
    fn flush(&mut self) {
        match &self.stage {
            Some(stage) if !W::LENDS => self.full |= self.sink.put(stage.get(..self.staged).unwrap_or(&[])).is_err(),
            _ => self.sink.take(self.staged),
        }
        self.flushed += self.staged;
        self.staged = 0;
    }

    /// Writes bytes that are JSON already.
    #[cfg_attr(feature = "fast", inline(always))]
    pub fn raw(&mut self, bytes: &[u8]) {
        let (start, end) = (self.staged, self.staged + bytes.len());
        let Some(place) = self.stage().get_mut(start..end) else {
            return self.raw_slow(bytes);
        };
        // This is inlined so that the copy of a literal becomes a few moves.
        place.copy_from_slice(bytes);
        self.staged = end;
    }

    /// As [`Out::raw`], for bytes that are probably short and whose length the compiler does not know.
    #[inline]
    pub fn short(&mut self, bytes: &[u8]) {
        let (start, end) = (self.staged, self.staged + bytes.len());
        let Some(place) = self.stage().get_mut(start..end) else {
            return self.raw_slow(bytes);
        };
        fast::copy(place, bytes);
        self.staged = end;
    }

    #[inline(never)]
    fn raw_slow(&mut self, bytes: &[u8]) {
        self.flush();
        let len = bytes.len();
        if let Some(place) = self.stage().get_mut(..len) {
            place.copy_from_slice(bytes);
            self.staged = len;
        } else {
            self.full |= self.sink.put(bytes).is_err();
            self.flushed += len;
        }
    }

    /// Writes text that is JSON already.
    #[cfg_attr(feature = "fast", inline(always))]
    pub fn str(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    /// Writes an unsigned integer.
    #[inline]
    pub fn unsigned(&mut self, int: u64) {
        let Some((text, count)) = fast::digits(int) else {
            return self.any_unsigned(int);
        };
        let start = self.staged;
        match self.stage().get_mut(start..).and_then(<[u8]>::first_chunk_mut::<8>) {
            Some(place) => {
                *place = text;
                self.staged += count;
            }
            None => self.raw_slow(text.get(..count).unwrap_or(&text)),
        }
    }

    #[inline(never)]
    fn any_unsigned(&mut self, mut int: u64) {
        let mut text = [0; 20];
        let mut start = text.len();
        for digit in text.iter_mut().rev() {
            *digit = b'0' + (int % 10) as u8;
            int /= 10;
            start -= 1;
            if int == 0 {
                break;
            }
        }
        self.raw(text.get(start..).unwrap_or(&[]));
    }

    /// Writes an integer.
    #[inline]
    pub fn int(&mut self, int: i64) {
        if int < 0 {
            self.raw(b"-");
        }
        self.unsigned(int.unsigned_abs());
    }

    /// Writes an integer of any size that a counter can have.
    pub fn wide(&mut self, int: i128) {
        if int < 0 {
            self.raw(b"-");
        }
        let magnitude = int.unsigned_abs();
        let (high, low) = (magnitude / u128::from(WIDE), (magnitude % u128::from(WIDE)) as u64);
        match u64::try_from(high) {
            Ok(0) => self.unsigned(low),
            Ok(high) => {
                self.unsigned(high);
                self.padded(low, 18);
            }
            Err(_) => self.str("0"),
        }
    }

    /// Writes the last `width` digits of an integer, with zeros in front if it has fewer.
    pub fn padded(&mut self, mut int: u64, width: usize) {
        let mut text = [b'0'; 20];
        let width = width.min(text.len());
        for digit in text.iter_mut().take(width).rev() {
            *digit = b'0' + (int % 10) as u8;
            int /= 10;
        }
        self.raw(text.get(..width).unwrap_or(&[]));
    }

    /// Writes `above` divided by `below`, with at most three decimals and no trailing zeros; `0` if `below` is 0.
    pub fn ratio(&mut self, above: u64, below: u64) {
        let thousandths =
            if below == 0 { 0 } else { (u128::from(above) * 1_000 + u128::from(below) / 2) / u128::from(below) };
        self.wide((thousandths / 1_000) as i128);
        let mut decimals = (thousandths % 1_000) as u64;
        let mut width = 3;
        if decimals > 0 {
            while decimals.is_multiple_of(10) {
                decimals /= 10;
                width -= 1;
            }
            self.raw(b".");
            self.padded(decimals, width);
        }
    }

    /// Writes microseconds as seconds with six decimals.
    pub fn seconds(&mut self, us: u64) {
        self.unsigned(us / 1_000_000);
        self.raw(b".");
        self.padded(us % 1_000_000, 6);
    }

    /// Writes sixteen hexadecimal digits.
    pub fn hex(&mut self, bits: u64) {
        let mut digits = [0; 16];
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(bits >> (60 - 4 * at) & 15) as usize];
        }
        self.raw(&digits);
    }

    /// Writes the lowest four bits as one hexadecimal digit.
    pub fn hex_digit(&mut self, bits: u8) {
        self.raw(&[b"0123456789abcdef"[usize::from(bits & 15)]]);
    }

    /// Writes a string with its quotes.
    pub fn quoted(&mut self, text: &str) {
        self.raw(b"\"");
        self.escaped(text);
        self.raw(b"\"");
    }

    /// Writes a string without its quotes.
    pub fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some(plain) = rest.iter().position(|byte| escaped_len(*byte) > 1) {
            let Some((before, [byte, after @ ..])) = rest.split_at_checked(plain) else { break };
            self.raw(before);
            self.escape(*byte);
            rest = after;
        }
        self.raw(rest);
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'"' => self.raw(b"\\\""),
            b'\\' => self.raw(b"\\\\"),
            0x08 => self.raw(b"\\b"),
            0x09 => self.raw(b"\\t"),
            0x0a => self.raw(b"\\n"),
            0x0c => self.raw(b"\\f"),
            0x0d => self.raw(b"\\r"),
            control => {
                self.raw(b"\\u00");
                self.raw(&[b'0' + (control >> 4), b"0123456789abcdef"[usize::from(control & 15)]]);
            }
        }
    }

    /// Writes a string without its quotes: with the escapes that it has, or else with those that it needs.
    pub(super) fn text(&mut self, text: Str<'_>) {
        if text.is_escaped() {
            self.raw(text.raw());
        } else {
            self.escaped(core::str::from_utf8(text.raw()).unwrap_or(""));
        }
    }

    /// Writes the beginning of every message of the node `src`, up to the id of the receiver.
    pub fn head(&mut self, src: &str) {
        self.str(SRC);
        self.escaped(src);
        self.str(DEST);
    }

    /// Writes a value.
    #[inline]
    pub fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Int(int) => self.int(int),
            Value::Text(text) => self.quoted(text),
        }
    }

    /// Writes the name of a row.
    pub fn row(&mut self, node: &str, incarnation: u64) {
        self.raw(b"\"");
        self.escaped(node);
        if incarnation != 0 {
            self.raw(b"@");
            self.unsigned(incarnation);
        }
        self.raw(b"\"");
    }

    /// Writes the entry of a dot.
    #[inline]
    pub fn entry(&mut self, entry: &Entry<'_>) {
        if entry.tag == Tag::BARE {
            return entry.args().iter().for_each(|arg| self.arg(arg));
        }
        self.raw(&[b'[', b'"', entry.tag.0, b'"']);
        for arg in entry.args() {
            self.raw(b", ");
            self.arg(arg);
        }
        self.raw(b"]");
    }

    fn arg(&mut self, arg: &Arg<'_>) {
        match arg {
            Arg::Int(int) => self.int(*int),
            Arg::Big(big) => self.unsigned(*big),
            Arg::Text(text) => self.quoted(text),
            Arg::Row { node, incarnation } => self.row(node, *incarnation),
        }
    }
}

/// How many bytes `write` writes.
#[must_use]
pub fn length(write: impl FnOnce(&mut Out<'_, Count>)) -> usize {
    let mut count = Count(0);
    let mut out = Out::new(&mut count);
    write(&mut out);
    out.written()
}

const WIDE: u64 = 1_000_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn text(write: impl FnOnce(&mut Out<'_, heapless::Vec<u8, 4096>>)) -> String {
        let mut sink = heapless::Vec::new();
        let mut out = Out::new(&mut sink);
        write(&mut out);
        out.finish().unwrap();
        String::from_utf8(sink.to_vec()).unwrap()
    }

    #[test]
    fn ratios_have_at_most_three_decimals_and_no_trailing_zeros() {
        for (above, below, expected) in
            [(0, 0, "0"), (5, 0, "0"), (4, 2, "2"), (1, 2, "0.5"), (1, 3, "0.333"), (2, 3, "0.667"), (1, 16, "0.063")]
        {
            assert_eq!(text(|out| out.ratio(above, below)), expected);
        }
    }

    #[test]
    fn seconds_have_six_decimals() {
        assert_eq!(text(|out| out.seconds(1_000_042)), "1.000042");
    }

    #[test]
    fn every_number_of_digits_is_written_right() {
        for power in 0..20 {
            for int in [10_u64.pow(power) - 1, 10_u64.pow(power), 10_u64.pow(power).saturating_mul(9)] {
                assert_eq!(text(|out| out.unsigned(int)), std::format!("{int}"));
            }
        }
    }

    proptest! {
        #[test]
        fn integers_are_written_as_the_standard_library_writes_them(int: i64, wide in -(1_i128 << 100)..1_i128 << 100) {
            prop_assert_eq!(text(|out| out.int(int)), std::format!("{int}"));
            prop_assert_eq!(text(|out| out.wide(wide)), std::format!("{wide}"));
        }

        #[test]
        fn strings_are_written_as_serde_json_writes_them(string: String) {
            prop_assert_eq!(text(|out| out.quoted(&string)), serde_json::to_string(&string).unwrap());
            prop_assert_eq!(crate::id::json_len(&string) + 2, text(|out| out.quoted(&string)).len());
        }

        #[test]
        fn long_and_short_pieces_come_out_in_order(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..9)) {
            let mut sink: heapless::Vec<u8, 4096> = heapless::Vec::new();
            let mut out = Out::new(&mut sink);
            for piece in &pieces {
                out.raw(piece);
            }
            let all: Vec<u8> = pieces.concat();
            prop_assert_eq!(out.written(), all.len());
            out.finish().unwrap();
            prop_assert_eq!(sink.to_vec(), all.clone());

            let mut lender = Lender::default();
            let mut out = Out::new(&mut lender);
            for piece in &pieces {
                out.short(piece);
                out.unsigned(piece.len() as u64);
            }
            let all: Vec<u8> = pieces.iter().flat_map(|piece| [&piece[..], std::format!("{}", piece.len()).as_bytes()].concat()).collect();
            prop_assert_eq!(out.written(), all.len());
            out.finish().unwrap();
            prop_assert_eq!(&lender.bytes[..lender.len], &all[..]);
        }
    }

    /// A sink that lends the little memory it has, and grows when it is given more.
    #[derive(Default)]
    struct Lender {
        bytes: Vec<u8>,
        len: usize,
    }

    impl Sink for Lender {
        const LENDS: bool = true;

        fn room(&mut self) -> &mut [u8] {
            &mut self.bytes[self.len..]
        }

        fn take(&mut self, len: usize) {
            self.len += len;
        }

        fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
            self.bytes.truncate(self.len);
            self.bytes.extend_from_slice(bytes);
            self.len = self.bytes.len();
            self.bytes.resize(self.len + 200, 0);
            Ok(())
        }
    }
}
