//! All ways to make a request, as classes: two of a class are the same to both policies.

use std::collections::BTreeSet;

use super::super::{
    Manner, RuleSet,
    amendment::{METHODS, WEBSOCKET},
};

/// A way to make a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) method: String,
    pub(super) upgrade: bool,
    pub(super) method_override: bool,
    /// Stands for all methods that neither policy names.
    pub(super) other: bool,
}

impl Way {
    pub(super) fn manner(&self) -> Manner<'_> {
        let (upgrade, method_override) = (self.upgrade, self.method_override);
        Manner { method: &self.method, upgrade, method_override }
    }

    /// As people are told.
    pub(super) fn label(&self) -> String {
        match self {
            Self { method_override: true, .. } => "method overrides".to_owned(),
            Self { upgrade: true, method, .. } if method == "GET" => "WebSocket".to_owned(),
            Self { upgrade: true, .. } => "other upgrades".to_owned(),
            Self { other: true, .. } => "other methods".to_owned(),
            // The word stands for a handshake in the policy; on the wire it is nobody's method.
            Self { method, .. } if method == WEBSOCKET => "WEBSOCKET as a method".to_owned(),
            Self { method, .. } => method.clone(),
        }
    }
}

/// One of every class.
pub(super) fn classes(a: &RuleSet, b: &RuleSet) -> Vec<Way> {
    let mut methods: BTreeSet<String> = METHODS.map(str::to_owned).into();
    for rules in [a, b] {
        methods.extend(rules.amendments.iter().flatten().map(|line| line.method.to_string()));
        let whens = rules.pages.iter().flat_map(|page| {
            std::iter::once(&page.when).chain(page.access.iter().map(|access| &access.when))
        });
        methods.extend(whens.flat_map(|when| when.methods.iter().flatten()).map(ToString::to_string));
    }
    let way = |method: &str, upgrade, method_override| Way {
        method: method.to_owned(),
        upgrade,
        method_override,
        other: false,
    };
    let other = ["PROPFIND", "REPORT"]
        .into_iter()
        .find(|method| !methods.contains(*method))
        .unwrap_or("OTHER-METHOD");
    let other = Way { other: true, ..way(other, false, false) };
    let mut all: Vec<Way> = methods.iter().map(|method| way(method, false, false)).collect();
    all.extend([other, way("GET", true, false), way("POST", true, false), way("POST", false, true)]);
    all
}
