//! Several processes, and the network between them. The network is a thread of the test: the emulator of
//! `rumormill-sim` in real time.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rumormill_sim::{Delay, Links, Micros, Network};

use super::{Check, Line, PATIENCE, all_of, command, for_each_line, node_ids, wait_for_exit};

/// Nodes `n1` … `n<count>` that have been through `init`, a router between them, and one client `c1`.
pub struct Cluster {
    ids: Vec<String>,
    children: Vec<Child>,
    stdins: Vec<Stdin>,
    stderrs: Vec<JoinHandle<String>>,
    shared: Arc<Shared>,
    next_request: AtomicU64,
    started: Instant,
}

type Stdin = Arc<Mutex<Option<ChildStdin>>>;

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What the router has seen so far.
#[derive(Default)]
struct Seen {
    replies: HashMap<u64, Line>,
    lines: u64,
    peer_lines: u64,
    last_peer_line: Option<Instant>,
    /// Lines that broke a rule. The router goes on, and the next wait of the test reports them.
    violations: Vec<String>,
}

impl Cluster {
    /// Starts `count` nodes. A line from node to node takes `delay`; lines of clients take no time.
    #[track_caller]
    pub fn start(count: usize, args: &[&str], delay: Duration) -> Self {
        let ids = node_ids(count);
        let shared = Arc::new(Shared::default());
        let (to_router, from_nodes) = mpsc::channel();
        let (mut children, mut stdins, mut stderrs) = (Vec::new(), Vec::new(), Vec::new());
        for node in 0..count {
            let mut child = command()
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            stdins.push(Arc::new(Mutex::new(child.stdin.take())));
            stderrs.push(all_of(child.stderr.take().expect("stderr is a pipe")));
            let stdout = child.stdout.take().expect("stdout is a pipe");
            let to_router = to_router.clone();
            thread::spawn(move || {
                for_each_line(stdout, |line| to_router.send((node, line)).is_ok());
            });
            children.push(child);
        }
        drop(to_router);
        let router = Router::new(&ids, stdins.clone(), Arc::clone(&shared), delay);
        thread::spawn(move || router.run(&from_nodes));

        let next_request = AtomicU64::new(1);
        let cluster = Self { ids, children, stdins, stderrs, shared, next_request, started: Instant::now() };
        let requests: Vec<u64> = (0..count)
            .map(|node| {
                let (id, ids) = (&cluster.ids[node], &cluster.ids);
                cluster.post(node, &format!(r#""type":"init","node_id":"{id}","node_ids":{ids:?}"#))
            })
            .collect();
        for request in requests {
            assert_eq!(cluster.wait(request).kind(), "init_ok");
        }
        cluster
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Sends a request of client `c1` to a node and returns its `msg_id`.
    pub fn post(&self, node: usize, fields: &str) -> u64 {
        let msg_id = self.next_request.fetch_add(1, Ordering::Relaxed);
        let dest = &self.ids[node];
        deliver(
            &self.stdins[node],
            &format!(r#"{{"src":"c1","dest":"{dest}","body":{{{fields},"msg_id":{msg_id}}}}}"#),
        );
        msg_id
    }

    /// The reply to a posted request.
    #[track_caller]
    pub fn wait(&self, request: u64) -> Line {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        loop {
            assert!(seen.violations.is_empty(), "{:#?}", seen.violations);
            if let Some(reply) = seen.replies.remove(&request) {
                return reply;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no reply to request {request}");
            seen = self.shared.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    #[track_caller]
    pub fn ask(&self, node: usize, fields: &str) -> Line {
        self.wait(self.post(node, fields))
    }

    /// The replies of all nodes to the same request, asked at once.
    #[track_caller]
    pub fn ask_all(&self, fields: &str) -> Vec<Line> {
        let requests: Vec<u64> = (0..self.len()).map(|node| self.post(node, fields)).collect();
        requests.into_iter().map(|request| self.wait(request)).collect()
    }

    /// Lines from node to node since the start.
    pub fn peer_lines(&self) -> u64 {
        self.seen().peer_lines
    }

    /// When the last line from node to node was seen.
    pub fn last_peer_line(&self) -> Option<Instant> {
        self.seen().last_peer_line
    }

    /// Waits until no line has gone from node to node for `quiet`. False if that takes longer than `limit`.
    pub fn wait_until_silent(&self, quiet: Duration, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let silent_since = self.last_peer_line().unwrap_or(self.started);
            if silent_since.elapsed() >= quiet {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many lines of any kind come during `time`, while no request is sent.
    pub fn lines_during(&self, time: Duration) -> u64 {
        let before = self.seen().lines;
        thread::sleep(time);
        self.seen().lines - before
    }

    /// Ends the input of all nodes. Each has to end by itself, with status 0 and without a panic or a bad line.
    #[track_caller]
    pub fn finish(mut self) {
        for stdin in &self.stdins {
            *lock(stdin) = None;
        }
        for (child, id) in self.children.iter_mut().zip(&self.ids) {
            let status = wait_for_exit(child, PATIENCE).unwrap_or_else(|| panic!("{id} does not end with its input"));
            assert!(status.success(), "{id}: {status:?}");
        }
        for (stderr, id) in self.stderrs.drain(..).zip(&self.ids) {
            let stderr = stderr.join().expect("stderr can be read");
            assert!(!stderr.contains("panicked"), "{id}: {stderr}");
        }
        let seen = self.seen();
        assert!(seen.violations.is_empty(), "{:#?}", seen.violations);
        assert!(seen.replies.is_empty(), "replies nobody waited for: {:#?}", seen.replies);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.shared.seen)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Takes every line of every node, checks it, and delivers it or keeps it.
struct Router {
    checks: Vec<Check>,
    by_id: HashMap<String, usize>,
    stdins: Vec<Stdin>,
    shared: Arc<Shared>,
    started: Instant,
    network: Network<String>,
}

impl Router {
    fn new(ids: &[String], stdins: Vec<Stdin>, shared: Arc<Shared>, delay: Duration) -> Self {
        let check = |id: &String| {
            let mut check = Check::new(id);
            check.known.extend(ids.iter().cloned());
            check
        };
        Self {
            checks: ids.iter().map(check).collect(),
            by_id: ids.iter().cloned().zip(0..).collect(),
            stdins,
            shared,
            started: Instant::now(),
            network: Network::new(ids.len(), Links { delay: Delay::Constant(micros(delay)), ..Links::default() }, 0),
        }
    }

    fn now(&self) -> Micros {
        micros(self.started.elapsed())
    }

    fn run(mut self, from_nodes: &Receiver<(usize, Vec<u8>)>) {
        loop {
            self.deliver_what_is_due();
            let next_due = self.network.poll_timeout();
            let pause = next_due.map(|due| Duration::from_micros(due.saturating_sub(self.now())));
            match from_nodes.recv_timeout(pause.unwrap_or(PATIENCE)) {
                Ok((node, raw)) => self.route(node, &raw),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn route(&mut self, node: usize, raw: &[u8]) {
        let (checked, now) = (self.checks[node].line(raw), self.now());
        let mut seen = lock(&self.shared.seen);
        seen.lines += 1;
        match checked {
            Err(why) => seen.violations.push(why),
            Ok(line) => match (self.by_id.get(&line.dest), line.in_reply_to()) {
                (Some(&dest), _) => {
                    seen.peer_lines += 1;
                    seen.last_peer_line = Some(Instant::now());
                    self.network.send(now, node, dest, raw.len(), line.text);
                }
                (None, Some(request)) => {
                    if let Some(twice) = seen.replies.insert(request, line) {
                        seen.violations.push(format!("two replies to one request: {}", twice.text));
                    }
                }
                (None, None) => seen.violations.push(format!("neither a reply nor for a node: {}", line.text)),
            },
        }
        drop(seen);
        self.shared.changed.notify_all();
    }

    fn deliver_what_is_due(&mut self) {
        while let Some(arrival) = self.network.poll(self.now()) {
            deliver(&self.stdins[arrival.to], &arrival.payload);
        }
    }
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// Writes one line to a node, unless the node or its input has ended.
fn deliver(stdin: &Stdin, line: &str) {
    if let Some(stdin) = lock(stdin).as_mut() {
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
    }
}

/// The content of a mutex, also after another test thread has failed while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
