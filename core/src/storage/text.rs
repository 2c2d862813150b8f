//! Strings: where the key-value store keeps them, and where those of a line are put while it is read.

use core::fmt::Debug;

use super::Limits;

/// A string that is built piece by piece, up to a limit.
pub trait Text: Clone + Default + Debug {
    /// The string.
    fn as_str(&self) -> &str;
    /// Appends a character; `false`, and no change, when it does not fit.
    fn push(&mut self, char: char) -> bool;
    /// Drops all characters.
    fn clear(&mut self);
}

/// How many strings one entry or request has at most.
pub const TEXTS: usize = 3;

/// Room for the strings of an entry or request while it is read, with their escapes resolved. Only strings that have
/// escapes need it.
pub trait Scratch: Clone {
    /// One string.
    type Text: Text;
    /// The room while it is lent.
    type Lent: AsMut<[Self::Text; TEXTS]>;
    /// For strings of these limits.
    fn with_limits(limits: &Limits) -> Self;
    /// Lends the room, which has to be given back.
    fn lend(&mut self) -> Self::Lent;
    /// Takes the room back.
    fn give_back(&mut self, lent: Self::Lent);
}

/// The longest string that anybody reads: a string of the limits, or the name of a row.
#[must_use]
pub const fn longest_text(limits: &Limits) -> usize {
    let name = limits.id_bytes + 20;
    if limits.text_bytes > name { limits.text_bytes } else { name }
}

/// The strings of a table, kept under handles: the table has the handles, this has what they stand for.
///
/// A string is added in two steps: [`Texts::make_room`], and [`Texts::append`]. In between nothing moves, so that what was
/// appended need not be in the table yet.
pub trait Texts: Clone {
    /// What the table has of a string.
    type Handle: Clone + Debug;
    /// Whether the strings share room, so that it can be used up before the table is full.
    const SHARED: bool;
    /// No string yet, and room for what the limits say.
    fn with_limits(limits: &Limits) -> Self;
    /// The bound on the bytes of all strings together.
    fn limit(&self) -> usize;
    /// Bytes of strings that fit beside those that are there.
    fn room(&self) -> usize;
    /// Makes room for strings of `bytes` bytes together, when strings of `freed` bytes are released afterwards; `false`, and
    /// no change, when they do not fit. Handles of `owners` may change.
    fn make_room(&mut self, bytes: usize, freed: usize, owners: &mut (impl Owners<Self::Handle> + ?Sized)) -> bool;
    /// Keeps a string for which room was made. `None`, and no change, when it does not fit all the same.
    fn append(&mut self, text: &str, owner: u32) -> Option<Self::Handle>;
    /// The string is not needed any more; its handle is dropped.
    fn release(&mut self, handle: &Self::Handle);
    /// The string.
    fn get<'t>(&'t self, handle: &'t Self::Handle) -> &'t str;
    /// Whether this is the string `text`.
    fn is(&self, handle: &Self::Handle, text: &str) -> bool;
}

/// The table whose strings are kept.
pub trait Owners<H> {
    /// The handle that an owner has, if it has one.
    fn handle_mut(&mut self, owner: u32) -> Option<&mut H>;
}
