//! A data type of a user with a table: names and the largest number that was written for each. It has strings, a tree
//! for each row, a bound of its own, and travels on the tick.

use rumormill_core::data_type::{
    Applied, Arg, At, Bound, Causality, Dot, Ends, Entry, Lane, Link, Linked, Merged, Refused, Replicated, Replied,
    Request, RequestContext, RequestError, Requests, RowId, Strings, Tag, With, mix2,
};
use rumormill_core::storage::{Buf as _, Heap, Limits, Storage, Tiny};
use rumormill_core::{Change, Config, Event, Instant, Member, Node, Now, Strategy, Transmit, UpdateError, Value};
use rumormill_sim::{Cluster, Delay, Links, Seat};

/// Names that a node has room for.
const NAMES_MAX: usize = 8;
const FULL: Bound = Bound::Own(&"scores full: there are at most 8 names");
const SCORE: Tag = Tag(b's');

#[derive(Clone)]
struct Score {
    name: String,
    best: i64,
    /// The note is the row.
    link: Link,
}

impl Linked for Score {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// The best score of each name.
#[derive(Clone)]
struct Scores<S: Storage> {
    scores: S::PerKey<Score>,
    rows: S::PerRow<Ends>,
}

impl<S: Storage> Scores<S> {
    fn change(name: &str, score: i64) -> Change<'_> {
        Change::Entry(entry(name, score))
    }

    fn best(&self) -> Vec<(&str, i64)> {
        let mut all: Vec<_> = self.scores.iter().map(|score| (&*score.name, score.best)).collect();
        all.sort_unstable();
        all
    }
}

fn entry(name: &str, score: i64) -> Entry<'_> {
    Entry::two(SCORE, [Arg::Text(name), Arg::Int(score)])
}

fn read<'a>(entry: &Entry<'a>) -> Option<(&'a str, i64)> {
    if let [Arg::Text(name), Arg::Int(score)] = *entry.args() { Some((name, score)) } else { None }
}

type Own<S> = With<S, Scores<S>>;

impl<S: Storage> Replicated<Own<S>> for Scores<S> {
    const LANE: Lane = Lane::Tick;

    fn unfilled(limits: &Limits) -> Self {
        Self { scores: S::PerKey::with_limit(NAMES_MAX), rows: S::PerRow::with_limit(limits.rows) }
    }

    fn fill(&mut self, limits: &Limits, _: u64) {
        self.rows.fill_to(limits.rows, Ends::empty());
    }

    fn owns(tag: Tag) -> bool {
        tag == SCORE
    }

    fn merge(&mut self, _: &mut Causality<Own<S>>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let (name, best) = read(entry).ok_or(Refused::Unreadable)?;
        let link = Link::new(dot.seq, dot.row.0);
        let at = match self.scores.iter().position(|score| score.name == name) {
            Some(at) if best <= self.scores[at].best => return Ok(Merged::Superseded),
            Some(at) => {
                let row = self.scores[at].link.note as usize;
                self.rows[row].remove(&mut self.scores, at as u32);
                (self.scores[at].best, self.scores[at].link) = (best, link);
                at
            }
            None if self.scores.len() == NAMES_MAX => return Err(Refused::Full(FULL)),
            None => {
                let pushed = self.scores.push(Score { name: name.to_owned(), best, link });
                pushed.map_err(|_| Refused::Full(FULL))?;
                self.scores.len() - 1
            }
        };
        self.rows[dot.row.at()].insert(&mut self.scores, at as u32);
        Ok(Merged::Applied)
    }

    fn covers(&self, _: &Causality<Own<S>>, _: Dot, entry: &Entry<'_>) -> bool {
        let Some((name, best)) = read(entry) else { return true };
        self.scores.iter().any(|score| score.name == name && best <= score.best)
    }

    fn seek(&self, row: RowId, after: u64) -> Option<At> {
        self.rows[row.at()].seek(&self.scores, after).map(At::slot)
    }

    fn next(&self, at: At) -> Option<At> {
        Ends::next(&self.scores, at.slot).map(At::slot)
    }

    fn seq(&self, at: At) -> u64 {
        self.scores[at.slot as usize].link.seq
    }

    fn entry<'a>(&'a self, at: At, _: &'a Causality<Own<S>>) -> Entry<'a> {
        let Score { name, best, .. } = &self.scores[at.slot as usize];
        entry(name, *best)
    }

    fn fingerprint(&self) -> u64 {
        let term = |score: &Score| mix2(Value::Text(&score.name).hash(), score.best.cast_unsigned());
        self.scores.iter().map(term).fold(0, u64::wrapping_add)
    }
}

