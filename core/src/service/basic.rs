//! `init`, `topology`, `echo`, `generate`.

use super::reply::{Source, fields};
use super::{Answered, Application, Done, Problem, Service};
use crate::id::{Id, Members, NotACluster, hash_bytes, heap_sort, is_fit};
use crate::output::{Sink, SinkFull};
use crate::replicated::Bound;
use crate::storage::{Buf, Limits};
use crate::wire::json::Scanner;
use crate::wire::{BadField, Items, Key, Message, Out, Pairs, Token, Why};

/// What the requests answer that no data type owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `echo_ok`, from the payload
    Echo,
    /// `generate_ok`, the n-th of this life
    Generated(u64),
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        match self {
            Self::Echo => {
                out.str("echo_ok\", \"echo\": ");
                out.raw(&source.service.payload);
            }
            Self::Generated(n) => {
                let members = &source.replica.causality.members;
                out.str("generate_ok\", \"id\": \"");
                out.escaped(members.id(members.me()));
                fields(out, &[("-", source.incarnation), ("-", n)]);
                out.raw(b"\"");
            }
        }
    }
}

/// Sets the members of the cluster from the first `init`.
///
/// # Errors
/// What is wrong with the request; the members are then unknown as before.
pub fn init<S: Application>(message: &Message<'_>, members: &mut Members<S>, limits: &Limits) -> Result<(), Problem> {
    let done = fill(message, members, limits);
    if done.is_err() {
        members.clear();
    }
    done
}

fn fill<S: Application>(message: &Message<'_>, members: &mut Members<S>, limits: &Limits) -> Result<(), Problem> {
    members.clear();
    each_id(message, limits, |id| members.add(id).map_err(|why| not_a_cluster(why, limits)))?;
    let mut scratch = Id::new();
    let me = own_id(message, limits, &mut scratch)?;
    members.finish(me).map_err(|why| not_a_cluster(why, limits))
}

/// Shows each of the `node_ids`.
fn each_id(
    message: &Message<'_>,
    limits: &Limits,
    mut show: impl FnMut(&str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut scratch = Id::new();
    for token in message.list(Key::NodeIds)? {
        let Token::Text(id) = token else {
            return Err(BadField { key: Key::NodeIds, why: Why::Not("a list of strings") }.into());
        };
        show(id.unescape(&mut scratch).ok_or(BadField { key: Key::NodeIds, why: unfit(limits) })?)?;
    }
    Ok(())
}

fn own_id<'s>(message: &Message<'s>, limits: &Limits, scratch: &'s mut Id) -> Result<&'s str, Problem> {
    let unfit = BadField { key: Key::NodeId, why: unfit(limits) };
    Ok(message.text(Key::NodeId)?.unescape(scratch).ok_or(unfit)?)
}

fn unfit(limits: &Limits) -> Why {
    Why::NotAnId { max: limits.id_bytes }
}

fn not_a_cluster(why: NotACluster, limits: &Limits) -> Problem {
    let bad = |key, why| Problem::Field(BadField { key, why });
    match why {
        NotACluster::TooMany => Problem::Full(Bound::Nodes(limits.nodes)),
        NotACluster::BadId => bad(Key::NodeIds, unfit(limits)),
        NotACluster::Twice => bad(Key::NodeIds, Why::Not("a list in which every id stands once")),
        NotACluster::Absent => bad(Key::NodeId, Why::Not("among node_ids")),
    }
}

/// Whether a further `init` says the same as the first. O(n log n) for n ids.
///
/// # Errors
/// It would have been no good as the first one either.
pub fn is_same_cluster<S: Application>(
    message: &Message<'_>,
    members: &Members<S>,
    limits: &Limits,
    hashes: &mut S::PerNode<u64>,
) -> Result<bool, Problem> {
    hashes.clear();
    let (mut only_members, mut fits) = (true, true);
    each_id(message, limits, |id| {
        if !is_fit(id, limits.id_bytes) {
            return Err(not_a_cluster(NotACluster::BadId, limits));
        }
        only_members &= members.find(id).is_some();
        fits &= hashes.push(hash_bytes(id.as_bytes())).is_ok();
        Ok(())
    })?;
    heap_sort(hashes, |a, b| a < b);
    if hashes.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(not_a_cluster(NotACluster::Twice, limits));
    }
    let mut scratch = Id::new();
    let me = own_id(message, limits, &mut scratch)?;
    if fits && hashes.binary_search(&hash_bytes(me.as_bytes())).is_err() {
        return Err(not_a_cluster(NotACluster::Absent, limits));
    }
    // In the same order or another: no id is a duplicate.
    Ok(only_members && fits && hashes.len() == members.len() && me == members.id(members.me()))
}

