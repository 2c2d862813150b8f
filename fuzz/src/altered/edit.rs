//! How a message is altered. Places and tokens are counted modulo their number, so that every edit does something.
//!
//! | line | edit |
//! |---|---|
//! | `*PLACE,COUNT,TEXT` | in place of COUNT bytes from PLACE on there is TEXT |
//! | `#K,TEXT` | in place of the K-th number outside of strings there is TEXT |
//! | `"K,TEXT` | in place of the K-th string, between its quotes, there is TEXT |
//! | `&K` | in place of the message there is the K-th that the node has sent before |
//! | `-` | the message is lost |

use std::ops::Range;

use super::script::number;

/// The longest text that an edit inserts, in bytes.
const TEXT_MAX: usize = 512;

pub(super) enum Edit {
    Bytes(usize, usize, Vec<u8>),
    Number(usize, Vec<u8>),
    Text(usize, Vec<u8>),
    Again(usize),
    Lost,
}

impl Edit {
    /// The edit of a line of a script.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let (letter, rest) = line.split_first()?;
        let (count, text) = field(rest);
        match letter {
            b'*' => {
                let (bytes, text) = field(text);
                Some(Self::Bytes(count, bytes, cut(text)))
            }
            b'#' => Some(Self::Number(count, cut(text))),
            b'"' => Some(Self::Text(count, cut(text))),
            b'&' => Some(Self::Again(count)),
            b'-' => Some(Self::Lost),
            _ => None,
        }
    }

    /// The message as it arrives, or `None` if it is lost. `said` are the messages that were sent before it.
    pub(super) fn apply(&self, line: Vec<u8>, said: &[Vec<u8>]) -> Option<Vec<u8>> {
        let (range, text) = match self {
            Self::Bytes(place, count, text) => {
                let place = place % (line.len() + 1);
                (place..(place + count).min(line.len()), text)
            }
            Self::Number(which, text) => (pick(&tokens(&line).0, *which)?, text),
            Self::Text(which, text) => (pick(&tokens(&line).1, *which)?, text),
            Self::Again(which) => return Some(said.get(which % said.len().max(1)).cloned().unwrap_or(line)),
            Self::Lost => return None,
        };
        let mut line = line;
        line.splice(range, text.iter().copied());
        Some(line)
    }
}

/// A number, and the text after the comma that follows it.
fn field(bytes: &[u8]) -> (usize, &[u8]) {
    let comma = bytes.iter().position(|byte| *byte == b',').map_or(bytes.len(), |at| at + 1);
    (number(bytes) as usize, &bytes[comma..])
}

fn cut(text: &[u8]) -> Vec<u8> {
    text[..text.len().min(TEXT_MAX)].to_vec()
}

fn pick(tokens: &[Range<usize>], which: usize) -> Option<Range<usize>> {
    tokens.get(which % tokens.len().max(1)).cloned()
}

/// The numbers of a line, and its strings without their quotes.
fn tokens(line: &[u8]) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let (mut numbers, mut strings, mut at) = (Vec::new(), Vec::new(), 0);
    while at < line.len() {
        let from = at;
        match line[at] {
            b'"' => {
                at += 1;
                while at < line.len() && line[at] != b'"' {
                    at += 1 + usize::from(line[at] == b'\\');
                }
                strings.push(from + 1..at.min(line.len()));
            }
            b'0'..=b'9' => {
                while line.get(at + 1).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                numbers.push(from..at + 1);
            }
            _ => {}
        }
        at += 1;
    }
    (numbers, strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(edit: &[u8], line: &[u8]) -> String {
        let line = Edit::of(edit).unwrap().apply(line.to_vec(), &[b"before".to_vec()]);
        line.map_or_else(|| "lost".to_owned(), |line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn each_edit_does_what_the_table_says() {
        let line = br#"{"n1@7": [17, "a\"b", 5]}"#;
        for (edit, expected) in [
            (&b"*1,3,xy"[..], r#"{xy@7": [17, "a\"b", 5]}"#),
            (b"*26,0,!", r#"!{"n1@7": [17, "a\"b", 5]}"#),
            (b"#0,99", r#"{"n1@7": [99, "a\"b", 5]}"#),
            (b"#3,99", r#"{"n1@7": [17, "a\"b", 99]}"#),
            (b"\"0,n2", r#"{"n2": [17, "a\"b", 5]}"#),
            (b"\"1,", r#"{"n1@7": [17, "", 5]}"#),
            (b"&7", "before"),
            (b"-", "lost"),
        ] {
            assert_eq!(altered(edit, line), expected, "{}", edit.escape_ascii());
        }
        assert_eq!(altered(b"#0,1", b"no number"), "lost");
    }
}
