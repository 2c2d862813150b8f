//! Why each memory of a node has a life of its own: what a life that reuses dots would lose.

use super::*;

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn a_life_that_reuses_the_dots_of_the_one_before_loses_data(first in 1_u64..40, second in 1_u64..40) {
        let Lives { survivor, reborn, said } = two_lives(7, 7, first, second);
        let lacks = |replica: &Replica<Tiny>, lives: &[u64]| -> u64 {
            let values = said.iter().filter(|(life, _)| lives.contains(life));
            values.filter(|(_, value)| !replica.store.set.contains(Value::Int(*value))).count() as u64
        };
        // Changes of the first life that others know never come back. Changes of the second life under the same dots
        // are taken for known.
        prop_assert_eq!(lacks(&reborn, &[1]), first);
        prop_assert_eq!(lacks(&survivor, &[2]), first.min(second));
        if second >= first {
            // No version vector shows it; the fingerprint does.
            prop_assert_eq!(survivor.sum().vector, reborn.sum().vector);
        }
        prop_assert_ne!(survivor.sum().state, reborn.sum().state);
    }

    #[test]
    fn a_life_of_its_own_incarnation_loses_nothing(first in 1_u64..40, second in 1_u64..40, later in 1_u64..9) {
        let Lives { survivor, reborn, said } = two_lives(7, 7 + later, first, second);
        for replica in [&survivor, &reborn] {
            for (_, value) in &said {
                prop_assert!(replica.store.set.contains(Value::Int(*value)), "{value} is lost");
            }
        }
        prop_assert_eq!(survivor.sum(), reborn.sum());
        prop_assert_eq!(reborn.own_seq(), second);
    }

    #[test]
    fn a_counter_keeps_what_every_life_added(deltas in prop::collection::vec(prop::collection::vec(-9_i64..10, 0..6), 1..5)) {
        let mut survivor = replica_of::<Tiny>(OBSERVER, 1);
        let mut expected = 0;
        for (life, deltas) in (1..).zip(&deltas) {
            let mut node = replica_of::<Tiny>("b", life);
            for delta in deltas {
                let row = node.own_row().expect("its life has begun");
                let (sign, number) = node.store.counter.after(row, *delta).expect("small numbers");
                let cell = Entry::new(sign.tag(), &[Arg::unsigned(number)]).expect("one argument");
                node.update(&cell).expect("there is room");
                expected += i128::from(*delta);
            }
            transfer(&node, &mut survivor, Since::TheDigest);
            transfer(&survivor, &mut node, Since::TheDigest);
            prop_assert_eq!(node.store.counter.value(), expected);
            prop_assert_eq!(survivor.store.counter.value(), expected);
        }
    }
}

/// A node that died and came back, and a node that has heard both lives.
struct Lives {
    survivor: Replica<Tiny>,
    reborn: Replica<Tiny>,
    /// Every value that was sent, with the number of the life that sent it.
    said: Vec<(u64, i64)>,
}

fn two_lives(life: u64, next_life: u64, first: u64, second: u64) -> Lives {
    let mut survivor = replica_of::<Tiny>(OBSERVER, 1);
    let mut said = Vec::new();
    let mut say = |replica: &mut Replica<Tiny>, life: u64, count: u64| {
        for at in 0..count {
            let value = (1_000 * life + at) as i64;
            replica.update(&Entry::bare(Arg::Int(value))).expect("there is room");
            said.push((life, value));
        }
    };
    let mut node = replica_of::<Tiny>("b", life);
    say(&mut node, 1, first);
    transfer(&node, &mut survivor, Since::TheDigest);
    let mut reborn = replica_of::<Tiny>("b", next_life);
    say(&mut reborn, 2, second);
    // Four times is more than needed.
    for _ in 0..4 {
        transfer(&reborn, &mut survivor, Since::TheDigest);
        transfer(&survivor, &mut reborn, Since::TheDigest);
    }
    Lives { survivor, reborn, said }
}
