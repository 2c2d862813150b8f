//! The options that `test` and `sim` share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::fault::parse_schedule;
use crate::settings::{
    Consistency, FaultKind, FaultPlan, LatencyDist, Micros, NetworkMode, PartitionKind, SECOND, Settings, Topology,
    Workload,
};

/// Most nodes of a run.
const NODES_MAX: usize = 100_000;

#[derive(Clone, Debug, Args)]
pub(super) struct RunOptions {
    /// What clients ask, and what is checked
    #[arg(short, long, value_enum, default_value = "broadcast")]
    pub workload: Workload,

    /// Number of nodes, 1 to 100000; they are called n0, n1, …
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub node_count: usize,

    /// Operations per second, all clients together, above 0 to 1000000
    #[arg(long, default_value_t = 10.0, value_name = "HZ")]
    pub rate: f64,

    /// Seconds during which clients invoke operations, above 0 to 86400
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub time_limit: f64,

    /// Mean delay of messages between nodes, in milliseconds, 0 to 60000
    #[arg(long, default_value_t = 0.0, value_name = "MS")]
    pub latency: f64,

    /// How the delay is distributed
    #[arg(long, value_enum, default_value = "constant")]
    pub latency_dist: LatencyDist,

    /// Clients: a number, or a multiple of the number of nodes as "2n" [default: 1n, at most 1000]
    #[arg(long, value_name = "N|Kn")]
    pub concurrency: Option<String>,

    /// Neighbours that `topology` tells nodes of
    #[arg(long, value_enum, default_value = "grid")]
    pub topology: Topology,

    /// How the network delivers: as Maelstrom does, or each message on its own
    #[arg(long, value_enum, default_value = "compat")]
    pub network: NetworkMode,

    /// What goes wrong; several with commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT,…")]
    pub nemesis: Vec<FaultKind>,

    /// Mean time between start and stop of a fault, in seconds, above 0 to 86400
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub nemesis_interval: f64,

    /// This kind of partition only
    #[arg(long, value_enum, value_name = "KIND")]
    pub partition_kind: Option<PartitionKind>,

    /// Partitions drop only what comes out of the smaller side
    #[arg(long)]
    pub one_way: bool,

    /// The node that is cut off, killed or paused, as n3
    #[arg(long, value_name = "NODE")]
    pub victim: Option<String>,

    /// Share of messages that `loss` loses, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub loss_rate: f64,

    /// Share of messages that `duplicate` delivers twice, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub duplicate_rate: f64,

    /// Faults at given times instead of by chance: lines of "SECONDS FAULT [NODE…]", as "2.5 partition one n3" and
    /// "5 heal"
    #[arg(long, value_name = "FILE", conflicts_with = "nemesis")]
    pub schedule: Option<PathBuf>,

    /// Share of operations that must succeed: "total", or 0 to 1
    #[arg(long, value_name = "total|SHARE")]
    pub availability: Option<String>,

    /// What transactions have to keep
    #[arg(long, value_enum, default_value = "read-committed", value_name = "MODEL")]
    pub consistency_models: Consistency,

    /// Quiet seconds between heal and final reads, 0 to 86400. What is found in the end after less time than nodes may need
    /// could not be judged [default: 10, or as long as nodes may need after the faults of the run]
    #[arg(long, value_name = "SECONDS")]
    pub recovery: Option<f64>,

    /// Seconds until a request counts as unanswered, above 0 to 86400
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub timeout: f64,

    /// Share of operations that write, 0 to 1
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    pub write_share: f64,

    /// Only the first so many nodes get writes; 0 for all
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub writers: usize,

    /// Keys in kv and txn-rw-register, 1 to 10000
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub keys: u64,

    /// Decides every random choice of the lab, and in `sim` of the nodes
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,

    /// Checkers whose complaints do not make a run invalid; several with commas
    #[arg(long, value_delimiter = ',', value_name = "CHECKER,…")]
    pub ignore: Vec<String>,

    /// Folder in which each run makes a folder of its own
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub results: PathBuf,
}

