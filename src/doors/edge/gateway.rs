//! The engine's hooks, in the order in which a request meets them.

use std::{
    any::Any,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use opentelemetry::trace::SpanContext;
use pingora_core::{protocols::http::ServerSession, upstreams::peer::HttpPeer};
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use super::{
    Upstreams, forward,
    inject::{self, Injector, Insert, Mark, Marks},
    local,
    panel::{self, Verdict},
    request::{self, Arrival, Unfit},
    response,
    tunnel::{self, Patience},
    upstream::Upstream,
    watch::{Watch, Watching},
};
use crate::{
    doors::{
        PortalService,
        accept::{Conn, Limits},
        trace,
    },
    gate::{Gate, RefusalKind, Stage, Visit, panel::Carried, trace::Forwarding},
    rules::{
        address::TrustedProxies,
        facts::{Audience, Door},
        outcome::{Grant, Outcome},
        reason::Reason,
    },
};

/// For writing to a client that does not read.
const WRITE: Duration = Duration::from_secs(30);
/// After so long the grant is looked at again before the panel's answer is let out.
const LATE_ANSWER: Duration = Duration::from_secs(1);
/// A page must not be shown without the mark of an impersonation.
const UNMARKABLE: ErrorType = ErrorType::new("PageUnmarkable");

/// What every request needs.
pub(super) struct Gateway {
    pub(super) gate: Arc<Gate>,
    pub(super) portal: PortalService,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) trusted: TrustedProxies,
    pub(super) limits: Limits,
    pub(super) client_script: bool,
    pub(super) marks: Marks,
    pub(super) watch: Arc<Watch>,
}

/// What one request carries from hook to hook.
#[derive(Default)]
pub(super) struct Ctx {
    conn: Option<Arc<Conn>>,
    passage: Option<Passage>,
    /// The same request is to come once more.
    again: bool,
    watching: Option<Watching>,
    /// The answer is a page of a signed-in user, if it is a page at all.
    rewriting: bool,
    mark: Option<Mark>,
    injector: Option<Mutex<Injector>>,
    /// When it was sent to the panel, until the panel answers.
    asked: Option<Duration>,
    forwarding: Option<Forwarding>,
}

