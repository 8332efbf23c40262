//! Which policy is in force, and how it came to be.

use serde_json::{Value, json};

use super::matrix;
use crate::{
    clock::Wall,
    portal::{
        context::Cx,
        pages::{self, Fact},
    },
};

/// Version, generation, and since when.
pub(super) fn facts(cx: &Cx) -> Vec<Fact> {
    let words = &cx.words.policy;
    let reload = cx.gate().live().reload.load();
    let fact = |label, value: String| Fact { label, value };
    let mut facts = vec![
        fact(words.version, cx.site().policy.version().to_string()),
        fact(words.generation, cx.visit.snapshot.generation.to_string()),
    ];
    if reload.at > Wall::default() {
        facts.push(fact(words.since, pages::date_and_time(reload.at)));
    }
    if !reload.digest.is_empty() {
        facts.push(fact(words.digest, reload.digest.to_string()));
    }
    facts
}

/// What the last reload changed.
pub(super) fn changes(cx: &Cx) -> Vec<String> {
    cx.gate().live().reload.load().changes.clone()
}

/// What counts only after a restart.
pub(super) fn waiting(cx: &Cx) -> Vec<String> {
    cx.gate().live().reload.load().waiting.clone()
}

pub(super) fn document(cx: &Cx) -> Value {
    let reload = cx.gate().live().reload.load();
    json!({
        "policy": &**cx.site().policy.version(),
        "candidate": cx.site().shadow.as_ref().map(|candidate| &**candidate.version()),
        "generation": cx.visit.snapshot.generation,
        "digest": &*reload.digest,
        "since": (reload.at > Wall::default()).then(|| reload.at.secs()),
        "changes": reload.changes,
        "waiting": reload.waiting,
        "roles": cx.site().policy.roles(),
        "pages": matrix::document(cx),
        "problem": reload.problem.as_ref().map(|problem| json!({
            "at": problem.at.secs(), "text": problem.what,
        })),
    })
}
