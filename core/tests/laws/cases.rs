//! Single cases of data types and rows, each with the entries that show it.

use super::*;

#[test]
fn a_value_said_under_several_dots_is_once_in_the_set_and_all_its_dots_count() {
    let said =
        |node, seq| Dotted { node, life: 0, seq, change: Change { tag: Tag::BARE, fields: vec![Field::Number(5)] } };
    let history = [said(0, 1), said(1, 1), said(0, 2)];
    let mut replica = observer::<Tiny>();
    let outcomes = history.each_ref().map(|dotted| deliver(&mut replica, dotted));
    assert_eq!(outcomes, [Outcome::News, Outcome::Covered, Outcome::Covered]);
    assert_eq!(replica.store.set.values().collect::<Vec<_>>(), [Value::Int(5)]);
    assert_eq!(frontiers(&replica), [("b".into(), 2), ("n10".into(), 1)]);
}

#[test]
fn superseded_entries_count_as_applied_when_they_come_late_and_when_they_never_come() {
    let cell = |seq, number| Dotted {
        node: 2,
        life: 7,
        seq,
        change: Change { tag: Sign::P.tag(), fields: vec![Field::Number(number)] },
    };
    let mut late = observer::<Tiny>();
    assert_eq!(deliver(&mut late, &cell(3, 30)), Outcome::News);
    assert_eq!(frontiers(&late), []);
    assert_eq!(deliver(&mut late, &cell(1, 10)), Outcome::Covered);
    assert_eq!(deliver(&mut late, &cell(2, 20)), Outcome::Covered);
    assert_eq!(frontiers(&late), [("n2@7".into(), 3)]);
    let mut never = observer::<Tiny>();
    transfer(&late, &mut never, Since::TheDigest);
    assert_eq!(whole(&late, Counter::content), whole(&never, Counter::content));
}

#[test]
fn among_writes_of_one_key_stamp_then_node_then_life_decide_in_every_order_of_arrival() {
    let write = |node: usize, life, seq, stamp| Dotted {
        node,
        life,
        seq,
        change: Change {
            tag: WRITE,
            fields: vec![
                Field::Text("k".into()),
                Field::Text(format!("{}@{life}#{seq}", NODES[node])),
                Field::Number(stamp),
            ],
        },
    };
    // In ascending order: by stamp, then by the bytes of the id (`n10` before `n2`), then by life as a number.
    let ascending = [
        write(4, 12, 1, 8),
        write(0, 12, 1, 9),
        write(1, 0, 1, 9),
        write(1, 7, 1, 9),
        write(1, 12, 1, 9),
        write(2, 0, 1, 9),
    ];
    for count in 2..=ascending.len() {
        let writes = &ascending[..count];
        let expected = LwwMap::model(&writes[count - 1..]);
        permutations(count, &mut |order| {
            let mut replica = observer::<Tiny>();
            for at in order {
                deliver(&mut replica, &writes[*at]);
            }
            assert_eq!(LwwMap::content(&replica), expected, "{order:?}");
            let all = writes.iter().all(|Dotted { node, life, .. }| {
                let row = row(&mut replica, *node, *life);
                replica.causality.rows.get(row).frontier == 1
            });
            assert!(all, "{order:?}");
        });
    }
}

#[test]
fn cells_of_foreign_rows_are_kept_apart_from_the_row_that_brought_them() {
    let mut replica = observer::<Tiny>();
    let cell = |seq, sign: Sign, of: &str, number| Dotted {
        node: 0,
        life: 7,
        seq,
        change: Change { tag: sign.tag(), fields: vec![Field::Text(of.into()), Field::Number(number)] },
    };
    for dotted in [
        cell(1, Sign::P, "n10", 10),
        cell(2, Sign::N, "n10", 3),
        cell(3, Sign::P, "n2@12", 5),
        cell(4, Sign::P, "n10", 7),
    ] {
        deliver(&mut replica, &dotted);
    }
    let expected = ["n10@0 N 3", "n10@0 P 10", "n2@12 P 5"];
    assert_eq!(Counter::content(&replica), expected);
    assert_eq!(replica.store.counter.value(), 12);
    assert_eq!(frontiers(&replica), [("b@7".into(), 4)]);
    let mut other = observer::<Tiny>();
    transfer(&replica, &mut other, Since::TheBeginning);
    assert_eq!(Counter::content(&other), expected);
}

