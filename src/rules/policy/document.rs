//! A policy as its author wrote it, with positions.

use std::time::Duration;

use super::{Conditions, PageQuota, conditions, quota};
use crate::rules::{
    outcome::Access,
    session::Factor,
    written::{At, Codes, Fields, Findings, Node, Value, Written, choose, scalar},
};

/// Codes of mistakes in the shape of a policy.
pub(super) const CODES: Codes =
    Codes { kind: "P001", unknown: "P002", duplicate: "P003", missing: "P004", value: "P005" };

const WORDS: [(&str, Access); 3] = [("none", Access::None), ("read", Access::Read), ("full", Access::Full)];

pub(super) struct Document<'n> {
    pub(super) roles: Vec<Written<&'n str>>,
    pub(super) lasts: Written<Duration>,
    pub(super) methods: Vec<Factor>,
    pub(super) default: Access,
    pub(super) require_2fa: Vec<Written<&'n str>>,
    pub(super) administer: Option<Vec<Written<&'n str>>>,
    pub(super) pages: Vec<WrittenPage<'n>>,
}

pub(super) struct WrittenPage<'n> {
    pub(super) at: At,
    pub(super) name: Written<&'n str>,
    pub(super) paths: Vec<Written<&'n str>>,
    pub(super) reads: Vec<Written<&'n str>>,
    pub(super) writes: Vec<Written<&'n str>>,
    pub(super) scope_read: Option<Written<&'n str>>,
    pub(super) scope_write: Option<Written<&'n str>>,
    pub(super) anonymous: Option<Written<Access>>,
    pub(super) terms: Terms,
    pub(super) allow_in_path: Vec<Written<&'n str>>,
    pub(super) bar: bool,
    pub(super) access: Vec<WrittenAccess<'n>>,
}

/// What can be said of a page, and of a role on it.
pub(super) struct Terms {
    pub(super) when: Conditions,
    pub(super) lasts: Option<Written<Duration>>,
    pub(super) quotas: Vec<PageQuota>,
}

pub(super) struct WrittenAccess<'n> {
    pub(super) role: Written<&'n str>,
    pub(super) at: At,
    pub(super) unelevated: Access,
    pub(super) elevated: Access,
    pub(super) terms: Option<Terms>,
}

/// Reads the whole document, going on after every mistake.
pub(super) fn read<'n>(node: &'n Node, found: &mut Findings) -> Option<Document<'n>> {
    let mut fields = Fields::of(node, "the policy", CODES, found)?;
    let help = "name the policy's own file behind `policy:`";
    fields.refuse("sites", CODES.unknown, "`sites` stands in a configuration, not in a policy", help, found);
    fields.require("version", "write `version: 1`", found);
    fields.one_of("version", &[("1", 1)], found);
    fields.require("roles", "list them, mightiest first: `roles: [root, admin, user]`", found);
    let roles = fields.texts("roles", found);
    let (lasts, methods) = elevation(&mut fields, found);
    let default = fields.one_of("default", &WORDS, found).map_or(Access::None, |access| access.value);
    let require_2fa = fields.texts("require_2fa", found);
    let administer = fields.get("administer").is_some().then(|| fields.texts("administer", found));
    let pages = fields.nodes("pages", found).iter().filter_map(|node| page(node, found)).collect();
    fields.finish(found);
    Some(Document { roles, lasts, methods, default, require_2fa, administer, pages })
}

/// How long a second factor counts, and which ones do.
fn elevation(fields: &mut Fields<'_>, found: &mut Findings) -> (Written<Duration>, Vec<Factor>) {
    const METHODS: [(&str, Factor); 2] = [("totp", Factor::Totp), ("backup-code", Factor::BackupCode)];
    let all = METHODS.map(|(_, factor)| factor).into();
    let lasts = Written { at: fields.at.clone(), value: Duration::from_secs(15 * 60) };
    let Some(mut elevation) = fields.sub("elevation", found) else { return (lasts, all) };
    let lasts = elevation.duration("lasts", Duration::from_secs(1), found).unwrap_or(lasts);
    let methods = if elevation.get("methods").is_some() {
        elevation.require("methods", "name at least one: `methods: [totp]`", found);
        let words = elevation.texts("methods", found);
        let chosen = words.iter().filter_map(|word| choose(word, "methods", &METHODS, CODES, found));
        chosen.map(|chosen| chosen.value).collect()
    } else {
        all
    };
    elevation.finish(found);
    (lasts, methods)
}

