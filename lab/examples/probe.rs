//! Throw-away.
#![allow(clippy::unwrap_used)]
use rumormill_lab::settings::*;
use rumormill_lab::sim;
fn main() {
    for workload in [
        Workload::Broadcast,
        Workload::GSet,
        Workload::PnCounter,
        Workload::Kv,
        Workload::TxnRwRegister,
        Workload::Echo,
        Workload::UniqueIds,
    ] {
        let settings = Settings {
            workload,
            nodes: 25,
            rate: 100.0,
            time_limit_us: 20 * SECOND,
            latency_us: 100_000,
            concurrency: 25,
            ..Settings::default()
        };
        let t = std::time::Instant::now();
        let done = sim::run(settings, &sim::Program { config: Default::default(), limits: None }).unwrap();
        let ops = done.history.counted().count();
        let ok = done.history.counted().filter(|op| op.answer().is_some()).count();
        println!(
            "{workload:?}: {:?} ops {ops} ok {ok} msgs {} per op {:.2} steps {} end {} conv {:?} diverged {:?} complaints {:?}",
            t.elapsed(),
            done.trace.net.peer_sent,
            done.trace.net.peer_sent as f64 / ops as f64,
            done.steps,
            done.trace.end_us,
            done.trace.converged_us,
            done.trace.diverged,
            done.trace.complaints.iter().take(3).collect::<Vec<_>>()
        );
        println!("   last message {:?} {:?}", done.trace.messages.last().map(|m| m.sent_us), done.trace.net);
    }
}