#[test]
fn states_that_differ_in_one_place_have_different_fingerprints() {
    let one_and_five = [Field::Number(1), Field::Number(5), Field::Text("5".into())];
    let mut changes = Vec::new();
    for first in &one_and_five {
        changes.push(Change { tag: Tag::BARE, fields: vec![first.clone()] });
        for second in &one_and_five {
            let write = |stamp| vec![first.clone(), second.clone(), Field::Number(stamp)];
            changes.extend([1, 5].map(|stamp| Change { tag: WRITE, fields: write(stamp) }));
        }
    }
    for tag in Sign::ALL.map(Sign::tag) {
        for number in [1, 5].map(Field::Number) {
            let names = ["b", "b@12", "n10"].map(|name| Field::Text(name.into()));
            changes.extend(names.map(|name| Change { tag, fields: vec![name, number.clone()] }));
            changes.push(Change { tag, fields: vec![number] });
        }
    }
    let all: BTreeSet<u64> = changes
        .iter()
        .map(|change| observer_of::<Tiny>(&[dotted(1, &(0, 7, change.clone()))]).store.fingerprint())
        .collect();
    assert_eq!(all.len(), changes.len());
}

#[test]
fn every_table_that_can_be_full_refuses_and_the_refused_dot_fits_where_there_is_room() {
    let numbers = |from: u64| (from..).map(Field::Number);
    let texts = (0..).map(|at| Field::Text(format!("seven{at:02}")));
    let said = |value| Change { tag: Tag::BARE, fields: vec![value] };
    let write = |key| Change { tag: WRITE, fields: vec![key, Field::Number(0), Field::Number(1)] };
    full::<BroadcastSet>(&mut numbers(0).map(said), 4, Bound::Values(4));
    full::<BroadcastSet>(&mut numbers(1_000).map(said), 4, Bound::Values(4));
    full::<BroadcastSet>(&mut texts.clone().map(said), 2, Bound::SetText(16));
    full::<LwwMap>(&mut texts.map(write), 2, Bound::Keys(2));
    full::<LwwMap>(&mut numbers(0).map(write), 2, Bound::Keys(2));
}

/// The first `fitting` changes fit, and the next one finds `bound` full: as local changes, and as entries of a peer.
fn full<T: Subject>(changes: &mut dyn Iterator<Item = Change>, fitting: u64, bound: Bound) {
    let changes: Vec<Change> = changes.take(fitting as usize + 1).collect();
    let (last, first) = changes.split_last().expect("there is one more");
    let refused = Refused::Full(bound);
    let mut local = observer::<Cramped>();
    let mut remote = observer::<Cramped>();
    let mut roomy = observer::<Tiny>();
    let dotted = |seq: u64, change: &Change| Dotted { node: 1, life: 7, seq, change: change.clone() };
    for (seq, change) in (1..).zip(first) {
        let dot = change.with_entry(|entry| local.update(entry)).expect("there is room");
        assert_eq!(dot.map(|dot| dot.seq), Some(seq));
        assert_eq!(deliver(&mut remote, &dotted(seq, change)), Outcome::News);
        assert_eq!(deliver(&mut roomy, &dotted(seq, change)), Outcome::News);
    }
    let before = (whole(&local, T::content), whole(&remote, T::content));
    let last = dotted(fitting + 1, last);
    assert_eq!(last.change.with_entry(|entry| local.update(entry)), Err(refused));
    assert_eq!(deliver(&mut remote, &last), Outcome::Refused(refused));
    assert_eq!(before, (whole(&local, T::content), whole(&remote, T::content)));
    assert_eq!((local.own_seq(), frontiers(&remote)), (fitting, vec![("n10@7".into(), fitting)]));
    assert_eq!(deliver(&mut roomy, &last), Outcome::News);
    assert_eq!(frontiers(&roomy), [("n10@7".into(), fitting + 1)]);
    // The dot was not used up: a change that fits takes it.
    let cell = Entry::new(Sign::P.tag(), &[Arg::Int(1)]).expect("a cell has one argument");
    assert_eq!(local.update(&cell).map(|dot| dot.map(|dot| dot.seq)), Ok(Some(fitting + 1)));
}

