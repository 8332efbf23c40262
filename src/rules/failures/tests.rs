mod ladder;
mod model;
mod odds;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::*;

pub(super) const START: Wall = Wall::from_secs(1_800_000_000);

pub(super) fn after(secs: u64) -> Wall {
    START.plus(Duration::from_secs(secs))
}

pub(super) fn net(last: u8) -> NetworkKey {
    NetworkKey::of(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
}

pub(super) fn success(network: NetworkKey, at: Wall) -> Success {
    let user = UserId([1; 16]);
    Success { user, network, password: Some(Known::Yes), factor: Some(Known::Yes), at }
}

pub(super) fn barred(account: &Account, network: NetworkKey, kind: Kind, at: Wall) -> Option<Barred> {
    account.permits(&network, kind, &Lockout::default(), at, 0).err()
}
