//! One line as a message: the envelope, and the fields of the body by name.

#[cfg(test)]
mod tests;

use super::chunks::Chunks;
use super::fast::Tape;
use super::json::{Malformed, Scanner, Str, Token};
use super::names::{Envelope, Key, Kind};

/// A message as it is written in its line.
#[derive(Debug, Default)]
pub struct Message<'a> {
    /// The id of the sender; `None` if it is missing or no string.
    pub src: Option<Str<'a>>,
    /// The id of the receiver; `None` if it is missing or no string.
    pub dest: Option<Str<'a>>,
    /// `type`, as text.
    pub type_name: Option<Str<'a>>,
    /// `type`, if it is one that this node takes.
    pub kind: Option<Kind>,
    /// `msg_id`, if it is an integer.
    pub msg_id: Option<i64>,
    /// Whether it is an answer: it has an `in_reply_to` that is not `null`.
    pub is_reply: bool,
    /// The fields that occur twice in the body, one bit each.
    pub(super) twice: u64,
    pub(super) envelope_twice: Option<&'static str>,
    pub(super) fields: heapless::Vec<(Key, Token<'a>), { Key::ALL.len() }>,
    /// Integers of `data`, if that is a list, kept for the code that reads its entries.
    pub(super) tape: Tape,
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        let fields = |of: &Self| (of.src, of.dest, of.type_name, of.kind, of.msg_id, of.is_reply, of.twice);
        fields(self) == fields(other)
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(|(key, token)| other.written(*key) == Some(*token))
    }
}

impl<'a> Message<'a> {
    /// A message with nothing in it yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            src: None,
            dest: None,
            type_name: None,
            kind: None,
            msg_id: None,
            is_reply: false,
            twice: 0,
            envelope_twice: None,
            fields: heapless::Vec::new(),
            tape: Tape::new(),
        }
    }

    /// Reads a line into this message, which is cleared first. O(length of the line).
    ///
    /// # Errors
    /// The line is no JSON, is nested too deeply, or has no body. The contents of the message are then undefined.
    pub fn decode(&mut self, line: &'a [u8]) -> Result<(), Malformed> {
        self.clear();
        let mut scanner = Scanner::new(line);
        scanner.white();
        if !scanner.eat(b'{') {
            // The line may still be JSON: the error tells the two cases apart.
            scanner.value(0)?;
            scanner.end()?;
            return Err(Malformed::NotAMessage);
        }
        let mut has_body = false;
        // The first of two duplicate fields counts. Of duplicate bodies the first one that is an object counts.
        let mut seen: heapless::Vec<Envelope, 3> = heapless::Vec::new();
        scanner.white();
        if !scanner.eat(b'}') {
            loop {
                let key = scanner.key()?;
                match Envelope::find(key) {
                    Some(part) if seen.contains(&part) => {
                        self.envelope_twice = self.envelope_twice.or(Some(part.name()));
                        if part == Envelope::Body && !has_body {
                            has_body = self.part(part, &mut scanner)?;
                        } else {
                            scanner.value(1)?;
                        }
                    }
                    Some(part) => {
                        // There is a place for each part.
                        let _ = seen.push(part);
                        has_body |= self.part(part, &mut scanner)?;
                    }
                    None => {
                        scanner.value(1)?;
                    }
                }
                scanner.white();
                if scanner.eat(b'}') {
                    break;
                }
                scanner.expect(b',')?;
            }
        }
        scanner.end()?;
        if has_body { Ok(()) } else { Err(Malformed::NotAMessage) }
    }

    /// Forgets everything.
    fn clear(&mut self) {
        self.src = None;
        self.dest = None;
        self.type_name = None;
        self.kind = None;
        self.msg_id = None;
        self.is_reply = false;
        self.twice = 0;
        self.envelope_twice = None;
        self.fields.clear();
    }

    /// Reads a part of the envelope. True if it was a body that is an object.
    fn part(&mut self, part: Envelope, scanner: &mut Scanner<'a>) -> Result<bool, Malformed> {
        if part == Envelope::Body && scanner.eat(b'{') {
            self.body(scanner)?;
            return Ok(true);
        }
        let token = scanner.value(1)?;
        let text = if let Token::Text(text) = token { Some(text) } else { None };
        match part {
            Envelope::Src => self.src = text,
            Envelope::Dest => self.dest = text,
            Envelope::Body => {}
        }
        Ok(false)
    }

    /// Reads the body. Its opening brace was read already.
    fn body(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        scanner.white();
        if scanner.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = Key::find(scanner.key()?);
            let token = if key == Some(Key::Data) && self.written(Key::Data).is_none() {
                self.tape.value(scanner, 2)?
            } else {
                scanner.value(2)?
            };
            if let Some(key) = key {
                self.set(key, token);
            }
            scanner.white();
            if scanner.eat(b'}') {
                return Ok(());
            }
            scanner.expect(b',')?;
        }
    }

    #[inline]
    fn set(&mut self, key: Key, token: Token<'a>) {
        match (key, token) {
            (Key::Type, Token::Text(name)) if self.type_name.is_none() && self.written(Key::Type).is_none() => {
                self.type_name = Some(name);
                self.kind = Kind::find(name);
                return;
            }
            (Key::MsgId, Token::Int(id)) if self.msg_id.is_none() && self.written(Key::MsgId).is_none() => {
                self.msg_id = Some(id);
                return;
            }
            (Key::InReplyTo, _) => {
                self.is_reply |= !matches!(token, Token::Null);
                return;
            }
            _ => {}
        }
        let known = match key {
            Key::Type => self.type_name.is_some(),
            Key::MsgId => self.msg_id.is_some(),
            _ => false,
        };
        if known || self.written(key).is_some() {
            self.twice |= 1 << key as u64;
        } else {
            // There is a place for each key.
            let _ = self.fields.push((key, token));
        }
    }

    /// A field of the body that may be left out. A field that is `null` counts as absent.
    #[must_use]
    #[inline]
    pub fn get(&self, key: Key) -> Option<Token<'a>> {
        self.written(key).filter(|token| !matches!(token, Token::Null))
    }

    /// The entries in `data`, if that is a list.
    #[must_use]
    #[inline(never)]
    pub fn chunks(&self) -> Option<Chunks<'_>> {
        match self.written(Key::Data)? {
            Token::Array(data) => Some(Chunks::kept(data, self.tape.kept())),
            Token::Int(_)
            | Token::Big(_)
            | Token::Number(_)
            | Token::Text(_)
            | Token::Bool(_)
            | Token::Null
            | Token::Object(_) => None,
        }
    }

    /// A field of the body, also if it is `null`.
    #[inline]
    pub(super) fn written(&self, key: Key) -> Option<Token<'a>> {
        self.fields.iter().find(|field| field.0 == key).map(|field| field.1)
    }

    /// Whether any field is a duplicate.
    #[inline]
    pub(crate) fn has_twice(&self) -> bool {
        self.twice != 0 || self.envelope_twice.is_some()
    }

    /// The name of a part of the envelope that occurs twice.
    #[must_use]
    pub fn envelope_twice(&self) -> Option<&'static str> {
        self.envelope_twice
    }

    /// A field that occurs twice and has a meaning in this message.
    #[must_use]
    pub fn known_field_twice(&self) -> Option<Key> {
        if self.twice == 0 {
            return None;
        }
        let known = self.kind.map_or(&[][..], Kind::fields);
        let meant = [Key::Type, Key::MsgId].iter().chain(known);
        meant.copied().find(|key| self.twice >> *key as u64 & 1 == 1)
    }
}
