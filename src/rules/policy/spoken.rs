//! The facts of a question as people write them: in the tests beside a policy, on the command line, in a form. There is
//! one spelling of each, and this is its reader.

mod moment;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Asked, Question,
    amendment::{METHODS, WEBSOCKET},
};
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope,
        facts::{BadAsk, Target},
        identity::Role,
        place::Country,
        session::{Elevation, Factor},
        written::{
            At, Codes, Fields, Findings, Key, Node, Value, Written, hint, parse_duration, scalar, scalars,
        },
    },
};

/// Codes of mistakes in the shape of tests.
pub(super) const CODES: Codes =
    Codes { kind: "T001", unknown: "T002", duplicate: "T003", missing: "T004", value: "T005" };

/// Stands for somebody who is not signed in.
pub(super) const NOBODY: &str = "nobody";

const FACTORS: [(&str, Factor); 2] = [("totp", Factor::Totp), ("backup-code", Factor::BackupCode)];

/// The facts of one or more questions, each of them written or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    pub(super) roles: Option<Vec<Written<Role>>>,
    methods: Option<Vec<Arc<str>>>,
    paths: Option<Vec<Path>>,
    /// How long ago a second factor was proved; `None` inside: it was not.
    elevated: Option<Written<Option<Duration>>>,
    factor: Option<Written<Factor>>,
    enrolled: Option<bool>,
    high_security: Option<Written<bool>>,
    overrides: Option<bool>,
    from: Option<IpAddr>,
    country: Option<Country>,
    at: Option<Wall>,
    pub(super) scopes: Option<Written<Vec<Written<Scope>>>>,
    pub(super) acting_as: Option<Written<Role>>,
    write: Option<Written<bool>>,
}

/// A path as a client sends it. One that no page can open is answered before any policy is asked.
#[derive(Clone, Debug)]
struct Path {
    text: Arc<str>,
    target: Result<Target, BadAsk>,
}

/// One combination of roles, methods and paths.
#[derive(Clone, Debug)]
pub(super) enum Probe {
    /// A request that the policy judges.
    Judged(Question),
    /// One that is refused before.
    Refused {
        /// Method and path.
        request: String,
        /// Why.
        bad: BadAsk,
    },
}

impl Spoken {
    /// Reads the facts of a mapping, going on after every mistake.
    pub(super) fn read(fields: &mut Fields<'_>, found: &mut Findings) -> Self {
        let scopes = scopes(fields, found);
        let mut spoken = Self {
            roles: several(fields, "role", found, |text, _| Some(text.value.into())),
            methods: several(fields, "method", found, method).map(bare),
            paths: several(fields, "path", found, path).map(bare),
            elevated: one(fields, "elevated", found, elevated),
            factor: fields.one_of("factor", &FACTORS, found),
            enrolled: fields.boolean("enrolled", found).map(|truth| truth.value),
            high_security: fields.boolean("high_security", found),
            overrides: fields.boolean("override", found).map(|truth| truth.value),
            from: one(fields, "from", found, address).map(|from| from.value),
            country: one(fields, "country", found, country).map(|country| country.value),
            at: one(fields, "at", found, moment::read).map(|at| at.value),
            scopes,
            acting_as: one(fields, "acting_as", found, |text, _| Some(text.value.into())),
            write: fields.boolean("write", found),
        };
        if let (Some(scopes), Some((fact, _))) = (&spoken.scopes, spoken.of_session()) {
            let what = format!("`scopes` and `{fact}` stand together in {}", fields.what());
            let help = "a key has scopes, a session has the others: write two cases";
            found.error("T008", &scopes.at, what, help);
            spoken.scopes = None;
        }
        spoken
    }

    /// What is written here, and `defaults` for the rest. What makes somebody a key here makes what the defaults say of
    /// sessions void, and the other way round.
    pub(super) fn over(self, defaults: &Self, found: &mut Findings) -> Self {
        let session = self.of_session().is_some();
        let base = Self {
            scopes: defaults.scopes.clone().filter(|_| !session),
            ..if self.scopes.is_some() { defaults.without_session() } else { defaults.clone() }
        };
        let Self { roles, methods, paths, elevated, factor, enrolled, high_security, overrides, .. } = self;
        let own = [factor.as_ref().map(|own| own.at.clone()), self.write.as_ref().map(|own| own.at.clone())];
        let merged = Self {
            roles: roles.or(base.roles),
            methods: methods.or(base.methods),
            paths: paths.or(base.paths),
            elevated: elevated.or(base.elevated),
            factor: factor.or(base.factor),
            enrolled: enrolled.or(base.enrolled),
            high_security: high_security.or(base.high_security),
            overrides: overrides.or(base.overrides),
            from: self.from.or(base.from),
            country: self.country.or(base.country),
            at: self.at.or(base.at),
            scopes: self.scopes.or(base.scopes),
            acting_as: self.acting_as.or(base.acting_as),
            write: self.write.or(base.write),
        };
        let [factor, write] = own;
        let proved = merged.elevated.as_ref().is_some_and(|elevated| elevated.value.is_some());
        for (at, fact, without, idle) in [
            (factor, "factor", "elevated", !proved),
            (write, "write", "acting_as", merged.acting_as.is_none()),
        ] {
            if let Some(at) = at.filter(|_| idle) {
                let what = format!("`{fact}` says nothing without `{without}`");
                found.error("T008", &at, what, format!("write `{without}` beside it, or remove it"));
            }
        }
        merged
    }

