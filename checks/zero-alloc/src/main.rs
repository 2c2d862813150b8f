//! Sends a million mixed lines through the whole runner process, with an allocator that counts. After the warm-up the
//! process must not call it.
//!
//! The program starts itself as a child. The child is the runner, from its command line to its end, with the counting
//! allocator and a thread that sends the counts on request. The parent plays the clients and the two other nodes of the
//! cluster, which are real nodes.

mod child;
mod load;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use child::Counts;
use load::{Client, Peers};

/// How many requests clients send before the counting begins, and during it.
const WARM_UP: u64 = 100_000;
const COUNTED: u64 = 1_000_000;
/// How many requests are under way at once. Their lines and those of the peers fit into the buffer of a pipe.
const BATCH: u64 = 100;

/// The environment variable by which the child finds its parent.
const CONTROL: &str = "RUMORMILL_ZERO_ALLOC_CONTROL";

#[global_allocator]
static ALLOCATOR: child::Counting = child::Counting;

fn main() -> ExitCode {
    if let Some(control) = std::env::var_os(CONTROL) {
        return child::run(&control);
    }
    // All arguments of the command line go to the node.
    let mut runner = Runner::start();
    let mut client = Client::default();
    let mut peers = Peers::new();
    runner.converse(&mut client, &mut peers, WARM_UP);
    let before = runner.counts();
    let (sent, received) = (peers.sent, peers.received);
    let seconds = Instant::now();
    runner.converse(&mut client, &mut peers, COUNTED);
    let seconds = seconds.elapsed().as_secs_f64();
    let after = runner.counts();
    runner.settle(&mut client, &mut peers);
    let (sent, received) = (peers.sent - sent, peers.received - received);
    println!("{COUNTED} requests and {sent} lines of peers in,");
    println!("as many replies and {received} lines to peers out, in {seconds:.1} s");
    println!("before: {before}");
    println!("after:  {after}");
    client.check(&peers);
    assert!(sent > COUNTED / BATCH, "the peers had little to say");
    assert!(received > COUNTED / BATCH / 10, "the node had little to say to its peers");
    runner.end();
    if before == after {
        println!("zero allocations: ok");
        return ExitCode::SUCCESS;
    }
    println!("the hot path allocates");
    ExitCode::FAILURE
}

/// The child, as the parent sees it.
struct Runner {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    control: UnixStream,
    batch: Vec<u8>,
    line: String,
}

impl Runner {
    fn start() -> Self {
        let path = std::env::temp_dir().join(format!("rumormill-zero-alloc-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket in the folder for temporary files");
        let mut process = Command::new(std::env::current_exe().expect("this program knows where it is"))
            .args(["--gossip-interval-ms", "1", "--incarnation", "1", "--seed", "1"])
            .args(std::env::args_os().skip(1))
            .env(CONTROL, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let control = listener.accept().map(|accepted| accepted.0);
        std::fs::remove_file(&path).expect("the socket can be removed");
        Self {
            stdin: process.stdin.take().expect("it is piped"),
            stdout: BufReader::new(process.stdout.take().expect("it is piped")),
            control: control.expect("the child calls"),
            process,
            batch: Vec::new(),
            line: String::new(),
        }
    }

    /// Sends requests in batches, each after the lines of the peers, and hands the node's lines to the peers.
    fn converse(&mut self, client: &mut Client, peers: &mut Peers, requests: u64) {
        let end = client.requests + requests;
        while client.requests < end {
            self.batch.clear();
            peers.speak(&mut self.batch);
            let count = BATCH.min(end - client.requests);
            for _ in 0..count {
                client.request(&mut self.batch);
            }
            self.exchange(client, peers, count);
        }
    }

    /// Ends the changes, and waits until peers and node agree.
    fn settle(&mut self, client: &mut Client, peers: &mut Peers) {
        let deadline = Instant::now() + Duration::from_secs(60);
        peers.be_silent();
        while !peers.are_settled() {
            assert!(Instant::now() < deadline, "the nodes do not agree");
            std::thread::sleep(Duration::from_millis(1));
            self.batch.clear();
            peers.speak(&mut self.batch);
            client.ask(&mut self.batch, r#""type":"gossip_stats""#);
            self.exchange(client, peers, 1);
        }
    }

    fn exchange(&mut self, client: &mut Client, peers: &mut Peers, replies: u64) {
        self.stdin.write_all(&self.batch).expect("the node reads");
        for _ in 0..replies {
            loop {
                self.line.clear();
                let count = self.stdout.read_line(&mut self.line).expect("the node writes text");
                assert!(count > 0, "the node has ended");
                if !peers.hear(&self.line) {
                    break;
                }
            }
            client.reply(&self.line);
        }
    }

    /// The present counts of the child.
    fn counts(&mut self) -> Counts {
        self.control.write_all(b"?").expect("the child listens");
        let mut bytes = [0; Counts::BYTES];
        self.control.read_exact(&mut bytes).expect("the child answers");
        Counts::from_bytes(bytes)
    }

    fn end(self) {
        let Self { mut process, stdin, mut stdout, .. } = self;
        drop(stdin);
        stdout.read_to_end(&mut Vec::new()).expect("what is left can be read");
        let status = process.wait().expect("the child can be waited for");
        assert!(status.success(), "{status}");
    }
}
