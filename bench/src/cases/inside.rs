//! What is measured without a network.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use panelgate::{
    clock::{Clock as _, SystemClock},
    rules::session::{Presented, Rotation},
    store::{RedbStore, Store as _},
};
use panelgate_bench::{
    Outcome,
    allocations::during,
    load, machine,
    parts::{Parts, STEPS},
    place::{Member, Place, Size},
    report::{Section, Target, number},
    rounds::{Figure, ROUNDS},
    through::Through,
};

use crate::Ground;

/// Durable rotations of 64 clients, beside those of one.
pub(crate) fn rotations(ground: &mut Ground) -> Outcome<()> {
    let place = Place::make(ground.dir(), "rotations", Size { sessions: 100_000, pages: 1, bans: 0 })?;
    let store = RedbStore::open(&place.dir.join("data/panelgate.redb"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let generations: Vec<AtomicU64> = place.members.iter().map(|_| AtomicU64::new(0)).collect();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for (clients, rates) in [(1, &mut alone), (64, &mut together)] {
            let rate = runtime.block_on(rotate(&store, &place.members, &generations, clients))?;
            // The first round warms up.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    runtime.block_on(store.close())?;
    let median = |rates: &[f64]| number(Figure::of(rates.iter().copied()).median);
    let note = format!(
        "{}/s by 64 clients, {}/s by one, each acknowledged when it is on the disk",
        median(&together),
        median(&alone)
    );
    ground.row(
        "durable rotations, 64 clients / one client",
        Target::AtLeast(20.0),
        Figure::ratio(&together, &alone),
        "",
        note,
    );
    Ok(())
}

/// So many clients, each rotating its own session again and again: rotations a second.
async fn rotate(
    store: &RedbStore,
    members: &[Member],
    generations: &[AtomicU64],
    clients: usize,
) -> Outcome<f64> {
    let (begin, over) = (Instant::now(), AtomicBool::new(false));
    let client = async |index: usize| -> Outcome<u64> {
        let clock = SystemClock::new();
        let mut done = 0;
        while !over.load(Ordering::Relaxed) {
            let generation = generations[index].load(Ordering::Relaxed);
            let presented = Presented {
                sid: members[index].session.sid,
                generation,
                at: clock.wall(),
                grace: Duration::from_secs(10),
            };
            match store.rotate(presented).await?.value {
                Some(Rotation::Rotated { generation: next }) if next == generation + 1 => {}
                other => return Err(format!("a rotation went wrong: {other:?}").into()),
            }
            generations[index].store(generation + 1, Ordering::Relaxed);
            done += 1;
            if begin.elapsed() > Duration::from_millis(1500) {
                over.store(true, Ordering::Relaxed);
            }
        }
        Ok(done)
    };
    let done = join_all((0..clients).map(client)).await.into_iter().sum::<Outcome<u64>>()?;
    Ok(done as f64 / begin.elapsed().as_secs_f64())
}

/// The whole way through the gate on two cores at once, beside one: what they would have to fight over shows here.
pub(crate) fn cores(ground: &mut Ground) -> Outcome<()> {
    let through = Through::make(&ground.dir().join("cores"), 100, 100_000)?;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for (threads, rates) in [(1, &mut one), (2, &mut two)] {
            let rate = ask_on(&through, threads)?;
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let median = |rates: &[f64]| number(Figure::of(rates.iter().copied()).median);
    let note = format!(
        "{}/s by two threads, {}/s by one; no request waited for anything; without the journal",
        median(&two),
        median(&one)
    );
    ground.row("requests judged on two cores / on one", Target::Told, Figure::ratio(&two, &one), "", note);
    Ok(())
}

/// So many threads, each with requests of everybody: requests a second.
fn ask_on(through: &Through, threads: usize) -> Outcome<f64> {
    const TIME: Duration = Duration::from_millis(1000);
    const BETWEEN: usize = 1_000;
    let begin = Instant::now();
    // All of the bench keeps to one core otherwise.
    let asking = |core: usize| {
        machine::pin(core)?;
        let (first, mut asked) = (core * 499, 0);
        while begin.elapsed() < TIME {
            (asked..asked + BETWEEN).try_for_each(|index| through.ask(first + index))?;
            asked += BETWEEN;
        }
        Outcome::Ok(asked)
    };
    let asked = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || asking(thread))).collect();
        let ended = running.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        ended.sum::<Outcome<usize>>()
    })?;
    Ok(asked as f64 / begin.elapsed().as_secs_f64())
}