#[test]
fn only_this_life_of_this_node_makes_its_own_dots() {
    let mut replica = observer::<Tiny>();
    let own = replica.own_row().expect("its life has begun");
    replica.update(&Entry::bare(Arg::Int(1))).expect("there is room");
    let before = whole(&replica, Together::content);
    let forged = Entry::bare(Arg::Int(2));
    assert_eq!(replica.merge(Dot { row: own, seq: 2 }, &forged), Outcome::Impostor);
    assert_eq!(replica.merge(Dot { row: own, seq: 1 }, &forged), Outcome::Impostor, "another value under a used dot");
    assert_eq!(replica.merge(Dot { row: own, seq: 1 }, &Entry::bare(Arg::Int(1))), Outcome::Known);
    assert_eq!(replica.skip(own, 1, 9, u64::MAX), Outcome::Impostor);
    assert_eq!(before, whole(&replica, Together::content));
}

#[test]
fn an_own_change_that_was_superseded_is_still_known_and_another_under_its_dot_is_not() {
    let mut replica = observer::<Tiny>();
    let own = replica.own_row().expect("its life has begun");
    let write = |value, stamp_us| Entry::three(WRITE, [Arg::Text("k"), Arg::Int(value), Arg::Int(stamp_us)]);
    for entry in
        [write(1, 10), write(2, 20), Entry::one(Sign::P.tag(), Arg::Int(3)), Entry::one(Sign::P.tag(), Arg::Int(5))]
    {
        replica.update(&entry).expect("there is room").expect("it is new");
    }
    let cell = |number| Entry::one(Sign::P.tag(), Arg::Int(number));
    let other = Entry::three(WRITE, [Arg::Text("z"), Arg::Int(1), Arg::Int(10)]);
    for (seq, entry, outcome) in [
        (1, write(1, 10), Outcome::Known),
        (2, write(2, 20), Outcome::Known),
        (3, cell(3), Outcome::Known),
        (4, cell(5), Outcome::Known),
        (1, other, Outcome::Impostor),
        (1, write(9, 30), Outcome::Impostor),
        (3, cell(6), Outcome::Impostor),
    ] {
        assert_eq!(replica.merge(Dot { row: own, seq }, &entry), outcome, "{seq}: {entry:?}");
    }
}

