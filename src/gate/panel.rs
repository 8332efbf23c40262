//! Signing in to the panel itself, for panels that keep their users: who the panel says somebody is, and its own
//! session behind a session of ours.

mod account;
#[cfg(test)]
pub(crate) mod fake;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use dashmap::DashMap;

use super::{Gate, Visit};
use crate::{
    clock::Wall,
    rules::{
        identity::{User, UserName},
        judge::View,
        login::{Jar, Person, Recipe, SetCookie},
        outcome::{Grant, Holder},
        session::{EndReason, Origin, PanelLogin, Session, SessionChange, Sid},
    },
    secret::SecretText,
    store::{StoreError, Which},
};

/// What the panel has set is written down so much later; a crash forgets at most that.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// A panel that says so soon after a sign-in that nobody is signed in would say so again.
const FRESH: Duration = Duration::from_secs(5);

/// Asks the login endpoint of a panel.
#[async_trait]
pub trait AskPanel: Send + Sync + 'static {
    /// Signs somebody in. `client` is for the panel's own limits.
    async fn sign_in(
        &self,
        recipe: &Recipe,
        name: &UserName,
        password: &SecretText,
        client: IpAddr,
    ) -> Result<Person, NotSignedIn>;
}

/// Why the panel signed nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSignedIn {
    /// Wrong credentials, or an account that may not.
    NoMatch,
    /// The panel or the store could not be asked: nobody knows, so nobody is signed in.
    Unavailable,
}

/// The panel's own sessions behind ours.
pub struct Panels {
    ask: Arc<dyn AskPanel>,
    /// What panels have set since it was last written down.
    news: DashMap<Sid, News>,
    /// One renewal at a time for each session.
    turns: DashMap<Sid, Arc<tokio::sync::Mutex<()>>>,
}

#[derive(Clone)]
struct News {
    jar: Jar,
    /// Of the sign-in that it goes back to.
    at: Wall,
    version: u64,
}

/// What of the panel's own session goes with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The gate has no part in it: what the client sends is the panel's own business.
    ClientsOwn,
    /// Nothing, whatever the client sends.
    Nothing,
    /// Nothing, whatever the client sends: this session was opened without a sign-in at the panel, or it is lost.
    Missing {
        /// The session.
        sid: Sid,
    },
    /// This, in place of what the client sends.
    Panel {
        /// Behind this session.
        sid: Sid,
        /// Cookies and token.
        jar: Jar,
        /// When the panel was signed in to.
        at: Wall,
    },
}

/// What follows when the panel says that its own session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It is signed in to again: ask once more.
    Renewed,
    /// Our session has ended with it: sign in again.
    SignIn,
    /// It was signed in to just now, so that is not it: the answer goes on as it is.
    Fresh,
    /// The panel could not be asked.
    Unavailable,
}

/// Nobody to ask.
struct Nobody;

#[async_trait]
impl AskPanel for Nobody {
    async fn sign_in(
        &self,
        _recipe: &Recipe,
        _name: &UserName,
        _password: &SecretText,
        _client: IpAddr,
    ) -> Result<Person, NotSignedIn> {
        Err(NotSignedIn::Unavailable)
    }
}

impl Default for Panels {
    /// Without a way to ask, nobody is signed in.
    fn default() -> Self {
        Self::new(Arc::new(Nobody))
    }
}

impl Panels {
    /// Asks panels through `ask`.
    pub fn new(ask: Arc<dyn AskPanel>) -> Self {
        Self { ask, news: DashMap::new(), turns: DashMap::new() }
    }

