//! What a login endpoint's answer says.

use std::sync::Arc;

use serde_json::Value;

use super::{Jar, Recipe, SetCookie, Token, Wanted, leads_to};
use crate::{
    rules::identity::{Role, UserName},
    secret::SecretBytes,
};

/// An answer, as far as it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// `Location`.
    pub location: Option<&'a str>,
    /// Every `Set-Cookie`.
    pub cookies: &'a [SetCookie],
    /// The body.
    pub body: &'a [u8],
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The credentials are right.
    SignedIn(Box<Person>),
    /// They are not.
    No,
    /// Neither can be told, and why: the panel is at fault, or the configuration.
    Fault(String),
}

/// Whom the panel has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account name, canonical.
    pub name: UserName,
    /// The role that counts here.
    pub role: Role,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub display: String,
    /// What signs requests to the panel in.
    pub jar: Jar,
}

/// The longest mail address or name for people that is kept, in characters.
const LONGEST: usize = 200;

/// Reads an answer to the credentials of `typed`.
pub fn read(recipe: &Recipe, typed: &UserName, answer: Answer<'_>) -> Reading {
    if answer.status >= 500 || answer.status == 429 {
        return Reading::Fault(format!("it answers {}", answer.status));
    }
    let json = serde_json::from_slice::<Value>(answer.body).ok();
    if !succeeds(recipe, answer, json.as_ref()) {
        return Reading::No;
    }
    match person(recipe, typed, answer, json.as_ref()) {
        Ok(person) => Reading::SignedIn(Box::new(person)),
        Err(fault) => Reading::Fault(fault),
    }
}

fn succeeds(recipe: &Recipe, answer: Answer<'_>, json: Option<&Value>) -> bool {
    let wanted = &recipe.success;
    let status = if wanted.status.is_empty() {
        (200..400).contains(&answer.status)
    } else {
        wanted.status.contains(&answer.status)
    };
    let leads = |to: &str| answer.location.is_some_and(|location| leads_to(location, &recipe.url, to));
    let sets = |name: &str| answer.cookies.iter().any(|cookie| cookie.name == name && cookie.value.is_some());
    status
        && wanted.location.as_deref().is_none_or(leads)
        && !wanted.location_not.as_deref().is_some_and(leads)
        && wanted.json.as_ref().is_none_or(|wanted| json.is_some_and(|json| holds(json, wanted)))
        && wanted.cookie.as_deref().is_none_or(sets)
}

fn holds(json: &Value, wanted: &Wanted) -> bool {
    let Some(found) = json.pointer(&wanted.pointer) else { return false };
    match &wanted.equals {
        None => !matches!(found, Value::Null | Value::Bool(false)),
        Some(text) => scalar(found).as_ref() == Some(text),
    }
}

fn person(
    recipe: &Recipe,
    typed: &UserName,
    answer: Answer<'_>,
    json: Option<&Value>,
) -> Result<Person, String> {
    let at = |pointer: &Option<String>| {
        let found = json?.pointer(pointer.as_deref()?)?;
        scalar(found).map(|text| text.chars().take(LONGEST).collect::<String>())
    };
    let name = match &recipe.claims.name {
        None => typed.clone(),
        Some(pointer) => {
            let text = at(&recipe.claims.name)
                .ok_or_else(|| format!("its answer has no account name at `{pointer}`"))?;
            UserName::parse(&text)
                .map_err(|error| format!("the name at `{pointer}` cannot be used: {error}"))?
        }
    };
    let theirs = at(&recipe.claims.role);
    let role =
        theirs.map(|role| recipe.roles.get(&role).cloned().unwrap_or_else(|| Arc::from(role.as_str())));
    let role =
        role.or_else(|| recipe.role.clone()).ok_or("its answer has no role, and there is no default")?;
    let mut jar = Jar::default();
    jar.take(answer.cookies, &recipe.pass_on.cookies);
    jar.header = match &recipe.pass_on.token {
        Some(token) => Some(header(token, json)?),
        None => None,
    };
    let (email, display) =
        (at(&recipe.claims.email).unwrap_or_default(), at(&recipe.claims.display).unwrap_or_default());
    Ok(Person { name, role, email, display, jar })
}

fn header(token: &Token, json: Option<&Value>) -> Result<(String, SecretBytes), String> {
    let found = json.and_then(|json| json.pointer(&token.pointer)).and_then(Value::as_str);
    let sound =
        |text: &&str| !text.is_empty() && text.len() <= 8192 && text.bytes().all(|b| b.is_ascii_graphic());
    let text =
        found.filter(sound).ok_or_else(|| format!("its answer has no token at `{}`", token.pointer))?;
    Ok((token.header.clone(), SecretBytes::new(format!("{}{text}", token.prefix))))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