#[test]
fn the_counters_of_rows_that_this_memory_makes_change_only_here_by_whatever_name_they_come() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let first = replica.own_row().expect("its life has begun");
    let cell = |args: &[Arg<'static>]| Entry::new(Sign::P.tag(), args).expect("two arguments at most");
    replica.update(&cell(&[Arg::Int(7)])).expect("there is room");
    let second = replica.take_life(9).expect("there is room");
    replica.update(&cell(&[Arg::Int(1)])).expect("there is room");
    assert_eq!((replica.own_row(), replica.own_seq()), (Some(second), 1));
    let other = row(&mut replica, 1, 3);
    let number = |replica: &Replica<Tiny>| [first, second].map(|row| replica.store.counter.cell(row, Sign::P));
    for (seq, name) in [(1, "b@5"), (2, "b@9")] {
        let before = whole(&replica, Together::content);
        for args in [[Arg::Text(name), Arg::Int(8)], [Arg::Text(name), Arg::Big(u64::MAX)]] {
            assert_eq!(replica.merge(Dot { row: other, seq }, &cell(&args)), Outcome::Impostor);
        }
        let (node, incarnation) = (&name[..1], name[2..].parse().expect("a life"));
        let structured = cell(&[Arg::Row { node, incarnation }, Arg::Int(8)]);
        assert_eq!(replica.merge(Dot { row: other, seq }, &structured), Outcome::Impostor);
        assert_eq!(replica.update(&structured), Err(Refused::Impostor));
        assert_eq!(before, whole(&replica, Together::content));
        // A change that it has made itself is no claim.
        let known = cell(&[Arg::Text(name), Arg::Int(1)]);
        assert_eq!(replica.merge(Dot { row: other, seq }, &known), Outcome::Covered);
    }
    assert_eq!(number(&replica), [7, 1]);
    for row in [first, second] {
        assert_eq!(replica.merge(Dot { row, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::Impostor);
        assert_eq!(replica.skip(row, 1, 2, u64::MAX), Outcome::Impostor);
        assert_eq!(replica.skip(row, 0, 1, u64::MAX), Outcome::Known);
    }
    replica.causality.rows.give_up(first);
    assert_eq!(replica.merge(Dot { row: first, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::News);
    assert_eq!(replica.merge(Dot { row: other, seq: 3 }, &cell(&[Arg::Text("b@5"), Arg::Int(10)])), Outcome::News);
    assert_eq!(replica.merge(Dot { row: second, seq: 2 }, &cell(&[Arg::Int(9)])), Outcome::Impostor);
    assert_eq!((number(&replica), replica.store.counter.value()), ([10, 1], 11));
}

#[test]
fn a_counter_stays_in_64_bits_and_may_come_back_from_beyond() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let own = replica.own_row().expect("its life has begun");
    let other = row(&mut replica, 1, 7);
    let cell = |sign: Sign, number| Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
    let after = |replica: &Replica<Tiny>, delta| replica.store.counter.after(own, delta);
    let max = i64::MAX.cast_unsigned();
    for (sign, against, one) in [(Sign::P, Sign::N, 1), (Sign::N, Sign::P, -1)] {
        let mut replica = replica_of::<Tiny>("b", 5);
        row(&mut replica, 1, 7);
        let most = if sign == Sign::P { max } else { max + 1 };
        assert_eq!(after(&replica, 0), Some((Sign::P, 0)));
        replica.update(&cell(sign, most - 1)).expect("there is room");
        assert_eq!((after(&replica, one), after(&replica, 2 * one)), (Some((sign, most)), None));
        replica.update(&cell(sign, most)).expect("there is room");
        assert_eq!((after(&replica, one), after(&replica, -one)), (None, Some((against, 1))));
        // A peer that did not know that number has added more.
        assert_eq!(replica.merge(Dot { row: other, seq: 1 }, &cell(sign, 10)), Outcome::News);
        assert_eq!(after(&replica, one), None);
        assert_eq!(
            (after(&replica, 0), after(&replica, -one)),
            (Some((Sign::P, replica.store.counter.cell(own, Sign::P))), Some((against, 1)))
        );
        assert_eq!(replica.store.counter.cells(), 2);
    }
    // A cell is full before the value is.
    replica.update(&cell(Sign::P, u64::MAX - 1)).expect("there is room");
    replica.update(&cell(Sign::N, u64::MAX - 1)).expect("there is room");
    assert_eq!((after(&replica, 1), after(&replica, 2)), (Some((Sign::P, u64::MAX)), None));
    assert_eq!((after(&replica, -1), after(&replica, -2)), (Some((Sign::N, u64::MAX)), None));
    assert_eq!((replica.store.counter.value(), replica.store.counter.cells()), (0, 2));
    replica.update(&cell(Sign::P, u64::MAX)).expect("there is room");
    assert_eq!(replica.store.counter.cells(), 2);
}

#[test]
fn strings_are_bounded_by_what_they_take_in_a_message_and_an_unknown_tag_changes_nothing() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let own = replica.own_row().expect("its life has begun");
    let (fits, long) = ("\"".repeat(12), "\"".repeat(13));
    assert!(replica.store.set.is_empty());
    let before = whole(&replica, Together::content);
    for entry in [
        Entry::bare(Arg::Text(&long)),
        Entry::new(WRITE, &[Arg::Text(&long), Arg::Int(1), Arg::Int(1)]).expect("three arguments"),
        Entry::new(WRITE, &[Arg::Int(1), Arg::Text(&long), Arg::Int(1)]).expect("three arguments"),
        Entry::new(Tag(b'?'), &[Arg::Int(1), Arg::Int(1), Arg::Int(1)]).expect("three arguments"),
        Entry::new(Tag(b'?'), &[Arg::Int(1)]).expect("one argument"),
    ] {
        assert_eq!(replica.update(&entry), Err(Refused::Unreadable), "{entry:?}");
    }
    assert_eq!((before, replica.own_seq()), (whole(&replica, Together::content), 0));
    for (seq, entry) in [
        (1, Entry::bare(Arg::Text(&fits))),
        (2, Entry::new(WRITE, &[Arg::Text(&fits), Arg::Text(&fits), Arg::Int(1)]).expect("three arguments")),
    ] {
        assert_eq!(replica.update(&entry), Ok(Some(Dot { row: own, seq })));
    }
    assert!(!replica.store.set.is_empty());
}

#[test]
fn the_hash_of_a_set_depends_on_its_values_and_not_on_their_order() {
    let set = |values: &[Value<'static>]| {
        let mut replica = replica_of::<Tiny>("b", 5);
        for value in values {
            replica.update(&Entry::bare((*value).into())).expect("there is room");
        }
        replica.store.set.hash()
    };
    let (one, two) = (Value::Int(1), Value::Text("1"));
    assert_eq!(set(&[one, two]), set(&[two, one]));
    let hashes = [set(&[]), set(&[one]), set(&[two]), set(&[one, two]), set(&[Value::Int(-1)])];
    assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
}

#[test]
fn a_row_is_found_by_name_and_a_name_makes_none() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let zero = row(&mut replica, 1, 0);
    let seven = row(&mut replica, 1, 7);
    let find = |name| replica.causality.find_row(name);
    assert_eq!([find("n10"), find("n10@7"), find("b@5")], [Some(zero), Some(seven), replica.own_row()]);
    assert_eq!(["b", "n10@8", "n2", "x", "n10@07", "@7"].map(find), [None; 6]);
    assert_eq!(replica.causality.rows.len(), 3);
}

#[test]
fn every_row_of_the_pool_has_both_cells_of_a_counter_and_shows_them_in_its_vectors() {
    fn check<S: Product>() {
        let mut replica = replica_of::<S>("b", 5);
        let mut rows = vec![];
        for (node, life) in (0..5).flat_map(|node| (0..9).map(move |life| (node, life))) {
            let row = replica.causality.rows.find_or_add(NodeIndex(node), life, NODES[node as usize]);
            rows.extend(row);
        }
        assert_eq!(replica.causality.rows.len(), 32);
        let own = replica.own_row().expect("its life has begun");
        for row in rows.iter().copied().filter(|row| *row != own) {
            for (seq, sign) in [(1, Sign::P), (2, Sign::N)] {
                let number = 10 * u64::from(row.0) + seq;
                let cell = Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
                assert_eq!(replica.merge(Dot { row, seq }, &cell), Outcome::News);
                assert_eq!(replica.store.counter.cell(row, sign), number);
            }
        }
        let first = rows[0];
        let mut shown = vec![];
        replica.store.vectors(Lane::Tick, |name, number| {
            shown.push((name, number(first), number(RowId(31)), number(own)));
        });
        let expected = |number| (Some(10 * u64::from(first.0) + number), Some(310 + number), None);
        assert_eq!(
            shown.iter().map(|shown| (shown.1, shown.2, shown.3)).collect::<Vec<_>>(),
            [expected(1), expected(2)]
        );
        assert_eq!([shown[0].0, shown[1].0], ["p_counters", "n_counters"]);
        // A row with one of the numbers shows both.
        let cell = Entry::new(Sign::N.tag(), &[Arg::Int(3)]).expect("one argument");
        replica.update(&cell).expect("there is room");
        let mut numbers = vec![];
        replica.store.vectors(Lane::Tick, |_, number| numbers.push(number(own)));
        assert_eq!(numbers, [Some(0), Some(3)]);
        replica.store.vectors(Lane::Push, |name, _| panic!("{name}"));
    }
    check::<Tiny>();
    #[cfg(feature = "alloc")]
    check::<rumormill_core::storage::Heap>();
}

#[test]
fn an_entry_travels_on_the_lane_of_its_data_type() {
    let lane = Store::<Tiny>::lane;
    assert_eq!([Tag::BARE, WRITE].map(lane), [Some(Lane::Push); 2]);
    assert_eq!(Sign::ALL.map(|sign| lane(sign.tag())), [Some(Lane::Tick); 2]);
    assert_eq!(lane(Tag(b'?')), None);
    assert_eq!(Lane::ALL.map(Lane::at), [0, 1]);
    assert_eq!(Lane::ALL.map(Lane::default_interval_ms), [200, 100]);
}

#[test]
fn whatever_changes_state_or_vector_is_news_and_nothing_else_is() {
    for outcome in
        [Outcome::News, Outcome::Covered, Outcome::TooFarAhead { news: true }, Outcome::SkipTooFar { marked: true }]
    {
        assert!(outcome.is_news(), "{outcome:?}");
    }
    for outcome in [
        Outcome::Known,
        Outcome::Impostor,
        Outcome::Refused(Refused::ClockAhead),
        Outcome::TooFarAhead { news: false },
        Outcome::SkipTooFar { marked: false },
    ] {
        assert!(!outcome.is_news(), "{outcome:?}");
    }
}

#[test]
fn a_sum_in_short_depends_on_vector_and_state() {
    let sums = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)].map(|(vector, state)| Sum { vector, state }.short());
    assert_eq!(sums.iter().collect::<BTreeSet<_>>().len(), sums.len());
}

