//! What a message says about how far the node that sends it has got in all rows, and whether that is so.

use serde_json::Value as Json;

/// Whether a message shows a frontier that its sender has not reached. `reached` is the frontier of a row. In doubt it
/// does.
pub(super) fn shows_more_than(line: &[u8], reached: impl Fn(&str) -> u64) -> bool {
    // No message at all.
    let Ok(message) = serde_json::from_slice::<Json>(line) else { return false };
    let text = String::from_utf8_lossy(line);
    // A key may be written with escapes, or twice: which of the two counts is not asked here.
    if text.contains('\\') || ["\"digest\"", "\"old\""].iter().any(|key| text.matches(key).count() > 1) {
        return true;
    }
    let rows = ["digest", "old"].into_iter().filter_map(|key| message["body"][key].as_object()).flatten();
    rows.into_iter().any(|(row, shown)| shown.as_u64().is_some_and(|shown| shown > reached(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontier_that_was_not_reached_is_found_wherever_it_is_shown() {
        for (body, shows) in [
            (r#""inc":7,"data":[["n1@7",0,1,[3]]]"#, false),
            (r#""inc":9,"digest":{"n1@7":4},"data":[["n1@7",0,1,[3]]]"#, false),
            (r#""inc":9,"digest":{"n1@7":5},"data":[["n1@7",0,1,[3]]]"#, true),
            (r#""inc":9,"digest":{"n1@7":4},"old":{"n2@7":1}"#, true),
            (r#""inc":7,"digest":{},"digest":{}"#, true),
            (r#""inc":7,"d\u0069gest":{}"#, true),
            (r#""inc":7,"digest":{"n1@7":5}"#, true),
            (r#""inc":7,"digest":{"n1@7":5"#, false),
        ] {
            let line = format!(r#"{{"src":"n1","dest":"n2","body":{{"type":"gossip",{body}}}}}"#);
            let reached = |row: &str| if row == "n1@7" { 4 } else { 0 };
            assert_eq!(shows_more_than(line.as_bytes(), reached), shows, "{line}");
        }
    }
}
