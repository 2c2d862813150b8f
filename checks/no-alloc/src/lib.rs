//! Two nodes with fixed storage in a program without an allocator. A small C program calls
//! [`rumormill_no_alloc_drive`].

#![no_std]

use core::fmt::{self, Write as _};

use rumormill_core::data_type::Application;
use rumormill_core::storage::{Small, Tiny};
use rumormill_core::{Config, Instant, Node, Now, Transmit};

/// Bytes of the longest message: a `read` of all values.
const BYTES: usize = 4_096;
/// How many values and keys are used. All of them fit the smaller node.
const VALUES: u32 = 120;
const KEYS: u32 = 15;

/// The result. `main.c` declares the same struct.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Report {
    /// 0, or the number of the first failure, counted from 1 in the order of [`Wrong`].
    pub wrong: u32,
    /// Lines handled by the two nodes.
    pub lines: u32,
    /// Replies to clients.
    pub replies: u32,
    /// Lines from node to node.
    pub gossip: u32,
    /// Timers that were due.
    pub timeouts: u32,
    /// Hash of all bytes that were sent.
    pub checksum: u32,
    /// `size_of::<Node<Tiny>>()`.
    pub tiny_bytes: u32,
    /// `size_of::<Node<Small>>()`.
    pub small_bytes: u32,
}

/// The failures.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Wrong {
    Config = 1,
    LineRejected,
    SinkFull,
    NoReply,
    ErrorReply,
    NotSettled,
    StatesDiffer,
    CountsDiffer,
}

/// Sends `requests` requests of all kinds to the two nodes of a cluster, lets them gossip, and waits until they agree.
#[unsafe(no_mangle)]
pub extern "C" fn rumormill_no_alloc_drive(requests: u32) -> Report {
    let mut report = Report {
        tiny_bytes: size_of::<Node<Tiny>>() as u32,
        small_bytes: size_of::<Node<Small>>() as u32,
        ..Report::default()
    };
    if let Err(wrong) = drive(requests, &mut report) {
        report.wrong = wrong as u32;
    }
    report
}

struct Pair {
    tiny: Node<Tiny>,
    small: Node<Small>,
    now_ms: u64,
    sink: heapless::Vec<u8, BYTES>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Tiny,
    Small,
}

