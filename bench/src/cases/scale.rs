//! What the number of sessions, pages and bans costs.

use std::{fs, process::Command, sync::Arc};

use panelgate_bench::{
    Outcome,
    load::Script,
    place::{Place, Size, Variant, policy_of_terms},
    plot,
    probe::{Gate, local},
    report::{Section, Target, number},
    rounds::{self, Contender, Figure},
};

use super::told;
use crate::Ground;

const SMALL: Size = Size { sessions: 1_000, pages: 10, bans: 0 };
const LARGE: Size = Size { sessions: 1_000_000, pages: 10_000, bans: 0 };

/// The curve of policies rather than of sizes.
const TERMS: &str = "roles-with-conditions";

fn gate(ground: &Ground, name: &str, size: Size) -> Outcome<Gate> {
    gate_under(ground, name, size, None)
}

/// The same under another policy.
fn gate_under(ground: &Ground, name: &str, size: Size, policy: Option<&str>) -> Outcome<Gate> {
    let place = Place::make(ground.dir(), name, size)?;
    if let Some(policy) = policy {
        fs::write(place.dir.join("policy.yaml"), policy)?;
    }
    place.configure(&Variant { assertion: "session", upstream: local(9), origins: &[] })?;
    let gate = Gate::start(&Arc::new(place), &ground.gate)?;
    gate.loaded()?;
    Ok(gate)
}

fn contender<'a>(ground: &Ground, name: &'static str, gate: &'a Gate) -> Outcome<Contender<'a>> {
    let script = Script::write(ground.dir().join(format!("{name}.lua")), &gate.place.questions())?;
    Ok(Contender { name, url: format!("http://{}/", gate.sidecar()), script, processes: vec![&gate.process] })
}

/// A million sessions and ten thousand pages beside a thousand and ten.
pub(crate) fn scale(ground: &mut Ground) -> Outcome<()> {
    let (small, large) = (gate(ground, "small", SMALL)?, gate(ground, "large", LARGE)?);
    let contenders = [contender(ground, "small", &small)?, contender(ground, "large", &large)?];
    let (small_memory, large_memory) = (small.process.memory(), large.process.memory());
    let taken = rounds::take(&contenders, |_| Ok(()))?;
    ground.disturbed(&taken);
    let note = format!("{}; {}", told(taken.of("large")), told(taken.of("small")));
    let what = "sidecar with 1,000,000 sessions and 10,000 pages / with 1,000 and 10";
    ground.row(what, Target::AtLeast(0.95), taken.ratio("large", "small"), "", note);
    let mib = |bytes: u64| format!("{} MiB", number(bytes as f64 / f64::from(1 << 20)));
    let each = large_memory.saturating_sub(50 << 20) as f64 / LARGE.sessions as f64;
    let note = format!("{} with them, {} with 1,000", mib(large_memory), mib(small_memory));
    ground.row(
        "memory of a live session beyond the first 50 MB",
        Target::AtMost(700.0),
        Figure::of([each]),
        " bytes",
        note,
    );
    // Once more, since the first start finds the file in the page cache or not.
    let place = Arc::clone(&large.place);
    let mut starts = vec![large.first_decision.as_secs_f64()];
    drop(contenders);
    drop(large);
    for _ in 0..2 {
        starts.push(Gate::start(&place, &ground.gate)?.first_decision.as_secs_f64());
    }
    let file = fs::metadata(place.dir.join("data/panelgate.redb"))?.len();
    let note = format!(
        "a store of {}; with 1,000 sessions {} s",
        mib(file),
        number(small.first_decision.as_secs_f64())
    );
    ground.row(
        "start to first decision with 1,000,000 sessions",
        Target::AtMost(1.0),
        Figure::of(starts),
        " s",
        note,
    );
    let stripped = ground.dir().join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(&ground.gate).status();
    if strip.is_ok_and(|status| status.success()) {
        let size = fs::metadata(&stripped)?.len() as f64 / f64::from(1 << 20);
        let note = format!("as released, without symbols; idle it takes {} of memory", mib(small_memory));
        ground.row("size of the program", Target::Told, Figure::of([size]), " MiB", note);
    }
    fs::remove_dir_all(&place.dir)?;
    Ok(())
}

/// One curve for each of sessions, pages, bans, and roles with conditions, beside its first point.
pub(crate) fn curves(ground: &mut Ground) -> Outcome<()> {
    let names = ["a", "b", "c", "d"];
    let base = Size { sessions: 1_000, pages: 100, bans: 0 };
    let curves: [(&str, Vec<(usize, Size)>); 4] = [
        (
            "sessions",
            [1_000, 10_000, 100_000, 1_000_000]
                .map(|sessions| (sessions, Size { sessions, ..base }))
                .to_vec(),
        ),
        ("pages", [10, 100, 1_000, 10_000].map(|pages| (pages, Size { pages, ..base })).to_vec()),
        ("bans", [0, 1_000, 100_000, 1_000_000].map(|bans| (bans, Size { bans, ..base })).to_vec()),
        (TERMS, [1, 2, 3, 4].map(|roles| (roles, base)).to_vec()),
    ];
    let mut lines = Vec::new();
    let mut pictures = Vec::new();
    for (what, sizes) in curves {
        let gates: Vec<Gate> = sizes
            .iter()
            .map(|(count, size)| {
                let policy = (what == TERMS).then(|| policy_of_terms(*count));
                gate_under(ground, &format!("{what}-{count}"), *size, policy.as_deref())
            })
            .collect::<Outcome<_>>()?;
        let contenders = names
            .iter()
            .zip(&gates)
            .map(|(name, gate)| contender(ground, name, gate))
            .collect::<Outcome<Vec<_>>>()?;
        let taken = rounds::take(&contenders, |_| Ok(()))?;
        ground.disturbed(&taken);
        let mut points = Vec::new();
        for (name, (count, _)) in names.iter().zip(&sizes) {
            let ratio = taken.ratio(name, names[0]);
            let cost = Figure::of(taken.of(name).costs.iter().copied());
            points.push(((*count).max(1) as f64, ratio.median));
            lines.push(vec![
                what.to_owned(),
                number(*count as f64),
                number(ratio.median),
                format!("{}–{}", number(ratio.low), number(ratio.high)),
                number(cost.median),
            ]);
        }
        drop(contenders);
        for gate in gates {
            let dir = gate.place.dir.clone();
            drop(gate);
            fs::remove_dir_all(dir)?;
        }
        let picture = format!("{what}.svg");
        let line = plot::Line { name: what, points };
        plot::curves(
            &ground.out.join(&picture),
            &format!("What {what} cost"),
            (what, "beside the first"),
            &[line],
            true,
        )?;
        pictures.push(picture);
    }
    ground.report.sections.push(Section {
        title: "What more of everything costs".to_owned(),
        text: "Throughput of the sidecar beside that with the fewest, taken in turns; 1,000 sessions are in use. Bans reach nobody \
               here: what they cost is looking."
            .to_owned(),
        head: ["", "so many", "beside the first", "spread", "µs for each answer"].map(str::to_owned).to_vec(),
        lines,
        pictures,
    });
    Ok(())
}
