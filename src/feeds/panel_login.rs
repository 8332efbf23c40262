//! Asking a panel's own login endpoint. What the answer means is `rules::login`'s.

mod exchange;
mod form_token;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue};

use self::exchange::{Exchange, Fault};
use crate::{
    clock::Clock,
    rules::{
        identity::UserName,
        login::{Answer, Body, Breaker, Credentials, Filling, Jar, Person, Reading, Recipe, SetCookie, read},
    },
    secret::{SecretBytes, SecretText},
};

/// Who wants to sign in at a panel.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The account name, canonical: panels that tell upper case from lower have one account for it at most.
    pub name: &'a UserName,
    /// The password.
    pub password: &'a SecretText,
    /// The field that tells the panel whose browser it is, for limits of its own.
    pub on_behalf_of: &'a (HeaderName, HeaderValue),
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The panel says no.
    NoMatch,
    /// The panel could not be asked, or its answer makes no sense; the log says why.
    Unavailable,
}

/// Asks login endpoints: each with its own time limit and circuit breaker, over TLS that is verified, without following
/// redirects.
pub struct PanelLogins {
    clock: Arc<dyn Clock>,
    doors: Mutex<HashMap<Arc<str>, Door>>,
}

/// What is kept for one login of the configuration.
struct Door {
    authorities: Vec<Vec<u8>>,
    exchange: Exchange,
    breaker: Breaker,
}

impl PanelLogins {
    /// Nothing is asked yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, doors: Mutex::default() }
    }

    /// Signs somebody in at the panel.
    ///
    /// # Errors
    /// When the panel says no, or nothing that counts.
    pub async fn ask(&self, recipe: &Recipe, question: Question<'_>) -> Result<Person, Failure> {
        let Some(exchange) = self.admit(recipe) else {
            tracing::debug!(login = %recipe.name, "the panel did not answer five times in a row and is left alone");
            return Err(Failure::Unavailable);
        };
        let asked = tokio::time::timeout(recipe.timeout, sign_in(&exchange, recipe, question)).await;
        let reading = match asked {
            Ok(Ok(reading)) => reading,
            Ok(Err(fault)) => Reading::Fault(fault.to_string()),
            Err(_) => Reading::Fault(format!("no whole answer within {:?}", recipe.timeout)),
        };
        self.note(recipe, &reading);
        match reading {
            Reading::SignedIn(mut person) => {
                if recipe.renew {
                    let password = SecretBytes::new(question.password.expose().as_bytes());
                    person.jar.again = Some(Credentials { name: question.name.clone(), password });
                }
                Ok(*person)
            }
            Reading::No => Err(Failure::NoMatch),
            Reading::Fault(_) => Err(Failure::Unavailable),
        }
    }

    /// The way to the panel, unless it is left alone for now.
    fn admit(&self, recipe: &Recipe) -> Option<Exchange> {
        let now = self.now();
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Door {
            authorities: recipe.authorities.clone(),
            exchange: Exchange::new(&recipe.authorities),
            breaker: Breaker::default(),
        };
        let door = doors.entry(Arc::clone(&recipe.name)).or_insert_with(fresh);
        if door.authorities != recipe.authorities {
            // The configuration has changed.
            *door = fresh();
        }
        door.breaker.admit(now).then(|| door.exchange.clone())
    }

    fn note(&self, recipe: &Recipe, reading: &Reading) {
        let now = self.now();
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(door) = doors.get_mut(&recipe.name) else { return };
        let Reading::Fault(error) = reading else {
            door.breaker.note(true, now);
            return;
        };
        tracing::warn!(login = %recipe.name, url = %recipe.url, %error, "the panel could not say who it is; nobody is signed in");
        if door.breaker.note(false, now) {
            tracing::error!(login = %recipe.name, "five faults in a row: the panel is asked once in 30 s until it answers");
        }
    }

    fn now(&self) -> Duration {
        self.clock.moment().mono
    }
}

async fn sign_in(exchange: &Exchange, recipe: &Recipe, question: Question<'_>) -> Result<Reading, Fault> {
    let mut cookies = Jar::default();
    let mut token = String::new();
    let mut seen = Vec::new();
    if let Some(before) = &recipe.before {
        let page = exchange.get(&before.url, question.on_behalf_of).await?;
        token = form_token::find(&page.body, &before.field)
            .ok_or_else(|| Fault::NoToken(before.field.clone()))?;
        keep(&mut cookies, &page.cookies);
        seen = page.cookies;
    }
    let filling = Filling { username: question.name.as_str(), password: question.password, token: &token };
    let Body { content_type, bytes } = recipe.body.fill(filling);
    let answer = exchange.post(&recipe.url, content_type, bytes, &cookies, question.on_behalf_of).await?;
    // A page before may have set the cookie that the sign-in only makes valid; success is judged by the answer alone.
    let mut reading = read(
        recipe,
        question.name,
        Answer {
            status: answer.status,
            location: answer.location.as_deref(),
            cookies: &answer.cookies,
            body: &answer.body,
        },
    );
    if let Reading::SignedIn(person) = &mut reading {
        let mut jar = Jar::default();
        jar.take(&seen, &recipe.pass_on.cookies);
        jar.take(&answer.cookies, &recipe.pass_on.cookies);
        person.jar.cookies = jar.cookies;
        if jar_is_empty(&person.jar) && !recipe.pass_on.is_empty() {
            return Err(Fault::NothingToPassOn);
        }
    }
    Ok(reading)
}

fn jar_is_empty(jar: &Jar) -> bool {
    jar.cookies.is_empty() && jar.header.is_none()
}

fn keep(jar: &mut Jar, cookies: &[SetCookie]) {
    let names: Vec<String> = cookies.iter().map(|cookie| cookie.name.clone()).collect();
    jar.take(cookies, &names);
}
