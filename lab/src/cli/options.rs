//! The options that `test` and `sim` share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::fault::parse_schedule;
use crate::settings::{
    Consistency, FaultKind, FaultPlan, LatencyDist, Micros, NetworkMode, PartitionKind, SECOND, Settings, Topology,
    ValueKind, Workload,
};

/// The most nodes of a run.
const NODES_MAX: usize = 100_000;

#[derive(Clone, Debug, Args)]
pub(super) struct RunOptions {
    /// The requests of clients, and with them the checkers
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

    /// The neighbours that nodes are told by `topology`
    #[arg(long, value_enum, default_value = "grid")]
    pub topology: Topology,

    /// How the network delivers messages: one after the other as Maelstrom does, or each as soon as it is due
    #[arg(long, value_enum, default_value = "compat")]
    pub network: NetworkMode,

    /// Kinds of faults, with commas between them
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT,…")]
    pub nemesis: Vec<FaultKind>,

    /// Mean time between start and stop of a fault, in seconds, above 0 to 86400
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub nemesis_interval: f64,

    /// The only kind of partition [default: all kinds]
    #[arg(long, value_enum, value_name = "KIND")]
    pub partition_kind: Option<PartitionKind>,

    /// Partitions drop only messages from the smaller side
    #[arg(long)]
    pub one_way: bool,

    /// The node that is cut off, killed or paused, as n3
    #[arg(long, value_name = "NODE")]
    pub victim: Option<String>,

    /// The most nodes that are killed or paused at one moment: a number, or "all"
    #[arg(long, default_value = "1", value_name = "N|all")]
    pub at_once: String,

    /// Nodes that are dead when clients stop stay dead. The others have to look for them ever more rarely
    #[arg(long)]
    pub keep_dead: bool,

    /// Share of messages that `loss` loses, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub loss_rate: f64,

    /// Share of messages that `duplicate` delivers twice, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub duplicate_rate: f64,

    /// Faults at given times instead of by chance: lines of "SECONDS FAULT [NODE…]", as "2.5 partition one n3",
    /// "5 heal", "6 configure all interval 500" and, in `sim`, "7 clock n1 -61"
    #[arg(long, value_name = "FILE", conflicts_with = "nemesis")]
    pub schedule: Option<PathBuf>,

    /// Share of operations that must succeed: "total", or 0 to 1
    #[arg(long, value_name = "total|SHARE")]
    pub availability: Option<String>,

    /// The consistency model that transactions are checked against
    #[arg(long, value_enum, default_value = "read-committed", value_name = "MODEL")]
    pub consistency_models: Consistency,

    /// Quiet seconds between heal and final reads, 0 to 86400. If nodes may need longer, the end of the run cannot be
    /// judged [default: 10, or as long as nodes may need after the faults of the run]
    #[arg(long, value_name = "SECONDS")]
    pub recovery: Option<f64>,

    /// Bytes per second that a link between two nodes carries in one direction, as "0.2MB", "50kB" or "1000". Messages
    /// beyond that wait [default: any number]
    #[arg(long, value_name = "BYTES")]
    pub bandwidth: Option<String>,

    /// Values that the first node is given before clients begin, by requests `gossip_sync`, 0 to 10000000; for
    /// broadcast and g-set. Reads are recorded without them
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub preload: usize,

    /// A node that replies to a client that has given up is not read any more, as under Maelstrom. Without this option
    /// it is a finding, unless the node was paused meanwhile
    #[arg(long)]
    pub mute_late: bool,

    /// The most messages from one node to one peer within a second; more make a run invalid. 0 is the bound of
    /// docs/relay.md: 28, and more if rounds are less than 100 ms apart [default: 0 in `sim`, no bound in `test`]
    #[arg(long, value_name = "N")]
    pub storm_above: Option<u64>,

    /// Seconds until a request counts as unanswered, above 0 to 86400
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub timeout: f64,

    /// Share of operations that write, 0 to 1
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    pub write_share: f64,

    /// How values of the set and of kv are written: as integers, as texts that need escapes, or both
    #[arg(long, value_enum, default_value = "int")]
    pub values: ValueKind,

