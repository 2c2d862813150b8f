//! The names in messages: types, fields of the body, and parts of the envelope.

use super::json::Str;

/// Makes an enum of names, with functions from variant to name and back.
macro_rules! names {
    ($(#[$doc:meta])* $vis:vis $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $(#[doc = concat!("`", $text, "`")]
            $variant,)+ }

        impl $name {
            /// All of them.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The variant with this name.
            #[must_use]
            $vis fn find(name: Str<'_>) -> Option<Self> {
                // Escapes in names are legal and rare.
                if name.is_escaped() {
                    return Self::ALL.iter().copied().find(|key| name.is(key.name()));
                }
                $(if name.raw() == $text.as_bytes() { return Some(Self::$variant); })+
                None
            }
        }
    };
}

names! {
    /// The fields of a body that have a meaning in some message.
    pub Key {
        Type = "type",
        MsgId = "msg_id",
        InReplyTo = "in_reply_to",
        Message = "message",
        Value = "value",
        Delta = "delta",
        Element = "element",
        Key = "key",
        Echo = "echo",
        NodeId = "node_id",
        NodeIds = "node_ids",
        Topology = "topology",
        Fanout = "fanout",
        GossipIntervalMs = "gossip_interval_ms",
        Strategy = "strategy",
        Messages = "messages",
        RemoteDigest = "remote_digest",
        RemoteMessages = "remote_messages",
        Entries = "entries",
        Txn = "txn",
        PCounters = "p_counters",
        NCounters = "n_counters",
        Incarnation = "inc",
        Ordinal = "ord",
        Echoed = "echoed",
        Relay = "relay",
        Flush = "flush",
        Want = "want",
        Full = "full",
        Stable = "stable",
        Sum = "sum",
        Agree = "agree",
        Lives = "lives",
        Refuses = "refuses",
        Digest = "digest",
        Old = "old",
        Turn = "turn",
        Data = "data",
    }
}

names! {
    /// The types of message that a node takes.
    pub Kind {
        Broadcast = "broadcast",
        Read = "read",
        Gossip = "gossip",
        Add = "add",
        Write = "write",
        KvRead = "kv_read",
        Replicate = "replicate",
        Echo = "echo",
        Generate = "generate",
        Init = "init",
        Topology = "topology",
        Configure = "configure",
        GossipStats = "gossip_stats",
        GossipRound = "gossip_round",
        GossipSync = "gossip_sync",
        Digest = "digest",
        DigestSync = "digest_sync",
        GossipStatus = "gossip_status",
        KvMerge = "kv_merge",
        BenchWrite = "bench_write",
        BenchReport = "bench_report",
        BenchStats = "bench_stats",
        Stats = "stats",
        Txn = "txn",
    }
}

impl Kind {
    /// The fields that have a meaning in such a message. Other fields of its body are ignored.
    #[must_use]
    pub const fn fields(self) -> &'static [Key] {
        match self {
            Self::Broadcast => &[Key::Message],
            Self::Read
            | Self::Generate
            | Self::GossipStats
            | Self::GossipRound
            | Self::Digest
            | Self::GossipStatus
            | Self::BenchReport
            | Self::BenchStats
            | Self::Stats => &[],
            Self::Gossip => &[Key::Value, Key::Data, Key::Digest, Key::Sum, Key::Incarnation],
            Self::Replicate => &[Key::PCounters, Key::NCounters, Key::Data, Key::Digest, Key::Sum, Key::Incarnation],
            Self::Add => &[Key::Element, Key::Delta],
            Self::Write | Self::BenchWrite => &[Key::Key, Key::Value],
            Self::KvRead => &[Key::Key],
            Self::Echo => &[Key::Echo],
            Self::Init => &[Key::NodeId, Key::NodeIds],
            Self::Topology => &[Key::Topology],
            Self::Configure => &[Key::Fanout, Key::GossipIntervalMs, Key::Strategy],
            Self::GossipSync => &[Key::Messages],
            Self::DigestSync => &[Key::RemoteDigest, Key::RemoteMessages],
            Self::KvMerge => &[Key::Entries],
            Self::Txn => &[Key::Txn],
        }
    }

    /// Whether no message has this type.
    #[must_use]
    pub const fn is_free(name: &str) -> bool {
        let mut at = 0;
        while at < Self::ALL.len() {
            if same(Self::ALL[at].name().as_bytes(), name.as_bytes()) {
                return false;
            }
            at += 1;
        }
        true
    }

    /// Whether such a message is between nodes, so that it is never answered.
    #[must_use]
    pub const fn is_unanswered(self) -> bool {
        matches!(self, Self::Gossip | Self::Replicate)
    }
}

/// Whether two names are equal, at compile time as well.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

names! {
    /// The parts of the envelope.
    pub(super) Envelope {
        Src = "src",
        Dest = "dest",
        Body = "body",
    }
}
