//! From a question to an answer: dialect → gate → portal (for the rendering of refusals) → dialect.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;
use tower::ServiceExt;

use super::{
    PortalService,
    reply::{Reply, Yes},
    trust::{Channel, SECRET, Standing, Vouchers},
};
use crate::{
    clock::Wall,
    doors::{
        dialect::{Answer, Caller, Dialect, DialectError, problem},
        identity_headers, trace,
    },
    gate::{Gate, Refusal, Stage, Visit, journal::Stray},
    rules::{
        address::TrustedProxies,
        facts::{Ask, Door},
        outcome::{DecisionId, Outcome},
    },
};

/// An answer of the sidecar's own, or one of the portal's pages.
pub(super) type Answered = Either<Full<Bytes>, Body>;

fn whole(body: Bytes) -> Answered {
    Either::Left(Full::new(body))
}

/// The longest body that the portal is given (R28).
const LONGEST_BODY: usize = 64 << 10;
/// For a whole body: proxies pass slow ones on as they come (R25).
const PATIENCE: Duration = Duration::from_secs(15);
/// A rendered refusal is a small page.
const RENDERED_BYTES: usize = 64 << 10;

/// Answers one request after the other; cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    gate: Arc<Gate>,
    portal: PortalService,
    pub(super) vouchers: Arc<Vouchers>,
}

impl Service {
    pub(super) fn new(gate: Arc<Gate>, portal: PortalService, vouchers: Arc<Vouchers>) -> Self {
        Self { gate, portal, vouchers }
    }

    /// The clock's time.
    pub(super) fn wall(&self) -> Wall {
        self.gate.clock().wall()
    }

    /// Answers; there is no error that is not an answer, but for the silence that somebody asked for.
    pub(super) async fn answer(
        &self,
        channel: Channel,
        request: Request<Incoming>,
    ) -> Result<Response<Answered>, Silence> {
        let (mut parts, body) = request.into_parts();
        Ok(match Dialect::of(parts.uri.path()) {
            Some(Dialect::Portal) => {
                let since = self.gate.mono();
                let standing = self.standing(channel, &mut parts);
                let response = self.portal(channel, standing, parts, body).await;
                self.gate.took(Door::Sidecar, Stage::Portal, since);
                response.map(Answered::Right)
            }
            Some(dialect) => self.question(dialect, channel, parts).await?.into_response(dialect).map(whole),
            None => self.nothing_here(channel, &parts).map(whole),
        })
    }

    /// Answers a question about a request.
    pub(super) async fn question(
        &self,
        dialect: Dialect,
        channel: Channel,
        mut parts: Parts,
    ) -> Result<Reply, Silence> {
        let since = self.gate.mono();
        let standing = self.standing(channel, &mut parts);
        let answer = self.authorize(dialect, channel, standing, &parts).await?;
        self.gate.took(Door::Sidecar, Stage::Answer, since);
        Ok(answer)
    }

    /// What speaks for the peer. Its secret goes no further.
    fn standing(&self, channel: Channel, parts: &mut Parts) -> Standing {
        let standing = channel.standing(&parts.headers, &self.vouchers.secrets());
        parts.headers.remove(SECRET);
        standing
    }

    async fn authorize(
        &self,
        dialect: Dialect,
        channel: Channel,
        standing: Standing,
        parts: &Parts,
    ) -> Result<Reply, Silence> {
        let mut visit = match self.visit(channel, standing, |caller| dialect.ask(parts, caller)) {
            Ok(visit) => visit,
            Err(Unjudged::Misunderstood(error)) => {
                let decision = self.stray(dialect.name(), channel, parts, &error.to_string());
                let answer = dialect.misunderstood(&error, decision);
                let untrusted = error == DialectError::Untrusted;
                return Ok(if untrusted { Reply::Leave(answer) } else { Reply::Whole(answer) });
            }
            Err(Unjudged::Refused(refusal)) => {
                return Ok(Reply::Whole(Box::pin(self.refused(dialect, None, *refusal)).await));
            }
        };
        if self.gate.watches().wants_silence(&visit.facts.target.raw) {
            return Err(Silence);
        }
        // Nobody but a trusted proxy can ask.
        self.gate.place_in_trace(&mut visit, || trace::parent(&parts.headers));
        let judgement = self.gate.decide(&visit).await;
        let refusal = self.gate.refusal(&visit, &judgement);
        Ok(match (judgement.outcome, refusal) {
            (Outcome::Allow(grant), _) => {
                let assertion = self.gate.assertion(&visit, &grant);
                let credentials = identity_headers::for_panel(&parts.headers, &visit.site.credentials);
                Reply::Yes(Yes { grant, assertion, credentials })
            }
            (_, Some(refusal)) => Reply::Whole(Box::pin(self.refused(dialect, Some(visit), refusal)).await),
            (_, None) => Reply::Whole(self.nothing_here(channel, parts)),
        })
    }

