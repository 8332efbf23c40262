//! The steps of an allowed request, by criterion: `cd bench && cargo bench`.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use panelgate::{
    clock::{Clock as _, SystemClock},
    rules::session::{Presented, Rotation},
    store::{MemoryStore, RedbStore, Store as _},
};
use panelgate_bench::{
    parts::{Parts, STEPS},
    place::{Place, Size},
};

fn steps(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    for (pages, sessions) in [(100, 100_000), (10_000, 100_000)] {
        let parts =
            Parts::make(&dir.path().join(pages.to_string()), pages, sessions).expect("the parts can be made");
        let mut group = criterion.benchmark_group(format!("{pages} pages"));
        for name in STEPS {
            let step = parts.step(name).expect("every step is known");
            let mut index = 0;
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    index += 1;
                    black_box(step(index))
                });
            });
        }
    }
}

fn stores(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let place = Place::make(dir.path(), "store", Size { sessions: 10_000, pages: 1, bans: 0 })
        .expect("the place can be made");
    let redb = RedbStore::open(&place.dir.join("data/panelgate.redb")).expect("the store opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sid = place.members[0].session.sid;
    let memory = MemoryStore::new();
    runtime.block_on(memory.open_session(place.members[0].session.clone())).expect("memory takes it");
    let clock = SystemClock::new();
    let mut group = criterion.benchmark_group("store");
    let mut generation = 0;
    group.bench_function("redb: a session read", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(redb.session(&sid)).expect("it is there")));
    });
    group.bench_function("redb: a durable rotation", |bencher| {
        bencher.iter(|| {
            let presented = Presented { sid, generation, at: clock.wall(), grace: Duration::from_secs(10) };
            let rotated = runtime.block_on(redb.rotate(presented)).expect("it is written").value;
            assert_eq!(rotated, Some(Rotation::Rotated { generation: generation + 1 }));
            generation += 1;
        });
    });
    group.bench_function("memory: a session read", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(memory.session(&sid)).expect("it is there")));
    });
    group.finish();
}

criterion_group! {
    name = parts;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    targets = steps, stores
}
criterion_main!(parts);
