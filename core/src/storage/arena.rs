//! Strings on the heap: an arena for the strings of the store, and buffers for the strings of a line.

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;

use super::heap::HeapBuf;
use super::{Buf, Limits, Owners, Scratch, TEXTS, Text, Texts, longest_text};

/// Bytes before each string: its owner and its length, of 32 bits each.
const HEADER: usize = 8;
/// How many bytes a pass looks at for each byte that is added.
const PACE: usize = 8;
/// A pass begins when the bytes that are no longer needed exceed a quarter of the needed ones plus this number (less in
/// a small arena).
const WASTE: usize = 64 << 10;

/// Strings that lie one after the other, each with its owner before it. New ones are added at the end.
///
/// A string that is no longer needed stays where it is until a *pass* reaches it. A pass goes through the memory from
/// the beginning to the end, and moves needed strings down over those that are not needed. It is made step by step, a
/// few bytes for each byte that is added, so no write waits for a whole pass. The memory is half as large again as the
/// strings that are promised room, so a pass is done before the end of the memory is reached. A string is refused only
/// if the strings together would exceed the bound, and never because free memory lies in pieces.
#[derive(Clone, Debug)]
pub struct Arena {
    memory: HeapBuf<u8>,
    /// How many bytes of strings are promised room.
    limit: usize,
    /// How many bytes the needed strings have.
    live: usize,
    strings: usize,
    pass: Option<Pass>,
}

/// A pass that is under way. Below `to` every string is needed. From `to` up to `from` none is. The strings from `from`
/// on were not looked at.
#[derive(Clone, Copy, Debug)]
struct Pass {
    from: usize,
    to: usize,
}

impl Pass {
    const START: Self = Self { from: 0, to: 0 };
}

/// The place of a string. It begins with the header.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn text(self) -> core::ops::Range<usize> {
        let start = self.start as usize + HEADER;
        start..start + self.len as usize
    }
}

impl Arena {
    /// How many bytes the needed strings take with their headers.
    fn needed(&self) -> usize {
        self.live + HEADER * self.strings
    }

    fn is_pass_due(&self) -> bool {
        let needed = self.needed();
        self.memory.len() - needed > needed / 4 + WASTE.min(self.memory.limit() / 24)
    }

    /// Continues the pass by one string. Returns how many bytes it looked at.
    fn step(&mut self, owners: &mut (impl Owners<Span> + ?Sized)) -> usize {
        let Some(Pass { from, to }) = self.pass else { return 0 };
        let Some((owner, end)) = self.header(from) else {
            debug_assert!(from == self.memory.len(), "strings lie one behind the other");
            self.memory.truncate(to);
            self.pass = None;
            return 0;
        };
        let mut next = Pass { from: end, to };
        if let Some(span) = owners.handle_mut(owner).filter(|span| span.start as usize == from) {
            if from > to {
                self.memory.copy_within(from..end, to);
                span.start = to as u32;
            }
            next.to += end - from;
        }
        self.pass = Some(next);
        end - from
    }

    /// The owner and the end of the string whose header is at the byte `at`; `None` at the end of the memory.
    fn header(&self, at: usize) -> Option<(u32, usize)> {
        let (owner, rest) = self.memory.get(at..)?.split_first_chunk()?;
        let (len, text) = rest.split_first_chunk()?;
        let len = u32::from_le_bytes(*len) as usize;
        (len <= text.len()).then_some((u32::from_le_bytes(*owner), at + HEADER + len))
    }

    /// Does the rest of the pass that is under way, and then a whole one. Together they drop every string that is not
    /// needed.
    #[cold]
    fn pass_at_once(&mut self, added: usize, owners: &mut (impl Owners<Span> + ?Sized)) -> bool {
        while self.pass.is_some() {
            self.step(owners);
        }
        self.pass = Some(Pass::START);
        while self.pass.is_some() {
            self.step(owners);
        }
        added <= self.memory.room()
    }
}

impl Texts for Arena {
    type Handle = Span;
    const SHARED: bool = true;

