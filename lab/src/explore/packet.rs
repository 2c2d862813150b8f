//! A message, and the parts of it that the search reads.

use rumormill_core::causality::Sum;

use super::hash;

/// All numbers that clients write are above this one, and no other number in a message is.
pub(super) const NUMBER: u64 = 7_000_000;

/// A message.
pub(super) struct Packet {
    pub(super) from: u8,
    pub(super) to: u8,
    pub(super) line: Box<[u8]>,
    pub(super) hash: u128,
    /// The numbers above [`NUMBER`] in its entries.
    pub(super) numbers: Vec<u64>,
    /// The sender's session, the number of the message in it, and the state that it shows.
    pub(super) session: u64,
    pub(super) number: u64,
    pub(super) sum: Sum,
}

impl Packet {
    /// A line that a node sent. None of the strings in it has a quote.
    pub(super) fn new(from: usize, to: usize, line: &[u8], hash: u128) -> Self {
        let mut packet = Self {
            from: from as u8,
            to: to as u8,
            line: line.into(),
            hash,
            numbers: Vec::new(),
            session: 0,
            number: 0,
            sum: Sum::default(),
        };
        // Whatever is between two quotes may be a key. Other texts are none of the words that are looked for.
        let mut rest = line;
        while let Some(at) = memchr::memchr(b'"', rest) {
            let (part, after) = (&rest[..at], &rest[at + 1..]);
            rest = after;
            match part {
                b"inc" => packet.session = digits(after, 10) as u64,
                b"msg_id" => packet.number = digits(after, 10) as u64,
                b"sum" => {
                    let sum = digits(after, 16);
                    packet.sum = Sum { vector: (sum >> 64) as u64, state: sum as u64 };
                }
                b"data" => packet.numbers = numbers(after),
                _ => {}
            }
        }
        packet
    }

    /// A hash of all that came before and of this message.
    pub(super) fn after(&self, history: u128) -> u128 {
        hash::word(hash::word(history, self.hash as u64), (self.hash >> 64) as u64)
    }
}

/// The first number in a text.
fn digits(text: &[u8], radix: u32) -> u128 {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let digits = text.iter().map(digit).skip_while(Option::is_none).map_while(|digit| digit);
    digits.fold(0, |number, digit| number.wrapping_mul(radix.into()) + u128::from(digit))
}

/// The numbers above [`NUMBER`] in the first list of a text.
fn numbers(text: &[u8]) -> Vec<u64> {
    // Entries are nested in lists, and none of the strings in them has a bracket.
    let mut depth = 0_usize;
    let end = text.iter().position(|byte| {
        depth = match byte {
            b'[' => depth + 1,
            b']' => depth.saturating_sub(1),
            _ => return false,
        };
        depth == 0
    });
    let words = text[..end.unwrap_or(text.len())].split(|byte| !byte.is_ascii_digit());
    let numbers = words.filter(|word| !word.is_empty()).map(|word| digits(word, 10) as u64);
    numbers.filter(|number| *number > NUMBER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_search_reads_of_a_message_is_what_it_says() {
        let sum = "9aae8ebd4423987d03019af5dcb3166a";
        let entries = r#"[["n0@10", 0, 7000001, ["w", "k", 7000002, 1700000000000000], [3]], ["n1", 4, ["p", 12]]]"#;
        let line = format!(
            r#"{{"src": "n0", "dest": "n1", "body": {{"type": "gossip", "inc": 10, "sum": "{sum}", "data": {entries}, "full": true, "want": 1, "msg_id": 7000009}}}}"#
        );
        let packet = Packet::new(0, 1, line.as_bytes(), 3);
        assert_eq!((packet.session, packet.number), (10, 7_000_009));
        assert_eq!(packet.sum, Sum { vector: 0x9aae_8ebd_4423_987d, state: 0x0301_9af5_dcb3_166a });
        assert_eq!(packet.numbers, [7_000_001, 7_000_002, 1_700_000_000_000_000]);
        assert!(Packet::new(0, 1, br#"{"inc": 1, "msg_id": 2}"#, 3).numbers.is_empty());
    }
}
