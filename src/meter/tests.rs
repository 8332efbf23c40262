use super::*;

#[test]
fn a_bound_is_in_its_own_bucket_and_what_is_beyond_all_is_counted() {
    let histogram = Histogram::new(&[10, 20]);
    for value in [0, 10, 11, 20, 21, 1000] {
        histogram.observe(value);
    }
    let read = histogram.read();
    assert_eq!(read, Reading { buckets: vec![(10, 2), (20, 4)], count: 6, sum: 1062 });
}

#[test]
fn times_are_nanoseconds() {
    let histogram = Histogram::new(LATENCY);
    histogram.took(Duration::from_micros(25));
    assert_eq!(histogram.read().buckets.first(), Some(&(25_000, 1)));
    assert!(LATENCY.is_sorted() && LENGTH.is_sorted());
}

#[test]
fn a_level_falls_when_what_was_held_is_dropped() {
    let level = Level::default();
    let held = (level.hold(), level.hold());
    assert_eq!(level.get(), 2);
    drop(held);
    assert_eq!(level.get(), 0);
}

#[test]
fn many_threads_lose_nothing() {
    let histogram = Histogram::new(LENGTH);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|value| histogram.observe(value % 600)));
        }
    });
    assert_eq!(histogram.read().count, 40_000);
}