/// Reading a token for the first time, beside the library's bare check of the signature.
pub(crate) fn tokens(ground: &mut Ground) -> Outcome<()> {
    const EACH: usize = 2_000;
    let parts = Parts::make(&ground.dir().join("tokens"), 100, 1_000)?;
    let key = DecodingKey::from_ed_components(&parts.public_key())?;
    let (mut ours, mut bare, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let fresh: Vec<String> = (0..EACH).map(|index| parts.fresh_token(index)).collect();
        let begin = Instant::now();
        for token in &fresh {
            if !parts.read(token) {
                return Err("a token of ours was refused".into());
            }
        }
        ours.push(begin.elapsed().as_secs_f64() * 1e6 / EACH as f64);
        let begin = Instant::now();
        for token in &fresh {
            let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
            if !crypto::verify(signature, signed.as_bytes(), &key, Algorithm::EdDSA)? {
                return Err("a signature of ours was refused".into());
            }
        }
        bare.push(begin.elapsed().as_secs_f64() * 1e6 / EACH as f64);
        let begin = Instant::now();
        for index in 0..EACH {
            if parts.judge(index).1.is_none() {
                return Err("a session was refused".into());
            }
        }
        again.push(begin.elapsed().as_secs_f64() * 1e6 / EACH as f64);
    }
    let median = |times: &[f64]| number(Figure::of(times.iter().copied()).median);
    let note = format!(
        "{} µs, the signature alone {} µs; a whole judgement with a token seen before {} µs",
        median(&ours),
        median(&bare),
        median(&again)
    );
    ground.row(
        "EdDSA token seen for the first time / the library's bare verify",
        Target::AtMost(1.3),
        Figure::ratio(&ours, &bare),
        "",
        note,
    );
    Ok(())
}

/// A signature of an assertion, in µs.
pub(crate) fn signature(dir: &Path) -> Outcome<f64> {
    const EACH: usize = 2_000;
    let parts = Parts::make(&dir.join("signature"), 10, 10)?;
    let sign = parts.step("assertion: signed")?;
    let round = |_| {
        let begin = Instant::now();
        let signed: usize = (0..EACH).map(&sign).sum();
        assert!(signed > 0, "an assertion is not empty");
        begin.elapsed().as_secs_f64() * 1e6 / EACH as f64
    };
    Ok(Figure::of((0..ROUNDS).map(round)).median)
}

/// What each step allocates.
pub(crate) fn allocations(ground: &mut Ground) -> Outcome<()> {
    const EACH: u64 = 1_000;
    let parts = Parts::make(&ground.dir().join("allocations"), 100, 1_000)?;
    let mut lines = Vec::new();
    for name in STEPS {
        let step = parts.step(name)?;
        // Whatever is only made once.
        (0..2 * parts.count()).for_each(|index| _ = step(index));
        let (count, _) = during(|| (0..EACH as usize).map(&step).sum::<usize>());
        let each = count as f64 / EACH as f64;
        let begin = Instant::now();
        let done: usize = (0..EACH as usize).map(&step).sum();
        let time = begin.elapsed().as_secs_f64() * 1e6 / EACH as f64;
        assert!(done > 0, "a step that is measured succeeds");
        lines.push(vec![name.to_owned(), number(each), number(time)]);
        if name == "judge" {
            let note =
                "a session in memory, a token that was seen before; what it gives back included".to_owned();
            ground.row("allocations in `judge` on a hit", Target::AtMost(0.0), Figure::of([each]), "", note);
        }
    }
    ground.report.sections.push(Section {
        title: "The steps of an allowed request".to_owned(),
        text: "Without a network, in one thread: how often each allocates, and how long it takes. `facts` includes what the dialect \
               reads, `judge` includes token and policy."
            .to_owned(),
        head: ["step", "allocations", "µs"].map(str::to_owned).to_vec(),
        lines,
        pictures: Vec::new(),
    });
    Ok(())
}

/// How many instructions each step takes: the same on every machine, however noisy.
pub(crate) fn instructions(ground: &mut Ground) -> Outcome<()> {
    const EACH: u64 = 500;
    if !load::has("valgrind") {
        return Err("there is no valgrind; instructions are left out".into());
    }
    let mut lines = Vec::new();
    for name in STEPS {
        let dir = ground.dir().join("instructions");
        let counted = |count: u64| collected(&ground.this, &dir, name, count);
        // What making everything ready takes is in both.
        let (few, many) = (counted(EACH)?, counted(3 * EACH)?);
        lines.push(vec![name.to_owned(), number(many.saturating_sub(few) as f64 / (2 * EACH) as f64)]);
    }
    ground.report.sections.push(Section {
        title: "Instructions".to_owned(),
        text: "Counted by valgrind, so that a change shows on a noisy machine, too.".to_owned(),
        head: ["step", "instructions"].map(str::to_owned).to_vec(),
        lines,
        pictures: Vec::new(),
    });
    Ok(())
}

fn collected(program: &Path, dir: &Path, step: &str, count: u64) -> Outcome<u64> {
    let said = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg("step")
        .arg(dir)
        .args([step, &count.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&said.stderr);
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    let figure = line.and_then(|(_, figure)| figure.trim().parse().ok());
    figure.ok_or_else(|| format!("valgrind counted nothing: {text}").into())
}