fn micros(name: &str, value: f64, unit: Micros, (min, max): (f64, f64)) -> Result<Micros, String> {
    // An exclusive bound of 0 is a microsecond.
    let in_bounds = value.is_finite() && value >= min && value <= max;
    in_bounds.then_some((value * unit as f64).round() as Micros).ok_or_else(|| {
        let bounds = if min == 0.0 { format!("from 0 to {max}") } else { format!("above 0 and at most {max}") };
        format!("--{name} must be {bounds}, not {value}")
    })
}

fn share(name: &str, value: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("--{name} must be from 0 to 1, not {value}")) }
}

impl RunOptions {
    /// The run that was asked for.
    ///
    /// # Errors
    /// A sentence that says which option is wrong and what is allowed.
    pub(super) fn settings(&self) -> Result<Settings, String> {
        let nodes = self.node_count;
        if !(1..=NODES_MAX).contains(&nodes) {
            return Err(format!("--node-count must be from 1 to {NODES_MAX}, not {nodes}"));
        }
        if !(self.rate > 0.0 && self.rate <= 1e6) {
            return Err(format!("--rate must be above 0 and at most 1000000, not {}", self.rate));
        }
        if !(1..=10_000).contains(&self.keys) {
            return Err(format!("--keys must be from 1 to 10000, not {}", self.keys));
        }
        if self.writers > nodes {
            return Err(format!("--writers must be at most --node-count, which is {nodes}, not {}", self.writers));
        }
        self.check_ignored()?;
        let positive = (1e-6, 86_400.0);
        let concurrency = self.concurrency(nodes)?;
        if self.writers > 0 && self.write_share > 0.0 && concurrency == 0 {
            return Err("--concurrency must be at least 1".to_owned());
        }
        let mut settings = Settings {
            workload: self.workload,
            nodes,
            rate: self.rate,
            time_limit_us: micros("time-limit", self.time_limit, SECOND, positive)?,
            latency_us: micros("latency", self.latency, 1_000, (0.0, 60_000.0))?,
            latency_dist: self.latency_dist,
            network: self.network,
            concurrency,
            topology: self.topology,
            consistency: self.consistency_models,
            availability: self.availability()?,
            interval_us: Settings::default().interval_us,
            preload: 0,
            recovery_us: 0,
            timeout_us: micros("timeout", self.timeout, SECOND, positive)?,
            write_share: share("write-share", self.write_share)?,
            writers: self.writers,
            keys: self.keys,
            faults: self.faults(nodes)?,
            seed: self.seed,
            ignore: self.ignore.clone(),
        };
        settings.recovery_us = self.recovery_us(&settings)?;
        Ok(settings)
    }

    /// The same run with nodes whose interval is known. The quiet time is chosen anew, unless somebody has chosen it.
    ///
    /// # Errors
    /// As for [`RunOptions::settings`].
    pub(super) fn with_interval(&self, settings: Settings, interval_ms: Option<u32>) -> Result<Settings, String> {
        let interval_us =
            interval_ms.map_or(settings.interval_us, |ms| settings.interval_us.max(Micros::from(ms) * 1_000));
        let settings = Settings { interval_us, ..settings };
        Ok(Settings { recovery_us: self.recovery_us(&settings)?, ..settings })
    }

    fn recovery_us(&self, settings: &Settings) -> Result<Micros, String> {
        match self.recovery {
            Some(given) => micros("recovery", given, SECOND, (0.0, 86_400.0)),
            None => Ok(crate::check::recovery_us(settings)),
        }
    }

