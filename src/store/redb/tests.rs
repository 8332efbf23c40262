//! What only a file can suffer.

mod crash;
mod faults;
mod files;
mod group;
mod lend;

use super::super::Everything;

/// What two stores must agree on.
fn state(
    everything: Everything,
) -> (u64, Vec<std::sync::Arc<crate::rules::session::Session>>, Vec<crate::rules::identity::User>) {
    (everything.cursor.0, everything.sessions, everything.users)
}

/// A sequence that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
