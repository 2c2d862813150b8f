//! One process that the test speaks to directly. The test plays its peers, if `init` names any.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Check, Line, PATIENCE, all_of, command, lines_of, wait_for_exit};

/// A running node `n1`.
pub struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Option<JoinHandle<String>>,
    check: Check,
    next_request: u64,
    printed: Vec<u8>,
    /// Lines to peers that came while the test was waiting for something else, in their order.
    pub peer_lines: Vec<Line>,
}

/// What is left of a process that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    /// Lines that were not read before the end of input.
    pub rest: Vec<Line>,
    /// All of stdout since the start.
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Node {
    pub fn spawn(args: &[&str]) -> Self {
        Self::spawn_with_env(args, &[] as &[(&str, &str)])
    }

    pub fn spawn_with_env<S: AsRef<OsStr>>(args: &[&str], env: &[(S, S)]) -> Self {
        let mut child = command()
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self {
            stdin: child.stdin.take(),
            stdout: lines_of(child.stdout.take().expect("stdout is a pipe")),
            stderr: child.stderr.take().map(all_of),
            child,
            check: Check::new("n1"),
            next_request: 1,
            printed: Vec::new(),
            peer_lines: Vec::new(),
        }
    }

    /// A node `n1` that has been through `init` in a cluster `n1` … `n<nodes>`.
    #[track_caller]
    pub fn start(nodes: usize, args: &[&str]) -> Self {
        let mut node = Self::spawn(args);
        node.init(nodes);
        node
    }

    #[track_caller]
    pub fn init(&mut self, nodes: usize) {
        let ids = super::node_ids(nodes);
        self.expect(&format!(r#""type":"init","node_id":"n1","node_ids":{ids:?}"#), r#""type": "init_ok""#);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Allows the process to use the name `id`, as it has to before `init` in the reply to a request for `id`.
    pub fn may_be_called(&mut self, id: &str) {
        self.check.sources.insert(id.to_owned());
    }

    /// Sends one line; the newline is added.
    #[track_caller]
    pub fn send(&mut self, line: &str) {
        self.check.sending(line);
        self.send_bytes(line.as_bytes());
        self.send_bytes(b"\n");
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(why) = stdin.write_all(bytes) {
            self.stdin = None;
            let ended = wait_for_exit(&mut self.child, Duration::from_secs(2));
            panic!("the node does not read any more ({why}, {ended:?}): {}", self.take_stderr());
        }
    }

    /// The next line, of whatever kind; `None` after the time limit or at the end of output.
    #[track_caller]
    pub fn next_line(&mut self, limit: Duration) -> Option<Line> {
        match self.stdout.recv_timeout(limit) {
            Ok(raw) => {
                self.printed.extend_from_slice(&raw);
                Some(self.check.line(&raw).unwrap_or_else(|why| panic!("{why}")))
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next reply. Lines to peers that come before it are kept in `peer_lines`.
    #[track_caller]
    pub fn reply(&mut self) -> Line {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(line) = self.next_line(deadline.saturating_duration_since(Instant::now())) else {
                let ended = self.child.try_wait();
                if matches!(ended, Ok(Some(_))) {
                    panic!("no reply, the node has ended: {ended:?}, {}", self.take_stderr());
                }
                panic!("no reply");
            };
            if line.in_reply_to().is_some() {
                return line;
            }
            self.peer_lines.push(line);
        }
    }

    /// Waits until there are `count` lines to peers since the start.
    #[track_caller]
    pub fn wait_for_peer_lines(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.peer_lines.len() < count {
            let line = self.next_line(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|| panic!("{} of {count} lines to peers came", self.peer_lines.len()));
            assert!(line.in_reply_to().is_none(), "a reply nobody waited for: {}", line.text);
            self.peer_lines.push(line);
        }
    }

    /// A request of client `c1` as a line, and the `msg_id` in it.
    pub fn request(&mut self, fields: &str) -> (String, u64) {
        let msg_id = self.next_request;
        self.next_request += 1;
        (format!(r#"{{"src":"c1","dest":"n1","body":{{{fields},"msg_id":{msg_id}}}}}"#), msg_id)
    }

    /// Sends a request and returns its reply, which has to be the next one.
    #[track_caller]
    pub fn ask(&mut self, fields: &str) -> Line {
        let (line, msg_id) = self.request(fields);
        self.send(&line);
        let reply = self.reply();
        assert_eq!(
            (reply.in_reply_to(), &*reply.dest),
            (Some(msg_id), "c1"),
            "reply to another request: {}",
            reply.text
        );
        reply
    }

    /// Sends a request and compares the whole reply byte for byte; `payload` is the text before `in_reply_to`.
    #[track_caller]
    pub fn expect(&mut self, fields: &str, payload: &str) -> Line {
        let reply = self.ask(fields);
        let [in_reply_to, msg_id] = ["in_reply_to", "msg_id"].map(|key| reply.field(key));
        let expected = format!(
            r#"{{"src": "n1", "dest": "c1", "body": {{{payload}, "in_reply_to": {in_reply_to}, "msg_id": {msg_id}}}}}"#
        );
        assert_eq!(reply.text, expected, "in reply to {}", shorten(fields));
        reply
    }

    /// Sends a request that has to be refused. The text has to contain each of `needles`; `a|b` means one of the two.
    #[track_caller]
    pub fn expect_error(&mut self, fields: &str, code: i64, needles: &[&str]) -> Line {
        let reply = self.ask(fields);
        assert_error(&reply, code, needles, fields);
        reply
    }

    /// The node still answers, and has written nothing more about the lines before.
    #[track_caller]
    pub fn still_answers(&mut self) {
        self.expect(r#""type":"echo","echo":"still here""#, r#""type": "echo_ok", "echo": "still here""#);
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Ends the input, and waits until the process has ended by itself.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.close_stdin();
        let deadline = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        while let Some(line) = self.next_line(deadline.saturating_duration_since(Instant::now())) {
            rest.push(line);
        }
        let status = wait_for_exit(&mut self.child, deadline.saturating_duration_since(Instant::now()));
        let status = status.expect("the node ends at the end of its input");
        Finished { status, rest, stdout: std::mem::take(&mut self.printed), stderr: self.take_stderr() }
    }

    /// [`finish`](Self::finish) for a session in which nothing may be left over or go wrong.
    #[track_caller]
    pub fn finish_in_peace(self) {
        let finished = self.finish();
        assert!(finished.status.success(), "{:?}: {}", finished.status, finished.stderr);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
        if let Some(reply) = finished.rest.iter().find(|line| line.in_reply_to().is_some()) {
            panic!("a reply nobody waited for: {}", reply.text);
        }
    }

    fn take_stderr(&mut self) -> String {
        self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks the form of an error, its code, and the words in its text.
#[track_caller]
pub fn assert_error(reply: &Line, code: i64, needles: &[&str], request: &str) {
    let request = shorten(request);
    assert_eq!(reply.keys(), ["type", "code", "text", "in_reply_to", "msg_id"], "to {request}: {}", reply.text);
    assert_eq!((reply.kind(), reply.integer("code")), ("error", code), "to {request}: {}", reply.text);
    let text = without_thousands_separators(reply.string("text"));
    for needle in needles {
        let named = needle.split('|').any(|either| text.contains(either));
        assert!(named, "`{needle}` is not in the error to {request}: {}", reply.text);
    }
}

/// Writes `60,000` and `60_000` as `60000`.
pub fn without_thousands_separators(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let between_digits =
        |at: usize| at > 0 && chars[at - 1].is_ascii_digit() && chars.get(at + 1).is_some_and(char::is_ascii_digit);
    let kept = chars.iter().enumerate().filter(|&(at, c)| !(matches!(c, ',' | '_') && between_digits(at)));
    kept.map(|(_, c)| c).collect()
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