    /// The first fact that only a session has.
    fn of_session(&self) -> Option<(&'static str, &At)> {
        let at = [
            ("elevated", self.elevated.as_ref().map(|fact| &fact.at)),
            ("factor", self.factor.as_ref().map(|fact| &fact.at)),
            ("high_security", self.high_security.as_ref().map(|fact| &fact.at)),
            ("acting_as", self.acting_as.as_ref().map(|fact| &fact.at)),
            ("write", self.write.as_ref().map(|fact| &fact.at)),
        ];
        at.into_iter().find_map(|(fact, at)| Some((fact, at?)))
    }

    fn without_session(&self) -> Self {
        Self {
            elevated: None,
            factor: None,
            high_security: None,
            acting_as: None,
            write: None,
            ..self.clone()
        }
    }

    /// What is missing for a question.
    pub(super) fn missing(&self) -> Option<&'static str> {
        [("role", self.roles.is_none()), ("path", self.paths.is_none())]
            .into_iter()
            .find_map(|(key, missing)| missing.then_some(key))
    }

    /// How many combinations there are.
    pub(super) fn count(&self) -> usize {
        let (roles, paths) =
            (self.roles.as_ref().map_or(0, Vec::len), self.paths.as_ref().map_or(0, Vec::len));
        roles.saturating_mul(self.methods.as_ref().map_or(1, Vec::len)).saturating_mul(paths)
    }

    /// Every combination. `at` is when, unless that is written.
    pub(super) fn probes(&self, at: Wall) -> Vec<Probe> {
        let get = [Arc::from("GET")];
        let methods = self.methods.as_deref().unwrap_or(&get);
        let mut all = Vec::new();
        for role in self.roles.iter().flatten() {
            for method in methods {
                for path in self.paths.iter().flatten() {
                    all.push(self.probe(&role.value, method, path, self.at.unwrap_or(at)));
                }
            }
        }
        all
    }

    fn probe(&self, role: &Role, method: &Arc<str>, path: &Path, at: Wall) -> Probe {
        let upgrade = **method == *WEBSOCKET;
        match &path.target {
            Err(bad) => Probe::Refused { request: format!("{method} {}", path.text), bad: bad.clone() },
            Ok(target) => Probe::Judged(Question {
                target: target.clone(),
                method: if upgrade { "GET".to_owned() } else { method.to_string() },
                upgrade,
                method_override: self.overrides.unwrap_or(false),
                client: self.from,
                country: self.country,
                at,
                who: self.asked(role, at),
            }),
        }
    }

    fn asked(&self, role: &Role, at: Wall) -> Asked {
        if **role == *NOBODY {
            return Asked::Nobody;
        }
        let (role, enrolled) = (Role::clone(role), self.enrolled.unwrap_or(true));
        if let Some(scopes) = &self.scopes {
            let scopes = scopes.value.iter().map(|scope| Scope::clone(&scope.value)).collect();
            return Asked::Key { role, enrolled, scopes };
        }
        let by = self.factor.as_ref().map_or(Factor::Totp, |factor| factor.value);
        let proof = self.elevated.as_ref().and_then(|elevated| elevated.value).map(|ago| {
            let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
            Elevation { at: Wall::from_millis(at.millis().saturating_sub(ago)), by }
        });
        let write = self.write.as_ref().is_some_and(|write| write.value);
        Asked::Session {
            role,
            enrolled,
            proof,
            relaxed: self.high_security.as_ref().is_some_and(|on| !on.value),
            acting: self.acting_as.as_ref().map(|role| (Role::clone(&role.value), write)),
        }
    }
}

/// A fact from elsewhere than a test file: a flag of the command line, a field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The key that it has in test files.
    pub key: &'static str,
    /// What its giver calls it, for problems: `--from`.
    pub called: String,
    /// One text, or several where the key takes several.
    pub texts: Vec<String>,
}

impl Question {
    /// The one question that the facts make, with everything that is wrong with them otherwise. `at` is when, unless a
    /// fact says so.
    pub fn of_facts(facts: &[Fact], at: Wall, found: &mut Findings) -> Option<Self> {
        let mut own = Findings::default();
        let root = Node { at: At::source(""), value: Value::Map(facts.iter().map(Fact::entry).collect()) };
        let mut fields = Fields::of(&root, "the question", CODES, &mut own)?;
        let spoken = Spoken::read(&mut fields, &mut own).over(&Spoken::default(), &mut own);
        fields.finish(&mut own);
        if let Some(key) = spoken.missing().filter(|_| !own.any_errors()) {
            own.error(CODES.missing, &root.at, format!("`{key}` is missing"), "say who asks for what");
        }
        let probe = spoken.probes(at).into_iter().next();
        if let Some(Probe::Refused { bad, .. }) = &probe {
            let called = facts.iter().find(|fact| fact.key == "path").map_or("path", |fact| &fact.called);
            own.error(
                CODES.value,
                &At::source(called),
                bad.what,
                "no policy is asked about such a path: 400",
            );
        }
        let usable = !own.any_errors();
        found.extend(own);
        match probe {
            Some(Probe::Judged(question)) if usable => Some(question),
            Some(Probe::Judged(_) | Probe::Refused { .. }) | None => None,
        }
    }
}

