//! The list of defects, and who is expected to see each.

use clap::ValueEnum;

/// What is wrong with the node. `--list` prints what is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Defect {
    /// Tells its peers nothing
    NeverGossips,
    /// Acknowledges one value in --every and stores it nowhere
    ForgetsOneInAThousand,
    /// Adds one delta in --every twice
    CountsAnAddTwice,
    /// One reply in --every has a key too many
    ExtraKey,
    /// One reply to a read in --every lacks the values
    MissingKey,
    /// One reply to a read in --every lists strings instead of integers
    WrongType,
    /// Prints a log line to stdout at one request in --every
    LogsOnStdout,
    /// One reply in --every is cut off before its end
    BadJson,
    /// Prints a blank line after one reply in --every
    BlankLine,
    /// Sends a message to a node that does not exist at one request in --every
    UnknownDestination,
    /// One reply in --every claims to come from another node
    WrongSource,
    /// One reply in --every has a key beside src, dest and body
    ExtraEnvelopeKey,
    /// Answers all reads from what it held when it first held --every values
    StaleForEver,
    /// The first node answers all reads from what it held when it first held --every values, the others are right
    StaleNode,
    /// Stamps are whole seconds and of equal stamps the first to arrive wins, so replicas differ
    LwwWithoutTieBreak,
    /// Compares stamps the wrong way round, so replicas agree on the oldest write
    LwwLosesNewest,
    /// Ends with status 0 after --every requests
    Exits,
    /// Ends with status 1 before it reads a line
    CrashesAtStart,
    /// Reads init and says nothing
    NeverAnswersInit,
    /// Sends a message to a peer every 100 ms although all is known
    ChatsForEver,
    /// One id in --every is the one before it again
    DuplicateIds,
    /// One id in --every is an integer, the others are strings
    MixedIds,
    /// One echo in --every is not what was said
    EchoChanged,
    /// Reads list the smallest value twice
    DuplicatesInRead,
    /// Reads list a value that nobody added
    PhantomValue,
    /// One read in --every, while values arrive, shows less than the one before it
    ReadsGoBack,
    /// Answers one request in --every after six seconds
    LateReply,
    /// Answers one request in --every twice
    SecondReply,
    /// Speaks to a peer right after init
    EarlyGossip,
    /// Others get the first write of a key in a transaction instead of the last: intermediate reads
    TxnDirty,
    /// Answers one transaction in --every with error 30 and applies it all the same: aborted reads
    TxnAborted,
    /// Reads in a transaction do not see the writes before them in it
    TxnNotOwnWrites,
    /// Holds transactions on every other node back until one comes that sees them, and that they can see as well
    TxnCircular,
}

/// What the list says about a defect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The workload that shows it.
    pub(crate) workload: &'static str,
    /// The checker that is to see it.
    pub(crate) checker: &'static str,
    /// How often it happens unless told otherwise: one time in so many.
    pub(crate) every: u64,
}

impl Defect {
    /// The name as on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it does, in a sentence.
    pub(crate) fn what(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Where it shows, and who sees it.
    pub(crate) fn facts(self) -> Facts {
        let (workload, checker, every) = match self {
            Self::NeverGossips => ("broadcast", "final-state", 1),
            Self::ForgetsOneInAThousand => ("broadcast", "set-full", 1_000),
            Self::CountsAnAddTwice => ("g-counter", "counter", 3),
            Self::ExtraKey
            | Self::WrongSource
            | Self::ExtraEnvelopeKey
            | Self::LogsOnStdout
            | Self::BadJson
            | Self::BlankLine
            | Self::UnknownDestination
            | Self::LateReply
            | Self::SecondReply => ("broadcast", "protocol", 5),
            Self::MissingKey | Self::WrongType => ("broadcast", "protocol", 3),
            Self::CrashesAtStart | Self::NeverAnswersInit | Self::EarlyGossip => ("broadcast", "protocol", 1),
            Self::Exits => ("broadcast", "protocol", 10),
            Self::StaleForEver => ("broadcast", "set-full", 5),
            Self::StaleNode => ("broadcast", "final-state", 5),
            Self::LwwWithoutTieBreak | Self::LwwLosesNewest => ("kv", "lww", 1),
            Self::ChatsForEver => ("broadcast", "silence", 1),
            Self::DuplicateIds | Self::MixedIds => ("unique-ids", "unique-ids", 5),
            Self::EchoChanged => ("echo", "echo", 5),
            Self::DuplicatesInRead => ("broadcast", "duplicates", 1),
            Self::PhantomValue => ("broadcast", "phantom", 1),
            Self::ReadsGoBack => ("broadcast", "monotonic", 3),
            Self::TxnDirty | Self::TxnNotOwnWrites | Self::TxnCircular => ("txn-rw-register", "txn", 1),
            Self::TxnAborted => ("txn-rw-register", "txn", 5),
        };
        Facts { workload, checker, every }
    }
}

/// A line for each defect: name, workload, checker and what it does, with tabs between.
pub(crate) fn list() -> String {
    let line = |defect: &Defect| {
        let Facts { workload, checker, .. } = defect.facts();
        format!("{}\t{workload}\t{checker}\t{}\n", defect.name(), defect.what())
    };
    Defect::value_variants().iter().map(line).collect()
}