impl<S: Storage> Requests<Own<S>> for Scores<S> {
    const NAMES: &'static [&'static str] = &["score", "scores", "longest"];

    fn handle(
        name: &'static str,
        request: &Request<'_>,
        [text, ..]: &mut Strings<Own<S>>,
        mut cx: RequestContext<'_, Own<S>>,
    ) -> Result<Replied, RequestError> {
        match name {
            "score" => {
                let Value::Text(name) = request.value("name", text)? else {
                    return Err(RequestError::new(1_001, "a name is no number"));
                };
                let best = if request.has("best")? { request.int("best", 0, 1_000)? } else { 0 };
                let is_new = cx.change(Self::change(name, best))?;
                let (me, members) = (cx.me().to_owned(), cx.members().count() as i64);
                cx.reply("score_ok", |reply| {
                    reply.int("new", is_new.into()).value("by", Value::Text(&me)).int("members", members);
                })
            }
            "scores" => {
                let own = cx.store().own.clone();
                cx.reply("scores_ok", |reply| {
                    reply.list("names", own.best().into_iter().map(|(name, _)| Value::Text(name)));
                    reply.list("best", own.best().into_iter().map(|(_, best)| Value::Int(best)));
                })
            }
            _ => {
                let room = cx.limits().payload_bytes;
                cx.reply("longest_ok", |reply| {
                    reply.value("text", Value::Text(&"x".repeat(room)));
                })
            }
        }
    }
}

fn config(strategy: Strategy) -> Config {
    Config { strategy, max_message_bytes: 2_048, events: true, ..Config::default() }
}

fn converges<S: Storage>(strategy: Strategy, seed: u64) {
    let delay = Delay::Uniform { least_us: 1_000, most_us: 200_000 };
    let links = Links { delay, loss: 0.1, duplicates: 0.1, ..Links::default() };
    let make = |seat: Seat<'_>| seat.member(config(strategy));
    let mut cluster = Cluster::<Member<Own<S>>>::new(4, links, seed, make);
    cluster.partition(&[2, 3]);
    for turn in 0..40 {
        let (name, score) = (["ann", "b\"ob\n", "cé"][turn % 3], (turn * 7 % 11) as i64);
        let change = |node: &mut Member<Own<S>>, now| node.update(now, Scores::<S>::change(name, score));
        cluster.with(turn % 4, change).expect("there is room");
        cluster.with(turn % 4, |node, now| node.update(now, Change::Add(1))).expect("no overflow");
        cluster.run_for_ms(100);
    }
    cluster.heal();
    cluster.links_mut().loss = 0.0;
    cluster.converge(60_000);
    cluster.fall_silent(120_000);
    for node in cluster.nodes() {
        assert_eq!(node.store().own.best(), [("ann", 10), ("b\"ob\n", 10), ("cé", 10)]);
        assert_eq!(node.store().counter.value(), 40);
    }
}

#[test]
fn a_table_of_a_user_converges_on_either_storage_under_both_strategies() {
    for strategy in Strategy::ALL {
        for seed in 0..20 {
            println!("{} with seed {seed}", strategy.name());
            converges::<Tiny>(strategy, seed);
            converges::<Heap>(strategy, seed);
        }
    }
}

/// A node that was told of its cluster by a client.
struct Alone {
    node: Node<Own<Tiny>>,
    now: Now,
}

