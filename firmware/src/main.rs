//! The node on a microcontroller. Lines come and leave through a UART, time comes from SysTick, and all data is in
//! static memory.
//!
//! This file is all that a board needs around [`Node`]. The code for this particular board is in [`board`].
//! `docs/embedding.md` walks through it.

#![no_std]
#![no_main]

mod board;
#[cfg(feature = "footprint")]
mod footprint;
mod lines;
mod options;
mod report;
mod sizes;

use cortex_m::singleton;
use cortex_m_rt::entry;
#[cfg(feature = "small")]
use rumormill_core::storage::Small as Capacities;
#[cfg(not(feature = "small"))]
use rumormill_core::storage::Tiny as Capacities;
use rumormill_core::{Config, Node, Now, Skipped};

use board::{Uart, host};
use lines::{Lines, Next};
use report::Report;

/// Bytes of the longest line that is read, and of the longest message that is sent to a peer. It is at least
/// `Config::min_message_bytes` of the capacities.
const LINE_BYTES: usize = 1_024;

#[entry]
fn main() -> ! {
    let Some((mut uart, mut clock)) = board::start() else { host::fail("a second start") };
    let config = Config { max_message_bytes: LINE_BYTES, ..Config::default() };
    let config = options::read(config).unwrap_or_else(|wrong| host::refuse(wrong));
    let node = start(config).unwrap_or_else(|| host::refuse("a choice is out of its bounds"));
    let Some(lines) = singleton!(: Lines<LINE_BYTES> = Lines::new()) else { host::fail("a second start") };
    let mut report = Report::default();
    loop {
        let now = clock.now();
        match lines.next(&mut uart) {
            Next::Line(line) => {
                if let Err(why) = node.handle_line(now, line) {
                    report.rejected(why, now);
                }
            }
            Next::TooLong => {
                node.skipped(Skipped::TooLong, 1);
                report.too_long(now);
            }
            Next::Nothing => node.handle_timeout(now),
            Next::End => break,
        }
        transmit(node, now, &mut uart);
        uart.sleep();
    }
    let now = clock.now();
    node.finish(now);
    transmit(node, now, &mut uart);
    #[cfg(feature = "footprint")]
    footprint::say();
    host::succeed()
}

/// Makes the node in static memory. This is a function of its own, so that the stack that it needs is free again
/// afterwards.
#[inline(never)]
fn start(config: Config) -> Option<&'static mut Node<Capacities>> {
    Node::new_in(singleton!(: Option<Node<Capacities>> = None)?, config).ok()
}

/// Sends everything that waits. The UART takes it all, so no message is lost here.
fn transmit(node: &mut Node<Capacities>, now: Now, uart: &mut Uart) {
    while let Ok(Some(_)) = node.poll_transmit(now, uart) {}
}
