//! `stats`: every count of the node, in the compact form in which `serde-json-core` writes it.

use super::reply::{Source, fields};
use crate::output::Sink;
use crate::storage::Storage;
use crate::wire::Out;

/// `stats_ok`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer;

impl Answer {
    pub(super) fn write<S: Storage, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        out.str("stats_ok\", \"stats\": ");
        for (at, (name, number)) in source.stats.named().enumerate() {
            out.str(if at == 0 { "{\"" } else { ",\"" });
            out.str(name);
            fields(out, &[("\":", number)]);
        }
        out.raw(b"}");
    }
}
