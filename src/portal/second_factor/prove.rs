//! Takes a proof: charges for it, checks it, and uses it up.

use std::time::Duration;

use super::flow::{self, Checked, Proof};
use crate::{
    live::Class,
    portal::{attempt::Attempt, context::Cx, fault::Fault, problem::seconds_up, words::fill},
    rules::{
        address::NetworkKey,
        factor::{backup, totp},
        failures::{Kind, Known, Subject},
        identity::User,
        session::Factor,
    },
    secret::SecretText,
    store::StoreError,
};

/// Why a proof does not count.
pub(crate) enum Unproved {
    /// It does not match; the tries left when they are few.
    Wrong {
        /// Whether it was a backup code.
        backup: bool,
        /// When they are few.
        left: Option<u32>,
    },
    /// It is right and has been used.
    Used(Duration),
    /// The policy does not let this kind of proof elevate; nothing was checked and nothing is used up.
    NotHere,
    /// The account has no second factor.
    NotEnrolled,
    /// Nothing was checked.
    Fault(Fault),
}

impl Unproved {
    /// What people are told.
    pub(crate) fn text(&self, cx: &Cx) -> String {
        let words = cx.words;
        match self {
            Self::Wrong { backup, left } => {
                let what = if *backup { words.backup_wrong } else { words.code_wrong };
                match left {
                    None => what.to_owned(),
                    Some(1) => format!("{what} {}", words.try_left),
                    Some(n) => format!("{what} {}", fill(words.tries_left, &[("n", &n.to_string())])),
                }
            }
            Self::Used(wait) => fill(words.code_used, &[("seconds", &seconds_up(*wait).to_string())]),
            Self::NotHere => words.factor_not_here.to_owned(),
            Self::NotEnrolled => words.not_enrolled_title.to_owned(),
            Self::Fault(fault) => fault.text(words, cx.now()),
        }
    }
}

impl From<StoreError> for Unproved {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Takes the proof. The network and the account are charged before anything is looked at; failures count per account,
/// over any number of sessions and networks (R14, R16). `password` is what the proof says about a password that was
/// given before it.
pub(crate) async fn prove(
    cx: &Cx,
    user: &User,
    proof: Proof,
    password: Option<Known>,
) -> Result<Factor, Unproved> {
    if user.totp.is_none() {
        return Err(Unproved::NotEnrolled);
    }
    let attempt = begin(cx, user).map_err(Unproved::Fault)?;
    let backup = matches!(proof, Proof::Backup(_));
    let proved = match proof {
        Proof::Code(code) => code_of_app(cx, user, &code).await,
        Proof::Backup(code) => backup_code(cx, user, code).await,
    };
    let (client, name, factor) =
        (cx.visit.facts.client.ip, &user.name, proved.as_ref().ok().copied().flatten());
    let by = said(factor);
    tracing::info!(target: "panelgate::audit", event = "second-factor", %client, user = %name, proved = by);
    match proved? {
        Some(factor) => {
            cx.gate().guess_succeeded(&cx.visit, user.id, password, Some(Known::Yes)).await?;
            Ok(factor)
        }
        None => Err(wrong(attempt, backup).await),
    }
}

/// What the audit trail says of a proof.
const fn said(proved: Option<Factor>) -> &'static str {
    match proved {
        Some(Factor::Totp) => "totp",
        Some(Factor::BackupCode) => "backup-code",
        None => "no",
    }
}

/// Charges the network for one try, and begins it at the account.
pub(crate) fn begin<'a>(cx: &'a Cx, user: &User) -> Result<Attempt<'a>, Fault> {
    let (counters, network) = (&cx.gate().live().counters, NetworkKey::of(cx.visit.facts.client.ip));
    counters.charge(network, Class::SecondFactor, cx.visit.moment).map_err(Fault::Throttled)?;
    Attempt::begin(cx, Some(Subject::Account(user.id)), Kind::Factor)
}

/// The answer to a wrong code, once it is counted.
pub(crate) async fn wrong(attempt: Attempt<'_>, backup: bool) -> Unproved {
    match attempt.failed().await {
        Ok(consequence) => Unproved::Wrong { backup, left: flow::few(consequence.left) },
        Err(fault) => Unproved::Fault(fault),
    }
}

/// `None`: it is wrong.
async fn code_of_app(cx: &Cx, user: &User, code: &SecretText) -> Result<Option<Factor>, Unproved> {
    let app = user.totp.as_ref().ok_or(Unproved::NotEnrolled)?;
    let Some(secret) = totp::open(cx.keys().master(), &user.id, &app.sealed_secret) else {
        tracing::error!(user = %user.name, "the authenticator secret does not open with this master key; restore the key, or remove the factor with `2fa disable`");
        return Err(Unproved::Fault(Fault::Unavailable));
    };
    let used = || Unproved::Used(flow::next_code_in(cx.now()));
    match flow::check(secret.expose(), code.expose(), cx.now(), app.last_step) {
        Checked::Wrong => Ok(None),
        Checked::Used => Err(used()),
        Checked::Step(step) => {
            let written = cx.gate().store().consume_totp(user.id, step).await?;
            if cx.gate().settled(written).await { Ok(Some(Factor::Totp)) } else { Err(used()) }
        }
    }
}

/// `None`: it is wrong.
async fn backup_code(cx: &Cx, user: &User, code: SecretText) -> Result<Option<Factor>, Unproved> {
    if !backup::plausible(code.expose()) {
        return Ok(None);
    }
    let id = user.id;
    let hashed = cx.portal.hasher.run(move || backup::hash(&id, code.expose())).await;
    let hash =
        hashed.map_err(|busy| Unproved::Fault(busy.into()))?.ok_or(Unproved::Fault(Fault::Unavailable))?;
    let written = cx.gate().store().consume_backup_code(id, hash).await?;
    Ok(cx.gate().settled(written).await.map(|_| Factor::BackupCode))
}

#[test]
fn the_trail_says_a_proof_in_words_of_its_own() {
    let all = [Some(Factor::Totp), Some(Factor::BackupCode), None];
    assert_eq!(all.map(said), ["totp", "backup-code", "no"]);
}
