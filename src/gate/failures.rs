//! Guesses: begun only if failures before them allow it, and counted where they fail.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Gate, Note, Visit, failure_line};
use crate::{
    clock::Wall,
    live::Try,
    rules::{
        address::NetworkKey,
        ban::Ban,
        facts::{Facts, PresentedKey},
        failures::{BANNED_BY, Barred, Consequence, Failure, Kind, Known, Subject, Success, What},
        identity::{UserId, UserName},
        judge::View,
        outcome::{Judgement, Outcome},
        reason::Reason,
    },
    store::StoreError,
};

impl Gate {
    /// Whose failures a name counts with. A name that nobody has is somebody, too (R31).
    pub fn subject(&self, visit: &Visit, name: &UserName) -> Subject {
        match self.live.records.user_by_name(name) {
            Some(user) => Subject::Account(user.id),
            None => Subject::name(visit.snapshot.keys.master(), name),
        }
    }

    /// Begins a guess, before any work is done for it.
    ///
    /// # Errors
    /// With what bars it.
    pub fn begin_guess(&self, visit: &Visit, subject: Subject, kind: Kind) -> Result<Try<'_>, Barred> {
        let (network, rules) = (NetworkKey::of(visit.facts.client.ip), &visit.snapshot.lockout);
        self.live.records.failures().begin((subject, kind), network, rules, visit.moment.wall)
    }

    /// Counts a guess that failed, durably, and at this process before it returns.
    ///
    /// # Errors
    /// If the store cannot be written: then nobody must be told what became of the guess.
    pub async fn guess_failed(
        &self,
        visit: &Visit,
        subject: Subject,
        kind: Kind,
    ) -> Result<Consequence, StoreError> {
        // A name that is no account's may be a password in the wrong field (R29).
        let user = match subject {
            Subject::Account(id) => self.live.records.user(&id),
            Subject::Name(_) => None,
        };
        let name = user.as_ref().map(|user| &user.name);
        self.tell_failure(visit, kind.into(), name.map(UserName::as_str));
        let failure = Failure { guessed: Some((subject, kind)), ..failure(visit) };
        let written = self.store.fail(failure, visit.snapshot.lockout.clone()).await?;
        let consequence = self.settled(written).await;
        tell(visit, name, kind, &consequence);
        Ok(consequence)
    }

    /// Writes the line of a failure, and counts it for the metrics: there are as many of both.
    pub(super) fn tell_failure(&self, visit: &Visit, what: What, text: Option<&str>) {
        failure_line::write(visit, what, text);
        self.live.records.failures().count(what);
    }

    /// Takes note of a success.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn guess_succeeded(
        &self,
        visit: &Visit,
        user: UserId,
        password: Option<Known>,
        factor: Option<Known>,
    ) -> Result<(), StoreError> {
        let network = NetworkKey::of(visit.facts.client.ip);
        let success = Success { user, network, password, factor, at: visit.moment.wall };
        let written = self.store.succeed(success, visit.snapshot.lockout.clone()).await?;
        self.settled(written).await;
        Ok(())
    }

    /// Counts a guess that nobody's account can be blamed for, such as one at what has too many random bits to be
    /// guessed: it costs its network alone, and no request waits for the write. A full queue forgets it.
    pub fn note_guess(&self, visit: &Visit, what: What) {
        self.tell_failure(visit, what, None);
        if let Some(what) = what.credential()
            && let Some(untold) = self.refusals.tell(visit.moment.wall)
        {
            let (client, untold) = (visit.facts.client.ip, (untold > 0).then_some(untold));
            tracing::info!(target: "panelgate::audit", event = "credential-refused", %client, what, untold);
        }
        let _ = self.notes.try_send(Note::Failed(failure(visit)));
    }

    /// Whether a decision is about an API key that nobody has.
    pub(super) fn note_unknown_key(&self, visit: &Visit, judgement: &Judgement) {
        let wrong = matches!(judgement.outcome, Outcome::SignIn(Reason::BadCredential));
        if wrong && visit.facts.presented.api_key.is_some() {
            self.note_guess(visit, What::Key);
        }
    }

    /// The API key that is presented, if it is one that there is.
    pub(super) fn known_key(&self, facts: &Facts) -> Option<crate::rules::api_key::KeyId> {
        let Some(PresentedKey::Key(id)) = facts.presented.api_key else { return None };
        self.live.records.key(&id).map(|key| key.id)
    }
}

fn tell(visit: &Visit, user: Option<&UserName>, kind: Kind, consequence: &Consequence) {
    if let (Some(barred), Some(user)) = (consequence.barred, user) {
        let client = visit.facts.client.ip;
        let seconds = match barred {
            Barred::For(wait) => Some(wait.as_secs()),
            Barred::Stopped => None,
        };
        let from = if consequence.strangers { "unknown networks" } else { "this network" };
        tracing::warn!(target: "panelgate::audit", event = "locked", %user, %client, what = kind.word(), from, seconds, by = BANNED_BY);
    }
    consequence.banned.iter().for_each(tell_ban);
}

/// Writes down that a network was banned by itself.
pub fn tell_ban(ban: &Ban) {
    let (whom, until, reason) = (&ban.whom, ban.until.map(Wall::secs), &ban.reason);
    tracing::warn!(target: "panelgate::audit", event = "banned", %whom, until, reason = ?reason, by = BANNED_BY);
}

/// Whether a ban would reach the client, and only the client.
pub(super) fn bannable(facts: &Facts, visit: &Visit) -> bool {
    facts.client.certain().is_some_and(|ip| !visit.snapshot.spared.contains(ip))
}

fn failure(visit: &Visit) -> Failure {
    Failure {
        guessed: None,
        network: NetworkKey::of(visit.facts.client.ip),
        bannable: bannable(&visit.facts, visit),
        count: 1,
        at: visit.moment.wall,
    }
}

/// How many refused credentials are told one by one in a minute. They cost nothing to make, and a trail that they could
/// fill would shut everybody out (R29).
const TOLD: u64 = 100;

/// What is told of refused credentials.
#[derive(Default)]
pub(super) struct Refusals {
    minute: AtomicU64,
    told: AtomicU64,
    untold: AtomicU64,
}

impl Refusals {
    /// Whether this one is told, with how many before it were not.
    fn tell(&self, now: Wall) -> Option<u64> {
        let minute = now.secs() / 60;
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.told.store(0, Ordering::Relaxed);
        }
        if self.told.fetch_add(1, Ordering::Relaxed) < TOLD {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r29_a_flood_of_refused_credentials_does_not_fill_the_trail_and_is_counted_in_it() {
        let refusals = Refusals::default();
        let told: Vec<u64> = (0..5_000).filter_map(|_| refusals.tell(Wall::from_secs(6_000))).collect();
        assert_eq!(told, [0; 100]);
        assert_eq!(refusals.tell(Wall::from_secs(6_060)), Some(4_900));
        assert_eq!(refusals.tell(Wall::from_secs(6_061)), Some(0));
    }
}
