//! How numbers and texts from outside are written. It is the same on the screen, in plots and in the page. It knows
//! nothing of runs.

use crate::settings::{Micros, SECOND};

/// The sign for a value that does not exist.
pub(crate) const NONE: &str = "–";

/// Milliseconds, as short as their size allows: `0.4 ms`, `311 ms`, `12.3 s`.
pub(crate) fn ms(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value == 0.0 {
        "0 ms".to_owned()
    } else if value < 9.95 {
        format!("{value:.1} ms")
    } else if value < 9_999.5 {
        format!("{} ms", grouped(value.round()))
    } else {
        format!("{:.1} s", value / 1000.0)
    }
}

/// Milliseconds, or a dash if there is no value.
pub(crate) fn ms_or_none(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), ms)
}

/// A moment or a duration in seconds: `4.21 s`.
pub(crate) fn seconds(us: Micros) -> String {
    let seconds = us as f64 / SECOND as f64;
    if us.is_multiple_of(SECOND) { format!("{} s", grouped(seconds)) } else { format!("{seconds:.2} s") }
}

/// A count with its thousands apart: `12,345`.
pub(crate) fn count(value: usize) -> String {
    grouped(value as f64)
}

/// Bytes: `412 B`, `3.1 kB`, `2.0 MB`.
pub(crate) fn bytes(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value < 9_999.5 {
        format!("{} B", grouped(value.round()))
    } else if value < 999_500.0 {
        format!("{:.1} kB", value / 1e3)
    } else {
        format!("{:.1} MB", value / 1e6)
    }
}

/// A ratio such as messages per operation: three digits that matter, at most.
pub(crate) fn ratio(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        grouped(value.round())
    }
}

/// A share of 1: `12.1 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        NONE.to_owned()
    } else if percent == 0.0 || percent == 100.0 {
        format!("{percent:.0} %")
    } else if percent < 0.1 {
        "< 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// A part of a whole as a share. It is 0 if the whole is 0.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// `1 kill`, `2 kills`.
pub(crate) fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", count(n)) }
}

/// A number without decimals, thousands apart.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// A text from outside on one line and without control characters, so that it cannot move a cursor or break XML.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '·',
            '\u{fffe}' | '\u{ffff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                '·'
            }
            c => c,
        })
        .collect()
}

/// A text cut to so many characters, with a mark if it was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A text for HTML and XML, both in content and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A text in lines of at most `width` characters, broken at spaces if there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        while used + rest.len() > width {
            let head: String = rest.drain(..width - used).collect();
            lines.push(std::mem::take(&mut line) + &head);
            used = 0;
        }
        used += rest.len();
        line.extend(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Parts in lines of at most `width` characters, joined by dots. Lines are broken between parts if possible.
pub(super) fn pack(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= width => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.extend(wrap(part, width)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_their_size_allows() {
        assert_eq!([0.0, 0.44, 310.6, 1234.0, 12_345.0].map(ms), ["0 ms", "0.4 ms", "311 ms", "1,234 ms", "12.3 s"]);
        assert_eq!([0.0, 0.0001, 0.5, 1.0].map(percent), ["0 %", "< 0.1 %", "50.0 %", "100 %"]);
        assert_eq!([412.0, 31_000.0, 2e6].map(bytes), ["412 B", "31.0 kB", "2.0 MB"]);
        assert_eq!([0.938, 12.34, 1234.5].map(ratio), ["0.94", "12.3", "1,235"]);
        assert_eq!(ms(f64::NAN), NONE);
        assert_eq!(grouped(-1234.0), "-1,234");
    }

    #[test]
    fn lines_are_never_wider_than_asked() {
        let text = "a value was lost: 17, and this-word-is-much-longer-than-the-line-it-has-to-fit";
        for width in 1..30 {
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
            let without = |s: &str| s.replace(' ', "");
            assert_eq!(without(&lines.concat()), without(text));
        }
    }

    #[test]
    fn foreign_text_can_neither_move_the_cursor_nor_open_a_tag() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a·[2Jb c");
        assert_eq!(escape("<script>&\"'\0"), "&lt;script&gt;&amp;&quot;&#39;·");
    }
}
