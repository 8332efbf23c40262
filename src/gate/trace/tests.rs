use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::*;

fn tracer(share: f64) -> Tracer {
    Tracer::new(mpsc::channel(1).0, share, true)
}

fn parent(sampled: bool) -> SpanContext {
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(TraceId::from(7), SpanId::from(9), flags, true, TraceState::default())
}

#[test]
fn the_share_of_new_traces_is_kept_within_what_chance_allows() {
    let tracer = tracer(0.25);
    let random = |n: u64| {
        // SplitMix64.
        let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let mut bytes = [1; 24];
        bytes[8..16].copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
        bytes
    };
    let sampled = (1..=10_000).filter(|n| tracer.place(None, random(*n)).context.is_sampled()).count();
    assert!((2_300..2_700).contains(&sampled), "{sampled}");
}

#[test]
fn nothing_and_everything_are_exactly_that() {
    let (none, all) = (tracer(0.0), tracer(1.0));
    for bytes in [[0xff; 24], [1; 24]] {
        assert!(!none.place(None, bytes).context.is_sampled());
        assert!(all.place(None, bytes).context.is_sampled());
    }
}

#[test]
fn whoever_began_a_trace_says_whether_it_is_sampled() {
    for sampled in [true, false] {
        let placed = tracer(if sampled { 0.0 } else { 1.0 }).place(Some(&parent(sampled)), [3; 24]);
        assert_eq!(placed.context.is_sampled(), sampled);
        assert_eq!(placed.context.trace_id(), TraceId::from(7));
        assert_eq!(placed.parent, SpanId::from(9));
        assert_ne!(placed.context.span_id(), SpanId::from(9));
    }
}

#[test]
fn methods_of_clients_own_making_are_one() {
    assert_eq!(method("DELETE"), "DELETE");
    assert_eq!(method("get"), "_OTHER");
    assert_eq!(method("SECRET-4711"), "_OTHER");
}