/// The right to reach the panel. Without one nothing is forwarded; only an Allow makes one.
pub(super) struct Passage {
    pub(super) visit: Arc<Visit>,
    pub(super) grant: Arc<Grant>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) assertion: HeaderValue,
    /// What of the panel's own session goes with it.
    pub(super) panel: Carried,
    /// What the panel is told of the trace that it is a part of.
    pub(super) span: Option<SpanContext>,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::default()
    }

    async fn early_request_filter(&self, session: &mut Session, _ctx: &mut Ctx) -> Result<()> {
        // Off stays off; what the engine calls on would be for ever.
        if session.get_keepalive().is_some() {
            session.set_keepalive(Some(self.limits.keep_alive.as_secs().max(1)));
        }
        session.set_read_timeout(Some(self.limits.body_idle));
        session.set_write_timeout(Some(WRITE));
        if session.req_header().headers.contains_key(header::EXPECT)
            && let ServerSession::H1(http1) = &mut *session.downstream_session
        {
            // Else the engine takes the 100 for an early answer and closes the connection after the real one.
            http1.set_close_on_response_before_downstream_finish(false);
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        let since = self.gate.moment().mono;
        let arrival = match Arrival::of(session, &self.trusted) {
            Ok(arrival) => arrival,
            Err(unfit) => return answered(local::plain(session, &self.gate, unfit).await),
        };
        ctx.conn = Some(Arc::clone(&arrival.conn));
        let described = self.gate.describe(&arrival.ask(session.req_header()));
        let visit = match described {
            Ok(mut visit) => {
                let trusted = arrival.is_from_proxy(&self.trusted);
                let headers = &session.req_header().headers;
                self.gate.place_in_trace(&mut visit, || trusted.then(|| trace::parent(headers)).flatten());
                Arc::new(visit)
            }
            Err(refusal) => return answered(local::refuse(session, &self.portal, None, *refusal).await),
        };
        if !request::named_alike(&arrival.conn, &visit.site) {
            let unfit = Unfit { status: 421, what: "this connection was opened for another site" };
            return answered(local::plain(session, &self.gate, unfit).await);
        }
        if visit.facts.target.raw.starts_with("/_gate/") {
            let written =
                local::portal(session, &self.gate, &self.portal, &visit, self.limits.body_idle).await;
            self.gate.took(Door::Edge, Stage::Portal, since);
            return answered(written);
        }
        let judgement = self.gate.decide(&visit).await;
        if let Some(refusal) = self.gate.refusal(&visit, &judgement) {
            let written = local::refuse(session, &self.portal, Some(&visit), refusal).await;
            self.gate.took(Door::Edge, Stage::Answer, since);
            return answered(written);
        }
        let Outcome::Allow(grant) = judgement.outcome else {
            // Every other outcome has a refusal.
            return Err(Error::explain(ErrorType::InternalError, "neither yes nor no"));
        };
        self.admit(session, ctx, visit, Arc::new(grant)).await
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        last: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if session.is_http2()
            && let Some(watching) = &ctx.watching
            && (last || body.is_some())
        {
            watching.uploaded(last);
        }
        Ok(())
    }

    async fn upstream_peer(&self, _session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        let passage = ctx.passage()?;
        Ok(Box::new(passage.upstream.peer()))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let passage = ctx.passage()?;
        let client = &session.req_header().headers;
        let mut head = forward::head(client, &passage.visit, &passage.grant, &passage.assertion);
        panel::carry(&mut head, passage);
        trace::carry(&mut head, passage.span.as_ref());
        if ctx.rewriting {
            // Pages are rewritten, so the panel must not compress them; compression follows after (C5).
            head.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            if ctx.is_marked() {
                // A part of a page, or the word that a browser knows it already, cannot be marked.
                for name in &request::PARTIAL {
                    head.remove(name);
                }
            }
        }
        let target = passage.visit.facts.target.raw.as_bytes();
        let mut request =
            RequestHeader::build(session.req_header().method.clone(), target, Some(head.len()))?;
        let mut name = None;
        for (next, value) in head {
            name = next.or(name);
            if let Some(name) = &name {
                request.append_header(name.clone(), value)?;
            }
        }
        *upstream = request;
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let Some(passage) = &ctx.passage else { return Ok(()) };
        if head.status.is_informational() {
            return Ok(());
        }
        if let Some(asked) = ctx.asked.take() {
            self.gate.panel_answered(asked);
        }
        self.still_welcome(passage)?;
        response::clean(head, &passage.visit.site, &passage.grant)?;
        if self.panel_session(head, passage).await? == Verdict::Again {
            ctx.again = true;
            return Err(Error::explain(ErrorType::HTTPStatus(307), "the panel was signed in to again"));
        }
        if response::lasts(head)
            && let Some(watching) = &ctx.watching
        {
            watching.streaming();
        }
        if ctx.is_marked() && response::is_unmarkable(head) {
            return Err(Error::explain(UNMARKABLE, "the page is compressed or encoded in an unknown way"));
        }
        if ctx.rewriting && response::is_page(head) {
            let insert = Insert::new(&head.headers, &passage.visit, self.client_script, ctx.mark.take());
            if !insert.is_empty() {
                let compress = inject::reads_gzip(&session.req_header().headers);
                response::rewritten(head, session.is_http2(), compress)?;
                ctx.injector = Some(Mutex::new(Injector::new(insert, compress)));
            }
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        last: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        if ctx.watching.as_ref().is_some_and(Watching::is_cut) {
            return Err(Error::explain(ErrorType::ConnectionClosed, "the permission is over"));
        }
        if let Some(injector) = &mut ctx.injector
            && let Ok(injector) = injector.get_mut()
        {
            *body = injector.rewrite(body.as_ref(), last);
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        let status = self.fail(session, error, ctx).await;
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Ctx) {
        if let Some(forwarding) = ctx.forwarding.take() {
            self.gate.end_forwarding(forwarding, session.response_written().map(|head| head.status.as_u16()));
        }
        // The engine would read an unread body to its end, and the guard could not tell where the next head begins.
        if !session.is_body_done() {
            session.set_keepalive(None);
        }
    }

    fn persist_connection_context(
        &self,
        _session: &Session,
        ctx: &Ctx,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        if let Some(conn) = &ctx.conn {
            conn.expect_head();
        }
        None
    }

    fn request_summary(&self, session: &Session, ctx: &Ctx) -> String {
        // Without the query, which may hold secrets.
        let path = ctx.passage.as_ref().map(|passage| passage.visit.facts.target.path());
        format!("{} {}", session.req_header().method, path.unwrap_or_default())
    }
}

impl Ctx {
    fn passage(&self) -> Result<&Passage> {
        self.passage.as_ref().ok_or_else(|| Error::explain(ErrorType::InternalError, "nothing was granted"))
    }

    /// Whether a page must not be shown without its mark.
    fn is_marked(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.always)
    }
}

impl Gateway {
    /// The gate said yes: on to the panel.
    async fn admit(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        visit: Arc<Visit>,
        grant: Arc<Grant>,
    ) -> Result<bool> {
        let Some(upstream) = self.upstreams.of(&visit.site.id) else {
            let refusal =
                self.gate.failed(&visit, &grant, RefusalKind::BadGateway, Reason::UpstreamUnreachable);
            return answered(local::refuse(session, &self.portal, Some(&visit), refusal).await);
        };
        let conn =
            ctx.conn.clone().ok_or_else(|| Error::explain(ErrorType::InternalError, "no connection"))?;
        let assertion = self.gate.assertion(&visit, &grant);
        ctx.forwarding = self.gate.trace_forwarding(&visit);
        let span = ctx.forwarding.as_ref().map(|forwarding| forwarding.context().clone());
        let http1 = !session.is_http2();
        if request::is_websocket(session.req_header(), http1) {
            if !own_origin(&visit) {
                let refusal = self.gate.failed(&visit, &grant, RefusalKind::Deny, Reason::ForeignOrigin);
                return answered(local::refuse(session, &self.portal, Some(&visit), refusal).await);
            }
            let cut = conn.kill.child_token();
            let watching = self.watch.add(&visit, &grant, &conn, cut.clone());
            watching.streaming();
            let panel = self.gate.panels().carried(&self.gate, &visit, &grant);
            let passage = Passage { visit, grant, upstream, assertion, panel, span };
            let patience = Patience { answer: self.limits.upstream_read, idle: self.limits.websocket_idle };
            if let Err(refused) = tunnel::run(session, &passage, &cut, patience).await? {
                let (kind, reason) = refused.kind();
                let refusal = self.gate.failed(&passage.visit, &passage.grant, kind, reason);
                local::refuse(session, &self.portal, Some(&passage.visit), refusal).await?;
            }
            return Ok(true);
        }
        // One HTTP/1 connection has one request, so it can go as a whole; HTTP/2 gets a chance to end the stream only.
        let cut = if http1 { conn.kill.clone() } else { conn.kill.child_token() };
        let watching = self.watch.add(&visit, &grant, &conn, cut);
        if !http1 && !session.is_body_empty() {
            watching.uploaded(false);
        }
        ctx.watching = Some(watching);
        self.prepare_rewriting(session, ctx, &visit, &grant);
        let panel = self.gate.panels().carried(&self.gate, &visit, &grant);
        ctx.asked = Some(self.gate.moment().mono);
        ctx.passage = Some(Passage { visit, grant, upstream, assertion, panel, span });
        Ok(false)
    }

    /// Pages are rewritten when a signed-in person navigates to them, by whatever method. What a script fetches is the
    /// script's own business, and so is what stands in a page of the same panel.
    fn prepare_rewriting(&self, session: &mut Session, ctx: &mut Ctx, visit: &Visit, grant: &Grant) {
        let head = session.req_header();
        let navigates = visit.facts.audience == Audience::Navigation && head.method != Method::HEAD;
        if !navigates || grant.bearer().is_none() {
            return;
        }
        ctx.mark = (self.marks)(&head.headers, visit, grant).filter(|_| !request::is_embedded(head));
        ctx.rewriting = self.client_script || ctx.mark.is_some();
        if ctx.rewriting {
            // For panels that compress although they are asked not to.
            session.upstream_compression.adjust_decompression(true);
        }
    }

    /// The panel's answer may come long after the question: whoever has been signed out since does not get it. Writes
    /// are let through, because they have happened.
    fn still_welcome(&self, passage: &Passage) -> Result<()> {
        let visit = &passage.visit;
        let late = self.gate.moment().mono.saturating_sub(visit.moment.mono) >= LATE_ANSWER;
        if late && visit.facts.is_safe() && !self.gate.still_holds(visit, &passage.grant) {
            return Err(Error::explain(
                ErrorType::HTTPStatus(401),
                "the permission ended while the panel worked",
            ));
        }
        Ok(())
    }

    async fn fail(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> u16 {
        if session.response_written().is_some_and(|head| !head.status.is_informational()) {
            return 0;
        }
        let upstream = *error.esource() == ErrorSource::Upstream;
        let downstream = *error.esource() == ErrorSource::Downstream;
        let gone = matches!(
            error.etype(),
            ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed
        );
        let timed_out = matches!(
            error.etype(),
            ErrorType::ConnectTimedout
                | ErrorType::ReadTimedout
                | ErrorType::WriteTimedout
                | ErrorType::TLSHandshakeTimedout
        );
        let (status, kind, reason) = match (error.etype(), timed_out) {
            _ if downstream && gone => return 0,
            (_, true) if downstream => (408, RefusalKind::BadRequest, Reason::Malformed),
            (kind, _) if *kind == UNMARKABLE => (502, RefusalKind::BadGateway, Reason::PageUnmarkable),
            (ErrorType::HTTPStatus(401), _) => (401, RefusalKind::SignIn, Reason::SessionEnded),
            _ if downstream => (400, RefusalKind::BadRequest, Reason::Malformed),
            (_, true) if upstream => (504, RefusalKind::GatewayTimeout, Reason::UpstreamTimeout),
            _ if upstream => (502, RefusalKind::BadGateway, Reason::UpstreamUnreachable),
            _ => (503, RefusalKind::Unavailable, Reason::UpstreamUnreachable),
        };
        session.set_keepalive(None);
        let answer = match &ctx.passage {
            Some(passage) if ctx.again => {
                let written = local::again(session, &passage.visit.facts.url()).await;
                return if written.is_ok() { 307 } else { 0 };
            }
            Some(passage) if !downstream => {
                let refusal = self.gate.failed(&passage.visit, &passage.grant, kind, reason);
                let decision = passage.grant.decision();
                tracing::warn!(%decision, site = %passage.visit.site.id, %error, "the panel could not be asked");
                local::refuse(session, &self.portal, Some(&passage.visit), refusal).await
            }
            _ => {
                local::plain(
                    session,
                    &self.gate,
                    Unfit { status, what: "the request could not be passed on" },
                )
                .await
            }
        };
        // The client may be gone by now.
        if answer.is_ok() { status } else { 0 }
    }
}

fn answered(written: Result<()>) -> Result<bool> {
    written.map(|()| true)
}

/// A handshake from a page of somebody else's is refused (R23): cookies travel with it all the same.
fn own_origin(visit: &Visit) -> bool {
    let origin = visit.facts.origin.as_deref();
    origin.is_some_and(|origin| visit.site.origins.iter().any(|own| &*own.text == origin))
}
