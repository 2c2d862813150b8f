//! Reads what a node printed, as strictly as Maelstrom's client does, and says what is wrong.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::history::{Answer, Call, Outcome};
use crate::settings::Settings;
use crate::trace::Misdeed;
use crate::workload::{Fields, Wrong};

/// A message around its body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub src: Cow<'a, str>,
    #[serde(borrow)]
    pub dest: Cow<'a, str>,
    #[serde(borrow)]
    pub body: &'a RawValue,
    #[serde(default)]
    #[allow(dead_code, reason = "it is allowed, and that is all")]
    id: Option<i64>,
}

/// Reads the envelope of a line, or says why the line is no message.
pub(super) fn envelope(line: &[u8]) -> Result<Envelope<'_>, (Misdeed, String)> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err((Misdeed::MalformedLine, "a blank line".to_owned()));
    }
    serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<Fields<'_>>(line) {
        Ok(Fields(fields)) => {
            let known = ["id", "src", "dest", "body"];
            match fields.iter().find(|(key, _)| !known.contains(&key.as_ref())) {
                Some((key, _)) => (Misdeed::EnvelopeKey, format!("the envelope has the key \"{key}\"")),
                None => (Misdeed::MalformedLine, format!("not an envelope: {error}")),
            }
        }
        Err(_) => (Misdeed::MalformedLine, format!("not JSON: {error}")),
    })
}

type Read<T> = Result<T, (Misdeed, String)>;

fn bad<T>(detail: impl Into<String>) -> Read<T> {
    Err((Misdeed::BadReply, detail.into()))
}

/// Reads an `error` body: the operation has failed for sure, or its outcome is unknown.
pub(super) fn error(fields: &Fields<'_>) -> Read<Outcome> {
    let Some(code) = fields.int("code") else { return bad("an error without an integer \"code\"") };
    let text = fields.text("text").unwrap_or_default().into_owned();
    // 0 is a timeout and 13 a crash. The operation may have happened all the same.
    let is_definite = !matches!(code, 0 | 13);
    let outcome =
        if is_definite { Outcome::Fail { code, text } } else { Outcome::Info { why: format!("error {code}: {text}") } };
    Ok(outcome)
}

/// Reads the reply to an operation. It must have the type that is due, and exactly the keys that are due.
pub(super) fn answer(call: &Call, settings: &Settings, fields: &Fields<'_>) -> Read<Answer> {
    let data_type = settings.workload.data_type();
    let (request, keys) = (data_type.request(call), data_type.keys(call));
    let Some(kind) = fields.text("type") else { return bad("a reply without a \"type\"") };
    if kind.strip_suffix("_ok") != Some(request) {
        return bad(format!("a reply of type \"{kind}\" where \"{request}_ok\" is due"));
    }
    for (at, (key, _)) in fields.0.iter().enumerate() {
        let is_known = ["type", "in_reply_to", "msg_id"].contains(&key.as_ref()) || keys.contains(&key.as_ref());
        if !is_known {
            return Err((Misdeed::ExtraKey, format!("{kind} has the key \"{key}\"")));
        }
        if fields.0[..at].iter().any(|(other, _)| other == key) {
            return bad(format!("{kind} has the key \"{key}\" twice"));
        }
    }
    if let Some(missing) = keys.iter().find(|key| fields.get(key).is_none()) {
        return bad(format!("{kind} lacks the key \"{missing}\""));
    }
    if fields.get("msg_id").is_some() && fields.int("msg_id").is_none() {
        return bad(format!("{kind} has a \"msg_id\" that is no integer"));
    }
    data_type.answer(call, fields, settings).or_else(|Wrong { key, wanted }| {
        let shown: String = fields.raw(key).chars().take(80).collect();
        bad(format!("\"{key}\" of {kind} is not {wanted}: {shown}"))
    })
}