    /// Asks the panel who somebody is; the account is made at the first time and follows the panel at the others.
    pub async fn sign_in(
        &self,
        gate: &Gate,
        recipe: &Recipe,
        name: &UserName,
        password: &SecretText,
        client: IpAddr,
    ) -> Result<(Arc<User>, Jar), NotSignedIn> {
        let mut person = self.ask.sign_in(recipe, name, password, client).await?;
        let jar = std::mem::take(&mut person.jar);
        match account::of(gate, recipe, person, client).await {
            Ok(Some(user)) => Ok((user, jar)),
            Ok(None) => Err(NotSignedIn::NoMatch),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// What of the panel's own session goes with a request that was allowed.
    ///
    /// While an operator acts as somebody else it is nothing: the panel would take the operator for the one who acts.
    pub fn carried(&self, gate: &Gate, visit: &Visit, grant: &Grant) -> Carried {
        let Some(recipe) = visit.site.login.as_ref().filter(|recipe| !recipe.pass_on.is_empty()) else {
            return Carried::ClientsOwn;
        };
        let bearer = grant.bearer().filter(|bearer| bearer.actor.is_none());
        let Some(Holder::Session(sid)) = bearer.map(|bearer| bearer.holder) else { return Carried::Nothing };
        let Some(session) = gate.live().records.session(&sid) else { return Carried::Nothing };
        if session.origin != Origin::Portal {
            return Carried::ClientsOwn;
        }
        if let Some((jar, at)) = self.jar(visit, &session) {
            return Carried::Panel { sid, jar, at };
        }
        tracing::debug!(login = %recipe.name, session = %session.sid.public(), "this session has no panel login");
        Carried::Missing { sid }
    }

    /// Takes in what the panel set in an answer.
    pub fn learn(self: &Arc<Self>, gate: &Arc<Gate>, visit: &Visit, sid: Sid, cookies: &[SetCookie]) {
        let Some(recipe) = &visit.site.login else { return };
        let Some(session) = gate.live().records.session(&sid) else { return };
        let Some((mut jar, at)) = self.jar(visit, &session) else { return };
        if !jar.take(cookies, &recipe.pass_on.cookies) {
            return;
        }
        let first = {
            let mut news = self.news.entry(sid).or_insert_with(|| News { jar: jar.clone(), at, version: 0 });
            if news.version > 0 {
                news.jar.take(cookies, &recipe.pass_on.cookies);
            }
            news.version += 1;
            news.version == 1
        };
        if first {
            let (panels, gate) = (Arc::clone(self), Arc::clone(gate));
            tokio::spawn(async move { panels.write_news(&gate, sid).await });
        }
    }

    /// The panel says that its session is over; `at` is when it was signed in to, as far as the request knew.
    pub async fn lapsed(&self, gate: &Gate, visit: &Visit, sid: Sid, at: Wall) -> Lapse {
        let turn = Arc::clone(&*self.turns.entry(sid).or_default());
        let lapse = {
            let _turn = turn.lock().await;
            self.take_turn(gate, visit, sid, at).await
        };
        drop(turn);
        self.turns.remove_if(&sid, |_, turn| Arc::strong_count(turn) == 1);
        lapse
    }

    async fn take_turn(&self, gate: &Gate, visit: &Visit, sid: Sid, at: Wall) -> Lapse {
        let now = gate.moment().wall;
        let (Some(recipe), Some(session)) = (&visit.site.login, gate.live().records.session(&sid)) else {
            return Lapse::SignIn;
        };
        let Some((jar, newest)) = self.jar(visit, &session) else {
            return end(gate, visit, &session, "panel-signed-out").await;
        };
        if newest > at {
            // Another request of this session was faster.
            return Lapse::Renewed;
        }
        if now.since(newest) < FRESH {
            return Lapse::Fresh;
        }
        let Some(again) = jar.again else { return end(gate, visit, &session, "panel-signed-out").await };
        let password = SecretText::from(String::from_utf8_lossy(again.password.expose()).into_owned());
        let client = visit.facts.client.ip;
        match self.sign_in(gate, recipe, &again.name, &password, client).await {
            Ok((user, jar)) if user.id == session.user => self.keep(gate, visit, &session, &jar, now).await,
            // Somebody else now, or nobody: the password was changed, or the account closed.
            Ok(_) | Err(NotSignedIn::NoMatch) => end(gate, visit, &session, "panel-renewal-refused").await,
            Err(NotSignedIn::Unavailable) => Lapse::Unavailable,
        }
    }

    async fn keep(&self, gate: &Gate, visit: &Visit, session: &Session, jar: &Jar, now: Wall) -> Lapse {
        self.news.remove(&session.sid);
        match write(gate, session.sid, jar, now).await {
            Ok(true) => {
                let (client, session) = (visit.facts.client.ip, session.sid.public());
                tracing::info!(target: "panelgate::audit", event = "panel-login-renewed", %client, %session);
                Lapse::Renewed
            }
            Ok(false) => Lapse::SignIn,
            Err(error) => {
                unavailable(&error);
                Lapse::Unavailable
            }
        }
    }

    /// The newest jar of a session, and when it was signed in.
    fn jar(&self, visit: &Visit, session: &Session) -> Option<(Jar, Wall)> {
        let record = session.panel.as_ref()?;
        if let Some(news) = self.news.get(&session.sid).filter(|news| news.at >= record.at) {
            return Some((news.jar.clone(), news.at));
        }
        let jar = Jar::open(visit.snapshot.keys.master(), &session.sid, &record.sealed)?;
        Some((jar, record.at))
    }

    /// Writes what a panel has set down, until there is nothing new.
    async fn write_news(&self, gate: &Gate, sid: Sid) {
        loop {
            tokio::time::sleep(WRITE_AFTER).await;
            let Some(news) = self.news.get(&sid).map(|news| news.clone()) else { return };
            let record = gate.live().records.session(&sid).and_then(|session| session.panel.clone());
            if record.is_some_and(|record| record.at == news.at)
                && let Err(error) = write(gate, sid, &news.jar, news.at).await
            {
                unavailable(&error);
            }
            // What it says is in the record now, or the record knows better.
            if self.news.remove_if(&sid, |_, now| now.version == news.version).is_some() {
                return;
            }
        }
    }
}

/// A jar, sealed for its session.
pub fn seal(gate: &Gate, sid: &Sid, jar: &Jar, at: Wall) -> PanelLogin {
    // The newest key: what a rotation has sealed again must not come back under the older one.
    let sealed = jar.seal(gate.live().snapshot().keys.master(), sid, gate.entropy().array());
    PanelLogin { sealed, at }
}

async fn write(gate: &Gate, sid: Sid, jar: &Jar, at: Wall) -> Result<bool, StoreError> {
    let panel = Some(Some(seal(gate, &sid, jar, at)));
    let change = SessionChange { panel, ..SessionChange::default() };
    let written = gate.store().change_session(sid, change, gate.moment().wall).await?;
    Ok(gate.settled(written).await)
}

async fn end(gate: &Gate, visit: &Visit, session: &Session, event: &'static str) -> Lapse {
    let ended = gate.store().end(Which::One(session.sid), EndReason::SignedOut, gate.moment().wall).await;
    match ended {
        Ok(written) => {
            gate.settled(written).await;
            let (client, session) = (visit.facts.client.ip, session.sid.public());
            tracing::info!(target: "panelgate::audit", event, %client, %session);
            Lapse::SignIn
        }
        Err(error) => {
            unavailable(&error);
            Lapse::Unavailable
        }
    }
}

fn unavailable(error: &StoreError) -> NotSignedIn {
    tracing::error!(%error, "the store did not answer");
    NotSignedIn::Unavailable
}
