//! The contents of arrays and objects that were checked to be JSON.

use super::json::{Scanner, Str, Token};

/// The items of an array that was checked to be JSON.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Items<'a> {
    /// Iterates over `array`, the text of a [`Token::Array`].
    #[must_use]
    pub fn new(array: &'a str) -> Self {
        let mut scanner = Scanner::new(array.as_bytes());
        let _ = scanner.eat(b'[');
        Self { scanner }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        self.scanner.white();
        if self.scanner.eat(b',') {
            self.scanner.white();
        }
        if self.scanner.peek() == b']' {
            return None;
        }
        self.scanner.value(0).ok()
    }
}

/// The keys and values of an object that was checked to be JSON.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Pairs<'a> {
    /// Iterates over `object`, the text of a [`Token::Object`].
    #[must_use]
    pub fn new(object: &'a str) -> Self {
        let mut scanner = Scanner::new(object.as_bytes());
        let _ = scanner.eat(b'{');
        Self { scanner }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Str<'a>, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.scanner.white();
        let _ = self.scanner.eat(b',');
        self.scanner.white();
        if self.scanner.peek() == b'}' {
            return None;
        }
        let key = self.scanner.key().ok()?;
        Some((key, self.scanner.value(0).ok()?))
    }
}
