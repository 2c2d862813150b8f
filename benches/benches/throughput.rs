//! The cost of one line: decoding, handling, encoding, and two data structures that they use.
//!
//! ```text
//! cargo bench throughput            all of it, in about a minute
//! cargo bench throughput/decode     one group
//! ```
//!
//! Other implementations run in the same group, so that their times can be compared. Before anything is timed, the
//! results of all decoders are compared.

use std::collections::HashSet;
use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;
use rumormill_benches::{GOSSIP_VALUES, KEYS, Kind, init};
use rumormill_core::causality::{Arg, Causality, Dot, Entry, RowId};
use rumormill_core::gossip::Sampler;
use rumormill_core::replicated::{BroadcastSet, Replicated};
use rumormill_core::storage::{Heap, Limits, Storage};
use rumormill_core::wire::{Item, Key, Message, Predictor, Scratch, Token};
use rumormill_core::{Config, Node, NodeIndex, Now, Transmit, Value};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

/// How many lines a benchmark goes through in turn.
const LINES: usize = 512;
/// How many values a reply to `read` lists.
const LISTED: usize = 1_000;
/// Members of the cluster, as in the Gossip Glomers.
const NODES: usize = 25;

criterion_group! {
    name = throughput;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700));
    targets = decode, handle, encode, seen_set, fanout
}
criterion_main!(throughput);

/// From bytes to a message, until every field was read.
fn decode(c: &mut Criterion) {
    for kind in Kind::ALL {
        let lines = kind.lines(LINES);
        for line in &lines {
            let expected = ours(&mut |line, message| message.decode(line).is_ok(), line);
            let mut predictor = Predictor::default();
            for _ in 0..2 {
                let predicted = ours(&mut |line, message| predictor.decode(line, message).is_ok(), line);
                assert_eq!(predicted, expected);
            }
            assert_eq!(with_serde_json(line), expected);
            assert_eq!(with_serde_json_core(line), expected);
        }

        let mut group = c.benchmark_group(format!("throughput/decode/{}", kind.name()));
        group.throughput(Throughput::Bytes(lines[0].len() as u64));
        let mut predictor = Predictor::default();
        in_turn(&mut group, "predicted", &lines, |line| {
            ours(&mut |line, message| predictor.decode(line, message).is_ok(), line)
        });
        in_turn(&mut group, "general", &lines, |line| ours(&mut |line, message| message.decode(line).is_ok(), line));
        in_turn(&mut group, "serde_json", &lines, with_serde_json);
        in_turn(&mut group, "serde-json-core", &lines, with_serde_json_core);
        group.finish();
    }
}

fn in_turn<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    lines: &[Vec<u8>],
    mut decode: impl FnMut(&[u8]) -> T,
) {
    let mut turn = lines.iter().cycle();
    group.bench_function(name, |b| {
        b.iter(|| turn.next().map(|line| decode(black_box(line))));
    });
}

/// The result of reading a line: the lengths of its strings, and the sum of its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gist {
    strings: usize,
    numbers: i64,
}

impl Gist {
    fn string(&mut self, length: usize) {
        self.strings += length;
    }

    fn number(&mut self, number: i64) {
        self.numbers += number;
    }
}

#[inline]
fn ours<'a>(decode: &mut impl FnMut(&'a [u8], &mut Message<'a>) -> bool, line: &'a [u8]) -> Option<Gist> {
    let mut message = Message::new();
    if !decode(line, &mut message) {
        return None;
    }
    let mut gist = Gist::default();
    for string in [message.src, message.dest, message.type_name].into_iter().flatten() {
        gist.string(string.raw().len());
    }
    gist.number(message.msg_id.unwrap_or_default());
    for key in [Key::Message, Key::Delta, Key::Key, Key::Value, Key::Incarnation] {
        match message.get(key) {
            Some(Token::Int(int)) => gist.number(int),
            Some(Token::Text(text)) => gist.string(text.raw().len()),
            _ => {}
        }
    }
    if let Some(mut chunks) = message.chunks() {
        let mut scratch = Scratch::default();
        while let Some(chunk) = chunks.chunk() {
            gist.string(chunk.row.raw().len());
            gist.number(chunk.from.cast_signed());
            while let Some(item) = chunks.item() {
                match item {
                    Item::Int(int) => gist.number(int),
                    Item::Entry(raw) => {
                        if let Some([Arg::Int(int)]) = raw.resolve(&mut scratch).as_ref().map(Entry::args) {
                            gist.number(*int);
                        }
                    }
                    Item::Skip(_) => {}
                }
            }
        }
    }
    Some(gist)
}

