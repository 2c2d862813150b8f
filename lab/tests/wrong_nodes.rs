//! Nodes that are wrong on purpose, as real processes: each must be found wrong, by the checker that is meant for it. And
//! a node that is right, but not ours, must be found right.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Runs at once: they spend their time waiting.
const AT_ONCE: usize = 8;

fn example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_rumormill-lab")).parent().unwrap().join("examples").join(name);
    assert!(built.exists(), "{} is built by `cargo test`", built.display());
    built
}

fn results(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rumormill-lab")).args(args).output().unwrap()
}

/// What `wrong_node --list` says: name, workload, the checker that must find it.
fn defects() -> Vec<(String, String, String)> {
    let listed = Command::new(example("wrong_node")).arg("--list").output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    text.lines().map(cells).map(|row| (row[0].clone(), row[1].clone(), row[2].clone())).collect()
}

/// The checkers that called a run of this node invalid or could not judge it, with what they said.
fn found(defect: &str, workload: &str) -> (Option<i32>, Vec<(String, String)>) {
    let folder = results(&format!("wrong-{defect}"));
    let _ = std::fs::remove_dir_all(&folder);
    let (bin, folder_name) = (example("wrong_node"), folder.display().to_string());
    let (seconds, rate, concurrency, keys) = match defect {
        // It comes after six seconds.
        "late-reply" => ("8", "60", "1n", "10"),
        // Transactions have to meet.
        "txn-circular" => ("8", "100", "4n", "3"),
        _ if workload == "txn-rw-register" => ("4", "120", "1n", "10"),
        _ => ("4", "60", "1n", "10"),
    };
    let run = [
        ["test", "--workload", workload, "--bin", bin.to_str().unwrap()].as_slice(),
        &["--node-count", "5", "--rate", rate, "--latency", "20", "--time-limit", seconds, "--recovery", "5"],
        &["--concurrency", concurrency, "--keys", keys, "--results", &folder_name, "--", "--defect", defect],
    ]
    .concat();
    let run = lab(&run);
    let results = std::fs::read(folder.join("latest/results.json"));
    let results: serde_json::Value = serde_json::from_slice(&results.unwrap_or_else(|error| {
        panic!("{defect}: {error}: {}", String::from_utf8_lossy(&run.stderr));
    }))
    .unwrap();
    let findings = results["judgement"]["findings"].as_array().unwrap().iter();
    let bad = findings.filter(|finding| finding["validity"] != "valid");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found = bad.map(|finding| (text(&finding["checker"]), text(&finding["message"]))).collect();
    (run.status.code(), found)
}

#[test]
fn every_wrong_node_is_found_by_the_checker_that_is_meant_for_it() {
    let defects = defects();
    assert!(defects.len() >= 9, "{defects:?}");
    let next = Mutex::new(defects.iter());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((defect, workload, checker)) = next.lock().unwrap().next() else { return };
                    let (status, found) = found(defect, workload);
                    let said = found.iter().find(|(name, _)| name == checker);
                    match said {
                        Some((_, message)) => println!("{defect}\t{checker}\t{message}"),
                        None => missed.lock().unwrap().push(format!("{defect}: not by {checker}, but: {found:?}")),
                    }
                    if status != Some(1) && status != Some(2) {
                        missed.lock().unwrap().push(format!("{defect}: exit status {status:?}"));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_documentation_lists_every_wrong_node() {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab.md")).unwrap();
    for (defect, _, checker) in defects() {
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{defect}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/lab.md has no row for {defect}"));
        assert!(row.contains(&format!("`{checker}`")), "docs/lab.md: {row}");
    }
}

#[test]
fn the_documentation_lists_every_checker_with_its_meaning() {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab.md")).unwrap();
    for checker in rumormill_lab::judge::checkers() {
        assert!(docs.contains(&format!("| `{}` | {} |", checker.name, checker.meaning)), "{}", checker.name);
    }
}

#[test]
fn a_plain_python_node_and_our_own_are_found_right_and_shown_beside_each_other() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python_node.py");
    let folder = results("right");
    let run = [
        ["test", "--workload", "broadcast", "--bin", python.to_str().unwrap(), "--compare", "rumormill"].as_slice(),
        &["--node-count", "5", "--rate", "40", "--latency", "20", "--time-limit", "3", "--recovery", "5"],
        &["--results", folder.to_str().unwrap()],
    ]
    .concat();
    let run = lab(&run);
    let said = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let verdicts = said.lines().find(|line| line.trim_start().starts_with("verdict")).unwrap();
    assert_eq!(verdicts.split_whitespace().collect::<Vec<_>>(), ["verdict", "VALID", "VALID"], "{said}");
}
