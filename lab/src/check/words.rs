//! How findings write numbers, times and lists.

use crate::settings::Micros;

/// Microseconds as seconds.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn seconds(us: Micros) -> f64 {
    us as f64 / 1e6
}

/// Microseconds as milliseconds.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn millis(us: Micros) -> f64 {
    us as f64 / 1e3
}

/// `1 value`, `3 values`
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `3 values were`
pub(crate) fn were(n: usize, what: &str) -> String {
    format!("{} {}", count(n, what), if n == 1 { "was" } else { "were" })
}

/// The first few of a list: `a, b, c and 4 more`.
pub(crate) fn examples(items: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let mut items = items.into_iter();
    let shown: Vec<String> = items.by_ref().take(SHOWN).collect();
    let rest = items.count();
    let list = shown.join(", ");
    if rest == 0 { list } else { format!("{list} and {rest} more") }
}