/// Every field of every request, borrowed. One flat struct decodes in one pass.
#[derive(DeriveDeserialize)]
#[serde(bound(deserialize = "Values: Default + Extend<i64>, 'de: 'a"))]
struct Request<'a, Values> {
    src: &'a str,
    dest: &'a str,
    body: Body<'a, Values>,
}

#[derive(DeriveDeserialize)]
#[serde(bound(deserialize = "Values: Default + Extend<i64>, 'de: 'a"))]
struct Body<'a, Values> {
    #[serde(rename = "type")]
    kind: &'a str,
    msg_id: i64,
    message: Option<i64>,
    delta: Option<i64>,
    key: Option<&'a str>,
    value: Option<i64>,
    inc: Option<i64>,
    data: Option<[Chunk<'a, Values>; 1]>,
}

/// `["row", from, value, …]`
struct Chunk<'a, Values> {
    row: &'a str,
    from: i64,
    values: Values,
}

impl<'de: 'a, 'a, Values: Default + Extend<i64>> Deserialize<'de> for Chunk<'a, Values> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items<'a, Values>(PhantomData<(&'a (), Values)>);

        impl<'de: 'a, 'a, Values: Default + Extend<i64>> Visitor<'de> for Items<'a, Values> {
            type Value = Chunk<'a, Values>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a chunk")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let missing = || S::Error::custom("too short");
                let row = seq.next_element()?.ok_or_else(missing)?;
                let from = seq.next_element()?.ok_or_else(missing)?;
                let mut values = Values::default();
                while let Some(value) = seq.next_element()? {
                    values.extend([value]);
                }
                Ok(Chunk { row, from, values })
            }
        }

        from.deserialize_seq(Items(PhantomData))
    }
}

