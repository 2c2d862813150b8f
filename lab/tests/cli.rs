//! What the lab says when it cannot do what it was asked: one sentence that says what to do, and exit status 2.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn lab(args: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_rumormill-lab"))
        .args(args)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_wrong_option_is_answered_by_what_is_allowed() {
    let schedule = file("bad.schedule", "1 partition one n2\n2 explode n1\n");
    let plain = file("not-executable", "x");
    let rows: [(&[&str], &[&str]); 20] = [
        (&["test", "--rate", "0"], &["--rate", "above 0"]),
        (&["test", "--node-count", "0"], &["--node-count", "from 1 to 100000"]),
        (&["test", "--latency=-1"], &["--latency", "from 0 to 60000"]),
        (&["test", "--latency", "1e9"], &["--latency", "from 0 to 60000"]),
        (&["test", "--time-limit", "0"], &["--time-limit", "above 0"]),
        (&["test", "--loss-rate", "1.5"], &["--loss-rate", "from 0 to 1"]),
        (&["test", "--concurrency", "0n"], &["--concurrency", "multiple of the nodes"]),
        (&["test", "--workload", "queue"], &["queue", "broadcast", "txn-rw-register"]),
        (&["test", "--nemesis", "flood"], &["flood", "partition", "duplicate"]),
        (&["test", "--victim", "n9"], &["--victim", "n0 to n4"]),
        (&["test", "--availability", "half"], &["--availability", "total"]),
        (&["test", "--ignore", "nothing"], &["--ignore", "nothing", "set-full"]),
        (&["test", "--bin", "/there/is/no/such/program"], &["no program", "build it first"]),
        (&["test", "--bin", &plain], &["cannot be executed", "chmod +x"]),
        (&["test", "--bin-for", "n1"], &["--bin-for", "n0 to n4", "not n1"]),
        (&["test", "--bin-for", "n1,n5=/bin/sh"], &["--bin-for", "n0 to n4", "n5"]),
        (&["test", "--bin-for", "n1="], &["--bin-for", "a command"]),
        (&["test", "--bin-for", "n1=/there/is/no/such/program -x"], &["no program", "build it first"]),
        (&["test", "--schedule", &schedule], &["line 2", "explode"]),
        (&["sim", "--", "--fanout", "0"], &["--fanout", "1..=255"]),
    ];
    for (args, expected) in rows {
        let (status, out, err) = lab(args);
        assert_eq!(status, Some(2), "{args:?}: {out}{err}");
        assert!(out.is_empty(), "{args:?}: {out}");
        for words in expected {
            assert!(err.contains(words), "{args:?} does not say {words:?}: {err}");
        }
    }
}

#[test]
fn a_program_that_ends_at_once_is_shown_with_its_last_words() {
    let (status, out, _) =
        lab(&["test", "--bin", "/bin/sh", "--node-count", "2", "--", "-c", "echo no license >&2; exit 3"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.starts_with("INVALID"), "{out}");
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("status 3") && flat.contains("no license"), "{out}");
}

#[test]
fn single_nodes_can_run_another_program() {
    let other = std::env::temp_dir().join(format!("rumormill-lab-other-{}", std::process::id()));
    std::fs::write(&other, "#!/bin/sh\necho \"I am $1\" >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let nodes = format!("n0,n2={} another", other.display());
    let (status, out, _) = lab(&["test", "--node-count", "3", "--bin-for", &nodes, "--time-limit", "1"]);
    std::fs::remove_file(&other).unwrap();
    assert_eq!(status, Some(1), "{out}");
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("n0") && flat.contains("n2") && flat.contains("I am another"), "{out}");
    assert!(!flat.contains("n1 ended"), "{out}");
}

#[test]
fn a_failing_seed_is_printed_with_the_command_that_replays_it() {
    // Nobody can converge in no time at all: such a run cannot be judged.
    let args = ["sim", "--seeds", "3", "--latency", "500", "--rate", "50", "--time-limit", "1", "--recovery", "0"];
    let (status, out, _) = lab(&[args.as_slice(), &["--jobs", "2"]].concat());
    assert_eq!(status, Some(2), "{out}");
    let replay = out.lines().find(|line| line.trim_start().starts_with("rumormill-lab sim")).unwrap().trim();
    assert!(replay.ends_with("--recovery 0 --seed 0"), "{replay}");
    let words: Vec<&str> = replay.split(' ').skip(1).collect();
    let (status, out, _) = lab(&words);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.starts_with("COULD NOT JUDGE"), "{out}");
}

#[test]
fn shrinking_finds_a_smaller_run_that_fails_as_the_first_did() {
    let args = ["sim", "--seeds", "2", "--latency", "500", "--rate", "50", "--time-limit", "4", "--recovery", "0"];
    let (_, out, _) = lab(&[args.as_slice(), &["--nemesis", "partition,loss", "--shrink"]].concat());
    let smaller = out.lines().last().unwrap().trim();
    assert!(smaller.starts_with("rumormill-lab sim --workload broadcast --node-count "), "{out}");
    assert!(!smaller.contains("--nemesis "), "{out}");
    let words: Vec<&str> = smaller.split(' ').skip(1).collect();
    let (status, out, _) = lab(&words);
    assert_eq!(status, Some(2), "{words:?}: {out}");
}