#[test]
fn a_node_takes_only_a_life_above_all_that_are_known_of_it() {
    let mut replica = replica_of::<Tiny>("b", 5);
    replica.update(&Entry::bare(Arg::Int(1))).expect("there is room");
    row(&mut replica, 0, 8);
    let before = whole(&replica, Together::content);
    for life in [0, 4, 5, 7, 8] {
        assert_eq!(replica.take_life(life), Err(RowRefused::Taken));
    }
    assert_eq!((replica.own_seq(), &before), (1, &whole(&replica, Together::content)));
    let row = replica.take_life(9).expect("there is room");
    assert_eq!(replica.causality.name(row), ("b", 9));
    let dot = replica.update(&Entry::bare(Arg::Int(2))).expect("there is room");
    assert_eq!(dot, Some(Dot { row, seq: 1 }));
    assert_eq!(frontiers(&replica), [("b@5".into(), 1), ("b@9".into(), 1)]);
}

#[test]
fn a_node_takes_lives_until_the_pool_has_none_for_it() {
    let mut replica = replica_of::<Tiny>("b", 0);
    let nodes = NODES.len();
    let fits = 32 - (nodes - 1) * (16 / nodes);
    for life in 1..fits as u64 {
        assert!(replica.take_life(life).is_ok(), "{life}");
    }
    let own = replica.own_row();
    assert_eq!(replica.take_life(1_000), Err(RowRefused::Full));
    assert_eq!(replica.own_row(), own);
}

