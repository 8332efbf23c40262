//! Decisions in traces.

use opentelemetry::trace::Status;

use super::*;
use crate::gate::trace::{Span, Tracer};

async fn traced(room: usize) -> (World, mpsc::Receiver<Span>) {
    let (queue, spans) = mpsc::channel(room);
    let World { gate, clock, notes } = World::new().await;
    let gate = gate.tracing(Some(Tracer::new(queue, 1.0, true)));
    (World { gate, clock, notes }, spans)
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|own| own.key.as_str() == name);
    found.map(|own| own.value.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_decision_is_a_span_with_its_reason_and_its_name() {
    let (world, mut spans) = traced(8).await;
    let mut visit = world.visit("BREW", "/users/7?token=x", &[]);
    world.gate.place_in_trace(&mut visit, || None);
    world.clock.advance(Duration::from_millis(3));
    let judgement = world.gate.decide(&visit).await;
    let span = spans.try_recv().unwrap();
    assert_eq!(span.name, "decide");
    assert_eq!(attribute(&span, "panelgate.reason"), judgement.reason.code());
    assert_eq!(attribute(&span, "panelgate.outcome"), "sign-in");
    assert_eq!(attribute(&span, "panelgate.decision"), judgement.decision.to_string());
    assert_eq!(attribute(&span, "http.request.method"), "_OTHER");
    assert_eq!(span.end.mono.saturating_sub(span.start.mono), Duration::from_millis(3));
    assert_eq!(span.status, Status::Unset);
    assert!(!format!("{span:?}").contains("users/7"), "no path and no query");
}

#[tokio::test]
async fn spans_that_there_is_no_room_for_are_counted_and_nobody_waits() {
    let (world, _spans) = traced(1).await;
    for _ in 0..3 {
        let mut visit = world.visit("GET", "/", &[]);
        world.gate.place_in_trace(&mut visit, || None);
        world.gate.decide(&visit).await;
    }
    assert_eq!(world.gate.live().meters.traces.dropped.get(), 2);
}

#[tokio::test]
async fn while_traces_are_off_nobody_is_asked_for_a_context() {
    let world = World::new().await;
    let mut visit = world.visit("GET", "/", &[]);
    world.gate.place_in_trace(&mut visit, || panic!("a header was read"));
    assert!(visit.trace.is_none() && world.gate.trace_forwarding(&visit).is_none());
}
