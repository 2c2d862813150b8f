//! What the bench does with a line that a node prints.

use std::sync::Arc;

use crate::history::{Answer, Outcome};
use crate::settings::Micros;
use crate::trace::{Misdeed, PeerMessage};
use crate::workload::Fields;

use super::clients::{State, What};
use super::id::number;
use super::{Bench, Payload, SHOWN, observe, reply};

impl Bench {
    /// A node printed a line. `line` has no newline; a carriage return at its end is white space.
    pub fn handle_line(&mut self, now: Micros, node: usize, line: &[u8]) {
        self.now = self.now.max(now);
        if self.is_done() || self.cluster.is_down(node) || self.cluster.is_muted(node) {
            return;
        }
        let envelope = match reply::envelope(line) {
            Ok(envelope) => envelope,
            Err((what, why)) => return self.complain(node, what, format!("{why}: {}", shown(line))),
        };
        if number(&envelope.src, 'n') != Some(node) {
            let why = format!("\"src\" is \"{}\": {}", envelope.src, shown(line));
            self.complain(node, Misdeed::WrongSource, why);
        }
        if let Some(to) = number(&envelope.dest, 'n').filter(|to| *to < self.settings.nodes) {
            self.forward(node, to, line);
        } else if let Some(client) = number(&envelope.dest, 'c').filter(|client| self.clients.is_client(*client)) {
            self.network.count_client();
            self.handle_reply(node, client, envelope.body.get(), line);
        } else {
            let why = format!("\"dest\" is \"{}\": {}", envelope.dest, shown(line));
            self.complain(node, Misdeed::UnknownDestination, why);
        }
        self.advance();
    }

    /// A message between nodes.
    fn forward(&mut self, from: usize, to: usize, line: &[u8]) {
        if !self.cluster.may_talk(from, self.now) {
            self.complain(from, Misdeed::TooEarly, shown(line));
        }
        let bytes = line.len() + 1;
        self.trace.messages.push(PeerMessage {
            sent_us: self.now,
            from: from as u32,
            to: to as u32,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
        let seen = observe::look(line, self.cluster.follows_values());
        let carried = self.cluster.sends(from, seen);
        let payload = Payload { line: line.to_vec(), carried: Some(Arc::new(carried)), life: None };
        self.network.send(self.now, from, to, bytes, payload);
    }

    fn handle_reply(&mut self, node: usize, client: usize, body: &str, line: &[u8]) {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(body) else {
            return self.complain(node, Misdeed::BadReply, format!("the body is no object: {}", shown(line)));
        };
        let found = fields.int("in_reply_to").and_then(|msg_id| self.clients.request(msg_id));
        let Some((at, request)) = found.filter(|(_, request)| request.client == client && request.node == node) else {
            return self.complain(node, Misdeed::UnknownRequest, shown(line));
        };
        let what = request.what;
        match request.state {
            State::Waiting => {}
            State::Answered => return self.complain(node, Misdeed::SecondReply, shown(line)),
            State::GivenUp if self.settings.mute_late => {
                self.cluster.mute(node);
                return self.complain(node, Misdeed::LateReply, format!("it is muted from now on: {}", shown(line)));
            }
            State::GivenUp if self.cluster.was_stopped_since(node, request.sent_us) => return,
            State::GivenUp => return self.complain(node, Misdeed::LateReply, shown(line)),
        }
        self.clients.answered(at);
        match what {
            What::Init => self.init_answered(node, &fields, line),
            What::Topology => {
                if !reply::is_kind(&fields, "topology_ok") {
                    self.complain(node, Misdeed::BadReply, format!("topology_ok is due: {}", shown(line)));
                }
                self.node_is_up(node);
            }
            What::Lab(kind) => {
                if !reply::is_kind(&fields, &format!("{kind}_ok")) {
                    self.complain(node, Misdeed::BadReply, format!("{kind}_ok is due: {}", shown(line)));
                }
            }
            What::Op(op) => self.op_answered(node, op, &fields, line),
        }
    }

    fn init_answered(&mut self, node: usize, fields: &Fields<'_>, line: &[u8]) {
        if !reply::is_kind(fields, "init_ok") {
            self.complain(node, Misdeed::NoInit, format!("init_ok is due: {}", shown(line)));
            let name = self.settings.id(node);
            self.abort.get_or_insert_with(|| format!("{name} did not take init"));
            return;
        }
        if self.settings.workload.data_type().is_told_topology() {
            let line = self.clients.topology(self.now, node, &self.settings);
            self.send_request(node, line);
        } else {
            self.node_is_up(node);
        }
    }

    fn node_is_up(&mut self, node: usize) {
        self.cluster.set_up(node);
        self.start_nodes();
    }

    fn op_answered(&mut self, node: usize, op: usize, fields: &Fields<'_>, line: &[u8]) {
        let call = self.clients.history.ops[op].call.clone();
        let read = if reply::is_kind(fields, "error") {
            let data_type = self.settings.workload.data_type();
            reply::error(fields).map(|outcome| match outcome {
                Outcome::Fail { code, text } => match data_type.answer_of_error(&call, code) {
                    Some(answer) => Outcome::Ok { answer },
                    None => Outcome::Fail { code, text },
                },
                Outcome::Ok { .. } | Outcome::Info { .. } => outcome,
            })
        } else {
            reply::answer(&call, &self.settings, fields).map(|answer| Outcome::Ok { answer })
        };
        let outcome = read.unwrap_or_else(|(what, why)| {
            self.complain(node, what, format!("{why}: {}", shown(line)));
            Outcome::Info { why }
        });
        let (outcome, known) = match outcome {
            Outcome::Ok { answer: Answer::Elements(elements) } => {
                let (elements, known) = self.cluster.listed(node, elements);
                (Outcome::Ok { answer: Answer::Elements(elements) }, known)
            }
            outcome => (outcome, 0),
        };
        self.clients.complete(self.now, op, outcome);
        self.learn(op, known);
    }
}

/// A line as a complaint shows it: cut short, and without control characters.
fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(SHOWN)];
    let text: String =
        String::from_utf8_lossy(cut).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if line.len() > SHOWN { format!("{text}… ({} bytes)", line.len()) } else { text }
}
