//! What is said of the start.

use std::sync::Arc;

use super::ReloadProblem;
use crate::{
    clock::Wall,
    live::{Live, Quotas, Snapshot},
    rules::limit::Quota,
};

/// `/readyz` said that all was well when a gate started on a full disk.
#[test]
fn r29_a_trail_that_cannot_be_written_from_the_start_stays_told() {
    let live = Live::new(Snapshot::default(), Quotas::all(Quota::parse("1/s").unwrap()));
    let problem = ReloadProblem { at: Wall::from_secs(1), what: "no room".into() };
    live.note_unaccounted(Some(problem.clone()));
    live.note_started(Wall::from_secs(2), &Arc::from("digest"));
    let state = live.reload.load_full();
    assert_eq!(
        (state.unaccounted.clone(), &*state.digest, state.at),
        (Some(problem), "digest", Wall::from_secs(2))
    );
}