    fn with_limits(limits: &Limits) -> Self {
        let longest = HEADER + limits.text_bytes;
        let promised = limits.store_text_bytes.saturating_add(2 * HEADER * limits.keys);
        let memory = promised.saturating_add(promised / 2).saturating_add(8 * longest);
        Self {
            memory: HeapBuf::<u8>::with_limit(memory),
            limit: limits.store_text_bytes,
            live: 0,
            strings: 0,
            pass: None,
        }
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.live)
    }

    fn make_room(&mut self, bytes: usize, freed: usize, owners: &mut (impl Owners<Span> + ?Sized)) -> bool {
        if bytes > self.room() + freed {
            return false;
        }
        // At most two strings are added, a key and a value.
        let added = bytes + 2 * HEADER;
        if self.pass.is_none() && self.is_pass_due() {
            self.pass = Some(Pass::START);
        }
        let mut pace = PACE * added;
        while self.pass.is_some() && pace > 0 {
            pace = pace.saturating_sub(self.step(owners));
        }
        let fits = added <= self.memory.room();
        debug_assert!(fits, "a pass is done before the end of the memory is reached");
        fits || self.pass_at_once(added, owners)
    }

    fn append(&mut self, text: &str, owner: u32) -> Option<Span> {
        let span = Span { start: self.memory.len() as u32, len: text.len() as u32 };
        if HEADER + text.len() > self.memory.room() {
            return None;
        }
        self.memory.extend_all(&owner.to_le_bytes());
        self.memory.extend_all(&span.len.to_le_bytes());
        self.memory.extend_all(text.as_bytes());
        self.live += text.len();
        self.strings += 1;
        Some(span)
    }

    fn release(&mut self, handle: &Span) {
        self.live -= handle.len as usize;
        self.strings -= 1;
    }

    fn get<'t>(&'t self, handle: &'t Span) -> &'t str {
        let text = self.memory.get(handle.text()).and_then(|bytes| core::str::from_utf8(bytes).ok());
        debug_assert!(text.is_some(), "a handle is that of a string until it is released");
        text.unwrap_or("")
    }

    fn is(&self, handle: &Span, text: &str) -> bool {
        handle.len as usize == text.len() && self.memory.get(handle.text()) == Some(text.as_bytes())
    }
}

/// A string that never grows beyond the memory that it reserved when it was made.
#[derive(Debug, Default)]
pub struct HeapText {
    text: String,
    limit: usize,
}

impl HeapText {
    /// An empty string with room for `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { text: String::with_capacity(limit), limit }
    }
}

impl Clone for HeapText {
    /// The clone reserves as much memory.
    fn clone(&self) -> Self {
        let mut clone = Self::with_limit(self.limit);
        clone.text.push_str(&self.text);
        clone
    }
}

impl Text for HeapText {
    fn as_str(&self) -> &str {
        &self.text
    }

    fn push(&mut self, char: char) -> bool {
        let fits = self.text.len() + char.len_utf8() <= self.limit;
        if fits {
            self.text.push(char);
        }
        fits
    }

    fn clear(&mut self) {
        self.text.clear();
    }
}

/// Strings whose memory was reserved when the node was made. `None` while they are lent.
#[derive(Clone, Debug)]
pub struct HeapScratch(Option<Box<[HeapText; TEXTS]>>);

impl Scratch for HeapScratch {
    type Text = HeapText;
    type Lent = Box<[HeapText; TEXTS]>;

    fn with_limits(limits: &Limits) -> Self {
        Self(Some(Box::new(core::array::from_fn(|_| HeapText::with_limit(longest_text(limits))))))
    }

    #[inline]
    fn lend(&mut self) -> Self::Lent {
        debug_assert!(self.0.is_some(), "what was lent is given back before it is lent again");
        self.0.take().unwrap_or_default()
    }