    /// Seconds after which clients stop. Faults go on until the time limit [default: the time limit]
    #[arg(long, value_name = "SECONDS")]
    pub ops_until: Option<f64>,

    /// Other options of the built-in node for some of the nodes, as "n3,n4=--strategy relay --max-values 1000"; they
    /// follow those after `--`. Can be given several times
    #[arg(long, value_name = "NODES=OPTIONS")]
    pub node_for: Vec<String>,

    /// In `sim`: wall clocks that are ahead, or behind, by so many milliseconds, as "n1=30000,n2=-500". With it lives
    /// are numbered by the clock alone, as processes number theirs
    #[arg(long, value_delimiter = ',', value_name = "NODE=MS,…")]
    pub clock: Vec<String>,

    /// The number of nodes that get writes, from the first; 0 for all
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub writers: usize,

    /// Keys in kv and txn-rw-register, 1 to 10000
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub keys: u64,

    /// Decides every random choice of the lab, and in `sim` of the nodes
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,

    /// Checkers whose complaints do not make a run invalid, with commas between them
    #[arg(long, value_delimiter = ',', value_name = "CHECKER,…")]
    pub ignore: Vec<String>,

    /// Folder in which each run makes a folder of its own
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub results: PathBuf,
}

fn micros(name: &str, value: f64, unit: Micros, (min, max): (f64, f64)) -> Result<Micros, String> {
    // The least number above 0 is a microsecond.
    let in_bounds = value.is_finite() && value >= min && value <= max;
    in_bounds.then_some((value * unit as f64).round() as Micros).ok_or_else(|| {
        let bounds = if min == 0.0 { format!("from 0 to {max}") } else { format!("above 0 and at most {max}") };
        format!("--{name} must be {bounds}, not {value}")
    })
}

/// `n1=30000` for a cluster of `nodes`: a node, and microseconds.
fn clock(text: &str, nodes: usize) -> Result<(usize, i64), String> {
    let wrong = || format!("--clock must be a node from n0 to n{} and milliseconds, as n1=-500, not {text}", nodes - 1);
    let (node, ms) = text.split_once('=').ok_or_else(wrong)?;
    let ms = ms.parse::<i64>().ok().filter(|ms| ms.abs() <= 1 << 40).ok_or_else(wrong)?;
    Ok((node_number(node, nodes).ok_or_else(wrong)?, ms * 1_000))
}

/// The number of a node of a cluster of `nodes`: `n12` is 12.
pub(super) fn node_number(name: &str, nodes: usize) -> Option<usize> {
    let number = name.trim().strip_prefix('n')?.parse::<usize>().ok()?;
    (number < nodes).then_some(number)
}

/// What `--node-for` says, for a cluster of `nodes`: the nodes, and all options of each.
pub(super) fn node_for(
    texts: &[String],
    args: &[OsString],
    nodes: usize,
) -> Result<Vec<(usize, Vec<OsString>)>, String> {
    let mut all = Vec::new();
    for text in texts {
        let wrong = || {
            let last = nodes - 1;
            format!(
                "--node-for must be nodes from n0 to n{last}, \"=\" and options, as \"n{last}=--strategy relay\", not {text}"
            )
        };
        let (names, more) = text.split_once('=').ok_or_else(wrong)?;
        // An option that is given again counts as given last.
        let more: Vec<OsString> = more.split_whitespace().map(OsString::from).collect();
        let is_replaced =
            |arg: &OsString| more.iter().any(|other| other == arg && other.to_string_lossy().starts_with('-'));
        let mut options = Vec::new();
        let mut given = args.iter().peekable();
        while let Some(arg) = given.next() {
            if !is_replaced(arg) {
                options.push(arg.clone());
            } else if given.peek().is_some_and(|value| !value.to_string_lossy().starts_with('-')) {
                given.next();
            }
        }
        options.extend(more);
        for name in names.split(',') {
            all.push((node_number(name, nodes).ok_or_else(wrong)?, options.clone()));
        }
    }
    Ok(all)
}

