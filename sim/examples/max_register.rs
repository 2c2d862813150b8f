//! A data type outside of the core: a register that keeps the largest integer ever written, with requests of its own.
//!
//! Run it with `cargo run -p rumormill-sim --example max_register`. It runs five simulated nodes on a bad network,
//! through a partition and a crash, with both strategies. The crate `rumormill-core` is not changed for it.

use rumormill_core::data_type::{
    Arg, At, Causality, Dot, Entry, Lane, Merged, Product, Refused, Replicated, Replied, Request, RequestContext,
    RequestError, Requests, RowId, Strings, Tag, With, mix2,
};
use rumormill_core::storage::{Limits, Storage, Tiny};
use rumormill_core::{Change, Config, Member, Strategy};
use rumormill_sim::{Cluster, Delay, Links, Seat};

/// The largest integer that was written anywhere (a join semilattice: Shapiro et al., "A comprehensive study of
/// Convergent and Commutative Replicated Data Types", 2011).
#[derive(Clone, Debug, Default)]
pub(crate) struct MaxRegister {
    /// The value, and the change that wrote it.
    largest: Option<(i64, Dot)>,
}

/// The tag of its entries. The set has 0, the counter `p` and `n`, the store `w`.
const MAX: Tag = Tag(b'm');

impl MaxRegister {
    /// The largest integer that was written, if any was.
    #[must_use]
    pub(crate) fn value(&self) -> Option<i64> {
        self.largest.map(|largest| largest.0)
    }

    /// The change that writes an integer.
    #[must_use]
    pub(crate) fn write(value: i64) -> Change<'static> {
        Change::Entry(Entry::one(MAX, Arg::Int(value)))
    }
}

fn value_of(entry: &Entry<'_>) -> Option<i64> {
    if let [Arg::Int(value)] = *entry.args() { Some(value) } else { None }
}

impl<S: Storage> Replicated<S> for MaxRegister {
    const LANE: Lane = Lane::Push;

    fn unfilled(_: &Limits) -> Self {
        Self::default()
    }

    fn owns(tag: Tag) -> bool {
        tag == MAX
    }

    fn merge(&mut self, _: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let value = value_of(entry).ok_or(Refused::Unreadable)?;
        if self.value().is_some_and(|largest| value <= largest) {
            return Ok(Merged::Superseded);
        }
        self.largest = Some((value, dot));
        Ok(Merged::Applied)
    }

    fn covers(&self, _: &Causality<S>, _: Dot, entry: &Entry<'_>) -> bool {
        value_of(entry).is_none_or(|value| self.value().is_some_and(|largest| value <= largest))
    }

    // Only the change that wrote the largest integer has an entry. All others are superseded.
    fn seek(&self, row: RowId, after: u64) -> Option<At> {
        self.largest.filter(|(_, dot)| dot.row == row && dot.seq > after).map(|_| At::slot(0))
    }

    fn next(&self, _: At) -> Option<At> {
        None
    }

    fn seq(&self, _: At) -> u64 {
        self.largest.map_or(0, |(_, dot)| dot.seq)
    }

    fn entry<'a>(&'a self, _: At, _: &'a Causality<S>) -> Entry<'a> {
        Entry::one(MAX, Arg::Int(self.value().unwrap_or(i64::MIN)))
    }

    fn fingerprint(&self) -> u64 {
        self.value().map_or(0, |value| mix2(u64::from(MAX.0), value.cast_unsigned()))
    }
}

/// `{"type": "max_write", "value": 7}` and `{"type": "max_read"}`.
impl<S: Product<Own = Self>> Requests<S> for MaxRegister {
    const NAMES: &'static [&'static str] = &["max_write", "max_read"];

    fn handle(
        name: &'static str,
        request: &Request<'_>,
        _: &mut Strings<S>,
        mut cx: RequestContext<'_, S>,
    ) -> Result<Replied, RequestError> {
        match name {
            "max_write" => {
                let value = request.int("value", i64::MIN, i64::MAX)?;
                cx.change(Self::write(value))?;
                cx.reply("max_write_ok", |_| {})
            }
            "max_read" => {
                let value = cx.store().own.value();
                cx.reply("max_read_ok", |fields| {
                    match value {
                        Some(value) => fields.int("value", value),
                        None => fields.null("value"),
                    };
                })
            }
            _ => Err(RequestError::UNKNOWN_TYPE),
        }
    }
}

/// A node with the capacities of `Tiny`, and with the register besides the set, the counter and the store.
pub(crate) type Node = Member<With<Tiny, MaxRegister>>;

/// Sends a request to a node, and returns the reply.
pub(crate) fn ask(cluster: &mut Cluster<Node>, at: usize, body: &str) -> String {
    let line = format!(r#"{{"src": "c1", "dest": "n{at}", "body": {{"msg_id": 1, {body}}}}}"#);
    let reply = cluster.deliver(at, line.as_bytes()).expect("a request that can be answered");
    reply.expect("a reply to the request")
}

/// Runs five nodes on a network that loses one message in ten and delivers one in ten twice. There are writes on both
/// sides of a partition, and a crash in which the node that wrote the largest integer loses its memory. In the end all
/// nodes hold that integer.
///
/// # Panics
/// In the end the nodes differ, do not hold the largest integer, or do not fall silent.
pub(crate) fn simulate(strategy: Strategy, seed: u64) -> Cluster<Node> {
    let delay = Delay::Uniform { least_us: 1_000, most_us: 200_000 };
    let links = Links { delay, loss: 0.1, duplicates: 0.1, ..Links::default() };
    let make = |seat: Seat<'_>| seat.member(Config { strategy, max_message_bytes: 1_024, ..Config::default() });
    let mut cluster = Cluster::<Node>::new(5, links, seed, make);

    cluster.partition(&[3, 4]);
    for (at, value) in [(0, 3), (0, 12), (4, 90), (1, 5), (3, -5), (4, 7)] {
        ask(&mut cluster, at, &format!(r#""type": "max_write", "value": {value}"#));
        cluster.run_for_ms(300);
    }
    // The other node on this side of the partition has the integer. Then its writer starts again with an empty memory.
    while cluster.node(3).store().own.value() != Some(90) {
        assert!(cluster.now_us() < 60_000_000, "n3 is not told of 90 within a minute");
        cluster.run_for_ms(10);
    }
    assert_eq!(cluster.node(0).store().own.value(), Some(12), "n0 is on the other side");
    cluster.start(4, make);

    cluster.heal();
    cluster.links_mut().loss = 0.0;
    cluster.converge(60_000);
    cluster.fall_silent(120_000);
    for at in 0..5 {
        let reply = ask(&mut cluster, at, r#""type": "max_read""#);
        assert!(reply.contains(r#""type": "max_read_ok", "value": 90"#), "n{at} replies {reply}");
    }
    cluster
}

fn main() {
    for strategy in Strategy::ALL {
        let cluster = simulate(strategy, 7);
        let (sent, held) = (cluster.counts().sent, cluster.node(4).store().own.value());
        println!("{}: every node holds {held:?} after {sent} messages", strategy.name());
    }
}
