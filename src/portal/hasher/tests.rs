//! The threads that check passwords.

use std::{fs, sync::Arc};

use super::{Hasher, NICE, OFFERED, giving_way};
use crate::clock::{ManualClock, SystemClock, Wall};

/// The 19th field of proc(5)'s `stat`.
#[tokio::test]
async fn whoever_checks_passwords_gives_way_to_everybody_else() {
    let hasher = Hasher::new(1, Arc::default(), Arc::new(SystemClock::new()));
    let niceness = || fs::read_to_string("/proc/thread-self/stat").unwrap();
    let stat = hasher.run(niceness).await.unwrap().unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    assert_eq!(fields.split(' ').nth(16), Some(NICE.to_string().as_str()), "{stat}");
}

#[tokio::test]
async fn work_that_panics_takes_no_thread_with_it() {
    let hasher = Hasher::new(1, Arc::default(), Arc::new(SystemClock::new()));
    assert_eq!(hasher.run(|| -> u8 { panic!("on purpose") }).await, Ok(None));
    assert_eq!(hasher.run(|| 7).await, Ok(Some(7)));
}

/// Whoever gives his core away in every round never gets done on a machine that is busy.
#[test]
fn the_core_is_offered_for_a_second_and_then_kept() {
    let clock = Arc::new(ManualClock::at(Wall::from_secs(1)));
    let mut offers = 0;
    let mut pause = giving_way(clock.clone(), || offers += 1);
    pause();
    clock.advance(OFFERED / 2);
    pause();
    clock.advance(OFFERED / 2);
    pause();
    pause();
    drop(pause);
    assert_eq!(offers, 2);
}
