//! Opening sessions and handing out their tokens.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use http::header::SET_COOKIE;
use serde_json::{Value, json};

use super::{
    context::Cx,
    cookies::{SetCookie, only},
    fault::Fault,
    sessions,
};
use crate::{
    clock::Wall,
    gate::panel,
    live::Opener,
    rules::{
        facts::Door,
        identity::User,
        judge::View,
        login::Jar,
        reason::Reason,
        session::{Elevation, EndReason, Family, Origin, Session, Sid},
        token::AccessClaims,
    },
    secret::SecretBytes,
    store::Which,
};

/// Tokens to hand out.
pub(crate) struct Issued {
    cookies: Vec<SetCookie>,
    expires: Wall,
    renew_in: Duration,
}

impl Issued {
    /// Adds the cookies to an answer.
    pub(crate) fn to(&self, response: Response) -> Response {
        set(response, &self.cookies)
    }

    /// `expires` in unix seconds, `renew_in_ms` from now.
    pub(crate) fn json(&self) -> Value {
        json!({ "expires": self.expires.secs(), "renew_in_ms": millis(self.renew_in) })
    }
}

/// Adds cookies to an answer.
pub(crate) fn set(mut response: Response, cookies: &[SetCookie]) -> Response {
    for value in cookies.iter().filter_map(SetCookie::header) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// The claims of this browser's own access token, whether or not it has expired.
pub(crate) fn claims(cx: &Cx) -> Option<AccessClaims> {
    let token = only(&cx.visit.facts.presented.access)?;
    cx.keys().read_access(token.expose(), &cx.site().id, cx.now()).ok()
}

/// The session's record, from memory or from the store.
pub(crate) async fn session(cx: &Cx, sid: &Sid) -> Result<Option<Arc<Session>>, Fault> {
    match cx.gate().live().records.session(sid) {
        Some(session) => Ok(Some(session)),
        None => Ok(cx.gate().store().session(sid).await?.map(Arc::new)),
    }
}

/// Opens a session with a fresh id and ends the one that this browser had (R15).
pub(crate) async fn open(cx: &Cx, user: &User, elevation: Option<Elevation>) -> Result<Issued, Fault> {
    open_at_panel(cx, user, elevation, None).await
}

/// [`open`], with what the panel's own login gave. Where the edge is the way to the panel, the session keeps it; behind
/// another proxy the browser has to.
pub(crate) async fn open_at_panel(
    cx: &Cx,
    user: &User,
    elevation: Option<Elevation>,
    jar: Option<&Jar>,
) -> Result<Issued, Fault> {
    let mut session = fresh(cx, user, elevation);
    let at_edge = cx.visit.facts.door == Door::Edge;
    if let Some(jar) = jar.filter(|_| at_edge) {
        session.panel = Some(Box::new(panel::seal(cx.gate(), &session.sid, jar, cx.now())));
    }
    let written = cx.gate().store().sign_in(session.clone(), user.password_changed).await?;
    if !cx.gate().settled(written).await {
        return Err(Fault::SignedOut(Reason::SessionEnded));
    }
    if let Some(earlier) = claims(cx) {
        let ended = cx.gate().store().end(Which::One(earlier.sid), EndReason::SignedOut, cx.now()).await?;
        cx.gate().settled(ended).await;
    }
    cx.gate().live().meters.opened(Opener::Portal).count();
    if let Some(elevation) = elevation {
        cx.gate().live().meters.elevation(elevation.by).count();
    }
    let (client, public, name) = (cx.visit.facts.client.ip, session.sid.public(), &user.name);
    tracing::info!(target: "panelgate::audit", event = "session-opened", %client, session = %public, user = %name, by = "portal");
    sessions::look(cx, user, &session).await?;
    let mut issued = renewed(cx, &session, session.family.generation)?;
    if let Some(jar) = jar.filter(|_| !at_edge) {
        let lives = lives(cx, &session);
        let names = &cx.site().cookies;
        issued.cookies.extend(jar.cookies.iter().filter_map(|one| SetCookie::of_panel(names, one, lives)));
    }
    Ok(issued)
}

/// Both tokens of a session, for a refresh generation.
pub(crate) fn renewed(cx: &Cx, session: &Session, generation: u64) -> Result<Issued, Fault> {
    let family = Family { generation, ..session.family.clone() };
    let Some(refresh) = cx.keys().mint_refresh(&session.sid, &family) else {
        tracing::error!(key = %family.key, "the refresh key of a session is missing; put its file back into the key directory");
        return Err(Fault::Unavailable);
    };
    let mut issued = access(cx, session, generation);
    let names = &cx.site().cookies;
    issued.cookies.push(SetCookie::refresh(names, &refresh, lives(cx, session)));
    issued.cookies.push(SetCookie::pending(names, "", Duration::ZERO));
    Ok(issued)
}

/// A new access token alone. Its generation is one that the browser is known to have: claiming a later one would say
/// that a refresh token has arrived which may have been lost.
pub(crate) fn access(cx: &Cx, session: &Session, generation: u64) -> Issued {
    let now = cx.now();
    let expires = now.plus(cx.site().lifetimes.access).min(session.expires);
    let claims =
        AccessClaims { sid: session.sid, generation, aud: Arc::clone(&cx.site().id), iat: now, exp: expires };
    let token = cx.keys().issue_access(&claims, cx.gate().entropy().array(), &session.user);
    let cookies = vec![SetCookie::access(&cx.site().cookies, &token, lives(cx, session))];
    Issued { cookies, expires, renew_in: renew_in(now, &claims) }
}

/// When to renew: 5 minutes before the end, or after two thirds of a life shorter than 15 minutes.
pub(crate) fn renew_in(now: Wall, claims: &AccessClaims) -> Duration {
    let life = claims.exp.since(claims.iat);
    let after = if life < Duration::from_secs(900) {
        life * 2 / 3
    } else {
        life.saturating_sub(Duration::from_secs(300))
    };
    claims.iat.plus(after).since(now)
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn lives(cx: &Cx, session: &Session) -> Duration {
    cx.site().lifetimes.idle.min(session.expires.since(cx.now()))
}

fn fresh(cx: &Cx, user: &User, elevation: Option<Elevation>) -> Session {
    let (entropy, lifetimes, facts) = (cx.gate().entropy(), &cx.site().lifetimes, &cx.visit.facts);
    Session {
        sid: Sid(entropy.array()),
        user: user.id,
        site: Arc::clone(&cx.site().id),
        origin: Origin::Portal,
        opened: cx.now(),
        seen: cx.now(),
        idle_millis: millis(lifetimes.idle),
        expires: cx.now().plus(lifetimes.absolute),
        family: Family {
            seed: SecretBytes::new(entropy.array::<32>()),
            key: cx.keys().current_refresh_key().into(),
            generation: 0,
            current_seen: None,
        },
        elevation,
        device: crate::rules::device::name(&facts.user_agent),
        address: facts.client.ip,
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}
