//! What the steps share: the gate, the people in it, and the codes that were used.

use std::{collections::BTreeMap, time::Duration};

use super::{Broken, browser::Browser, child::Gate, wire::Wire};
use crate::{
    clock::{Clock as _, SystemClock, Wall},
    config::Environment,
    demo::{DemoError, issuer, people::Person, place::Place, report::Report},
};

/// The length of an authenticator app's time step.
const STEP: u64 = 30;

/// How long things last while the story is told: short enough to see them lapse.
pub(super) const ELEVATION: Duration = Duration::from_secs(5);
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long access tokens live after the restart.
pub(super) const ACCESS: Duration = Duration::from_secs(2);

const BEFORE: [(&str, &str); 2] =
    [("PANELGATE_ELEVATION__LASTS", "5s"), ("PANELGATE_LIFETIMES__GRACE", "2s")];
const AFTER: [(&str, &str); 2] =
    [("PANELGATE_ELEVATION__LASTS", "10m"), ("PANELGATE_LIFETIMES__ACCESS", "2s")];

/// The state of the story.
pub(super) struct Story {
    place: Place,
    /// What the gate's own environment replaces.
    ambient: Environment,
    gate: Gate,
    people: Vec<Person>,
    pub(super) clock: SystemClock,
    pub(super) wire: Wire,
    /// The newest step of each account whose code was used.
    used: BTreeMap<String, u64>,
    /// Browsers by the name that a chapter gave them.
    browsers: BTreeMap<&'static str, Browser>,
    /// The code that was accepted last.
    pub(super) last_code: String,
}

impl Story {
    pub(super) async fn begin(place: Place, ambient: Environment) -> Result<Self, DemoError> {
        let started = async {
            let (gate, report) = Gate::start(&place.path(""), &ambient, &BEFORE).await?;
            let wire = Wire::new(&report)?;
            Ok::<_, Broken>((gate, report, wire))
        };
        let (gate, report, wire) = started.await.map_err(|Broken(found)| DemoError::Other(found))?;
        Ok(Self {
            place,
            ambient,
            gate,
            people: report.users,
            clock: SystemClock::new(),
            wire,
            used: BTreeMap::new(),
            browsers: BTreeMap::new(),
            last_code: String::new(),
        })
    }

    /// Kills the gate without warning and starts it again on the same directory.
    pub(super) async fn crash(&mut self) -> Result<Report, Broken> {
        self.gate.kill().await?;
        self.wire.tell("the gate was killed (SIGKILL) and started again on the same directory".to_owned());
        let (gate, report) = Gate::start(&self.place.path(""), &self.ambient, &AFTER).await?;
        self.gate = gate;
        self.wire.follow(&report)?;
        Ok(report)
    }

    /// Ends the gate; whatever the story wrote is in a directory that nobody needs, or that somebody asked for.
    pub(super) async fn end(mut self) {
        // Being gone already is just as well.
        let _ = self.gate.kill().await;
    }

    /// What was said since the last time.
    pub(super) fn transcript(&self) -> Vec<String> {
        self.wire.transcript()
    }

    pub(super) fn now(&self) -> Wall {
        self.clock.wall()
    }

    /// A new browser under a name of the story's own, for the account `user`.
    pub(super) fn new_browser(&mut self, name: &'static str, user: &str) -> &mut Browser {
        let host = u8::try_from(self.browsers.len()).unwrap_or(0) + 10;
        let browser = Browser::new(&self.wire, user, host);
        self.browsers.insert(name, browser);
        self.browser(name)
    }

    /// The browser of that name; an empty one, if an earlier step did not come far enough to make it.
    pub(super) fn browser(&mut self, name: &'static str) -> &mut Browser {
        let wire = self.wire.clone();
        self.browsers.entry(name).or_insert_with(|| Browser::new(&wire, name, 9))
    }

    /// Makes a browser and signs it in.
    pub(super) async fn sign_in(&mut self, name: &'static str, user: &str) -> Result<&mut Browser, Broken> {
        let password = self.password(user);
        let browser = self.new_browser(name, user);
        browser.sign_in(&password).await?;
        Ok(browser)
    }

    pub(super) fn password(&self, user: &str) -> String {
        self.person(user).map(|person| person.password.clone()).unwrap_or_default()
    }

    /// A code of `user`'s app that was not used yet; waits for one if need be.
    pub(super) async fn code(&mut self, user: &str) -> Result<String, Broken> {
        let last = self.used.get(user).copied().unwrap_or(0);
        let person = self.person(user).cloned().ok_or_else(|| Broken(format!("there is no {user}")))?;
        loop {
            let now = self.now();
            let current = now.secs() / STEP;
            // The step before counts as well, unless it is about to be too old by the time it arrives.
            let oldest = if now.secs() % STEP < STEP - 5 { current - 1 } else { current };
            let step = oldest.max(last + 1);
            if step <= current {
                self.used.insert(user.to_owned(), step);
                let code = person.code(Wall::from_secs(step * STEP));
                self.last_code = code.unwrap_or_default();
                return Ok(self.last_code.clone());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// A code that `user`'s app shows at no time near now.
    pub(super) fn wrong_code(&self, user: &str) -> String {
        let Some(person) = self.person(user) else { return String::new() };
        let at = |steps: u64| person.code(Wall::from_secs(self.now().secs() - 2 * STEP + steps * STEP));
        let near: Vec<_> = (0..5).map(at).collect();
        (20..40).map(at).find(|code| !near.contains(code)).flatten().unwrap_or_default()
    }

    /// A token of the panel's own issuer for one of its sessions.
    pub(super) fn panel_token(&self, user: &str, sid: &str) -> Result<String, Broken> {
        Ok(issuer::token(&self.place, user, sid, self.now(), 600)?)
    }

    fn person(&self, user: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == user)
    }
}