impl<S: Application> Service<S> {
    pub(super) fn echo(&mut self, message: &Message<'_>) -> Answered {
        let payload = &mut self.payload;
        payload.clear();
        let limit = payload.limit();
        let token = message.need(Key::Echo)?;
        let mut sink = PayloadSink(payload);
        let mut out = Out::new(&mut sink);
        write_token(&mut out, token);
        out.finish().map_err(|_| {
            Problem::Field(BadField { key: Key::Echo, why: Why::TooLong { max: limit, unit: "bytes" } })
        })?;
        Ok(Answer::Echo.into())
    }

    pub(super) fn generate(&mut self) -> Answered {
        self.generated += 1;
        Ok(Answer::Generated(self.generated).into())
    }

    pub(super) fn topology(&mut self, message: &Message<'_>) -> Answered {
        // Advisory: the whole cluster is known from `init`, and gossip chooses its peers at random.
        let wrong = BadField { key: Key::Topology, why: Why::Not("an object of lists of strings") };
        for (_, neighbours) in message.object(Key::Topology)? {
            let Token::Array(neighbours) = neighbours else {
                return Err(wrong.into());
            };
            if !Items::new(neighbours).all(|neighbour| matches!(neighbour, Token::Text(_))) {
                return Err(wrong.into());
            }
        }
        self.shape.replace(super::Shape::Messages);
        Ok(Done::Topology.into())
    }
}

/// A payload buffer as a sink.
pub(super) struct PayloadSink<'b, B>(pub(super) &'b mut B);

impl<B: Buf<u8>> Sink for PayloadSink<'_, B> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        if self.0.extend_all(bytes) { Ok(()) } else { Err(SinkFull) }
    }
}

/// Writes a value of the client as it was given, but for the white space, which is that of all replies.
pub(super) fn write_token<W: Sink>(out: &mut Out<'_, W>, token: Token<'_>) {
    match token {
        Token::Int(int) => out.int(int),
        Token::Big(big) => out.unsigned(big),
        Token::Number(text) => out.str(text),
        Token::Text(text) => write_raw_string(out, text.raw()),
        Token::Bool(true) => out.str("true"),
        Token::Bool(false) => out.str("false"),
        Token::Null => out.str("null"),
        Token::Array(text) | Token::Object(text) => write_respaced(out, text),
    }
}

fn write_raw_string<W: Sink>(out: &mut Out<'_, W>, raw: &[u8]) {
    out.raw(b"\"");
    out.raw(raw);
    out.raw(b"\"");
}

/// Writes JSON that was checked, with white space after each comma and colon and nowhere else.
fn write_respaced<W: Sink>(out: &mut Out<'_, W>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'"' => {
                let mut scanner = Scanner::new(rest);
                let Ok(string) = scanner.string() else { return };
                write_raw_string(out, string.raw());
                rest = rest.get(scanner.position()..).unwrap_or(&[]);
                continue;
            }
            b',' => out.raw(b", "),
            b':' => out.raw(b": "),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            other => out.raw(&[*other]),
        }
        rest = after;
    }
}

/// The keys and values of an object inside a list or object that was checked before.
pub(super) fn pairs(token: Token<'_>) -> Option<Pairs<'_>> {
    if let Token::Object(object) = token { Some(Pairs::new(object)) } else { None }
}