    fn check_ignored(&self) -> Result<(), String> {
        let known: Vec<&str> = crate::check::CHECKERS.iter().map(|checker| checker.name).collect();
        match self.ignore.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(format!("--ignore knows no checker \"{name}\"; there are {}", known.join(", "))),
        }
    }

    fn concurrency(&self, nodes: usize) -> Result<usize, String> {
        let Some(text) = &self.concurrency else { return Ok(nodes.min(1_000)) };
        let parsed = match text.strip_suffix('n') {
            Some(factor) => factor.parse::<usize>().ok().and_then(|factor| factor.checked_mul(nodes)),
            None => text.parse().ok(),
        };
        parsed.filter(|count| (1..=NODES_MAX).contains(count)).ok_or_else(|| {
            format!(
                "--concurrency must be a number from 1 to {NODES_MAX}, or a multiple of the nodes as 2n, not {text}"
            )
        })
    }

    fn availability(&self) -> Result<Option<f64>, String> {
        match self.availability.as_deref() {
            None => Ok(None),
            Some("total") => Ok(Some(1.0)),
            Some(text) => match text.parse::<f64>() {
                Ok(value) if (0.0..=1.0).contains(&value) => Ok(Some(value)),
                Ok(_) | Err(_) => Err(format!("--availability must be \"total\", or from 0 to 1, not {text}")),
            },
        }
    }

    fn faults(&self, nodes: usize) -> Result<FaultPlan, String> {
        let victim = match &self.victim {
            None => None,
            Some(id) => Some(
                id.strip_prefix('n')
                    .and_then(|digits| digits.parse::<usize>().ok())
                    .filter(|node| *node < nodes)
                    .ok_or_else(|| format!("--victim must be a node from n0 to n{}, not {id}", nodes - 1))?,
            ),
        };
        let schedule = match &self.schedule {
            None => Vec::new(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|error| format!("--schedule {}: {error}", path.display()))?;
                parse_schedule(&text, nodes).map_err(|error| format!("--schedule {}: {error}", path.display()))?
            }
        };
        let mut kinds = self.nemesis.clone();
        kinds.dedup();
        Ok(FaultPlan {
            kinds,
            interval_us: micros("nemesis-interval", self.nemesis_interval, SECOND, (1e-6, 86_400.0))?,
            partition_kind: self.partition_kind,
            one_way: self.one_way,
            victim,
            loss_rate: share("loss-rate", self.loss_rate)?,
            duplicate_rate: share("duplicate-rate", self.duplicate_rate)?,
            schedule,
        })
    }
}

fn name_of<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The options that make a run, for a command that repeats it. A schedule is left out: it has no file.
pub(super) fn command_options(settings: &Settings) -> String {
    let seconds = |us: Micros| us as f64 / SECOND as f64;
    let faults = &settings.faults;
    let mut words = vec![
        format!("--workload {}", settings.workload.name()),
        format!("--node-count {} --rate {}", settings.nodes, settings.rate),
        format!("--time-limit {} --recovery {}", seconds(settings.time_limit_us), seconds(settings.recovery_us)),
        format!("--latency {} --latency-dist {}", seconds(settings.latency_us) * 1e3, name_of(&settings.latency_dist)),
        format!("--network {} --concurrency {}", name_of(&settings.network), settings.concurrency),
        format!("--topology {} --timeout {}", name_of(&settings.topology), seconds(settings.timeout_us)),
        format!("--write-share {} --writers {} --keys {}", settings.write_share, settings.writers, settings.keys),
        format!("--consistency-models {} --seed {}", name_of(&settings.consistency), settings.seed),
    ];
    if let Some(share) = settings.availability {
        words.push(format!("--availability {share}"));
    }
    if !faults.kinds.is_empty() {
        let kinds: Vec<String> = faults.kinds.iter().map(name_of).collect();
        words.push(format!("--nemesis {} --nemesis-interval {}", kinds.join(","), seconds(faults.interval_us)));
        words.push(format!("--loss-rate {} --duplicate-rate {}", faults.loss_rate, faults.duplicate_rate));
        words.extend(faults.partition_kind.map(|kind| format!("--partition-kind {}", name_of(&kind))));
        words.extend(faults.one_way.then(|| "--one-way".to_owned()));
        words.extend(faults.victim.map(|node| format!("--victim {}", settings.id(node))));
    }
    if !settings.ignore.is_empty() {
        words.push(format!("--ignore {}", settings.ignore.join(",")));
    }
    words.join(" ")
}