impl Fact {
    fn entry(&self) -> (Key, Node) {
        let at = At::source(&self.called);
        let text = |text: &String| Node { at: at.clone(), value: Value::Scalar(text.clone()) };
        let value = match (self.key, self.texts.as_slice()) {
            ("role" | "method" | "path" | "scopes", all) => Value::List(all.iter().map(text).collect()),
            (_, [only]) => Value::Scalar(only.clone()),
            (_, all) => Value::List(all.iter().map(text).collect()),
        };
        (Key { at: at.clone(), text: self.key.to_owned() }, Node { at, value })
    }
}

fn one<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    found: &mut Findings,
    read: impl Fn(&Written<&str>, &mut Findings) -> Option<T>,
) -> Option<Written<T>> {
    let text = fields.text(key, found)?;
    read(&text, found).map(|value| Written { at: text.at, value })
}

/// One text, or a list of them that is not empty.
fn several<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    found: &mut Findings,
    read: impl Fn(&Written<&str>, &mut Findings) -> Option<T>,
) -> Option<Vec<Written<T>>> {
    if !fields.has(key) {
        // Known, so that it is offered where another key is misspelt.
        fields.get(key);
        return None;
    }
    let node = fields.require(key, "name at least one", found)?;
    let texts = match &node.value {
        Value::Scalar(_) => scalar(node, key, CODES, found).into_iter().collect(),
        Value::Null | Value::List(_) | Value::Map(_) => scalars(node, key, CODES, found),
    };
    let read = |text: Written<&str>, found: &mut Findings| {
        read(&text, found).map(|value| Written { at: text.at.clone(), value })
    };
    Some(texts.into_iter().filter_map(|text| read(text, found)).collect())
}

fn bare<T>(all: Vec<Written<T>>) -> Vec<T> {
    all.into_iter().map(|one| one.value).collect()
}

/// An empty list is a key that may do nothing.
fn scopes(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Written<Vec<Written<Scope>>>> {
    let node = fields.get("scopes")?;
    let scope = |text: Written<&str>| Written { at: text.at, value: Scope::from(text.value) };
    let value = scalars(node, "scopes", CODES, found).into_iter().map(scope).collect();
    Some(Written { at: node.at.clone(), value })
}

fn method(text: &Written<&str>, found: &mut Findings) -> Option<Arc<str>> {
    let name = text.value;
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Some(name.into());
    }
    let what = format!("`{name}` is not a method");
    let help = match name.split_once(',') {
        Some(_) => format!("write several as a list: `[{name}]`"),
        None => hint(&name.to_ascii_uppercase(), &METHODS),
    };
    found.error(CODES.value, &text.at, what, help);
    None
}

fn path(text: &Written<&str>, found: &mut Findings) -> Option<Path> {
    if !text.value.starts_with('/') {
        let what = format!("`{}` is not a path as a client sends it", text.value);
        found.error(CODES.value, &text.at, what, "begin with a slash and leave the host out: `/users/7`");
        return None;
    }
    Some(Path { text: text.value.into(), target: Target::parse(text.value.as_bytes()) })
}

/// How long ago a second factor was proved, if it was.
#[expect(clippy::option_option, reason = "the outer one is a mistake in the text")]
fn elevated(text: &Written<&str>, found: &mut Findings) -> Option<Option<Duration>> {
    match (text.value, text.value.strip_suffix(" ago").map(parse_duration)) {
        ("true", _) => Some(Some(Duration::ZERO)),
        ("false", _) => Some(None),
        (_, Some(Some(ago))) => Some(Some(ago)),
        (word, _) => {
            let what = format!("`{word}` does not say whether a second factor was proved");
            let help = match parse_duration(word) {
                Some(_) => format!("write `{word} ago`"),
                None => "write `true`, `false`, or how long ago: `5m ago`".to_owned(),
            };
            found.error(CODES.value, &text.at, what, help);
            None
        }
    }
}

fn address(text: &Written<&str>, found: &mut Findings) -> Option<IpAddr> {
    let address = text.value.parse::<IpAddr>().ok();
    if address.is_none() {
        let what = format!("`{}` is not an address", text.value);
        found.error(CODES.value, &text.at, what, "write one address: `10.0.0.5`, or `\"2001:db8::1\"`");
    }
    address.map(|address| address.to_canonical())
}

fn country(text: &Written<&str>, found: &mut Findings) -> Option<Country> {
    let country = Country::parse(text.value);
    if country.is_none() {
        let what = format!("`{}` is not a country", text.value);
        found.error(CODES.value, &text.at, what, Country::hint(text.value));
    }
    country
}
