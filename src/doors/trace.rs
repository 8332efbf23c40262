//! W3C Trace Context on the wire: `traceparent` and `tracestate`. A client's own are never believed; whoever calls here
//! says whether the peer is a trusted proxy.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// A longer list of states is left out; the trace goes on without it (§3.3.1.5 wants at least so much to be carried).
const LONGEST_STATE: usize = 512;

/// The two fields of a request: the one `traceparent`, and every `tracestate` put together (§3.3.1.1).
struct Fields<'a> {
    parent: &'a str,
    state: String,
}

impl Extractor for Fields<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.parent),
            "tracestate" if !self.state.is_empty() => Some(&self.state),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// The span that a trusted proxy sends with a request. What cannot be read, or came twice, begins a new trace.
pub(super) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all(PARENT).iter();
    let parent = parents.next().filter(|_| parents.next().is_none())?.to_str().ok()?;
    let states: Vec<&str> = headers.get_all(STATE).iter().filter_map(|line| line.to_str().ok()).collect();
    let state = Some(states.join(",")).filter(|state| state.len() <= LONGEST_STATE).unwrap_or_default();
    let found =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Fields { parent, state });
    Some(found.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// Puts a span into a request for the panel, in place of whatever the client sent; without one nothing changes.
pub(super) fn carry(headers: &mut HeaderMap, span: Option<&SpanContext>) {
    let Some(span) = span else { return };
    let context = Context::new().with_remote_span_context(span.clone());
    headers.remove(PARENT);
    headers.remove(STATE);
    TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
    if headers.get(STATE).is_some_and(HeaderValue::is_empty) {
        headers.remove(STATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_was_read_is_carried_on_with_its_state() {
        let sent = headers(&[("traceparent", SENT), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        let span = parent(&sent).unwrap();
        assert!(span.is_sampled());
        let mut to_panel = headers(&[("traceparent", "forged"), ("tracestate", "forged"), ("x", "y")]);
        carry(&mut to_panel, Some(&span));
        assert_eq!(to_panel.get_all("traceparent").iter().collect::<Vec<_>>(), [SENT]);
        assert_eq!(to_panel.get_all("tracestate").iter().collect::<Vec<_>>(), ["a=1,b=2"]);
        assert_eq!(to_panel["x"], "y");
    }

    #[test]
    fn what_cannot_be_read_or_came_twice_begins_a_new_trace() {
        for lines in [
            vec![],
            vec![("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")],
            vec![("traceparent", "../../etc/passwd")],
            vec![("traceparent", SENT), ("traceparent", SENT)],
        ] {
            assert!(parent(&headers(&lines)).is_none(), "{lines:?}");
        }
        let long = format!("a={}", "x".repeat(600));
        let span = parent(&headers(&[("traceparent", SENT), ("tracestate", &long)])).unwrap();
        assert_eq!(span.trace_state().header(), "");
    }

    #[test]
    fn without_a_span_the_client_s_fields_are_left_alone() {
        let mut sent = headers(&[("traceparent", SENT)]);
        carry(&mut sent, None);
        assert_eq!(sent["traceparent"], SENT);
    }
}