fn page<'n>(node: &'n Node, found: &mut Findings) -> Option<WrittenPage<'n>> {
    let mut fields = Fields::of(node, "a page", CODES, found)?;
    fields.require("name", "give the page a name, it is shown wherever something is refused", found);
    let name = fields.text("name", found);
    fields.require("paths", "list what the page covers: `paths: [\"/users/**\"]`", found);
    let paths = fields.texts("paths", found);
    let (reads, writes) = (fields.texts("reads", found), fields.texts("writes", found));
    let (scope_read, scope_write) = scopes(&mut fields, found);
    let anonymous = fields.one_of("anonymous", &WORDS[..2], found);
    let terms = terms(&mut fields, found);
    let allow_in_path = fields.texts("allow_in_path", found);
    let bar = fields.one_of("bar", &[("true", true), ("false", false)], found).is_none_or(|bar| bar.value);
    let access = access(&mut fields, found);
    if fields.get("anonymous").is_none() {
        let help = "say what each role may do: `access: { root: full, user: read }`";
        fields.require("access", help, found);
    }
    let at = fields.at.clone();
    fields.finish(found);
    let name = name?;
    Some(WrittenPage {
        at,
        name,
        paths,
        reads,
        writes,
        scope_read,
        scope_write,
        anonymous,
        terms,
        allow_in_path,
        bar,
        access,
    })
}

fn terms(fields: &mut Fields<'_>, found: &mut Findings) -> Terms {
    let when = conditions::read(fields, found);
    let lasts = fields.duration("lasts", Duration::from_secs(1), found);
    Terms { when, lasts, quotas: quota::read(fields, found) }
}

fn scopes<'n>(
    fields: &mut Fields<'n>,
    found: &mut Findings,
) -> (Option<Written<&'n str>>, Option<Written<&'n str>>) {
    let Some(mut scopes) = fields.sub("scopes", found) else { return (None, None) };
    let both = (scopes.text("read", found), scopes.text("write", found));
    scopes.finish(found);
    both
}

fn access<'n>(fields: &mut Fields<'n>, found: &mut Findings) -> Vec<WrittenAccess<'n>> {
    let Some(mut roles) = fields.sub("access", found) else { return Vec::new() };
    for key in ["when", "lasts", "limit"] {
        let what = format!("`{key}` stands among the roles");
        let help = format!(
            "move it to the left, beside `access`, or into a role: `root: {{ unelevated: read, elevated: full, {key}: … }}`"
        );
        roles.refuse(key, CODES.unknown, &what, &help, found);
    }
    let entries = roles.entries().iter();
    entries
        .filter_map(|(key, node)| {
            let role = Written { at: key.at.clone(), value: key.text.as_str() };
            role_access(role, node, found)
        })
        .collect()
}

/// `read`, or `{ unelevated: read, elevated: full }`, with terms of the role's own.
fn role_access<'n>(role: Written<&'n str>, node: &Node, found: &mut Findings) -> Option<WrittenAccess<'n>> {
    let at = node.at.clone();
    if let Value::Map(_) = node.value {
        let mut fields = Fields::of(node, "the access of a role", CODES, found)?;
        for key in ["unelevated", "elevated"] {
            fields.require(key, "write both, or one word for the same before and after", found);
        }
        let unelevated = fields.one_of("unelevated", &WORDS, found);
        let elevated = fields.one_of("elevated", &WORDS, found);
        let terms = terms(&mut fields, found);
        fields.finish(found);
        let (unelevated, elevated) = (unelevated?.value, elevated?.value);
        return Some(WrittenAccess { role, at, unelevated, elevated, terms: Some(terms) });
    }
    let word = scalar(node, role.value, CODES, found)?;
    let access = choose(&word, "access", &WORDS, CODES, found)?.value;
    Some(WrittenAccess { role, at, unelevated: access, elevated: access, terms: None })
}
