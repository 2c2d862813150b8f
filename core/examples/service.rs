//! A service in 60 lines: three nodes that gossip over UDP on loopback. `docs/service.md` explains it.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use rumormill_core::storage::Tiny;
use rumormill_core::{Change, Config, Event, Instant, Member, Now, Transmit, Value};

const IDS: [&str; 3] = ["ann", "bob", "cat"];
/// The largest message, in bytes. It fits into a datagram that no network cuts.
const MESSAGE_BYTES: usize = 1_200;

fn main() {
    let sockets = IDS.map(|_| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().expect("a bound socket"));
    std::thread::scope(|threads| {
        for (id, socket) in IDS.into_iter().zip(&sockets) {
            threads.spawn(move || serve(id, socket, &addresses).unwrap_or_else(|why| panic!("{id}: {why}")));
        }
    });
}

/// Runs a node until all nodes hold the same state and no message has come for a second. A real service would run for
/// ever.
fn serve(id: &str, socket: &UdpSocket, addresses: &[SocketAddr]) -> Result<(), Box<dyn Error>> {
    let began = Clock::now();
    let now = || Now {
        at: Instant::from_micros(began.elapsed().as_micros() as u64),
        wall_us: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_micros() as u64),
    };
    // The wall clock at the start. It is larger at each start, and makes a seed that differs from those of other nodes.
    let start_us = now().wall_us.ok_or("the clock is before 1970")?;
    let seed = start_us ^ u64::from(socket.local_addr()?.port()) << 48;
    let config =
        Config { incarnation: start_us, seed, max_message_bytes: MESSAGE_BYTES, events: true, ..Config::default() };
    let mut node = Member::<Tiny>::join(config, id, IDS, now())?;
    node.update(now(), Change::Broadcast(Value::Text(id)))?;
    node.update(now(), Change::Add(1))?;

    let (mut out, mut datagram) = (Vec::new(), [0; MESSAGE_BYTES]);
    let mut heard = Clock::now();
    while !(node.is_settled() && heard.elapsed() > Duration::from_secs(1)) {
        while let Some(to) = node.poll_transmit(now(), &mut out)? {
            if let Transmit::Gossip(peer) = to {
                // Members are numbered in the order of their ids, and so are `addresses`. A change in a lost message is
                // sent again later.
                let _ = socket.send_to(&out, addresses[peer.at()]);
            }
            out.clear();
        }
        while let Some(event) = node.poll_event() {
            if let Event::Changed { change, by } = event {
                println!("{id}: {change:?} by {by}");
            }
        }
        // Sleeps until a message comes or a timer is due.
        let due_us = node.poll_timeout().map_or(u64::MAX, |wakeup| wakeup.at.as_micros());
        let wait_us = due_us.saturating_sub(now().at.as_micros()).clamp(1, 100_000);
        socket.set_read_timeout(Some(Duration::from_micros(wait_us)))?;
        if let Ok((len, from)) = socket.recv_from(&mut datagram)
            && addresses.contains(&from)
        {
            heard = Clock::now();
            // The reason why a message is refused goes to the log.
            node.handle_line(now(), &datagram[..len]).unwrap_or_else(|why| eprintln!("{id}: {why}"));
        }
        node.handle_timeout(now());
    }
    assert_eq!((node.store().set.len(), node.store().counter.value()), (3, 3));
    let values: Vec<Value<'_>> = node.store().set.values().collect();
    println!("{id}: all hold {values:?}, and the counter is {}", node.store().counter.value());
    Ok(())
}
