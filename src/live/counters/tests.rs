use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use proptest::prelude::*;

use super::{Class, Counters, QuotaKey, Quotas, Subject, buckets::Limiter, nested::Nested};
use crate::{
    clock::{Moment, Wall},
    rules::{
        address::NetworkKey,
        api_key::KeyId,
        identity::UserId,
        limit::Quota,
        policy::{PageQuota, Per},
    },
};

fn quota(text: &str) -> Quota {
    Quota::parse(text).unwrap()
}

fn quotas() -> Quotas {
    Quotas {
        request: quota("10/s"),
        sign_in: quota("5/15m"),
        second_factor: quota("3/5m"),
        refresh: quota("30/min"),
        portal: quota("20/min"),
        account: quota("3/5m"),
        key: quota("3/5m"),
    }
}

fn at(millis: u64) -> Moment {
    Moment { wall: Wall::from_secs(1_800_000_000), mono: Duration::from_millis(millis) }
}

fn net(last: u8) -> NetworkKey {
    NetworkKey::of(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
}

#[test]
fn a_full_bucket_holds_the_count_and_refills_evenly() {
    let counters = Counters::new(quotas());
    for _ in 0..5 {
        assert_eq!(counters.charge(net(1), Class::SignIn, at(0)), Ok(()));
    }
    assert_eq!(counters.charge(net(1), Class::SignIn, at(0)), Err(Duration::from_secs(180)));
    assert_eq!(counters.charge(net(1), Class::SignIn, at(179_999)), Err(Duration::from_millis(1)));
    assert_eq!(counters.charge(net(1), Class::SignIn, at(180_000)), Ok(()));
    assert_eq!(counters.charge(net(1), Class::SignIn, at(180_000)), Err(Duration::from_secs(180)));
}

#[test]
fn networks_and_classes_have_buckets_of_their_own() {
    let counters = Counters::new(quotas());
    for _ in 0..3 {
        counters.charge(net(1), Class::SecondFactor, at(0)).unwrap();
    }
    assert!(counters.charge(net(1), Class::SecondFactor, at(0)).is_err());
    assert_eq!(counters.charge(net(2), Class::SecondFactor, at(0)), Ok(()));
    assert_eq!(counters.charge(net(1), Class::Refresh, at(0)), Ok(()));
}

/// R14: ten thousand addresses share the three tries of the account.
#[test]
fn an_account_is_charged_whatever_network_the_tries_come_from() {
    let counters = Counters::new(quotas());
    let allowed = (0..100_u8)
        .filter(|last| {
            counters.charge(net(*last), Class::SecondFactor, at(0)).is_ok()
                && counters.charge_account(UserId([7; 16]), at(0)).is_ok()
        })
        .count();
    assert_eq!(allowed, 3);
    assert_eq!(counters.charge_account(UserId([8; 16]), at(0)), Ok(()), "another account has all of its own");
}

#[test]
fn setting_the_machines_clock_changes_nothing() {
    let counters = Counters::new(quotas());
    for _ in 0..5 {
        counters.charge(net(1), Class::SignIn, at(1000)).unwrap();
    }
    let tomorrow = Moment { wall: Wall::from_secs(1_900_000_000), ..at(1000) };
    assert!(counters.charge(net(1), Class::SignIn, tomorrow).is_err());
}

#[test]
fn a_moment_from_before_does_not_turn_time_back() {
    let counters = Counters::new(quotas());
    for _ in 0..5 {
        counters.charge(net(1), Class::SignIn, at(5000)).unwrap();
    }
    assert_eq!(counters.charge(net(1), Class::SignIn, at(0)), Err(Duration::from_secs(180)));
    assert_eq!(counters.charge(net(1), Class::SignIn, at(185_000)), Ok(()));
}

#[test]
fn new_quotas_count_at_once_and_unchanged_ones_keep_their_buckets() {
    let counters = Counters::new(quotas());
    for _ in 0..5 {
        counters.charge(net(1), Class::SignIn, at(0)).unwrap();
    }
    counters.set_quotas(Quotas { request: quota("1/min"), ..quotas() });
    assert!(counters.charge(net(1), Class::SignIn, at(0)).is_err(), "a reload frees nobody");
    assert_eq!(counters.charge(net(1), Class::Request, at(0)), Ok(()));
    assert!(counters.charge(net(1), Class::Request, at(0)).is_err());
}

fn v6(n: u32) -> NetworkKey {
    let [a, b] = [n >> 16, n & 0xffff].map(|part| u16::try_from(part).unwrap());
    NetworkKey::of(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, a, b, 0, 0, 0, 1)))
}