impl Alone {
    fn new() -> Self {
        let now = Now { at: Instant::ZERO, wall_us: Some(rumormill_sim::EPOCH_US) };
        let mut alone = Self { node: Node::new(config(Strategy::Rumor)).expect("choices within their bounds"), now };
        let refused = alone.ask(r#""type": "scores""#);
        assert!(refused.starts_with(r#"{"type": "error", "code": 11, "text": "not initialised""#), "{refused}");
        let init = alone.ask(r#""type": "init", "node_id": "n1", "node_ids": ["n1", "n2"]"#);
        assert!(init.starts_with(r#"{"type": "init_ok""#), "{init}");
        alone
    }

    /// The body of the reply to a request.
    fn ask(&mut self, fields: &str) -> String {
        let line = format!(r#"{{"src": "c1", "dest": "n1", "body": {{"msg_id": 1, {fields}}}}}"#);
        self.node.handle_line(self.now, line.as_bytes()).expect("a request that can be answered");
        let mut out = Vec::new();
        assert_eq!(self.node.poll_transmit(self.now, &mut out), Ok(Some(Transmit::Reply)));
        let reply = String::from_utf8(out).expect("text");
        let body = reply.split_once(r#""body": "#).expect("a body").1;
        body.split(r#", "in_reply_to""#).next().expect("a part").to_owned()
    }

    #[track_caller]
    fn check(&mut self, fields: &str, reply: &str) {
        assert_eq!(self.ask(fields), format!(r#"{{"type": {reply}"#), "{fields}");
    }
}

#[test]
fn requests_with_strings_bounds_and_lists_are_answered_as_those_of_the_built_in_types() {
    let mut alone = Alone::new();
    alone.check(
        r#""type": "score", "name": "a\"n\u006e", "best": 5"#,
        r#""score_ok", "new": 1, "by": "n1", "members": 2"#,
    );
    alone.check(r#""type": "score", "name": "a\"nn", "best": 4"#, r#""score_ok", "new": 0, "by": "n1", "members": 2"#);
    alone.check(r#""type": "score", "name": "bob", "best": null"#, r#""score_ok", "new": 1, "by": "n1", "members": 2"#);
    alone.check(r#""type": "scores""#, r#""scores_ok", "names": ["a\"nn", "bob"], "best": [5, 0]"#);
    alone.check(r#""type": "score", "name": 5"#, r#""error", "code": 1001, "text": "a name is no number""#);
    alone.check(
        r#""type": "score", "name": "a", "best": 1001"#,
        r#""error", "code": 12, "text": "best must be from 0 to 1000""#,
    );
    alone.check(
        r#""type": "score", "na\u006de": "a", "name": "b""#,
        r#""error", "code": 12, "text": "duplicate field name""#,
    );
    alone.check(
        &format!(r#""type": "score", "name": "{}""#, "x".repeat(25)),
        r#""error", "code": 12, "text": "name: a text may have at most 24 bytes""#,
    );
    alone.check(
        r#""type": "longest""#,
        r#""error", "code": 13, "text": "the reply is longer than payload_bytes of the node""#,
    );
    // An error leaves nothing behind for the next reply.
    alone.check(r#""type": "echo", "echo": 1"#, r#""echo_ok", "echo": 1"#);
}

#[test]
fn a_full_table_of_a_user_refuses_with_its_own_text_and_tells_the_driver_once() {
    let mut alone = Alone::new();
    for at in 0..NAMES_MAX {
        let reply = alone.ask(&format!(r#""type": "score", "name": "name {at}""#));
        assert!(reply.contains("score_ok"), "{reply}");
    }
    for name in ["one more", "and one"] {
        alone.check(
            &format!(r#""type": "score", "name": "{name}""#),
            r#""error", "code": 11, "text": "scores full: there are at most 8 names""#,
        );
    }
    assert_eq!((alone.node.poll_refusal(), alone.node.poll_refusal()), (Some(FULL), None));
    alone.check(r#""type": "score", "name": "name 3", "best": 1"#, r#""score_ok", "new": 1, "by": "n1", "members": 2"#);
}

#[test]
fn an_entry_that_no_message_would_have_room_for_is_refused_where_it_is_made() {
    let mut alone = Alone::new();
    let now = alone.now;
    let member = alone.node.member_mut().expect("it was told of its cluster");
    let long = "x".repeat(25);
    let three = Entry::three(SCORE, [Arg::Text(&long[1..]); 3]);
    for entry in [entry(&long, 1), three, Entry::one(Tag(b'"'), Arg::Int(1)), Entry::one(SCORE, Arg::Int(1))] {
        assert_eq!(member.update(now, Change::Entry(entry)), Err(UpdateError::Unreadable), "{entry:?}");
    }
    assert_eq!(member.update(now, Change::Add(i64::MAX)).map(|dot| dot.map(|dot| dot.seq)), Ok(Some(1)));
    let longest = Scores::<Tiny>::change(&long[1..], 7);
    assert_eq!(member.update(now, longest).map(|dot| dot.map(|dot| dot.seq)), Ok(Some(2)));
    let counted = Event::Changed { change: Applied::Counted(i64::MAX.into()), by: "n1" };
    assert_eq!(member.poll_event(), Some(counted));
    assert!(matches!(member.poll_event(), Some(Event::Changed { change: Applied::Other(_), by: "n1" })));
}

#[test]
fn an_entry_that_this_node_could_not_hand_on_is_not_taken_from_a_peer() {
    let mut alone = Alone::new();
    let mut arrive = |seq: u64, name: &str| {
        let data = format!(r#"[["n2@9",{},["s","{name}",1]]]"#, seq - 1);
        let body = format!(r#"{{"type":"gossip","inc":9,"data":{data},"digest":{{"n2@9":{seq}}}}}"#);
        let line = format!(r#"{{"src":"n2","dest":"n1","body":{body}}}"#);
        alone.node.handle_line(alone.now, line.as_bytes()).expect("a message of a peer");
        let member = alone.node.member().expect("it was told of its cluster");
        (member.store().own.best().len(), member.stats().refused_unreadable)
    };
    assert_eq!(arrive(1, &"x".repeat(25)), (0, 1), "longer than a string may be here");
    assert_eq!(arrive(1, &"x".repeat(24)), (1, 1));
}
