//! Who may know whom: compares the table of ARCHITECTURE.md with every path in the sources that leads out of a module.
//!
//! Unit tests inside the sources are left out: they may use whatever they need.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A module, and the modules that it may know. All modules below `time`, `storage` and `id` in this list may know these
/// three.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("storage", &[]),
    ("stats", &[]),
    ("id", &["storage"]),
    ("causality", &["time", "storage", "id"]),
    ("output", &["time", "storage", "id", "causality"]),
    ("replicated", &["time", "storage", "id", "causality"]),
    ("gossip", &["time", "storage", "id", "causality", "output", "replicated"]),
    ("wire", &["time", "storage", "id", "causality", "output"]),
    ("config", &["storage", "gossip", "wire"]),
    ("service", &["time", "storage", "id", "causality", "output", "config", "stats", "replicated", "wire"]),
    (
        "data_type",
        &["time", "storage", "id", "causality", "output", "config", "stats", "replicated", "wire", "service"],
    ),
    (
        "node",
        &["time", "storage", "id", "causality", "output", "config", "stats", "replicated", "wire", "gossip", "service"],
    ),
];

/// The front page. It only re-exports.
const FRONT_PAGE: &str = "lib";

#[test]
fn every_module_knows_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        if module == FRONT_PAGE {
            continue;
        }
        let (_, allowed) = row(module).unwrap_or_else(|| panic!("`{module}` has no row in the table"));
        for (name, line) in source.paths_out() {
            if name != module && !allowed.contains(&&*name) {
                let how = if row(&name).is_some() { "may not know" } else { "takes from the front page" };
                wrong.push(format!("{}:{line}: `{module}` {how} `{name}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\nWho may know whom is in ARCHITECTURE.md", wrong.join("\n"));
}

#[test]
fn the_table_has_a_row_for_every_module_and_leads_upwards_only() {
    let modules: BTreeSet<String> = sources().iter().map(|source| source.module().to_owned()).collect();
    let rows: BTreeSet<String> = MAY_KNOW.iter().map(|row| row.0.to_owned()).chain([FRONT_PAGE.to_owned()]).collect();
    assert_eq!(modules, rows);
    for (at, (module, allowed)) in MAY_KNOW.iter().enumerate() {
        let above: Vec<&str> = MAY_KNOW[..at].iter().map(|row| row.0).collect();
        for known in *allowed {
            assert!(above.contains(known), "`{module}` and `{known}` could know each other");
        }
    }
}

#[test]
fn gossip_and_causality_name_no_data_type_and_the_node_no_workload() {
    let types = data_types();
    let mut wrong = Vec::new();
    for source in sources() {
        let forbidden = |word: &str| match source.module() {
            "gossip" | "causality" | "wire" => types.contains(word),
            "node" => word == "Workload",
            _ => false,
        };
        let found = source.tokens.iter().filter(|token| forbidden(&token.text));
        wrong.extend(found.map(|token| format!("{}:{}: names `{}`", source.path, token.line, token.text)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn texts_and_sizes_of_messages_between_nodes_are_in_wire_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        if !matches!(module, "node" | "gossip" | "config") {
            continue;
        }
        // Code that measures a piece of a message knows its text.
        let measures = source.tokens.iter().filter(|token| matches!(&*token.text, "length" | "Count"));
        wrong.extend(measures.map(|token| format!("{}:{}: measures by `{}`", source.path, token.line, token.text)));
        let texts = source.tokens.iter().filter(|token| token.is_text_of_json());
        wrong.extend(texts.map(|token| format!("{}:{}: has {}", source.path, token.line, token.text)));
        // The functions of `config` about bytes take their numbers from `wire` and add none.
        let functions =
            source.tokens.windows(2).enumerate().filter(|(_, window)| {
                module == "config" && window[0].text == "fn" && window[1].text.ends_with("_bytes")
            });
        for (at, _) in functions {
            let body = source.tokens[at..]
                .iter()
                .take_while(|token| token.text != "fn" || token.line == source.tokens[at].line);
            let numbers = body.filter(|token| token.text.parse::<usize>().is_ok_and(|number| number > 0));
            wrong.extend(numbers.map(|token| format!("{}:{}: adds {}", source.path, token.line, token.text)));
        }
    }
    assert!(wrong.is_empty(), "\n{}\nSizes of messages are in wire/gossip/size.rs", wrong.join("\n"));
}

#[test]
fn gossip_shows_nothing_of_what_it_is_made_of() {
    let sources = sources();
    let front = sources.iter().find(|source| source.path == "gossip/mod.rs").expect("gossip has a front");
    let at = |words: &[&str]| {
        let place = front
            .tokens
            .windows(words.len())
            .position(|window| window.iter().map(|token| &*token.text).eq(words.iter().copied()));
        place.map(|at| &front.tokens[at..])
    };
    assert!(at(&["pub", "mod"]).is_none() && at(&["pub", ")", "mod"]).is_none(), "a part of gossip is open");
    let body = at(&["struct", "Gossip"]).expect("it is there").iter().take_while(|token| token.text != "}");
    let open: Vec<usize> = body.filter(|token| token.text == "pub").map(|token| token.line).collect();
    assert!(open.is_empty(), "gossip/mod.rs:{open:?}: a field of `Gossip` is open");
}

#[test]
fn paths_are_found_however_they_are_written() {
    let source = Source::new(
        "gossip/sample.rs",
        r##"
        //! crate::comment
        use crate::wire;
        use crate::{
            id::{NodeIndex, mix}, node as other, /* crate::hidden */ service::{self, reply::{Problem}},
        };
        use super::{Peers, super::config};
        fn f<'a>(_: super::super::stats::Stats, _: &'a str) -> char {
            let _ = ("crate::quoted \" {", r#"crate::raw " {"#, b'{', '\'', '{', super::peers::x());
            crate::output::f(); pub(crate) fn g() {}
        }
        mod inner {
            use super::Local;
            use super::super::super::replicated;
        }
        #[cfg(test)]
        mod tests {
            use crate::tests_may;
        }
        use crate::causality::Dot;
        "##,
    );
    let names: Vec<String> = source.paths_out().into_iter().map(|path| path.0).collect();
    let expected = ["wire", "id", "node", "service", "config", "stats", "output", "replicated", "causality"];
    assert_eq!(names, expected);
    assert_eq!(source.paths_out()[1].1, 5);
}

fn row(module: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    MAY_KNOW.iter().find(|row| row.0 == module)
}

/// The data types that the product is made of: the lines `name: Type<S> = place` of `product!`.
fn data_types() -> BTreeSet<String> {
    let sources = sources();
    let store = sources.iter().find(|source| source.path == "replicated/store.rs").expect("the product has a file");
    let lines = store.tokens.windows(8).filter(|window| {
        let text = |at: usize| &*window[at].text;
        let is_line = [(1, ":"), (3, "<"), (4, "S"), (5, ">"), (6, "=")].iter().all(|(at, word)| text(*at) == *word);
        is_line && text(7).parse::<usize>().is_ok()
    });
    let types: BTreeSet<String> = lines.map(|window| window[2].text.clone()).collect();
    assert!(types.len() >= 3, "found only {types:?}");
    types
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of the sources can be read") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are text");
                let name = path.strip_prefix(&root).expect("it is inside").to_string_lossy().replace('\\', "/");
                sources.push(Source::new(&name, &text));
            }
        }
    }
    assert!(!sources.is_empty());
    sources
}