/// `0.2MB` is 200,000.
fn bandwidth(text: &str) -> Result<f64, String> {
    let units = [("MB", 1e6), ("kB", 1e3), ("B", 1.0), ("", 1.0)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1.0));
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * unit);
    bytes.filter(|bytes| (1.0..=1e12).contains(bytes)).ok_or_else(|| {
        format!("--bandwidth must be bytes per second from 1 to 1e12, as 0.2MB, 50kB or 1000, not {text}")
    })
}

fn share(name: &str, value: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("--{name} must be from 0 to 1, not {value}")) }
}

impl RunOptions {
    /// The settings of the run that was asked for.
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
            fastest_interval_us: Settings::default().fastest_interval_us,
            storm_above: self.storm_above,
            bandwidth: self.bandwidth.as_deref().map(bandwidth).transpose()?,
            mute_late: self.mute_late,
            preload: self.preload()?,
            values: self.values,
            ops_until_us: self.ops_until.map(|until| micros("ops-until", until, SECOND, positive)).transpose()?,
            clocks_us: self.clock.iter().map(|text| clock(text, nodes)).collect::<Result<_, _>>()?,
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

    /// The same settings for nodes whose interval is known. The quiet time is chosen again, unless it was given.
    ///
    /// # Errors
    /// As for [`RunOptions::settings`].
    pub(super) fn with_interval(&self, settings: Settings, interval_ms: Option<u32>) -> Result<Settings, String> {
        let interval_us =
            interval_ms.map_or(settings.interval_us, |ms| settings.interval_us.max(Micros::from(ms) * 1_000));
        let fastest_interval_us = interval_ms
            .map_or(settings.fastest_interval_us, |ms| settings.fastest_interval_us.min(Micros::from(ms) * 1_000));
        let settings = Settings { interval_us, fastest_interval_us, ..settings };
        Ok(Settings { recovery_us: self.recovery_us(&settings)?, ..settings })
    }

    fn preload(&self) -> Result<usize, String> {
        let fits = self.preload <= 10_000_000 && (self.preload == 0 || self.workload.follows_values());
        fits.then_some(self.preload).ok_or_else(|| {
            let all = Workload::value_variants().iter().filter(|workload| workload.follows_values());
            let names: Vec<_> = all.map(|workload| workload.name()).collect();
            let names = names.join(" or ");
            format!("--preload must be from 0 to 10000000, with workload {names}, not {}", self.preload)
        })
    }

    fn recovery_us(&self, settings: &Settings) -> Result<Micros, String> {
        match self.recovery {
            Some(given) => micros("recovery", given, SECOND, (0.0, 86_400.0)),
            None => Ok(crate::check::recovery_us(settings)),
        }
    }

    fn check_ignored(&self) -> Result<(), String> {
        let known: Vec<&str> = crate::judge::checkers().iter().map(|checker| checker.name).collect();
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
            at_once: match self.at_once.as_str() {
                "all" => nodes,
                text => text
                    .parse()
                    .ok()
                    .filter(|count| (1..=nodes).contains(count))
                    .ok_or_else(|| format!("--at-once must be \"all\", or from 1 to {nodes}, not {text}"))?,
            },
            keep_dead: self.keep_dead,
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
    if let Some(bytes) = settings.bandwidth {
        words.push(format!("--bandwidth {bytes}"));
    }
    if settings.preload > 0 {
        words.push(format!("--preload {}", settings.preload));
    }
    if settings.values != ValueKind::Int {
        words.push(format!("--values {}", name_of(&settings.values)));
    }
    words.extend(settings.ops_until_us.map(|until| format!("--ops-until {}", seconds(until))));
    if !settings.clocks_us.is_empty() {
        let clocks = settings.clocks_us.iter().map(|(node, us)| format!("{}={}", settings.id(*node), us / 1_000));
        words.push(format!("--clock {}", clocks.collect::<Vec<_>>().join(",")));
    }
    words.extend((faults.at_once > 1).then(|| format!("--at-once {}", faults.at_once.min(settings.nodes))));
    words.extend(faults.keep_dead.then(|| "--keep-dead".to_owned()));
    words.extend(settings.mute_late.then(|| "--mute-late".to_owned()));
    words.extend(settings.storm_above.map(|most| format!("--storm-above {most}")));
    if !settings.ignore.is_empty() {
        words.push(format!("--ignore {}", settings.ignore.join(",")));
    }
    words.join(" ")
}
