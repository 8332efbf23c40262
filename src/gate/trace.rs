//! Where requests stand in traces (W3C Trace Context). Whoever is traced waits for nothing: what is finished is handed
//! to a queue, and what there is no room for is counted and forgotten. While traces are off nothing is done at all.
//!
//! No path, query, address, name, cookie or token is in a span: what is in it is bounded, and no secret.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use tokio::sync::mpsc;

use super::{Gate, Visit};
use crate::{
    clock::Moment,
    rules::{
        facts::{Door, Facts},
        outcome::Judgement,
        record::Said,
    },
};

#[cfg(test)]
mod tests;

/// Spans that may wait to be exported.
pub const QUEUE: usize = 4_096;

/// A span that is over.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its trace and its own id.
    pub context: SpanContext,
    /// The id of the span that it is a part of; invalid if it begins a trace.
    pub parent: SpanId,
    /// Whether that one is somebody else's.
    pub parent_is_remote: bool,
    /// What it is called.
    pub name: &'static str,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// When it began.
    pub start: Moment,
    /// When it ended.
    pub end: Moment,
    /// What is known of it.
    pub attributes: Vec<KeyValue>,
    /// Whether it failed.
    pub status: Status,
}

/// Gives requests their place in traces.
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    /// Of 2⁶³: traces whose id is below it are sampled.
    threshold: u64,
    /// Whether what trusted proxies send is their own.
    trust_parent: bool,
}

/// A request's place in a trace: the span of its decision.
#[derive(Clone, Debug)]
pub struct Trace {
    context: SpanContext,
    parent: SpanId,
}

/// A request on its way to the panel and back.
#[derive(Debug)]
pub struct Forwarding {
    context: SpanContext,
    parent: SpanId,
    start: Moment,
    attributes: Vec<KeyValue>,
}

impl Tracer {
    /// Samples this share (0 to 1) of the traces that begin here; of the others, if there are any, whoever began them
    /// decides.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "casts from floating point saturate, and a share needs no 63 bits"
    )]
    pub fn new(queue: mpsc::Sender<Span>, share: f64, trust_parent: bool) -> Self {
        Self { queue, threshold: (share.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64, trust_parent }
    }

    /// A place in the trace of `parent`, or at the beginning of a new one. `random`: trace and span id.
    fn place(&self, parent: Option<&SpanContext>, random: [u8; 24]) -> Trace {
        let mut trace = [0; 16];
        let mut span = [0; 8];
        for (to, from) in trace.iter_mut().chain(&mut span).zip(random) {
            *to = from;
        }
        let span = SpanId::from_bytes(span);
        let Some(parent) = parent else {
            let id = TraceId::from_bytes(trace);
            let low = trace.last_chunk().map_or(0, |low| u64::from_be_bytes(*low));
            let sampled = low >> 1 < self.threshold;
            let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
            let context = SpanContext::new(id, span, flags, false, TraceState::default());
            return Trace { context, parent: SpanId::INVALID };
        };
        let (flags, state) = (parent.trace_flags(), parent.trace_state().clone());
        let context = SpanContext::new(parent.trace_id(), span, flags, false, state);
        Trace { context, parent: parent.span_id() }
    }
}

impl Gate {
    /// The same gate, with traces.
    pub fn tracing(self, tracer: Option<Tracer>) -> Self {
        Self { tracer, ..self }
    }

    /// Gives a request its place in a trace; `parent` is what a trusted proxy says of it, and asked for only where proxies
    /// trace by themselves.
    pub fn place_in_trace(&self, visit: &mut Visit, parent: impl FnOnce() -> Option<SpanContext>) {
        if let Some(tracer) = &self.tracer {
            // Most proxies pass a client's own on, who would choose what is sampled and whose trace it is.
            let parent = tracer.trust_parent.then(parent).flatten();
            visit.trace = Some(Arc::new(tracer.place(parent.as_ref(), self.entropy().array())));
        }
    }

    /// Ends the span of a decision.
    pub(super) fn trace_decision(&self, visit: &Visit, judgement: &Judgement) {
        let Some(trace) = visit.trace.as_ref().filter(|trace| trace.context.is_sampled()) else { return };
        let said = Said::of(&judgement.outcome);
        let mut attributes = common(&visit.facts, &visit.site.id);
        attributes.extend([
            KeyValue::new("panelgate.outcome", said.as_str()),
            KeyValue::new("panelgate.reason", judgement.reason.code()),
            KeyValue::new("panelgate.decision", judgement.decision.to_string()),
        ]);
        attributes.extend(judgement.page.clone().map(|page| KeyValue::new("panelgate.page", page)));
        self.send(Span {
            context: trace.context.clone(),
            parent: trace.parent,
            parent_is_remote: trace.parent != SpanId::INVALID,
            name: "decide",
            kind: SpanKind::Server,
            start: visit.moment,
            end: self.moment(),
            attributes,
            status: if said == Said::Unavailable {
                Status::error(judgement.reason.code())
            } else {
                Status::Unset
            },
        });
    }

    /// Begins the span of an allowed request's way to the panel; its context goes with it.
    pub fn trace_forwarding(&self, visit: &Visit) -> Option<Forwarding> {
        let trace = visit.trace.as_ref()?;
        let of = &trace.context;
        let id = SpanId::from_bytes(self.entropy().array());
        let context = SpanContext::new(of.trace_id(), id, of.trace_flags(), false, of.trace_state().clone());
        let attributes = if of.is_sampled() { common(&visit.facts, &visit.site.id) } else { Vec::new() };
        Some(Forwarding { context, parent: of.span_id(), start: self.moment(), attributes })
    }

    /// Ends it, with the status that the client was answered, if it was.
    pub fn end_forwarding(&self, forwarding: Forwarding, status: Option<u16>) {
        let Forwarding { context, parent, start, mut attributes } = forwarding;
        if !context.is_sampled() {
            return;
        }
        attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
        let failed = status.is_none_or(|status| status >= 500);
        if failed {
            let kind = status.map_or_else(|| "no-answer".to_owned(), |status| status.to_string());
            attributes.push(KeyValue::new("error.type", kind));
        }
        self.send(Span {
            context,
            parent,
            parent_is_remote: false,
            name: "forward",
            kind: SpanKind::Client,
            start,
            end: self.moment(),
            attributes,
            status: if failed { Status::error("") } else { Status::Unset },
        });
    }

    fn send(&self, span: Span) {
        if let Some(tracer) = &self.tracer
            && tracer.queue.try_send(span).is_err()
        {
            self.live.meters.traces.dropped.count();
        }
    }
}

impl Forwarding {
    /// What the panel is told.
    pub fn context(&self) -> &SpanContext {
        &self.context
    }
}

fn common(facts: &Facts, site: &Arc<str>) -> Vec<KeyValue> {
    let door = match facts.door {
        Door::Sidecar => "sidecar",
        Door::Edge => "edge",
    };
    vec![
        KeyValue::new("panelgate.door", door),
        KeyValue::new("panelgate.site", Arc::clone(site)),
        KeyValue::new("http.request.method", method(&facts.method)),
    ]
}

/// Methods of clients' own making are one, as the semantic conventions have it.
fn method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
