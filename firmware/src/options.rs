//! The command line: the options of the process that are useful here, with the same names.

use rumormill_core::config::{Config, FANOUT, INCARNATION_MAX, INTERVAL_MS, Strategy, Workload};

use crate::board::{self, host};

/// Why a command line is refused.
pub(crate) type Wrong = &'static str;

/// Bytes of the longest command line.
const BYTES: usize = 256;

/// The configuration: `config`, changed by the command line. Seed and incarnation come from the board if they are not
/// given.
pub(crate) fn read(mut config: Config) -> Result<Config, Wrong> {
    let mut memory = [0; BYTES];
    let line = host::command_line(&mut memory).ok_or("the command line must be ASCII of 255 bytes at most")?;
    let mut incarnation = None;
    let mut seed = None;
    // The first word is the name of the program.
    let mut words = line.split_ascii_whitespace().skip(1);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None => (word, words.next().ok_or("an option without a value")?),
        };
        match name {
            "--workload" => config.workload = Some(workload(value)?),
            "--strategy" => config.strategy = strategy(value)?,
            "--fanout" => config.fanout = number(value, FANOUT).ok_or("--fanout must be from 1 to 255")?,
            "--gossip-interval-ms" => {
                let ms = number(value, INTERVAL_MS).ok_or("--gossip-interval-ms must be from 1 to 60000")?;
                config.gossip_interval_ms = Some(ms);
            }
            "--seed" => seed = Some(value.parse().map_err(|_| "--seed must be an integer of 64 bits")?),
            "--incarnation" => {
                let wrong = "--incarnation must be from 0 to 9007199254740991";
                incarnation = Some(value.parse().ok().filter(|life| *life <= INCARNATION_MAX).ok_or(wrong)?);
            }
            #[cfg(feature = "sabotage")]
            "--sabotage" => host::sabotage(value),
            _ => return Err("there are --workload, --strategy, --fanout, --gossip-interval-ms, --seed, --incarnation"),
        }
    }
    config.incarnation = incarnation.or_else(board::starts).ok_or("--incarnation, or a count of starts in flash")?;
    config.seed = seed.unwrap_or_else(board::id);
    Ok(config)
}

fn number<T: TryFrom<u32>>(text: &str, (min, max): (u32, u32)) -> Option<T> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number))?;
    T::try_from(number).ok()
}

fn workload(name: &str) -> Result<Workload, Wrong> {
    Workload::ALL
        .into_iter()
        .find(|workload| workload.name() == name)
        .ok_or("--workload must be broadcast, g-set, g-counter, pn-counter, kv, echo, unique-ids or txn-rw-register")
}

fn strategy(name: &str) -> Result<Strategy, Wrong> {
    Strategy::ALL.into_iter().find(|strategy| strategy.name() == name).ok_or("--strategy must be rumor or relay")
}
