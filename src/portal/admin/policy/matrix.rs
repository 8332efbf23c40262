//! The table of pages and roles.

use std::time::Duration;

use serde_json::{Value, json};

use super::access;
use crate::{
    portal::{
        context::Cx,
        pages::{AccessWord, MatrixCell, MatrixRole, MatrixRow},
        words::fill,
    },
    rules::{
        identity::Role,
        outcome::Access,
        policy::{Conditions, Levels, Page, PageLines, PageQuota, RoleAccess, RuleSet},
        written::spell_duration,
    },
};

/// The columns.
pub(super) fn roles(cx: &Cx) -> Vec<MatrixRole> {
    let (words, policy) = (&cx.words.policy, &cx.site().policy);
    let role = |role: &Role| MatrixRole {
        name: role.to_string(),
        notes: [
            policy.administers(role).then_some(words.administers),
            policy.requires_second_factor(role).then_some(words.requires),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    policy.roles().iter().map(role).collect()
}

/// The pages, and what is on none of them.
pub(super) fn rows(cx: &Cx) -> Vec<MatrixRow> {
    let policy = &cx.site().policy;
    let pages = policy.pages().iter().zip(policy.page_lines());
    let mut rows: Vec<MatrixRow> = pages.map(|(page, lines)| row(cx, page, &lines)).collect();
    let words = &cx.words.policy;
    let everywhere = policy.default_access();
    let levels = Levels { unelevated: everywhere, elevated: everywhere };
    rows.push(MatrixRow {
        name: words.outside.to_owned(),
        place: String::new(),
        paths: Vec::new(),
        notes: vec![words.outside_text.to_owned()],
        cells: policy.roles().iter().map(|_| cell(cx, levels, Vec::new())).collect(),
    });
    rows
}

fn row(cx: &Cx, page: &Page, lines: &PageLines) -> MatrixRow {
    MatrixRow {
        name: page.name.to_string(),
        // The folder is the same for every page.
        place: format!("{}:{}", page.file.rsplit('/').next().unwrap_or_default(), page.line),
        paths: lines.paths.clone(),
        notes: of_page(cx, page, lines),
        cells: page.access.iter().map(|own| cell(cx, own.levels, of_role(cx, page, own))).collect(),
    }
}

fn cell(cx: &Cx, levels: Levels, notes: Vec<String>) -> MatrixCell {
    let word = |level: Access| AccessWord { code: level.as_str(), text: access(cx, level) };
    let (before, after) = (word(levels.unelevated), word(levels.elevated));
    MatrixCell {
        says: fill(cx.words.policy.before_after, &[("before", before.text), ("after", after.text)]),
        after: (levels.unelevated != levels.elevated).then_some(after),
        before,
        notes,
    }
}

/// What is said of a page besides who may do what.
fn of_page(cx: &Cx, page: &Page, lines: &PageLines) -> Vec<String> {
    let words = &cx.words.policy;
    let said = |pattern, name, value: &str| fill(pattern, &[(name, value)]);
    let mut notes = Vec::new();
    if page.anonymous > Access::None {
        notes.push(said(words.anonymous, "access", access(cx, page.anonymous)));
    }
    notes.extend(terms(cx, &page.when, page.lasts, cx.site().policy.standard_lasts(), &page.quotas));
    let list = [(words.reads, &lines.reads), (words.writes, &lines.writes)];
    let list = list.into_iter().filter(|(_, all)| !all.is_empty());
    notes.extend(list.map(|(pattern, all)| said(pattern, "items", &all.join(", "))));
    let scopes = [(words.scope_read, &page.scope_read), (words.scope_write, &page.scope_write)];
    notes.extend(
        scopes.into_iter().filter_map(|(pattern, scope)| Some(said(pattern, "scope", scope.as_deref()?))),
    );
    if !page.allow_in_path.is_empty() {
        let classes: Vec<&str> = page.allow_in_path.iter().map(|class| class.as_str()).collect();
        notes.push(said(words.opens_path, "items", &classes.join(" ")));
    }
    notes
}

fn of_role(cx: &Cx, page: &Page, own: &RoleAccess) -> Vec<String> {
    terms(cx, &own.when, own.lasts, page.lasts, &own.quotas)
}

/// Conditions, the time that a second factor counts where it is not the usual one, and quotas.
fn terms(cx: &Cx, when: &Conditions, lasts: Duration, usual: Duration, quotas: &[PageQuota]) -> Vec<String> {
    let words = &cx.words.policy;
    let condition = |(kind, wants): (&str, String)| {
        let pattern = match kind {
            "networks" => words.only_networks,
            "countries" => words.only_countries,
            "hours" => words.only_hours,
            _ => words.only_methods,
        };
        fill(pattern, &[("items", &wants)])
    };
    let mut terms: Vec<String> = when.written().into_iter().map(condition).collect();
    if lasts != usual {
        terms.push(fill(words.lasts, &[("time", &spell_duration(lasts))]));
    }
    if !quotas.is_empty() {
        let quotas: Vec<String> = quotas.iter().map(ToString::to_string).collect();
        terms.push(fill(words.limit, &[("items", &quotas.join(", "))]));
    }
    terms
}

/// The same for programs.
pub(super) fn document(cx: &Cx) -> Value {
    let policy = &cx.site().policy;
    let pages = policy.pages().iter().zip(policy.page_lines());
    pages.map(|(page, lines)| page_document(policy, page, &lines)).collect()
}

fn page_document(policy: &RuleSet, page: &Page, lines: &PageLines) -> Value {
    let quotas = |quotas: &[PageQuota]| quotas.iter().map(ToString::to_string).collect::<Vec<_>>();
    let when = |when: &Conditions| {
        let all = when.written().into_iter().map(|(kind, wants)| (kind.to_owned(), json!(wants)));
        Value::Object(all.collect())
    };
    let access = policy.roles().iter().zip(&page.access).map(|(role, own)| {
        let own = json!({
            "unelevated": own.levels.unelevated.as_str(),
            "elevated": own.levels.elevated.as_str(),
            "lasts": spell_duration(own.lasts),
            "when": when(&own.when),
            "limit": quotas(&own.quotas),
        });
        (role.to_string(), own)
    });
    json!({
        "name": &*page.name,
        "place": format!("{}:{}", page.file, page.line),
        "paths": lines.paths,
        "reads": lines.reads,
        "writes": lines.writes,
        "anonymous": page.anonymous.as_str(),
        "when": when(&page.when),
        "limit": quotas(&page.quotas),
        "scopes": { "read": page.scope_read.as_deref(), "write": page.scope_write.as_deref() },
        "access": Value::Object(access.collect()),
    })
}