fn drive(requests: u32, report: &mut Report) -> Result<(), Wrong> {
    let config = Config { incarnation: 3, max_message_bytes: 1_500, ..Config::default() };
    let mut pair = Pair {
        tiny: Node::new(config).map_err(|_| Wrong::Config)?,
        small: Node::new(config).map_err(|_| Wrong::Config)?,
        now_ms: 0,
        sink: heapless::Vec::new(),
    };
    for (side, id) in [(Side::Tiny, "n1"), (Side::Small, "n2")] {
        let init = format_args!(r#""type": "init", "node_id": "{id}", "node_ids": ["n1", "n2"]"#);
        pair.request(side, init, report)?;
    }
    let mut count = 0;
    for at in 0..requests {
        let side = if at / 7 % 2 == 0 { Side::Tiny } else { Side::Small };
        let (value, key) = (at / 16 % VALUES, at % KEYS);
        let kind = at % 8;
        match kind {
            0 => pair.request(side, format_args!(r#""type": "broadcast", "message": {value}"#), report)?,
            1 | 5 => pair.request(side, format_args!(r#""type": "read""#), report)?,
            2 => {
                let delta = i64::from(at % 100) - 50;
                count += i128::from(delta);
                pair.request(side, format_args!(r#""type": "add", "delta": {delta}"#), report)?;
            }
            3 => {
                pair.request(side, format_args!(r#""type": "write", "key": {key}, "value": "v\u00e4{at}""#), report)?
            }
            4 => {
                pair.request(side, format_args!(r#""type": "write", "key": "k", "value": {at}"#), report)?;
                pair.request(side, format_args!(r#""type": "kv_read", "key": "k""#), report)?;
            }
            6 => pair.request(side, format_args!(r#""type": "echo", "echo": [1, {{"a": "b"}}]"#), report)?,
            _ => {
                pair.gossip(side, format_args!(r#""type": "gossip", "value": {value}"#), report)?;
                pair.request(side, format_args!(r#""type": "gossip_stats""#), report)?;
            }
        }
        pair.pass(1, report)?;
    }
    agree(&mut pair, count, report)
}

/// Lets the nodes gossip until they agree, for at most a minute. Both have to hold the same state, and count `count`.
fn agree(pair: &mut Pair, count: i128, report: &mut Report) -> Result<(), Wrong> {
    for _ in 0..60_000 {
        if pair.tiny.is_settled() && pair.small.is_settled() {
            break;
        }
        pair.pass(1, report)?;
    }
    if !(pair.tiny.is_settled() && pair.small.is_settled()) {
        return Err(Wrong::NotSettled);
    }
    let (Some(tiny), Some(small)) = (pair.tiny.member(), pair.small.member()) else {
        return Err(Wrong::NotSettled);
    };
    if tiny.digest() != small.digest() {
        return Err(Wrong::StatesDiffer);
    }
    let counts = [tiny.store().counter.value(), small.store().counter.value()];
    if counts != [count; 2] {
        return Err(Wrong::CountsDiffer);
    }
    Ok(())
}

impl Pair {
    /// Sends a request of a client. It gets one reply, which is no error.
    fn request(&mut self, side: Side, body: fmt::Arguments<'_>, report: &mut Report) -> Result<(), Wrong> {
        let before = report.replies;
        self.line(side, "c1", body, report)?;
        if report.replies == before + 1 { Ok(()) } else { Err(Wrong::NoReply) }
    }

    /// Sends a message in the name of the other node.
    fn gossip(&mut self, side: Side, body: fmt::Arguments<'_>, report: &mut Report) -> Result<(), Wrong> {
        let from = if side == Side::Tiny { "n2" } else { "n1" };
        self.line(side, from, body, report)
    }

    fn line(&mut self, side: Side, src: &str, body: fmt::Arguments<'_>, report: &mut Report) -> Result<(), Wrong> {
        let dest = if side == Side::Tiny { "n1" } else { "n2" };
        let msg_id = report.lines;
        let mut line = heapless::String::<256>::new();
        let written = write!(line, r#"{{"src": "{src}", "dest": "{dest}", "body": {{{body}, "msg_id": {msg_id}}}}}"#);
        written.map_err(|_| Wrong::SinkFull)?;
        report.lines += 1;
        let (now, line) = (self.now(), line.as_bytes());
        let handled = match side {
            Side::Tiny => self.tiny.handle_line(now, line),
            Side::Small => self.small.handle_line(now, line),
        };
        handled.map_err(|_| Wrong::LineRejected)?;
        self.exchange(report)
    }

    /// Lets time pass, and runs the timers that are due.
    fn pass(&mut self, ms: u64, report: &mut Report) -> Result<(), Wrong> {
        self.now_ms += ms;
        let now = self.now();
        let due = |timer: Option<rumormill_core::Wakeup>| timer.is_some_and(|timer| timer.at <= now.at);
        if due(self.tiny.poll_timeout()) {
            report.timeouts += 1;
            self.tiny.handle_timeout(now);
        }
        if due(self.small.poll_timeout()) {
            report.timeouts += 1;
            self.small.handle_timeout(now);
        }
        self.exchange(report)
    }

    /// Polls both nodes and hands over their messages to each other, until both have none.
    fn exchange(&mut self, report: &mut Report) -> Result<(), Wrong> {
        let now = self.now();
        let Self { tiny, small, sink, .. } = self;
        while hand_over(tiny, small, now, sink, report)? || hand_over(small, tiny, now, sink, report)? {}
        Ok(())
    }

    fn now(&self) -> Now {
        let at = Instant::from_millis(self.now_ms);
        Now { at, wall_us: Some(1_700_000_000_000_000 + at.as_micros()) }
    }
}

/// Polls one message of a node. True if there was one.
fn hand_over<A: Application, B: Application>(
    from: &mut Node<A>,
    to: &mut Node<B>,
    now: Now,
    sink: &mut heapless::Vec<u8, BYTES>,
    report: &mut Report,
) -> Result<bool, Wrong> {
    sink.clear();
    let sent = from.poll_transmit(now, sink).map_err(|_| Wrong::SinkFull)?;
    for byte in sink.iter() {
        report.checksum = (report.checksum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    match sent {
        None => return Ok(false),
        Some(Transmit::Reply) => {
            report.replies += 1;
            if sink.windows(7).any(|window| window == b"\"error\"") {
                return Err(Wrong::ErrorReply);
            }
        }
        Some(Transmit::Gossip(_)) => {
            report.gossip += 1;
            report.lines += 1;
            let line = sink.strip_suffix(b"\n").unwrap_or(sink);
            to.handle_line(now, line).map_err(|_| Wrong::LineRejected)?;
        }
    }
    Ok(true)
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}
