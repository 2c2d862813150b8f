//! Who may know whom in the lab: the table of ARCHITECTURE.md, held against every `crate::` in the sources.
//!
//! Tests inside the sources are left out: they may use whatever they need.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module, and the modules above it that it may know. `main` and `lib` hold the others together.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("settings", &[]),
    ("trace", &["settings"]),
    ("history", &["settings"]),
    ("judgement", &["settings"]),
    ("net", &["settings", "trace"]),
    ("fault", &["settings"]),
    ("explore", &[]),
    ("check", &["settings", "history", "trace", "judgement"]),
    ("workload", &["settings", "history", "trace", "judgement", "check"]),
    ("judge", &["settings", "history", "trace", "judgement", "check", "workload"]),
    ("bench", &["settings", "history", "trace", "net", "fault", "workload"]),
    ("process", &["settings", "history", "trace", "bench"]),
    ("sim", &["settings", "history", "trace", "bench", "workload"]),
    ("report", &["settings", "history", "trace", "judgement"]),
    ("sweep", &["settings", "history", "trace", "judgement", "judge", "sim", "report"]),
    ("coverage", &["settings", "net", "sim", "report", "sweep"]),
    (
        "cli",
        &[
            "settings",
            "history",
            "trace",
            "judgement",
            "fault",
            "explore",
            "check",
            "judge",
            "bench",
            "process",
            "sim",
            "report",
            "sweep",
            "coverage",
        ],
    ),
];

#[test]
fn every_module_knows_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (path, module) in sources() {
        let (_, allowed) = MAY_KNOW.iter().find(|row| row.0 == module).expect("it has a row");
        for known in known_by(&path) {
            if known != module && !allowed.contains(&&*known) {
                wrong.push(format!("{}: `{module}` may not know `{known}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\nWho may know whom is in ARCHITECTURE.md", wrong.join("\n"));
}

#[test]
fn the_table_has_a_row_for_every_module_and_leads_upwards_only() {
    let modules: BTreeSet<String> = sources().into_iter().map(|(_, module)| module).collect();
    assert_eq!(modules, MAY_KNOW.iter().map(|row| row.0.to_owned()).collect());
    for (at, (module, allowed)) in MAY_KNOW.iter().enumerate() {
        for known in *allowed {
            assert!(
                MAY_KNOW[..at].iter().any(|above| above.0 == *known),
                "`{module}` and `{known}` could know each other"
            );
        }
    }
}

/// The files of the lab without those of tests, each with its module.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !(name.ends_with("tests") || ["testing", "model", "lib", "main"].contains(&&*name)) {
                let first = path.strip_prefix(&root).ok().and_then(|path| path.components().next());
                let first = first.expect("it is inside").as_os_str().to_string_lossy().into_owned();
                found.push((path, first.trim_end_matches(".rs").to_owned()));
            }
        }
    }
    found
}

/// The modules that a file names behind `crate::`.
fn known_by(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("it can be read");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    assert!(!code.contains("crate::{"), "{}: one `use` for each module, please", path.display());
    let names = code.split("crate::").skip(1).map(first_word);
    let modules: Vec<&str> = MAY_KNOW.iter().map(|row| row.0).collect();
    names.filter(|name| modules.contains(&&**name)).collect()
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}