fn gist<Values>(request: &Request<'_, Values>) -> Gist
where
    for<'v> &'v Values: IntoIterator<Item = &'v i64>,
{
    let Request { src, dest, body } = request;
    let mut gist = Gist::default();
    for string in [Some(*src), Some(*dest), Some(body.kind), body.key].into_iter().flatten() {
        gist.string(string.len());
    }
    gist.number(body.msg_id);
    for number in [body.message, body.delta, body.value, body.inc].into_iter().flatten() {
        gist.number(number);
    }
    if let Some([chunk]) = &body.data {
        gist.string(chunk.row.len());
        gist.number(chunk.from);
        chunk.values.into_iter().for_each(|value| gist.number(*value));
    }
    gist
}

fn with_serde_json(line: &[u8]) -> Option<Gist> {
    // To check the UTF-8 of the whole line once is cheaper than to check each string in `from_slice`.
    let line = str::from_utf8(line).ok()?;
    serde_json::from_str::<Request<'_, Vec<i64>>>(line).ok().map(|request| gist(&request))
}

fn with_serde_json_core(line: &[u8]) -> Option<Gist> {
    type Values = heapless::Vec<i64, GOSSIP_VALUES>;
    serde_json_core::from_slice::<Request<'_, Values>>(line).ok().map(|(request, _)| gist(&request))
}

/// A node of a cluster of [`NODES`]. No time passes, so no timer runs while something is measured.
struct Bench {
    node: Node<Heap>,
    output: Vec<u8>,
}

const NOW: Now = Now { wall_us: Some(1_700_000_000_000_000), ..Now::monotonic_ms(1_000) };
/// A time at which the next round of gossip is due.
const LATER: Now = Now { wall_us: Some(1_700_000_000_500_000), ..Now::monotonic_ms(1_500) };

impl Bench {
    fn new() -> Self {
        let limits = Limits { values: 1 << 17, dense_values: 1 << 20, keys: 1 << 10, ..Heap::LIMITS };
        let node = Node::with_limits(Config { seed: 1, ..Config::default() }, limits);
        let mut bench = Self { node: node.expect("within the bounds"), output: Vec::with_capacity(64 << 10) };
        bench.line(&init(NODES));
        bench
    }

    /// A node that has handled these lines.
    fn after(lines: &[Vec<u8>]) -> Self {
        let mut bench = Self::new();
        bench.lines(lines);
        bench
    }

    /// Hands a line to the node, and polls all its messages. Returns the number of bytes.
    #[inline]
    fn line(&mut self, line: &[u8]) -> usize {
        let accepted = self.node.handle_line(NOW, line);
        assert!(accepted.is_ok());
        self.take(NOW)
    }

    #[inline]
    fn take(&mut self, now: Now) -> usize {
        self.output.clear();
        while let Ok(Some(_)) = self.node.poll_transmit(now, &mut self.output) {}
        self.output.len()
    }

    fn lines(&mut self, lines: &[Vec<u8>]) {
        for line in lines {
            black_box(self.line(black_box(line)));
        }
    }
}

/// From a line to all messages that it causes.
fn handle(c: &mut Criterion) {
    let mut group = c.benchmark_group("throughput/node");
    let broadcasts = Kind::Broadcast.lines(LISTED);
    let adds = Kind::Add.lines(LINES);
    let writes = Kind::Write.lines(LINES);

    group.throughput(Throughput::Elements(broadcasts.len() as u64));
    group.bench_function("broadcast, 1,000 new values", |b| {
        b.iter_batched(Bench::new, |mut bench| bench.lines(&broadcasts), BatchSize::LargeInput);
    });
    let gossip = Kind::Gossip.lines(LINES);
    group.throughput(Throughput::Elements(gossip.len() as u64));
    group.bench_function("gossip_100, 512 lines of new values", |b| {
        b.iter_batched(Bench::new, |mut bench| bench.lines(&gossip), BatchSize::LargeInput);
    });

    group.throughput(Throughput::Elements(1));
    let mut steady = |name: &str, before: &[Vec<u8>], lines: &[Vec<u8>]| {
        let mut bench = Bench::after(before);
        let mut turn = lines.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| turn.next().map(|line| bench.line(black_box(line))));
        });
        let errors = bench.node.stats().errors_sent;
        assert_eq!(errors, 0, "{name}");
    };
    steady("broadcast, known value", &broadcasts, &broadcasts);
    steady("read, 1,000 values", &broadcasts, &Kind::Read.lines(LINES));
    steady("add", &[], &adds);
    steady("write", &writes, &writes);
    steady("kv_read", &writes, &Kind::KvRead.lines(LINES));
    steady("gossip_100, known values", &gossip, &gossip);
    group.finish();
    const { assert!(KEYS <= LINES, "every key that is read was written") };
}

#[derive(Serialize)]
struct Reply<'a> {
    src: &'a str,
    dest: &'a str,
    body: ReplyBody<'a>,
}

#[derive(Serialize)]
struct ReplyBody<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    messages: &'a [i64],
    in_reply_to: i64,
    msg_id: u64,
}

/// From a message that waits to its text.
fn encode(c: &mut Criterion) {
    let broadcasts = Kind::Broadcast.lines(LISTED);
    let mut group = c.benchmark_group("throughput/encode");
    let waiting_reply = || {
        let mut bench = Bench::after(&broadcasts);
        assert!(bench.node.handle_line(NOW, &Kind::Read.line(0)).is_ok());
        bench
    };
    let waiting_gossip = || {
        let mut bench = Bench::new();
        // The first value is pushed at once. Those after it wait for the round.
        bench.lines(&broadcasts[..=GOSSIP_VALUES]);
        bench.node.handle_timeout(LATER);
        bench
    };

    let mut bench = waiting_reply();
    group.throughput(Throughput::Bytes(bench.take(NOW) as u64));
    group.bench_function("read_ok, 1,000 values", |b| {
        b.iter_batched_ref(waiting_reply, |bench| bench.take(NOW), BatchSize::LargeInput);
    });
    let messages: Vec<i64> = (100..).take(LISTED).collect();
    let mut output = Vec::with_capacity(bench.output.len());
    group.bench_function("read_ok, 1,000 values, serde_json", |b| {
        b.iter(|| {
            output.clear();
            let body = ReplyBody { kind: "read_ok", messages: black_box(&messages), in_reply_to: 1, msg_id: 2 };
            serde_json::to_writer(&mut output, &Reply { src: "n1", dest: "c1", body }).map(|()| output.len())
        });
    });

    let one = |bench: &mut Bench| {
        bench.output.clear();
        bench.node.poll_transmit(LATER, &mut bench.output)
    };
    let mut bench = waiting_gossip();
    assert!(matches!(one(&mut bench), Ok(Some(Transmit::Gossip(_)))));
    group.throughput(Throughput::Bytes(bench.output.len() as u64));
    group.bench_function("gossip_100", |b| b.iter_batched_ref(waiting_gossip, one, BatchSize::LargeInput));
    group.finish();
}