#[test]
fn a_row_is_made_only_when_something_in_it_is_applied() {
    let mut replica = replica_of::<Cramped>("b", 5);
    let rows = |replica: &Replica<Cramped>| replica.causality.rows.len();
    let node = NodeIndex(1);
    let cell = |args: &[Arg<'static>]| Entry::new(Sign::P.tag(), args).expect("two arguments at most");
    let write = Entry::new(WRITE, &[Arg::Int(1), Arg::Int(2), Arg::Big(u64::MAX)]).expect("three arguments");
    for (entry, outcome) in [
        (cell(&[Arg::Text("x@1"), Arg::Int(1)]), Outcome::Refused(Refused::Row(RowRefused::Stranger))),
        (cell(&[Arg::Text("b@5"), Arg::Int(1)]), Outcome::Impostor),
        (cell(&[Arg::Text("n10@8"), Arg::Text("x")]), Outcome::Refused(Refused::Unreadable)),
        (write, Outcome::Refused(Refused::ClockAhead)),
        (Entry::bare(Arg::Big(u64::MAX)), Outcome::Refused(Refused::Unreadable)),
    ] {
        let row = replica.open(node, 7).expect("there is room");
        assert_eq!(replica.merge(Dot { row, seq: 1 }, &entry), outcome);
        assert_eq!((replica.close(row), rows(&replica)), (None, 1), "{entry:?}");
    }
    // The number 0 is known already, and its dot counts. The row that it names is not made.
    let row = replica.open(node, 7).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 1 }, &cell(&[Arg::Text("n10@8"), Arg::Int(0)])), Outcome::Covered);
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 2));
    // An entry too far ahead is kept in its row.
    let row = replica.open(node, 9).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &Entry::bare(Arg::Int(3))), Outcome::TooFarAhead { news: true });
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 3));
    let row = replica.open(node, 10).expect("there is room");
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &Entry::bare(Arg::Int(3))), Outcome::TooFarAhead { news: false });
    assert_eq!(replica.skip(row, 500, 600, u64::MAX), Outcome::TooFarAhead { news: false });
    assert_eq!((replica.close(row), rows(&replica)), (None, 3));
    // An entry too far ahead that names another row is kept as well, and that row is made.
    let row = replica.open(node, 11).expect("there is room");
    let named = cell(&[Arg::Text("n10@12"), Arg::Int(4)]);
    assert_eq!(replica.merge(Dot { row, seq: 999 }, &named), Outcome::TooFarAhead { news: true });
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 5));
    // A full set refuses a value, but not a skip.
    for value in 10..13 {
        replica.update(&Entry::bare(Arg::Int(value))).expect("there is room");
    }
    let row = replica.open(node, 13).expect("there is room");
    let refused = replica.merge(Dot { row, seq: 1 }, &Entry::bare(Arg::Int(99)));
    assert_eq!(refused, Outcome::Refused(Refused::Full(Bound::Values(4))));
    assert_eq!((replica.close(row), rows(&replica)), (None, 5));
    let row = replica.open(node, 13).expect("there is room");
    assert_eq!(replica.skip(row, 4, 5, u64::MAX), Outcome::Covered);
    assert_eq!((replica.close(row), rows(&replica)), (Some(row), 6));
}