/// Whether a body has this type. A body of `init_ok` or `topology_ok` may have any other keys.
pub(super) fn is_kind(fields: &Fields<'_>, kind: &str) -> bool {
    fields.text("type").is_some_and(|found| found == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Micro;
    use crate::settings::Workload;

    fn read(call: &Call, workload: Workload, body: &str) -> Read<Answer> {
        let fields: Fields<'_> = serde_json::from_str(body).map_err(|_| (Misdeed::MalformedLine, String::new()))?;
        answer(call, &Settings { workload, ..Settings::default() }, &fields)
    }

    fn misdeed(call: &Call, body: &str) -> Misdeed {
        read(call, Workload::Broadcast, body).map_or_else(|(what, _)| what, |answer| panic!("accepted: {answer:?}"))
    }

    #[test]
    fn a_reply_with_exactly_its_keys_is_read_in_any_order() {
        for body in [
            r#"{"type":"read_ok","messages":[1,2],"in_reply_to":3,"msg_id":0}"#,
            r#"{"in_reply_to":3,"messages":[1,2],"type":"read_ok"}"#,
        ] {
            assert_eq!(read(&Call::Read, Workload::Broadcast, body), Ok(Answer::Elements(vec![1, 2].into())));
        }
        let total = r#"{"type":"read_ok","value":-4,"in_reply_to":1}"#;
        assert_eq!(read(&Call::Read, Workload::PnCounter, total), Ok(Answer::Total(-4)));
        let set = r#"{"type":"read_ok","value":[],"in_reply_to":1}"#;
        assert_eq!(read(&Call::Read, Workload::GSet, set), Ok(Answer::Elements(vec![].into())));
    }

    #[test]
    fn replies_that_maelstrom_would_refuse_are_refused_with_the_reason() {
        let extra = r#"{"type":"read_ok","messages":[],"count":0,"in_reply_to":3}"#;
        assert_eq!(misdeed(&Call::Read, extra), Misdeed::ExtraKey);
        for body in [
            r#"{"type":"read_ok","in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":["1"],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":{},"in_reply_to":3}"#,
            r#"{"type":"broadcast_ok","in_reply_to":3}"#,
            r#"{"messages":[],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":[],"messages":[],"in_reply_to":3}"#,
            r#"{"type":"read_ok","messages":[],"in_reply_to":3,"msg_id":"x"}"#,
        ] {
            assert_eq!(misdeed(&Call::Read, body), Misdeed::BadReply, "{body}");
        }
    }

    #[test]
    fn a_set_that_answers_with_a_number_and_a_counter_that_answers_with_a_list_are_refused() {
        let number = r#"{"type":"read_ok","value":5,"in_reply_to":1}"#;
        let list = r#"{"type":"read_ok","value":[5],"in_reply_to":1}"#;
        for (workload, body) in [(Workload::GSet, number), (Workload::GCounter, list), (Workload::PnCounter, list)] {
            assert!(matches!(read(&Call::Read, workload, body), Err((Misdeed::BadReply, _))), "{workload:?}");
        }
    }

    #[test]
    fn envelopes_that_silence_a_node_under_maelstrom_are_named() {
        let what = |line: &str| envelope(line.as_bytes()).map_or_else(|(what, _)| what, |_| panic!("accepted {line}"));
        assert_eq!(what(""), Misdeed::MalformedLine);
        assert_eq!(what("starting up"), Misdeed::MalformedLine);
        assert_eq!(what(r#"{"src":"n1","dest":"c1"}"#), Misdeed::MalformedLine);
        assert_eq!(what(r#"{"src":"n1","dest":"c1","body":{},"time":1}"#), Misdeed::EnvelopeKey);
        assert!(envelope(br#"{"id":5,"src":"n1","dest":"c1","body":{}}"#).is_ok());
    }

    #[test]
    fn a_transaction_comes_back_with_its_reads_filled_in_and_nothing_else_changed() {
        let asked = Call::Txn(vec![Micro::Read(1, None), Micro::Write(2, 7)]);
        let done = |txn: &str| {
            read(&asked, Workload::TxnRwRegister, &format!(r#"{{"type":"txn_ok","txn":{txn},"in_reply_to":1}}"#))
        };
        let filled = Answer::Txn(vec![Micro::Read(1, Some(5)), Micro::Write(2, 7)]);
        assert_eq!(done(r#"[["r",1,5],["w",2,7]]"#), Ok(filled));
        for wrong in
            [r#"[["r",1,5]]"#, r#"[["r",1,5],["w",2,8]]"#, r#"[["r",2,5],["w",2,7]]"#, r#"[["w",1,5],["w",2,7]]"#]
        {
            assert!(done(wrong).is_err(), "{wrong}");
        }
    }
}