    #[inline]
    fn give_back(&mut self, lent: Self::Lent) {
        self.0 = Some(lent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Heap, Storage};
    use proptest::prelude::*;
    use std::string::ToString as _;
    use std::vec::Vec;

    /// A table of strings, and a model of it.
    struct Table {
        arena: Arena,
        handles: Handles,
        model: Vec<Option<String>>,
        /// How many bytes were added in all.
        added: usize,
    }

    struct Handles(Vec<Option<Span>>);

    impl Owners<Span> for Handles {
        fn handle_mut(&mut self, owner: u32) -> Option<&mut Span> {
            self.0.get_mut(owner as usize)?.as_mut()
        }
    }

    impl Table {
        fn new(owners: usize, store_text_bytes: usize, text_bytes: usize) -> Self {
            let limits = Limits { keys: owners.div_ceil(2), text_bytes, store_text_bytes, ..Heap::LIMITS };
            Self {
                arena: Arena::with_limits(&limits),
                handles: Handles(std::vec![None; owners]),
                model: std::vec![None; owners],
                added: 0,
            }
        }

        /// Sets the string of an owner. True if there was room.
        fn set(&mut self, owner: usize, text: &str) -> bool {
            let old = self.handles.0[owner];
            let freed = old.map_or(0, |span| span.len as usize);
            if !self.arena.make_room(text.len(), freed, &mut self.handles) {
                return false;
            }
            let span = self.arena.append(text, owner as u32).expect("room was made");
            // The old string may have moved while room was made.
            if let Some(old) = self.handles.0[owner].replace(span) {
                self.arena.release(&old);
            }
            self.model[owner] = Some(text.to_string());
            self.added += text.len();
            true
        }

        fn check(&self) {
            for (handle, text) in self.handles.0.iter().zip(&self.model) {
                assert_eq!(handle.as_ref().map(|handle| self.arena.get(handle)), text.as_deref());
                assert!(handle.iter().zip(text).all(|(handle, text)| self.arena.is(handle, text)));
            }
            let live = self.model.iter().flatten().map(String::len).sum::<usize>();
            assert_eq!(self.arena.room(), self.arena.limit - live);
        }
    }

    fn text(seed: usize, len: usize) -> String {
        (0..len).map(|at| char::from(b'a' + ((seed * 7 + at) % 26) as u8)).collect()
    }

    proptest! {
        #[test]
        fn strings_are_refused_only_when_their_bytes_are_above_the_bound(
            owners in 1_usize..40,
            bound in 0_usize..3_000,
            longest in 8_usize..400,
            steps in prop::collection::vec((0_usize..40, 0_usize..400, any::<bool>()), 0..600),
        ) {
            let mut table = Table::new(owners, bound, longest);
            for (step, (owner, len, short)) in steps.into_iter().enumerate() {
                let (owner, len) = (owner % owners, if short { len % 9 } else { len.min(longest) });
                let live: usize = table.model.iter().enumerate().filter(|(at, _)| *at != owner)
                    .filter_map(|(_, text)| text.as_ref()).map(String::len).sum();
                prop_assert_eq!(table.set(owner, &text(step, len)), live + len <= bound);
                table.check();
            }
        }
    }

    #[test]
    fn the_room_of_overwritten_strings_is_used_again_and_nothing_is_reserved_after_the_start() {
        for (owners, bound, longest) in [(2, 131_072, 65_536), (64, 1 << 20, 65_536), (1_000, 40_000, 256)] {
            let mut table = Table::new(owners, bound, longest);
            let reserved = table.arena.memory.limit();
            let mut random = 1_u64;
            // All of the memory is used, with strings of all sizes. Few of them are long.
            while table.added < 60 * bound {
                random = crate::id::mix(random + 1);
                let len = longest >> (random % 14);
                table.set((random >> 16) as usize % owners, &text(random as usize % 1_000, len));
            }
            table.check();
            assert!(table.added > 60 * bound && table.arena.memory.limit() == reserved);
        }
    }

    #[test]
    fn a_string_is_added_without_looking_at_all_others() {
        let mut table = Table::new(4_000, 4 << 20, 1_024);
        (0..4_000).for_each(|owner| assert!(table.set(owner, &text(owner, 1_000))));
        let mut most = 0;
        for round in 0..100_000 {
            let before = table.arena.pass.map_or(0, |pass| pass.from);
            assert!(table.set(round % 7, &text(round, 10)));
            let after = table.arena.pass.map_or(before, |pass| pass.from);
            most = most.max(after.saturating_sub(before));
        }
        table.check();
        assert!(most <= PACE * (10 + 2 * HEADER) + HEADER + 1_000, "{most} bytes were looked at");
    }

    #[test]
    fn a_store_of_few_short_strings_touches_little_memory() {
        let mut table = Table::new(10, 32 << 20, 65_536);
        for round in 0..1_000_000 {
            assert!(table.set(round % 10, &text(round, 20)));
        }
        assert!(table.arena.memory.len() < 2 * WASTE, "{} bytes", table.arena.memory.len());
    }
}