/// R28: 50 000 /64 networks of one provider neither fill the memory nor get 50 000 buckets.
#[test]
fn beyond_the_capacity_networks_share_coarse_buckets() {
    let limiter = Limiter::new(quota("5/15m"), 1000);
    let allowed = (0..50_000).filter(|n| limiter.charge(&v6(*n), Duration::from_secs(1)).is_ok()).count();
    assert_eq!(limiter.len(), 1000);
    assert_eq!(allowed, 1000 + 5);
    assert!(limiter.charge(&v6(0), Duration::from_secs(1)).is_ok(), "who has a bucket keeps it");
    assert!(limiter.charge(&net(1), Duration::from_secs(1)).is_ok(), "a /16 elsewhere is not affected");
}

/// The network `own` of the /48 `site`.
fn of_site(site: u16, own: u16) -> NetworkKey {
    v6(u32::from(site) << 16 | u32::from(own))
}

/// R16: whoever is given a /48 has 65 536 networks.
#[test]
fn r16_all_networks_of_a_slash_48_have_sixteen_quotas_together() {
    let counters = Counters::new(quotas());
    let passed = |site| {
        (0..1000).filter(|own| counters.charge(of_site(site, *own), Class::SignIn, at(0)).is_ok()).count()
    };
    assert_eq!((passed(1), passed(2)), (16 * 5, 16 * 5), "the next /48 has its own");
    let wait = counters.charge(of_site(1, 2000), Class::SignIn, at(0));
    assert_eq!(wait, Err(Duration::from_millis(180_000 / 16)), "and sixteen times as much comes back");
    assert_eq!(counters.charge(of_site(1, 2000), Class::Refresh, at(0)), Ok(()), "classes are apart");
    assert_eq!(counters.charge(net(1), Class::SignIn, at(0)), Ok(()));
}

#[test]
fn r16_what_one_network_is_refused_costs_its_neighbours_nothing() {
    let counters = Counters::new(quotas());
    let counters = &counters;
    let passed = move |own| {
        (0..10_000).filter(move |_| counters.charge(of_site(1, own), Class::SignIn, at(0)).is_ok())
    };
    assert_eq!(passed(1).count(), 5);
    let others = (2..30).filter(|own| passed(*own).count() == 5).count();
    assert_eq!(others, 15);
}

#[test]
fn r28_a_slash_48_that_is_refused_makes_no_more_buckets_and_ipv4_has_no_wider_ones() {
    let limiter = Nested::new(quota("5/15m"), 1000);
    for n in 0..500 {
        let _ = limiter.charge(&of_site(1, n), Duration::from_secs(1));
        let _ = limiter.charge(&net(1), Duration::from_secs(1));
    }
    assert_eq!(limiter.len(), (16 * 5 + 1, 1));
    let rotating = (0..50_000).filter(|n| limiter.charge(&of_site(*n, 0), Duration::from_secs(1)).is_ok());
    assert!(rotating.count() < 1000 + 5, "a /32 that goes through its /48s ends where it did before");
    assert_eq!(limiter.len(), (1000, 1000));
}

#[test]
fn r16_what_a_slash_48_has_used_is_carried_over() {
    let (old, new) = (Counters::new(quotas()), Counters::new(quotas()));
    for own in 0..80 {
        old.charge(of_site(1, own), Class::SignIn, at(1_000_000)).unwrap();
    }
    let wire = postcard::to_stdvec(&old.levels(at(1_000_000))).unwrap();
    new.take_over(postcard::from_bytes(&wire).unwrap(), at(50));
    assert!(new.charge(of_site(1, 500), Class::SignIn, at(50)).is_err());
    assert_eq!(new.charge(of_site(2, 500), Class::SignIn, at(50)), Ok(()));
}

