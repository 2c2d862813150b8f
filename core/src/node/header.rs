//! Fields of a message between nodes as values: what is not of the form that WIRE.md gives says nothing.

use crate::causality::Sum;
use crate::gossip::Echo;
use crate::wire::{Items, Key, Message, Pairs, SEQ_MAX, Token};

/// A frontier in a digest; `None` for one that says nothing.
pub(super) fn frontier_of(token: Token<'_>) -> Option<u64> {
    unsigned(token).map(|frontier| frontier.min(SEQ_MAX)).filter(|frontier| *frontier > 0)
}

pub(super) fn small(token: Token<'_>) -> Option<u32> {
    unsigned(token).and_then(|int| u32::try_from(int).ok())
}

/// Reads `echoed`: ordinal, session and milliseconds. Gives the session apart.
pub(super) fn echo(token: Token<'_>) -> Option<(u64, Echo)> {
    let Token::Array(array) = token else {
        return None;
    };
    let mut items = Items::new(array);
    let ord = items.next().and_then(small)?;
    let of = items.next().and_then(unsigned)?;
    let held_ms = items.next().and_then(small)?;
    Some((of, Echo { ord, held_ms }))
}

/// A vector of a foreign `replicate`, if all of it can be read.
pub(super) fn vector<'a>(message: &Message<'a>, key: Key) -> Option<Pairs<'a>> {
    let Some(Token::Object(vector)) = message.get(key) else {
        return None;
    };
    let pairs = Pairs::new(vector);
    pairs.clone().all(|(_, number)| unsigned(number).is_some()).then_some(pairs)
}

pub(super) fn unsigned(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Int(int) => u64::try_from(int).ok(),
        Token::Big(big) => Some(big),
        Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => None,
    }
}

/// Reads `sum`: 32 hexadecimal digits, the vector's first.
pub(super) fn sum(token: Token<'_>) -> Option<Sum> {
    let Token::Text(text) = token else {
        return None;
    };
    let (vector, state) = text.raw().split_at_checked(16)?;
    let hex = |digits: &[u8]| {
        let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some(Sum { vector: hex(vector)?, state: hex(state)? })
}

/// Reads `agree`: sixteen hexadecimal digits that name the view, and after a colon the members, if they are listed.
pub(super) fn agreement(token: Token<'_>) -> (Option<u64>, Option<&str>) {
    let Token::Text(text) = token else { return (None, None) };
    let Ok(text) = core::str::from_utf8(text.raw()) else { return (None, None) };
    let (name, members) = match text.split_at_checked(16) {
        Some((name, "")) => (name, None),
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => return (None, None),
    };
    (u64::from_str_radix(name, 16).ok(), members)
}
