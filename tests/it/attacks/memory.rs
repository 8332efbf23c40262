//! What the gate remembers of very many clients and names.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use panelgate::{
    clock::{Moment, Wall},
    live::{Class, Live, Quotas, Snapshot},
    rules::{
        address::NetworkKey,
        failures::{Failure, Kind, Subject},
        identity::UserName,
        limit::Quota,
        seal::Sealer,
    },
    store::{Cursor, MemoryStore, Store},
};

const ADDRESSES: u32 = 10_000_000;
const NAMES: u32 = 1_000_000;
/// What docs/limits.md states.
const BOUND_MIB: u64 = 256;

/// `cargo test --locked --test it attacks::memory -- --ignored --nocapture`
#[tokio::test]
#[ignore = "takes minutes, and measures the whole process: run it alone"]
#[expect(clippy::print_stdout, reason = "a measurement is there to be read")]
async fn ten_million_addresses_and_a_million_names_stay_within_the_bound() {
    let quota = Quota { count: NonZeroU32::new(20).unwrap(), per: Duration::from_secs(60) };
    let quotas = Quotas {
        request: quota,
        sign_in: quota,
        second_factor: quota,
        refresh: quota,
        portal: quota,
        account: quota,
        key: quota,
    };
    let live = Live::new(Snapshot::default(), quotas);
    let before = resident();
    println!("resident before: {before} MiB");

    let mut refused = 0_u64;
    for n in 0..ADDRESSES {
        let at = Moment { wall: Wall::from_secs(1_800_000_000), mono: Duration::from_micros(u64::from(n)) };
        for class in [Class::Request, Class::SignIn] {
            refused += u64::from(live.counters.charge(network(n), class, at).is_err());
        }
    }
    let after_addresses = resident();
    println!(
        "resident after {ADDRESSES} addresses: {after_addresses} MiB; {refused} charges refused by coarse buckets"
    );

    // The store's own tables are in this process, too.
    let store = MemoryStore::new();
    let (keys, rules) = (Sealer::new([7; 32]), Arc::clone(&live.snapshot().lockout));
    let mut changes = store.changes(Cursor::default()).await.unwrap();
    for n in 0..NAMES {
        let name = UserName::parse(&format!("user-{n}")).unwrap();
        let failure = Failure {
            guessed: Some((Subject::name(&keys, &name), Kind::Password)),
            network: network(n),
            bannable: true,
            count: 1,
            at: Wall::from_secs(1_800_000_000 + u64::from(n / 100)),
        };
        store.fail(failure, Arc::clone(&rules)).await.unwrap();
        while let Some(Some((cursor, change))) = changes.next().now_or_never() {
            live.records.apply(cursor, change);
        }
    }
    let after_names = resident();
    println!("resident after {NAMES} names from as many addresses: {after_names} MiB");
    let everything = store.everything().await.unwrap();
    println!("names remembered: {}", everything.failures.len());
    assert!(everything.failures.len() <= 131_072);
    let grown = after_names.saturating_sub(before);
    assert!(grown < BOUND_MIB, "{grown} MiB");
    let said = format!("{BOUND_MIB} MiB");
    assert!(include_str!("../../../docs/limits.md").contains(&said), "docs/limits.md does not say {said}");
}

fn network(n: u32) -> NetworkKey {
    NetworkKey::of(IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 + n)))
}

/// In MiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}
