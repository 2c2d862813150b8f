//! Access to the body of a line by the names of its fields, for messages whose type this crate does not know.

use super::iter::Pairs;
use super::json::{Str, Token};

/// The body of a message.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    fields: Pairs<'a>,
}

impl<'a> Body<'a> {
    /// The body of a line that was decoded before. `None` if the line has none. O(length of the line).
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<Self> {
        let line = core::str::from_utf8(line).ok()?;
        // Of duplicate bodies the first one that is an object counts, as in `Message::decode`.
        let body = |(name, token): (Str<'_>, Token<'a>)| match token {
            Token::Object(object) if name.is("body") => Some(object),
            _ => None,
        };
        let object = Pairs::new(line.trim_ascii_start()).find_map(body)?;
        Some(Self { fields: Pairs::new(object) })
    }

    /// The field of this name, also if it is `null`; `None` if it is missing. O(length of the body).
    ///
    /// # Errors
    /// The field occurs twice.
    pub fn get(&self, name: &str) -> Result<Option<Token<'a>>, Duplicate> {
        let mut found = self.fields.clone().filter(|field| field.0.is(name)).map(|field| field.1);
        let first = found.next();
        if found.next().is_some() { Err(Duplicate) } else { Ok(first) }
    }
}

/// A field occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(line: &str) -> Option<Body<'_>> {
        Body::of(line.as_bytes())
    }

    #[test]
    fn fields_are_found_by_their_names_wherever_the_body_is() {
        let line = r#" {"src": "c1", "x": {"a": 1}, "body": 3, "body": {"a": 5, "b\u0063": null}, "dest": "n1"}"#;
        let body = body(line).unwrap();
        assert_eq!(body.get("a"), Ok(Some(Token::Int(5))));
        assert_eq!(body.get("bc"), Ok(Some(Token::Null)));
        assert_eq!(body.get("dest"), Ok(None));
    }

    #[test]
    fn a_duplicate_field_is_an_error_and_a_missing_body_none() {
        assert_eq!(body(r#"{"body": {"a": 1, "\u0061": 2}}"#).unwrap().get("a"), Err(Duplicate));
        assert!(body(r#"{"body": [1]}"#).is_none());
        assert!(body("").is_none());
    }
}