struct Token {
    text: String,
    line: usize,
}

impl Token {
    /// Whether this is a string literal that contains a JSON key and the colon after it.
    fn is_text_of_json(&self) -> bool {
        match self.text.as_bytes() {
            [b'"', ..] => self.text.contains("\\\": "),
            [b'r', b'"' | b'#', ..] => self.text.contains("\": "),
            _ => false,
        }
    }
}

/// A source file without comments and unit tests.
struct Source {
    path: String,
    tokens: Vec<Token>,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), tokens: without_tests(tokens(text)) }
    }

    /// The module directly below the root that the file belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().expect("a split has one part at least")
    }

    /// How many modules deep the module of the file is.
    fn depth(&self) -> usize {
        let parts = self.path.trim_end_matches(".rs").split('/');
        parts.filter(|part| *part != "mod").count()
    }

    /// The first names of all paths that begin at the root of the crate, by `crate` or by enough of `super`.
    fn paths_out(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        let mut braces = 0;
        let mut inner: Vec<usize> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match &*token.text {
                "{" => {
                    braces += 1;
                    if at >= 2 && self.text(at - 2) == "mod" {
                        inner.push(braces);
                    }
                }
                "}" => {
                    inner.pop_if(|depth| *depth == braces);
                    braces -= 1;
                }
                "crate" => self.heads(at, 0, &mut found),
                "super" if at == 0 || self.text(at - 1) != "::" => {
                    self.heads(at, self.depth() + inner.len() - 1, &mut found);
                }
                _ => {}
            }
        }
        found
    }

    /// Adds the names that follow `crate` or `super` at `at`, if the path climbs exactly `climb` modules further.
    fn heads(&self, at: usize, climb: usize, found: &mut Vec<(String, usize)>) {
        if self.text(at + 1) != "::" {
            return;
        }
        let next = at + 2;
        match self.text(next) {
            "super" if climb > 0 => self.heads(next, climb - 1, found),
            "{" => {
                let mut depth = 0;
                for at in next.. {
                    match self.text(at) {
                        "{" => depth += 1,
                        "}" if depth == 1 => break,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if depth == 1 && matches!(self.text(at), "{" | ",") {
                        self.head(at + 1, climb, found);
                    }
                }
            }
            _ => self.head(next, climb, found),
        }
    }

    fn head(&self, at: usize, climb: usize, found: &mut Vec<(String, usize)>) {
        match self.text(at) {
            "super" if climb > 0 => self.heads(at, climb - 1, found),
            "}" => {}
            name if climb == 0 => found.push((name.to_owned(), self.tokens[at].line)),
            _ => {}
        }
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }
}

/// Leaves out the body of every `mod tests`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::new();
    let mut depth = 0;
    for token in tokens {
        let is_tests = matches!(&kept[..], [.., a, b] if a.text == "mod" && b.text == "tests");
        match &*token.text {
            "{" if depth > 0 || is_tests => depth += 1,
            "}" if depth > 0 => depth -= 1,
            _ if depth == 0 => kept.push(token),
            _ => {}
        }
    }
    kept
}

/// Words, `::`, strings as a whole and single signs, without comments and characters.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_len(rest),
            '\'' => char_len(rest),
            'r' if raw_string_len(rest) > 0 => raw_string_len(rest),
            _ => {
                let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let len = if rest.starts_with("::") { 2 } else { word.max(first.len_utf8()) };
                if !first.is_whitespace() {
                    tokens.push(Token { text: rest[..len].to_owned(), line });
                }
                len
            }
        };
        if matches!(first, '"' | 'r') && rest[..len].ends_with(['"', '#']) {
            tokens.push(Token { text: rest[..len].to_owned(), line });
        }
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

fn string_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// A character with its quotes, or the quote of a lifetime.
fn char_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, _))) => rest[escaped + 1..].find('\'').map_or(1, |end| escaped + end + 2),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

fn raw_string_len(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    rest[2 + hashes..].find(&end).map_or(rest.len(), |at| 2 + hashes + at + end.len())
}
