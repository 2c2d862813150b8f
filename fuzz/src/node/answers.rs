//! Checks an answer: its receiver and its fields.

use rumormill_core::data_type::Application;
use std::collections::HashSet;

use rumormill_core::id::json_len;
use rumormill_core::wire::{Key, Message, Str};
use rumormill_sim::Joined as _;
use serde_json::Value as Json;

use super::pair::Pair;

/// A request, as far as it decides what the answer has to be.
pub(super) struct Asked {
    src: String,
    pub(super) msg_id: i64,
    echo: Option<Json>,
}

impl<S: Application> Pair<S> {
    /// The request in a line, if the node has to answer it.
    pub(super) fn asked(&self, line: &[u8]) -> Option<Asked> {
        let mut message = Message::new();
        message.decode(line).ok()?;
        let usable = |id: Option<Str<'_>>| {
            let id: String = id?.chars().collect();
            (!id.is_empty() && json_len(&id) <= self.one.limits().id_bytes).then_some(id)
        };
        let (src, dest) = (usable(message.src)?, message.dest?.chars().collect::<String>());
        let unanswered = message.is_reply || message.kind.is_some_and(|kind| kind.is_unanswered());
        let for_me = if self.is_initialised() { dest == self.me() } else { usable(message.dest).is_some() };
        if unanswered || !for_me {
            return None;
        }
        let echo = message.need(Key::Echo).ok().and_then(|_| {
            let line: Json = serde_json::from_slice(line).ok()?;
            line["body"].get("echo").cloned()
        });
        Some(Asked { src, msg_id: message.msg_id?, echo })
    }

    /// An answer goes to the sender of the request. It has the keys of its type in their order, and no others.
    pub(super) fn check_answer(&mut self, reply: &Json, asked: &Asked) {
        assert_eq!(reply["dest"], asked.src, "{reply}");
        let body = &reply["body"];
        assert_eq!(body["in_reply_to"].as_i64(), Some(asked.msg_id), "{reply}");
        let name = body["type"].as_str().unwrap_or_default();
        let keys: HashSet<&str> =
            body.as_object().into_iter().flat_map(|body| body.keys().map(String::as_str)).collect();
        let fields = ANSWERS.iter().filter(|(answer, _)| *answer == name);
        let expected =
            |fields: &[&'static str]| fields.iter().copied().chain(["type", "in_reply_to", "msg_id"]).collect();
        assert!(fields.into_iter().any(|(_, fields)| keys == expected(fields)), "{reply}");
        match name {
            "echo_ok" => assert_eq!(Some(&body["echo"]), asked.echo.as_ref(), "{reply}"),
            "generate_ok" => {
                assert!(self.generated.insert(body["id"].as_str().expect("a string").into()), "{reply}");
            }
            "write_ok" => {
                let micros = (body["ts"].as_f64().unwrap_or_default() * 1e6).round() as u64;
                // Beyond 2^53 a double no longer tells microseconds apart.
                assert!(micros > self.stamps || micros >= 1 << 53, "{reply} after {}", self.stamps);
                self.stamps = micros;
            }
            "read_ok" | "digest_sync_ok" => {
                let list = body.get("messages").or(body.get("local_messages")).or(body.get("value"));
                if let Some(Json::Array(values)) = list {
                    let distinct: HashSet<String> = values.iter().map(Json::to_string).collect();
                    assert_eq!(distinct.len(), values.len(), "{reply}");
                    assert_eq!(values.len(), self.one.store().set.len(), "{reply}");
                }
            }
            "error" => {
                assert!(matches!(body["code"].as_u64(), Some(10 | 11 | 12 | 20 | 22)), "{reply}");
                assert!(body["text"].as_str().is_some_and(|text| !text.is_empty()), "{reply}");
            }
            _ => {}
        }
    }
}

/// The answers: type, and fields besides `type`, `in_reply_to` and `msg_id`.
const ANSWERS: &[(&str, &[&str])] = &[
    ("init_ok", &[]),
    ("topology_ok", &[]),
    ("echo_ok", &["echo"]),
    ("generate_ok", &["id"]),
    ("broadcast_ok", &[]),
    ("read_ok", &["messages"]),
    ("read_ok", &["value"]),
    ("configure_ok", &[]),
    ("gossip_stats_ok", &["broadcasts_received", "gossip_messages_sent", "messages_per_op", "unique_messages"]),
    ("gossip_round_ok", &["peers_contacted", "messages_sent"]),
    ("gossip_sync_ok", &["new_count"]),
    ("digest_ok", &["digest", "count"]),
    ("digest_sync_ok", &["match", "transferred"]),
    ("digest_sync_ok", &["match", "transferred", "local_messages"]),
    ("add_ok", &[]),
    ("gossip_status_ok", &["local_value", "gossip_rounds", "peers_synced", "convergence_ms"]),
    ("write_ok", &["ts"]),
    ("kv_read_ok", &["key", "value", "ts"]),
    ("kv_merge_ok", &["updated"]),
    ("bench_write_ok", &["write_id"]),
    ("bench_report_ok", &["total_writes", "total_gossip_msgs", "msgs_per_write", "keys_stored"]),
    (
        "bench_stats_ok",
        &[
            "total_writes",
            "total_gossip_msgs",
            "msgs_per_write",
            "keys_stored",
            "reads",
            "stale_reads",
            "convergence_ms_median",
            "convergence_ms_max",
        ],
    ),
    ("stats_ok", &["stats"]),
    ("txn_ok", &["txn"]),
    ("error", &["code", "text"]),
];
