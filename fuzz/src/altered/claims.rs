//! The claims of a message about its sender: the entries of its rows, and its frontiers in all rows. This file decides
//! whether they are true.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// What the first node has sent about its own rows: chunks of entries, word by word.
pub(super) struct Claims {
    /// Its name.
    me: &'static str,
    chunks: BTreeSet<String>,
}

/// The kinds of claims that a message has forged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forged {
    /// An entry or a skip in a row of the node, or a number of its counter without a dot, that the node has not sent.
    pub(super) entries: bool,
    /// A frontier that the node has not reached.
    pub(super) frontiers: bool,
}

impl Forged {
    pub(super) fn anything(self) -> bool {
        self.entries || self.frontiers
    }
}

impl std::ops::BitOrAssign for Forged {
    fn bitor_assign(&mut self, other: Self) {
        self.entries |= other.entries;
        self.frontiers |= other.frontiers;
    }
}

impl Claims {
    pub(super) fn new(me: &'static str) -> Self {
        Self { me, chunks: BTreeSet::new() }
    }

    /// Notes a message as the node wrote it.
    pub(super) fn note(&mut self, line: &[u8]) {
        let message: Json = serde_json::from_slice(line).expect("nodes write JSON");
        self.chunks.extend(chunks(&message["body"]).map(Json::to_string));
    }

    /// The claims of an altered message that the node has not made. `reached` gives the frontier of a row. In doubt
    /// both kinds count as forged.
    pub(super) fn forged_by(&self, line: &[u8], reached: impl Fn(&str) -> u64) -> Forged {
        // The line is no message.
        let Ok(message) = serde_json::from_slice::<Json>(line) else { return Forged::default() };
        let text = String::from_utf8_lossy(line);
        // A key may be written with escapes, or twice. Then both kinds count as forged.
        let keys = [("\"data\"", 1), ("\"digest\"", 1), ("\"old\"", 1), ("_counters\"", 2), ("\"inc\"", 1)];
        if text.contains('\\') || keys.iter().any(|(key, most)| text.matches(key).count() > *most) {
            return Forged { entries: true, frontiers: true };
        }
        let body = &message["body"];
        let objects = |keys: [&'static str; 2]| keys.into_iter().filter_map(|key| body[key].as_object()).flatten();
        // A message without a session is one of another implementation, and its numbers count.
        let is_foreign = body["inc"].as_u64().is_none();
        let numbers = is_foreign && objects(["p_counters", "n_counters"]).any(|(row, _)| self.is_mine(row));
        let is_unsaid = |chunk: &Json| {
            self.is_mine(chunk[0].as_str().unwrap_or_default()) && !self.chunks.contains(&chunk.to_string())
        };
        let is_beyond = |(row, shown): (&String, &Json)| shown.as_u64().is_some_and(|shown| shown > reached(row));
        Forged { entries: numbers || chunks(body).any(is_unsaid), frontiers: objects(["digest", "old"]).any(is_beyond) }
    }

    /// Whether a row is one of the node, in whatever life.
    fn is_mine(&self, row: &str) -> bool {
        row.split('@').next() == Some(self.me)
    }
}

fn chunks(body: &Json) -> impl Iterator<Item = &Json> {
    body["data"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_a_row_of_the_sender_has_to_be_what_it_said() {
        let mut claims = Claims::new("n1");
        claims.note(br#"{"src": "n1", "body": {"inc": 7, "data": [["n1@7", 0, 1, [3]], ["n2@7", 4, "x"]]}}"#);
        let (no, entries) = (Forged::default(), Forged { entries: true, frontiers: false });
        let (frontiers, both) = (Forged { entries: false, frontiers: true }, Forged { entries: true, frontiers: true });
        for (body, forged) in [
            (r#""inc":7,"data":[["n1@7",0,1,[3]]]"#, no),
            (r#""inc":9,"digest":{"n1@7":4},"data":[["n1@7",0,1,[3]]]"#, no),
            (r#""inc":9,"digest":{"n1@7":5},"data":[["n1@7",0,1,[3]]]"#, frontiers),
            (r#""inc":9,"digest":{"n1@7":4},"old":{"n2@7":1}"#, frontiers),
            (r#""inc":7,"data":[["n1@7",0,1,[4]]]"#, entries),
            (r#""inc":7,"data":[["n1",0,1]]"#, entries),
            (r#""inc":7,"data":[["n2@7",4,"y"],["n3",0,5]]"#, no),
            (r#""inc":7,"p_counters":{"n1@7":5}"#, no),
            (r#""ink":7,"p_counters":{"n1@7":5}"#, entries),
            (r#""ink":7,"p_counters":{"n2@7":5}"#, no),
            (r#""inc":7,"data":[],"data":[]"#, both),
            (r#""inc":7,"d\u0061ta":[]"#, both),
            (r#""inc":7,"data":[["n1@7",0,1,[4]]"#, no),
        ] {
            let line = format!(r#"{{"src":"n1","dest":"n2","body":{{"type":"gossip",{body}}}}}"#);
            let reached = |row: &str| if row == "n1@7" { 4 } else { 0 };
            assert_eq!(claims.forged_by(line.as_bytes(), reached), forged, "{line}");
        }
    }
}
