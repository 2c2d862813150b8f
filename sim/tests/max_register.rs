//! Tests of the example of a user's data type: it converges with both strategies, and its requests get the errors of
//! the client protocol.

#[path = "../examples/max_register.rs"]
#[expect(dead_code, reason = "`main` belongs to the example")]
mod example;

use example::{MaxRegister, Node, ask, simulate};
use rumormill_core::{Applied, Config, Event, Strategy};
use rumormill_sim::{Cluster, Links};

#[test]
fn a_data_type_of_a_user_converges_under_both_strategies() {
    for strategy in Strategy::ALL {
        for seed in 0..50 {
            println!("{} with seed {seed}", strategy.name());
            simulate(strategy, seed);
        }
    }
}

/// Another implementation has no such type. When it shows the whole counter of a node, it does not hold the register.
#[test]
fn a_foreign_vector_says_nothing_about_a_data_type_of_a_user() {
    for (has_register, is_settled) in [(false, true), (true, false)] {
        let config = Config { max_message_bytes: 1_024, ..Config::default() };
        let mut two = Cluster::<Node>::new(2, Links::default(), 1, |seat| seat.member(config));
        if has_register {
            ask(&mut two, 0, r#""type": "max_write", "value": 5"#);
        }
        let body = r#"{"type": "replicate", "p_counters": {"n1": 7}, "n_counters": {}}"#;
        let line = format!(r#"{{"src": "n1", "dest": "n0", "body": {body}}}"#);
        two.deliver(0, line.as_bytes()).expect("a message of another implementation");
        assert_eq!(two.node(0).is_settled(), is_settled, "with a register: {has_register}");
    }
}

fn alone() -> Cluster<Node> {
    let config = Config { max_message_bytes: 1_024, events: true, ..Config::default() };
    Cluster::new(1, Links::default(), 1, |seat| seat.member(config))
}

fn body(cluster: &mut Cluster<Node>, fields: &str) -> String {
    let reply = ask(cluster, 0, fields);
    let from = reply.find(r#""body": "#).expect("a body") + 8;
    reply[from..].trim_end().trim_end_matches('}').to_owned()
}

#[test]
fn requests_of_a_user_get_replies_and_errors_in_the_form_of_the_protocol() {
    let mut one = alone();
    for (request, reply) in [
        (r#""type": "max_read""#, r#"{"type": "max_read_ok", "value": null, "#),
        (r#""type": "max_write", "value": 5"#, r#"{"type": "max_write_ok", "#),
        (r#""type": "max\u005fwrite", "value": -5, "value2": 1"#, r#"{"type": "max_write_ok", "#),
        (r#""type": "max_read""#, r#"{"type": "max_read_ok", "value": 5, "#),
        (r#""type": "max_write""#, r#"{"type": "error", "code": 12, "text": "value is missing", "#),
        (
            r#""type": "max_write", "value": 1, "value": 2"#,
            r#"{"type": "error", "code": 12, "text": "duplicate field value", "#,
        ),
        (
            r#""type": "max_write", "value": "5""#,
            r#"{"type": "error", "code": 12, "text": "value must be an integer", "#,
        ),
        (
            r#""type": "max_write", "value": 9223372036854775808"#,
            r#"{"type": "error", "code": 12, "text": "value must be from -9223372036854775808 to 9223372036854775807", "#,
        ),
        (r#""type": "max_remove""#, r#"{"type": "error", "code": 10, "text": "unknown type max_remove", "#),
    ] {
        let got = body(&mut one, request);
        assert!(got.starts_with(reply), "{request}\n got {got}\nwant {reply}");
    }
}

#[test]
fn a_change_of_a_users_data_type_is_an_event_with_its_entry() {
    let mut one = alone();
    one.with(0, |node, now| {
        node.update(now, MaxRegister::write(5)).unwrap().expect("a dot");
        assert_eq!(node.update(now, MaxRegister::write(4)), Ok(None), "5 includes it");
        let changed = std::iter::from_fn(|| match node.poll_event()? {
            Event::Changed { by: "n0", change: Applied::Other(entry) } => Some(format!("{:?}", entry.args())),
            other => Some(format!("{other:?}")),
        });
        assert_eq!(changed.collect::<Vec<_>>(), ["[Int(5)]"]);
    });
}
