//! A string of a line, and the text that it stands for.

use crate::storage::Text;

/// A string as it is written in the line: without its quotes, but with its escapes.
#[derive(Clone, Copy, Debug)]
pub struct Str<'a> {
    /// The text. It is valid UTF-8, but kept as bytes, since most strings are only compared and copied.
    pub(in crate::wire) raw: &'a [u8],
    pub(in crate::wire) escaped: bool,
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl<'a> Str<'a> {
    /// The string `text`. A backslash in it is no escape.
    #[must_use]
    pub const fn literal(text: &'a str) -> Self {
        Self { raw: text.as_bytes(), escaped: false }
    }

    /// The text as it is written in the line.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether there are escapes in it.
    #[must_use]
    pub const fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// Whether this is the string `text`.
    #[must_use]
    #[inline]
    pub fn is(&self, text: &str) -> bool {
        if self.escaped { self.chars().eq(text.chars()) } else { self.raw == text.as_bytes() }
    }

    fn text(&self) -> &'a str {
        // It was checked when it was read.
        core::str::from_utf8(self.raw).unwrap_or("")
    }

    /// The string without escapes: borrowed from the line, or written to `scratch`. `None` if it does not fit there.
    #[must_use]
    pub fn unescape<'s>(&self, scratch: &'s mut impl Text) -> Option<&'s str>
    where
        'a: 's,
    {
        if !self.escaped {
            return core::str::from_utf8(self.raw).ok();
        }
        scratch.clear();
        for char in self.chars() {
            if !scratch.push(char) {
                return None;
            }
        }
        Some(scratch.as_str())
    }

    /// The characters of the string, escapes resolved.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        let mut rest = self.text().chars();
        let escaped = self.escaped;
        core::iter::from_fn(move || {
            let char = rest.next()?;
            if char != '\\' || !escaped {
                return Some(char);
            }
            Some(match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let high = hex4(&mut rest)?;
                    if (0xd800..0xdc00).contains(&high) {
                        rest.nth(1)?;
                        let low = hex4(&mut rest)?;
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low.checked_sub(0xdc00)?)?
                    } else {
                        char::from_u32(high)?
                    }
                }
                other => other,
            })
        })
    }
}

fn hex4(chars: &mut core::str::Chars<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.to_digit(16)?;
    }
    Some(code)
}
