//! The loop of a driver, for two nodes at once. There are no sockets, and time is a number that moves on to the next
//! timer.

use rumormill_core::storage::Tiny;
use rumormill_core::{Change, Config, Member, Now, Value};

const BYTES: usize = 1_024;

fn main() {
    let mut now = Now::monotonic_ms(0);
    let [mut ann, mut bob] = ["ann", "bob"].map(|me| {
        let config = Config { incarnation: 1, max_message_bytes: BYTES, ..Config::default() };
        Member::<Tiny>::join(config, me, ["ann", "bob"], now).expect("a cluster of two")
    });
    ann.update(now, Change::Broadcast(Value::Text("hello"))).expect("room for a value");
    bob.update(now, Change::Add(42)).expect("a counter far from overflow");

    while !(ann.is_settled() && bob.is_settled()) {
        // A real driver has one node. It writes the node's lines to a socket, and reads those of other nodes.
        if hand_over(&mut ann, &mut bob, now) + hand_over(&mut bob, &mut ann, now) == 0 {
            // A real driver sleeps here, until a line arrives or the first timer is due.
            let timers = [&ann, &bob].into_iter().filter_map(Member::poll_timeout);
            now.at = timers.map(|wakeup| wakeup.at).min().expect("a timer, as not all is settled");
            ann.handle_timeout(now);
            bob.handle_timeout(now);
        }
    }
    for (name, node) in [("ann", &ann), ("bob", &bob)] {
        let values: Vec<_> = node.store().set.values().collect();
        println!("{name} is settled: values {values:?}, counter {}", node.store().counter.value());
    }
}

/// Hands all messages that wait at `from` to `to`. Returns their number.
fn hand_over(from: &mut Member<Tiny>, to: &mut Member<Tiny>, now: Now) -> u32 {
    let mut line = heapless::Vec::<u8, BYTES>::new();
    let mut lines = 0;
    while from.poll_transmit(now, &mut line).expect("room for a message").is_some() {
        print!("{:3} ms {}", now.at.as_micros() / 1_000, String::from_utf8_lossy(&line));
        to.handle_line(now, line.trim_ascii_end()).expect("a message of a member");
        line.clear();
        lines += 1;
    }
    lines
}
