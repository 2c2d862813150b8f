//! The theory of rumor mongering: every node that learns a value pushes it once, to K random others.
//!
//! A node stays without the value if none of the `K·p·n` pushes hits it, where `p` is the share that was reached: `1 −
//! p = (1 − 1/n)^(Kpn) ≈ e^(−Kp)`. For `K ≤ 1` only `p = 0` solves that: a chain of single pushes ends where it meets a
//! node that it has met before, after about `√(πn/2)` nodes, as with birthdays.
//!
//! As long as few nodes have it, their number grows by the factor K in a round; the last ones take as many rounds again
//! as the logarithm of n, with another base. So rounds grow with `log n` at every K.

/// The share of the nodes that push alone reaches: the solution of p = 1 − e^(−Kp).
#[must_use]
pub fn final_share(fanout: f64) -> f64 {
    // From above, the iteration falls towards the largest solution. At K = 1 it would never end.
    if fanout <= 1.0 {
        return 0.0;
    }
    (0..10_000).fold(1.0, |share: f64, _| 1.0 - (-fanout * share).exp())
}

/// Standard deviation of the share in one cluster of `nodes`, for K > 1.
///
/// Given `X` nodes that push, the empty ones after `c·n = K·X` throws have the variance `n·q·(1 − (1 + c)·q)` with `q =
/// e^(−c)` (occupancy of boxes). A deviation of `X` moves the number of throws, which moves `X` again: the feedback
/// divides deviations by `1 − K·q`.
#[must_use]
pub fn deviation(fanout: f64, nodes: usize) -> f64 {
    let share = final_share(fanout);
    let missed = 1.0 - share;
    let variance = missed * (1.0 - (1.0 + fanout * share) * missed) / nodes as f64;
    variance.max(0.0).sqrt() / (1.0 - fanout * missed)
}

/// Mean number of nodes that a chain of single pushes meets.
#[must_use]
pub fn chain(nodes: usize) -> f64 {
    (std::f64::consts::PI * nodes as f64 / 2.0).sqrt()
}

/// How far the mean share of `clusters` clusters may lie from the theory before chance is no explanation any more: five
/// standard deviations of the mean, and what the theory neglects. Peers are not drawn from all: a node leaves out
/// itself and those that its messages told it of, the path on which the value came and their neighbours, of the order
/// `K·log2 n`. That is like a fanout larger by the factor `1 + K·log2(n)/n`, and `dp/dK = p·q / (1 − K·q)`.
#[must_use]
pub fn tolerance(fanout: f64, nodes: usize, clusters: usize) -> f64 {
    let (share, n) = (final_share(fanout), nodes as f64);
    let missed = 1.0 - share;
    let neglected = fanout * fanout * n.log2() / n * share * missed / (1.0 - fanout * missed);
    5.0 * deviation(fanout, nodes) / (clusters.max(1) as f64).sqrt() + neglected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_share_solves_its_equation_and_is_the_known_one() {
        for (fanout, known) in [(2.0, 0.7968), (3.0, 0.9405), (4.0, 0.9802), (5.0, 0.9930)] {
            let share = final_share(fanout);
            assert!((share - known).abs() < 1e-4, "K = {fanout}: {share}");
            assert!((share - (1.0 - (-fanout * share).exp())).abs() < 1e-12);
        }
        assert_eq!(final_share(1.0), 0.0);
    }

    #[test]
    fn the_deviation_is_that_of_simulated_pushes() {
        use rand::{RngExt as _, SeedableRng as _};
        let seed = 5;
        let mut rng = rand_xorshift::XorShiftRng::seed_from_u64(seed);
        let (nodes, clusters) = (1_000, 600);
        for fanout in [2_usize, 3] {
            let shares: Vec<f64> = (0..clusters)
                .map(|_| {
                    let mut has = vec![false; nodes];
                    let mut waiting = vec![0];
                    has[0] = true;
                    while waiting.pop().is_some() {
                        for _ in 0..fanout {
                            let to = rng.random_range(0..nodes);
                            if !std::mem::replace(&mut has[to], true) {
                                waiting.push(to);
                            }
                        }
                    }
                    has.iter().filter(|has| **has).count() as f64 / nodes as f64
                })
                // Chains that die at once, as they can here where a peer may be drawn twice, are none of this.
                .filter(|share| *share > 0.5)
                .collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
            let (measured, theory) = (variance.sqrt(), deviation(fanout as f64, nodes));
            assert!((measured / theory - 1.0).abs() < 0.15, "seed {seed}, K = {fanout}: {measured} against {theory}");
            let off = (mean - final_share(fanout as f64)).abs();
            assert!(off < tolerance(fanout as f64, nodes, shares.len()), "seed {seed}, K = {fanout}: {off}");
        }
    }
}
