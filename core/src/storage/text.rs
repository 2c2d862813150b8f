//! Where strings are kept: those of the key-value store, and those of a line while it is read.

use core::fmt::Debug;

use super::Limits;

/// A string that is built piece by piece, up to a limit.
pub trait Text: Clone + Default + Debug {
    /// The string.
    fn as_str(&self) -> &str;
    /// Appends a character. `false` if it does not fit: then nothing changed.
    fn push(&mut self, char: char) -> bool;
    /// Drops all characters.
    fn clear(&mut self);
}

/// The largest number of strings in one entry or request.
pub const TEXTS: usize = 3;

/// Room for the strings of an entry or request while it is read. Only strings with escapes need it, for the text
/// without escapes.
pub trait Scratch: Clone {
    /// One string.
    type Text: Text;
    /// The room while it is lent.
    type Lent: AsMut<[Self::Text; TEXTS]>;
    /// Room for strings of these limits.
    fn with_limits(limits: &Limits) -> Self;
    /// Lends the room, which has to be given back.
    fn lend(&mut self) -> Self::Lent;
    /// Takes the room back.
    fn give_back(&mut self, lent: Self::Lent);
}

/// The longest string that is read, in bytes: a string within the limits, or the name of a row.
#[must_use]
pub const fn longest_text(limits: &Limits) -> usize {
    let name = limits.id_bytes + 20;
    if limits.text_bytes > name { limits.text_bytes } else { name }
}

/// The strings of a table. The table keeps a handle for each string, and `Texts` keeps the strings themselves.
///
/// A string is added in two steps, [`Texts::make_room`] and [`Texts::append`]. Only the first step moves strings, so a
/// string that was appended need not be in the table yet.
pub trait Texts: Clone {
    /// What the table keeps for a string.
    type Handle: Clone + Debug;
    /// Whether all strings share one room, which can be used up before the table is full.
    const SHARED: bool;
    /// No string yet, with room for the strings that the limits allow.
    fn with_limits(limits: &Limits) -> Self;
    /// The bound on the bytes of all strings together.
    fn limit(&self) -> usize;
    /// How many more bytes of strings fit.
    fn room(&self) -> usize;
    /// Makes room for strings of `bytes` bytes together. The caller releases strings of `freed` bytes afterwards, so
    /// these do not count. `false` if the strings do not fit: then nothing changed. Strings may move: then the handles
    /// in `owners` are changed.
    fn make_room(&mut self, bytes: usize, freed: usize, owners: &mut (impl Owners<Self::Handle> + ?Sized)) -> bool;
    /// Keeps a string for which room was made. `None` if it does not fit all the same: then nothing changed.
    fn append(&mut self, text: &str, owner: u32) -> Option<Self::Handle>;
    /// The string is no longer needed, and its handle is dropped.
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