    /// The refusal in the dialect's words.
    async fn refused(&self, dialect: Dialect, visit: Option<Visit>, refusal: Refusal) -> Response<Bytes> {
        let sealed = self.gate.seal(&refusal);
        let kind = refusal.kind;
        let rendered = self.rendered(visit, refusal).await;
        dialect.render(Answer::Refused { kind, rendered, sealed })
    }

    async fn rendered(&self, visit: Option<Visit>, refusal: Refusal) -> Response<Bytes> {
        let (head, body) = self.call_portal(refused_request(visit, refusal)).await.into_parts();
        let body = Limited::new(body, RENDERED_BYTES).collect().await;
        Response::from_parts(head, body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
    }

    /// `/_gate/**`: a plain request of the client that its proxy passed on.
    async fn portal(
        &self,
        channel: Channel,
        standing: Standing,
        parts: Parts,
        body: Incoming,
    ) -> Response<Body> {
        // Who is asking is looked at when the whole request is there: a session that ended while its body was on the
        // way is over (R12).
        let body = match timeout(PATIENCE, Limited::new(body, LONGEST_BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => {
                let what = "the request body is too long";
                let decision = self.stray(Dialect::Portal.name(), channel, &parts, what);
                return problem(StatusCode::PAYLOAD_TOO_LARGE, what, decision).map(Body::from);
            }
            Err(_) => {
                let what = "the request body took too long";
                let decision = self.stray(Dialect::Portal.name(), channel, &parts, what);
                return problem(StatusCode::REQUEST_TIMEOUT, what, decision).map(Body::from);
            }
        };
        let visit = self.visit(channel, standing, |caller| Dialect::Portal.ask(&parts, caller));
        match visit {
            Ok(visit) => {
                let mut request = Request::from_parts(parts, Body::from(body));
                request.extensions_mut().insert(Arc::new(visit));
                self.call_portal(request).await
            }
            Err(Unjudged::Misunderstood(error)) => {
                let decision = self.stray(Dialect::Portal.name(), channel, &parts, &error.to_string());
                Dialect::Portal.misunderstood(&error, decision).map(Body::from)
            }
            Err(Unjudged::Refused(refusal)) => self.call_portal(refused_request(None, *refusal)).await,
        }
    }

    fn visit<'a>(
        &self,
        channel: Channel,
        standing: Standing,
        ask: impl FnOnce(&Caller<'_>) -> Result<Ask<'a>, DialectError>,
    ) -> Result<Visit, Unjudged> {
        let snapshot = self.gate.live().snapshot();
        let (nobody, vouched) = (TrustedProxies::default(), standing == Standing::Vouched);
        let trusted = if standing == Standing::Refused { &nobody } else { &snapshot.trusted };
        let caller = Caller { peer: channel.peer(), channel_trusted: vouched, trusted };
        let asked = ask(&caller).map_err(|error| {
            tracing::warn!(peer = %caller.peer, %error, "a question that cannot be answered came to the sidecar");
            Unjudged::Misunderstood(error)
        })?;
        self.gate.describe_under(snapshot, &asked).map_err(Unjudged::Refused)
    }

    fn nothing_here(&self, channel: Channel, parts: &Parts) -> Response<Bytes> {
        let what = "nothing is here; the recipes name the endpoints";
        problem(StatusCode::NOT_FOUND, what, self.stray("none", channel, parts, what))
    }

    /// Notes a question that cannot be judged.
    fn stray(&self, dialect: &'static str, channel: Channel, parts: &Parts, what: &str) -> DecisionId {
        let host = parts.headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
        self.gate.note_stray(Stray {
            door: Door::Sidecar,
            dialect,
            peer: channel.peer(),
            host,
            method: parts.method.as_str().as_bytes(),
            target: parts.uri.path().as_bytes(),
            what,
        })
    }

    async fn call_portal(&self, request: Request<Body>) -> Response<Body> {
        match self.portal.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn refused_request(visit: Option<Visit>, refusal: Refusal) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static("/_gate/refused");
    request.extensions_mut().insert(refusal);
    if let Some(visit) = visit {
        request.extensions_mut().insert(Arc::new(visit));
    }
    request
}

/// No answer at all: the connection is closed, as if the gate had gone away.
#[derive(Debug, thiserror::Error)]
#[error("`panelgate doctor` asked for silence")]
pub(super) struct Silence;

/// Why a question cannot be judged.
enum Unjudged {
    /// It is not what this dialect's proxy sends.
    Misunderstood(DialectError),
    /// The request it is about cannot be described.
    Refused(Box<Refusal>),
}