#[test]
fn r16_quotas_of_pages_by_address_count_the_slash_48_as_well() {
    let counters = Counters::new(quotas());
    let page = PageQuota { per: Per::Address, quota: quota("2/min") };
    let key = QuotaKey { site: "panel".into(), page: "system".into(), role: None, quota: page };
    let passed = (0..100)
        .filter(|own| counters.charge_page(key.clone(), Subject::Network(of_site(1, *own)), at(0)).is_ok());
    assert_eq!(passed.count(), 32);
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let limiter = Limiter::new(quota("10/s"), 1000);
    for n in 0..1000 {
        limiter.charge(&v6(n), Duration::from_secs(1)).unwrap();
    }
    limiter.charge(&v6(5000), Duration::from_secs(1)).unwrap();
    limiter.charge(&v6(5001), Duration::from_secs(70)).unwrap();
    assert_eq!(limiter.len(), 1);
}

/// What a process has counted goes on counting in the one that takes over, whose clock starts elsewhere.
#[test]
fn what_was_counted_is_carried_over_and_refills_as_before() {
    let (old, new) = (Counters::new(quotas()), Counters::new(quotas()));
    for _ in 0..5 {
        old.charge(net(1), Class::SignIn, at(1_000_000)).unwrap();
    }
    for _ in 0..3 {
        old.charge_account(UserId([7; 16]), at(1_000_000)).unwrap();
        old.charge_key(KeyId([7; 32]), at(1_000_000)).unwrap();
    }
    let levels = old.levels(at(1_060_000));
    let wire = postcard::to_stdvec(&levels).unwrap();
    new.take_over(postcard::from_bytes(&wire).unwrap(), at(50));
    assert_eq!(new.charge(net(1), Class::SignIn, at(50)), Err(Duration::from_secs(120)));
    assert_eq!(new.charge(net(2), Class::SignIn, at(50)), Ok(()));
    let wait = Err(Duration::from_secs(40));
    assert_eq!(new.charge_account(UserId([7; 16]), at(50)), wait, "one of three comes back in 100 s");
    assert_eq!(new.charge_key(KeyId([7; 32]), at(50)), wait);
    assert_eq!(new.charge_key(KeyId([8; 32]), at(50)), Ok(()));
    assert_eq!(new.charge(net(1), Class::SignIn, at(120_050)), Ok(()));
}

#[test]
fn coarse_buckets_are_carried_over_and_another_quota_is_not() {
    let (old, new) = (Limiter::new(quota("5/15m"), 10), Limiter::new(quota("5/15m"), 10));
    let allowed = |limiter: &Limiter<NetworkKey>, from: u32| {
        (from..from + 50).filter(|n| limiter.charge(&v6(*n), Duration::from_secs(1)).is_ok()).count()
    };
    assert_eq!(allowed(&old, 0), 10 + 5);
    new.take_over(old.levels(Duration::from_secs(1)), Duration::from_secs(1));
    assert_eq!(allowed(&new, 1000), 0, "the ten places and the coarse bucket are taken");
    let other = Limiter::new(quota("6/15m"), 10);
    other.take_over(old.levels(Duration::from_secs(1)), Duration::from_secs(1));
    assert_eq!(allowed(&other, 0), 10 + 6);
}

/// Whatever the order of threads, no more than the count goes through at one moment.
#[test]
fn racing_threads_get_no_more_than_the_count() {
    let counters = Counters::new(quotas());
    let allowed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    if counters.charge(net(9), Class::Refresh, at(0)).is_ok() {
                        allowed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(allowed.into_inner(), 30);
}

proptest! {
    /// In any window, at most the count plus what the window refills.
    #[test]
    fn no_sequence_of_charges_beats_the_quota(
        count in 1..20_u32, per in 1..60_u64, steps in proptest::collection::vec(0..3000_u64, 1..200),
    ) {
        let limiter = Limiter::new(quota(&format!("{count}/{per}s")), 100);
        let (mut now, mut allowed) = (0, 0_u64);
        for step in steps {
            now += step;
            match limiter.charge(&net(1), Duration::from_millis(now)) {
                Ok(()) => allowed += 1,
                Err(wait) => {
                    prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(per));
                }
            }
            let refilled = now * u64::from(count) / (per * 1000) + 1;
            prop_assert!(allowed <= u64::from(count) + refilled);
        }
    }
}
