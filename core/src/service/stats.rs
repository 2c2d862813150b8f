//! `stats`: the counts of the node, as serde-json-core writes them.

use super::Application;
use super::reply::Source;
use crate::output::Sink;
use crate::stats::Stats;
use crate::wire::Out;

/// `stats_ok`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer;

impl Answer {
    // Out of line, because of the memory that it takes on the stack.
    #[inline(never)]
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        let mut text = [0; Stats::JSON_BYTES_MAX];
        let len = serde_json_core::to_slice(source.stats, &mut text);
        debug_assert!(len.is_ok(), "there is room for the largest number in each field");
        out.str("stats_ok\", \"stats\": ");
        out.raw(len.ok().and_then(|len| text.get(..len)).unwrap_or(b"{}"));
    }
}
