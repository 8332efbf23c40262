//! Who has stepped into a trap lately: one may be an accident, two different ones are a scanner.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::rules::address::NetworkKey;

/// Two traps within this time are no accident.
const WITHIN: Duration = Duration::from_secs(60);
/// Networks that are remembered; further ones take the place of the oldest.
const NETWORKS: usize = 1024;

/// Networks that have stepped into a trap, with the last one, the oldest first.
#[derive(Debug, Default)]
pub struct Lures {
    steps: Mutex<VecDeque<Step>>,
}

#[derive(Debug)]
struct Step {
    network: NetworkKey,
    trap: Arc<str>,
    at: Duration,
}

impl Lures {
    /// Notes a step into a trap at a monotonic time, and gives the other trap that the network stepped into shortly
    /// before, if it did.
    pub fn step(&self, network: NetworkKey, trap: &str, now: Duration) -> Option<Arc<str>> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.retain(|step| now.saturating_sub(step.at) <= WITHIN);
        let known = steps.iter().position(|step| step.network == network);
        let before = known.and_then(|at| steps.remove(at)).map(|step| step.trap);
        while steps.len() >= NETWORKS {
            steps.pop_front();
        }
        steps.push_back(Step { network, trap: trap.into(), at: now });
        before.filter(|before| **before != *trap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> NetworkKey {
        NetworkKey::of(std::net::Ipv4Addr::from(number).into())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn two_different_traps_of_one_network_within_a_minute_are_told() {
        let lures = Lures::default();
        assert_eq!(lures.step(network(1), "/.env", secs(0)), None);
        assert_eq!(lures.step(network(1), "/.env", secs(50)), None, "the same one, as often as one likes");
        assert_eq!(lures.step(network(2), "/.git/**", secs(51)), None, "somebody else");
        assert_eq!(lures.step(network(1), "/.git/**", secs(110)).as_deref(), Some("/.env"));
        assert_eq!(lures.step(network(2), "/.env", secs(112)), None, "too late");
    }

    #[test]
    fn the_oldest_networks_are_forgotten_first() {
        let lures = Lures::default();
        for number in 0..=u32::try_from(NETWORKS).unwrap() {
            assert_eq!(lures.step(network(number), "/.env", secs(1)), None);
        }
        assert_eq!(lures.steps.lock().unwrap().len(), NETWORKS);
        assert!(lures.step(network(2), "/.git/**", secs(1)).is_some());
        assert_eq!(lures.step(network(0), "/.git/**", secs(1)), None);
    }
}
