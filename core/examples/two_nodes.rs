//! Two nodes, no sockets and no clock: the loop that a driver runs. Time is a number that it moves on to the next timer.

use rumormill_core::storage::Tiny;
use rumormill_core::{Change, Config, Node, Now, Value};

fn main() {
    let node = |seed| {
        let choices = Config {
            seed,
            incarnation: 1,
            max_message_bytes: 1_024,
            ..Config::default()
        };
        Node::<Tiny>::new(choices).expect("choices within their bounds")
    };
    let mut nodes = [node(1), node(2)];
    let mut now = Now::monotonic_ms(0);
    for (me, node) in ["ann", "bob"].into_iter().zip(&mut nodes) {
        node.join(me, ["ann", "bob"].into_iter(), now)
            .expect("a cluster of two");
    }
    nodes[0]
        .update(now, Change::Broadcast(Value::Text("hello")))
        .expect("room for a value");
    nodes[1]
        .update(now, Change::Add(42))
        .expect("a counter far from overflow");

    while !nodes.iter().all(Node::is_settled) {
        for from in 0..2 {
            nodes[from].handle_timeout(now);
            // Here a real driver writes to a socket, and reads from one.
            let mut line = heapless::Vec::<u8, 1_024>::new();
            while nodes[from]
                .poll_transmit(now, &mut line)
                .expect("room for a message")
                .is_some()
            {
                print!(
                    "{:4} ms: {}",
                    now.at.as_micros() / 1_000,
                    String::from_utf8_lossy(&line)
                );
                nodes[1 - from]
                    .handle_line(now, line.trim_ascii_end())
                    .expect("a message of a member");
                line.clear();
            }
        }
        // Sleep until the first timer of all is due.
        if let Some(at) = nodes
            .iter()
            .filter_map(|node| node.poll_timeout())
            .map(|wakeup| wakeup.at)
            .min()
        {
            now.at = now.at.max(at);
        }
    }
    for node in &nodes {
        let values: Vec<_> = node.store().set.values().collect();
        println!(
            "settled: values {values:?}, counter {}",
            node.store().counter.value()
        );
    }
}
