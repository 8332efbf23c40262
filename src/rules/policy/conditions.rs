//! `when`: what must be true of a request besides its role. An unmet condition, and one that cannot be evaluated, means
//! `none` (R17).

mod hours;
mod read;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

pub use self::hours::Hours;
pub(super) use self::hours::{Fault, find_zone, spell_hours};
pub(super) use self::read::read;
use super::{Manner, amendment::WEBSOCKET};
use crate::{
    clock::Wall,
    rules::{place::Country, reason::Reason},
};

/// The conditions of a page, or of a role on a page. All that are there must be met; an empty set is always met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The client's address is in one of these; IPv4-mapped networks are folded.
    pub networks: Option<Vec<IpNet>>,
    /// The client's address is in one of these countries, sorted.
    pub countries: Option<Vec<Country>>,
    /// The time is within one of these.
    pub hours: Option<Vec<Hours>>,
    /// The method is one of these; a GET covers HEAD, and `WEBSOCKET` stands for a handshake.
    pub methods: Option<Vec<Arc<str>>>,
    /// The line where they are written; 0 when there are none.
    pub line: u32,
}

/// One condition before one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// As the policy calls it: `networks`.
    pub(super) kind: &'static str,
    /// What is wanted, as the policy writes it.
    pub(super) wants: String,
    /// Whether it is met; `None`: it cannot be evaluated, which counts as unmet (R17).
    pub(super) met: Option<bool>,
}

/// What conditions are asked about, besides the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The client's address; `None` when it is not certain.
    pub client: Option<IpAddr>,
    /// The country of that address; `None` when it is not known.
    pub country: Option<Country>,
    /// When.
    pub at: Wall,
}

impl Conditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first condition that is not met, as a reason.
    pub fn unmet(&self, circumstances: &Circumstances, manner: Manner<'_>) -> Option<Reason> {
        let checks = [
            (self.in_networks(circumstances.client), Reason::OutsideNetworks),
            (self.in_countries(circumstances.country), Reason::OutsideCountries),
            (self.in_hours(circumstances.at), Reason::OutsideHours),
            (self.has_method(manner), Reason::MethodNotAllowed),
        ];
        checks.into_iter().find_map(|(met, reason)| (!met).then_some(reason))
    }

    /// Every condition that is written, with its state.
    pub(super) fn look(&self, circumstances: &Circumstances, manner: Manner<'_>) -> Vec<Looked> {
        let Circumstances { client, country, at } = *circumstances;
        let known = |known: bool, met: bool| known.then_some(met);
        let all = [
            ("networks", spell(self.networks.as_ref()), known(client.is_some(), self.in_networks(client))),
            (
                "countries",
                spell(self.countries.as_ref()),
                known(country.is_some(), self.in_countries(country)),
            ),
            ("hours", spell(self.hours.as_ref()), Some(self.in_hours(at))),
            ("methods", spell(self.methods.as_ref()), Some(self.has_method(manner))),
        ];
        let looked = |(kind, wants, met): (_, Option<String>, _)| Some(Looked { kind, wants: wants?, met });
        all.into_iter().filter_map(looked).collect()
    }

    /// Each condition that is written: `networks`, `countries`, `hours` or `methods`, and what it wants.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("networks", spell(self.networks.as_ref())),
            ("countries", spell(self.countries.as_ref())),
            ("hours", spell(self.hours.as_ref())),
            ("methods", spell(self.methods.as_ref())),
        ];
        all.into_iter().filter_map(|(kind, wants)| Some((kind, wants?))).collect()
    }

    /// Whether they allow the place and the time, whatever the method.
    pub(super) fn allow_place_and_time(&self, circumstances: &Circumstances) -> bool {
        let Circumstances { client, country, at } = *circumstances;
        self.in_networks(client) && self.in_countries(country) && self.in_hours(at)
    }

    fn in_networks(&self, client: Option<IpAddr>) -> bool {
        self.networks.as_ref().is_none_or(|networks| {
            client.is_some_and(|ip| networks.iter().any(|network| network.contains(&ip.to_canonical())))
        })
    }

    fn in_countries(&self, country: Option<Country>) -> bool {
        self.countries
            .as_ref()
            .is_none_or(|countries| country.is_some_and(|country| countries.contains(&country)))
    }

    fn in_hours(&self, at: Wall) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.iter().any(|hours| hours.cover(at)))
    }

    /// What overrides its method has none that can be named (R36).
    fn has_method(&self, manner: Manner<'_>) -> bool {
        let Some(methods) = &self.methods else { return true };
        let named = |method: &str| methods.iter().any(|known| **known == *method);
        match manner {
            Manner { method_override: true, .. } => false,
            Manner { upgrade: true, .. } => named(WEBSOCKET),
            // The word stands for a handshake in the policy; on the wire it is nobody's method.
            Manner { method: WEBSOCKET, .. } => false,
            Manner { method: "HEAD", .. } => named("HEAD") || named("GET"),
            Manner { method, .. } => named(method),
        }
    }
}

fn spell<T: ToString>(all: Option<&Vec<T>>) -> Option<String> {
    all.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