/// Membership in the broadcast set. Both sets also keep the order of arrival; that of this crate keeps dots as well.
fn seen_set(c: &mut Criterion) {
    const VALUES: i64 = 10_000;
    let limits = Limits { values: 1 << 14, dense_values: 1 << 16, rows: 1_024, ..Heap::LIMITS };
    let dense: Vec<i64> = (0..VALUES).collect();
    let sparse: Vec<i64> =
        (0..VALUES).map(|value| value.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())).collect();

    let mut causality = Causality::<Heap>::new(&limits, 0);
    let ours = || BroadcastSet::<Heap>::new(&limits);
    let mut fill = |set: &mut BroadcastSet<Heap>, values: &[i64]| {
        for (value, seq) in values.iter().zip(1..) {
            let merged = set.merge(&mut causality, Dot { row: RowId(0), seq }, &Entry::bare(Arg::Int(*value)));
            assert!(merged.is_ok());
        }
    };
    let standard = || (HashSet::with_capacity(limits.values), Vec::with_capacity(limits.values));
    let fill_standard = |(seen, log): &mut (HashSet<i64>, Vec<i64>), values: &[i64]| {
        for value in values {
            if seen.insert(*value) {
                log.push(*value);
            }
        }
    };

    let mut group = c.benchmark_group("throughput/seen_set");
    group.throughput(Throughput::Elements(VALUES.cast_unsigned()));
    for (name, values) in [("dense", &dense), ("sparse", &sparse)] {
        group.bench_function(format!("insert, {name}, ours"), |b| {
            b.iter_batched_ref(ours, |set| fill(set, black_box(values)), BatchSize::LargeInput);
        });
        group.bench_function(format!("insert, {name}, HashSet and Vec"), |b| {
            b.iter_batched_ref(standard, |set| fill_standard(set, black_box(values)), BatchSize::LargeInput);
        });

        // Half of the values that are looked up are in the set.
        let known: Vec<i64> = values.iter().step_by(2).copied().collect();
        let mut set = ours();
        fill(&mut set, &known);
        group.bench_function(format!("lookup, {name}, ours"), |b| {
            b.iter(|| black_box(values).iter().filter(|value| set.contains(Value::Int(**value))).count());
        });
        let mut set = standard();
        fill_standard(&mut set, &known);
        group.bench_function(format!("lookup, {name}, HashSet and Vec"), |b| {
            b.iter(|| black_box(values).iter().filter(|value| set.0.contains(value)).count());
        });
    }
    group.finish();
}

/// Drawing peers at random, without repetition.
fn fanout(c: &mut Criterion) {
    let mut group = c.benchmark_group("throughput/fanout");
    for peers in [25, 10_000] {
        for fanout in [2, 5] {
            let mut sampler = Sampler::<Heap>::unfilled(peers + 1);
            sampler.fill(peers + 1, NodeIndex(0));
            let mut rng = XorShiftRng::seed_from_u64(1);
            group.throughput(Throughput::Elements(fanout));
            group.bench_function(format!("{fanout} of {peers}"), |b| {
                b.iter(|| {
                    let mut draw = Default::default();
                    for _ in 0..fanout {
                        black_box(sampler.draw(&mut draw, &mut rng));
                    }
                });
            });
        }
    }
    group.finish();
}
