//! Everything that the lab saw, except for the operations: messages, faults, arrivals of values, and misdeeds of nodes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::settings::Micros;

/// A value has not arrived.
pub const NEVER: Micros = Micros::MAX;

/// Something that a node did and that the protocol forbids. Maelstrom is silent about some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// A line on stdout that is no message: not JSON, blank, no envelope. Maelstrom stops reading the node for good.
    MalformedLine,
    /// The envelope has a key besides `id`, `src`, `dest` and `body`. Maelstrom stops reading the node for good.
    EnvelopeKey,
    /// `src` is not the node itself.
    WrongSource,
    /// `dest` is nobody. Maelstrom stops reading the node for good.
    UnknownDestination,
    /// A message to a peer before the first message that follows `init`.
    TooEarly,
    /// A reply has a key that it should not have.
    ExtraKey,
    /// A reply lacks a key, or the value is of the wrong kind.
    BadReply,
    /// A reply to a client that has given up. Maelstrom stops reading the node for good.
    LateReply,
    /// A reply to no request that was ever made.
    UnknownRequest,
    /// A second reply to one request.
    SecondReply,
    /// The process ended by itself.
    Exit,
    /// No `init_ok` within ten seconds.
    NoInit,
    /// In simulation: the state of a node broke a rule that holds at every step.
    Unsafe,
}

/// One misdeed.
#[derive(Clone, Debug, Serialize)]
pub struct Complaint {
    /// When.
    pub at_us: Micros,
    /// Which node.
    pub node: usize,
    /// What.
    pub what: Misdeed,
    /// The details for a person: the line, cut short, and the reason.
    pub detail: String,
}

/// A message between nodes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PeerMessage {
    /// When it was sent.
    pub sent_us: Micros,
    /// By which node.
    pub from: u32,
    /// To which.
    pub to: u32,
    /// Its length, newline included.
    pub bytes: u32,
}

/// A change that the faults made.
#[derive(Clone, Debug, Serialize)]
pub struct FaultEvent {
    /// When.
    pub at_us: Micros,
    /// What.
    #[serde(flatten)]
    pub what: FaultChange,
    /// For a person: "minority-third: n3 n7 cut off".
    pub label: String,
}

/// Kinds of such changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum FaultChange {
    /// Links were cut; `cuts` is how many directed ones.
    Partition {
        /// Directed links that carry nothing.
        cuts: usize,
    },
    /// All links work again.
    Heal,
    /// A process was killed.
    Kill {
        /// Which.
        node: usize,
    },
    /// It was started again.
    Restart {
        /// Which.
        node: usize,
    },
    /// A process was stopped.
    Pause {
        /// Which.
        node: usize,
    },
    /// It goes on.
    Resume {
        /// Which.
        node: usize,
    },
    /// Share of messages lost from now on.
    Loss {
        /// 0 to 1.
        rate: f64,
    },
    /// Share of messages duplicated from now on.
    Duplicate {
        /// 0 to 1.
        rate: f64,
    },
    /// The wall clock of a node jumped.
    Clock {
        /// Which.
        node: usize,
        /// By so many microseconds.
        us: i64,
    },
    /// Nodes were asked to `configure`.
    Configure {
        /// The interval that was asked for, if any.
        interval_ms: Option<u32>,
    },
}

/// The operations that may have died with a killed process: acknowledged operations that it knew of and that no other
/// live process is known to have had. Other nodes may have acknowledged them, and a message under way may still bring
/// them back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Death {
    /// When.
    pub at_us: Micros,
    /// Which node.
    pub node: usize,
    /// Operations that no message had carried away from their node, as indices into the history.
    pub unsent: Vec<usize>,
    /// Operations that messages had carried away, but not to any process that still lives.
    pub undelivered: Vec<usize>,
}

/// Counts of the network.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NetCounts {
    /// Messages between nodes, counted when sent.
    pub peer_sent: u64,
    /// Of those, delivered (a duplicate counts again).
    pub peer_delivered: u64,
    /// Dropped because the link was cut.
    pub cut: u64,
    /// Dropped by `loss`.
    pub lost: u64,
    /// Copies made by `duplicate`.
    pub duplicated: u64,
    /// Dropped because the receiver was down.
    pub to_dead: u64,
    /// Bytes of messages between nodes, counted when sent, newlines included.
    pub peer_bytes: u64,
    /// Messages with a client at one end, `init` and `topology` included.
    pub client: u64,
}

/// Everything that the lab saw, except for the operations.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// When clients began to invoke operations. Times count from the start of the run, not from here.
    pub main_from_us: Micros,
    /// When they stopped.
    pub main_until_us: Micros,
    /// When all faults had been taken back and the quiet time began.
    pub healed_us: Micros,
    /// When the quiet time ended and the final reads began.
    pub final_us: Micros,
    /// When the run ended.
    pub end_us: Micros,
    /// Messages between nodes, in order of sending.
    pub messages: Vec<PeerMessage>,
    /// Counts of the network.
    pub net: NetCounts,
    /// Bytes of messages between nodes by sender, counted when sent.
    pub sent_bytes: Vec<u64>,
    /// Bytes of messages between nodes by receiver, counted when delivered.
    pub delivered_bytes: Vec<u64>,
    /// In simulation: bytes of the state that the first live node holds in the end, as it would stand in a message.
    pub state_bytes: u64,
    /// Faults in order of time.
    pub faults: Vec<FaultEvent>,
    /// Kills with which operations may have died.
    pub deaths: Vec<Death>,
    /// What nodes did wrong, in order of time; the first hundred of each kind and node.
    pub complaints: Vec<Complaint>,
    /// Complaints in all, with those that were not kept.
    pub complaints_total: u64,
    /// For each value that was added: when each node first held it, as seen from outside (acknowledged there, a message
    /// with it was delivered, or a read showed it); [`NEVER`] where it was not seen.
    pub arrivals: BTreeMap<i64, Vec<Micros>>,
    /// Value of the counter at a node, each time it was seen to change: by a read, and in simulation always.
    pub totals: Vec<(Micros, usize, i64)>,
    /// In simulation: when all live nodes last came to hold equal state after having differed.
    pub converged_us: Option<Micros>,
    /// In simulation: the nodes that did not hold the same as the first in the end, each with what differs. Empty when
    /// all agree, and for processes.
    pub diverged: Vec<String>,
}
