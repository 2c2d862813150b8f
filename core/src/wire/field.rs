//! Reads a field of the kind that a request needs, or says what is wrong with it.

use super::iter::{Items, Pairs};
use super::json::{Str, Token};
use super::message::Message;
use super::names::Key;
use crate::id::Value;
use crate::storage::Text;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    Missing,
    /// It occurs twice.
    Twice,
    /// It is of another kind. The text says which kind is needed.
    Not(&'static str),
    /// It is an integer outside of the range.
    OutOfRange {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// It is a string, list or payload that is too long.
    TooLong {
        /// Largest allowed.
        max: usize,
        /// The unit, such as bytes.
        unit: &'static str,
    },
    /// A string in it is too long.
    TextTooLong {
        /// The largest allowed number of bytes.
        max: usize,
    },
    /// An id in it cannot be the id of a node.
    NotAnId {
        /// The largest allowed number of bytes.
        max: usize,
    },
    /// Applied to the counter, it would leave the counter's range.
    Overflow,
    /// The stamp is too far ahead of the local clock.
    ClockAhead {
        /// The limit in milliseconds.
        max_ms: u64,
    },
}

/// A field that a request needs and does not have in a usable form. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The field.
    pub key: Key,
    /// What is wrong with it.
    pub why: Why,
}

/// An integer or a string, as it is written in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// An integer.
    Int(i64),
    /// A string.
    Text(Str<'a>),
}

impl<'a> Scalar<'a> {
    /// The token as a scalar, if it is an integer in the range of `i64` or a string.
    #[must_use]
    #[inline]
    pub fn of(token: Token<'a>) -> Option<Self> {
        match token {
            Token::Int(int) => Some(Self::Int(int)),
            Token::Text(text) => Some(Self::Text(text)),
            Token::Big(_) | Token::Number(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => {
                None
            }
        }
    }

    /// The value. Escapes are resolved in `scratch`; `None` if the string does not fit there.
    #[must_use]
    #[inline]
    pub fn value<'s>(&self, scratch: &'s mut impl Text) -> Option<Value<'s>>
    where
        'a: 's,
    {
        match self {
            Self::Int(int) => Some(Value::Int(*int)),
            Self::Text(text) => text.unescape(scratch).map(Value::Text),
        }
    }
}

/// The token as an integer from `min` to `max`.
///
/// # Errors
/// It is no integer, or outside of `min..=max`.
pub fn integer(token: Token<'_>, min: i64, max: i64) -> Result<i64, Why> {
    match token {
        Token::Int(int) if (min..=max).contains(&int) => Ok(int),
        Token::Int(_) | Token::Big(_) => Err(Why::OutOfRange { min, max }),
        Token::Number(text) if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && text != "-0" => {
            Err(Why::OutOfRange { min, max })
        }
        Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => {
            Err(Why::Not("an integer"))
        }
    }
}

impl<'a> Message<'a> {
    /// A field that has to be there. It may be `null`: a request like `echo` takes that as a value.
    ///
    /// # Errors
    /// It is missing.
    #[inline]
    pub fn need(&self, key: Key) -> Result<Token<'a>, BadField> {
        self.written(key).ok_or(BadField { key, why: Why::Missing })
    }

    /// A field that has to be an integer or a string.
    ///
    /// # Errors
    /// It is missing or something else.
    #[inline]
    pub fn scalar(&self, key: Key) -> Result<Scalar<'a>, BadField> {
        Scalar::of(self.need(key)?)
            .ok_or(BadField { key, why: Why::Not("an integer in the range of 64 bits or a string") })
    }

    /// A field that has to be an integer.
    ///
    /// # Errors
    /// It is missing, no integer, or outside of `min..=max`.
    pub fn int(&self, key: Key, min: i64, max: i64) -> Result<i64, BadField> {
        integer(self.need(key)?, min, max).map_err(|why| BadField { key, why })
    }

    /// A field that has to be a string.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn text(&self, key: Key) -> Result<Str<'a>, BadField> {
        match self.need(key)? {
            Token::Text(text) => Ok(text),
            _ => Err(BadField { key, why: Why::Not("a string") }),
        }
    }

    /// A field that has to be a list.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn list(&self, key: Key) -> Result<Items<'a>, BadField> {
        match self.need(key)? {
            Token::Array(array) => Ok(Items::new(array)),
            _ => Err(BadField { key, why: Why::Not("a list") }),
        }
    }

    /// A field that has to be an object.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn object(&self, key: Key) -> Result<Pairs<'a>, BadField> {
        match self.need(key)? {
            Token::Object(object) => Ok(Pairs::new(object)),
            _ => Err(BadField { key, why: Why::Not("an object") }),
        }
    }
}
