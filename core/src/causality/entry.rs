//! The form of a change in a message: a tag that names the data type, and up to three arguments.
//!
//! The module `wire` writes and reads this form without knowing data types. Data types make and take it without knowing
//! JSON.

/// The data type of an entry, and which kind of entry of that type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u8);

impl Tag {
    /// An entry with this tag has one argument. In a message it is that argument alone.
    pub const BARE: Self = Self(0);
}

/// One argument of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg<'a> {
    /// An integer.
    Int(i64),
    /// An integer above the range of `i64`.
    Big(u64),
    /// A string.
    Text(&'a str),
    /// The name of a row. It is read as [`Arg::Text`].
    Row {
        /// The node's id.
        node: &'a str,
        /// Its life.
        incarnation: u64,
    },
}

impl<'a> Arg<'a> {
    /// The argument as an unsigned integer, if it is one.
    #[must_use]
    pub fn as_unsigned(&self) -> Option<u64> {
        match *self {
            Self::Int(int) => u64::try_from(int).ok(),
            Self::Big(big) => Some(big),
            Self::Text(_) | Self::Row { .. } => None,
        }
    }

    /// An argument for an unsigned integer.
    #[must_use]
    pub fn unsigned(int: u64) -> Self {
        i64::try_from(int).map_or(Self::Big(int), Self::Int)
    }

    /// The argument as a value, if it is an integer or a string.
    #[must_use]
    pub fn as_value(&self) -> Option<crate::id::Value<'a>> {
        match *self {
            Self::Int(int) => Some(crate::id::Value::Int(int)),
            Self::Text(text) => Some(crate::id::Value::Text(text)),
            Self::Big(_) | Self::Row { .. } => None,
        }
    }
}

impl<'a> From<crate::id::Value<'a>> for Arg<'a> {
    fn from(value: crate::id::Value<'a>) -> Self {
        match value {
            crate::id::Value::Int(int) => Self::Int(int),
            crate::id::Value::Text(text) => Self::Text(text),
        }
    }
}

const ARGS_MAX: usize = 3;

/// A change without its dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The kind of change.
    pub tag: Tag,
    args: [Arg<'a>; ARGS_MAX],
    len: u8,
}

impl<'a> Entry<'a> {
    /// The largest number of arguments.
    pub const ARGS_MAX: usize = ARGS_MAX;

    /// An entry that no data type reads. It stands for an entry that is missing because of a broken invariant: every
    /// receiver refuses it.
    pub const NOTHING: Self = Self { tag: Tag(b'!'), args: [Arg::Int(0); ARGS_MAX], len: 0 };

    /// An entry with these arguments. `None` if there are more than [`Entry::ARGS_MAX`], or not exactly one for
    /// [`Tag::BARE`].
    #[must_use]
    pub fn new(tag: Tag, args: &[Arg<'a>]) -> Option<Self> {
        let mut all = [Arg::Int(0); ARGS_MAX];
        all.get_mut(..args.len())?.copy_from_slice(args);
        (tag != Tag::BARE || args.len() == 1).then_some(Self { tag, args: all, len: args.len() as u8 })
    }

    /// An entry with one argument.
    #[must_use]
    pub const fn one(tag: Tag, arg: Arg<'a>) -> Self {
        Self { tag, args: [arg, Arg::Int(0), Arg::Int(0)], len: 1 }
    }

    /// An entry with two arguments.
    #[must_use]
    pub const fn two(tag: Tag, args: [Arg<'a>; 2]) -> Self {
        debug_assert!(tag.0 != Tag::BARE.0, "a bare entry has one argument");
        Self { tag, args: [args[0], args[1], Arg::Int(0)], len: 2 }
    }

    /// An entry with three arguments.
    #[must_use]
    pub const fn three(tag: Tag, args: [Arg<'a>; 3]) -> Self {
        debug_assert!(tag.0 != Tag::BARE.0, "a bare entry has one argument");
        Self { tag, args, len: 3 }
    }

    /// An entry that is a value alone, without a tag.
    #[must_use]
    pub const fn bare(arg: Arg<'a>) -> Self {
        Self::one(Tag::BARE, arg)
    }

    /// The arguments.
    #[must_use]
    pub fn args(&self) -> &[Arg<'a>] {
        self.args.get(..usize::from(self.len)).unwrap_or(&self.args)
    }
}
