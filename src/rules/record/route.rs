//! The walk to the client's address, as it can be told afterwards.

use std::net::IpAddr;

use super::Client;
use crate::rules::address::{AddrSource, hop_address};

/// One station of the walk, from the nearest to the farthest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// As it came.
    pub text: String,
    /// What it was taken for.
    pub taken: Taken,
}

/// What a station of the walk was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A proxy that is believed.
    Proxy,
    /// The client.
    Client,
    /// The nearest that is known; the client is somewhere behind it.
    StandIn,
    /// No address: here the walk stopped.
    Unreadable,
    /// Behind the client: anybody may have written it.
    Beyond,
    /// It was not believed, for nobody who is trusted forwarded it.
    Unbelieved,
}

impl Taken {
    /// How it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Client => "client",
            Self::StandIn => "stand-in",
            Self::Unreadable => "unreadable",
            Self::Beyond => "beyond",
            Self::Unbelieved => "unbelieved",
        }
    }
}

impl Client {
    /// The walk, from who was connected outwards.
    pub fn steps(&self) -> Vec<Step> {
        let own = match self.from {
            AddrSource::Peer => Taken::Client,
            AddrSource::Unforwarded => Taken::StandIn,
            AddrSource::Stopped if self.is_client(&self.peer.to_string()) => Taken::StandIn,
            AddrSource::Forwarded | AddrSource::ProxyProtocol | AddrSource::Stopped => Taken::Proxy,
        };
        let mut steps = vec![Step { text: self.peer.to_string(), taken: own }];
        if self.from == AddrSource::ProxyProtocol {
            steps.push(Step { text: self.ip.to_string(), taken: Taken::Client });
        }
        let (mut found, mut stopped) = (own == Taken::StandIn, false);
        for hop in self.hops.iter().rev() {
            let taken = match self.from {
                AddrSource::Peer | AddrSource::ProxyProtocol | AddrSource::Unforwarded => Taken::Unbelieved,
                AddrSource::Forwarded | AddrSource::Stopped => self.taken(hop, &mut found, &mut stopped),
            };
            steps.push(Step { text: hop.to_string(), taken });
        }
        steps
    }

    fn taken(&self, hop: &str, found: &mut bool, stopped: &mut bool) -> Taken {
        if *found {
            let first = !std::mem::replace(stopped, true);
            return if first && self.from == AddrSource::Stopped { Taken::Unreadable } else { Taken::Beyond };
        }
        *found = self.is_client(hop);
        match (*found, self.from) {
            (true, AddrSource::Stopped) => Taken::StandIn,
            (true, _) => Taken::Client,
            (false, _) => Taken::Proxy,
        }
    }

    fn is_client(&self, hop: &str) -> bool {
        hop_address(hop.as_bytes()).is_some_and(|ip: IpAddr| ip == self.ip.to_canonical())
    }
}