#[test]
fn a_skip_counts_up_to_its_bound() {
    let mut replica = replica_of::<Tiny>("b", 5);
    let id = row(&mut replica, 1, 7);
    let frontier = |replica: &Replica<Tiny>| replica.causality.rows.get(id).frontier;
    assert_eq!(replica.skip(id, 0, 1 << 62, 3), Outcome::SkipTooFar { marked: true });
    assert_eq!(frontier(&replica), 3);
    assert_eq!(replica.skip(id, 0, 1 << 62, 3), Outcome::SkipTooFar { marked: false });
    assert_eq!(replica.skip(id, 5, 1 << 62, 8), Outcome::SkipTooFar { marked: true });
    assert_eq!(replica.causality.rows.get(id).beyond().collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(replica.skip(id, 5, 9, 4), Outcome::SkipTooFar { marked: false });
    assert_eq!(replica.skip(id, 5, 8, 8), Outcome::Known);
    assert_eq!(replica.skip(id, 0, 3, 0), Outcome::Known, "whatever the bound, what is known is known");
    assert_eq!(replica.skip(id, 1_000, 1_001, 2_000), Outcome::TooFarAhead { news: false });
    assert_eq!(replica.skip(id, 60, 2_000, 2_000), Outcome::Covered);
    assert_eq!(replica.causality.rows.get(id).highest(), 3 + 65);
    assert_eq!(replica.skip(id, 3, 5, 5), Outcome::Covered);
    assert_eq!(frontier(&replica), 8);
}
