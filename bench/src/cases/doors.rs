//! The doors under load, beside their floors.

use std::{net::SocketAddr, path::Path, sync::Arc, thread, time::Duration};

use hdrhistogram::Histogram;
use panelgate_bench::{
    Outcome,
    load::{self, Script},
    nginx::{self, Addresses},
    place::{ACTIVE, Place, Size, Variant},
    plot,
    probe::{self, Edge, Flood, Gate, allows, local},
    process::{Process, free_port},
    profile,
    report::{Section, Target, number},
    rounds::{self, Contender, Figure, ROUNDS, TURN},
};

use super::told;
use crate::Ground;

/// What most parts are measured with.
const USUAL: Size = Size { sessions: 100_000, pages: 100, bans: 0 };
/// Handshakes in one turn.
const HANDSHAKES: usize = 400;
/// Clients that come back later.
const RETURNING: usize = 20;
/// Connections of each kind for their memory.
const OPEN: usize = 1_000;

/// A hyper server that stands for the panel.
pub(super) fn panel(ground: &Ground) -> Outcome<(Process, SocketAddr)> {
    let port = free_port()?;
    let mut process = ground.floor("panel", ["hyper", &port.to_string()])?;
    process.listens_on(port)?;
    Ok((process, local(port)))
}

/// pingora's own server before the panel, with the place's certificate; its ports for plain requests and for TLS.
pub(super) fn pass_through(
    ground: &Ground,
    place: &Place,
    upstream: SocketAddr,
) -> Outcome<(Process, [u16; 2])> {
    let (certificate, key) = place.certificate();
    let ports = [free_port()?, free_port()?];
    let [plain, tls] = ports.map(|port| port.to_string());
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let args = ["pingora", &plain, &tls, &certificate, &key, &upstream.to_string()];
    let mut process = ground.floor("pingora", args)?;
    process.listens_on(ports[1])?;
    Ok((process, ports))
}

/// A gate of the usual size; the store is filled once and copied.
pub(super) fn usual(
    ground: &Ground,
    name: &str,
    assertion: &str,
    upstream: SocketAddr,
    origins: &[String],
) -> Outcome<Arc<Place>> {
    let place = Place::make(ground.dir(), name, USUAL)?;
    place.configure(&Variant { assertion, upstream, origins })?;
    Ok(Arc::new(place))
}

/// The sidecar beside a bare hyper server, which gets the very same requests.
pub(crate) fn sidecar(ground: &mut Ground) -> Outcome<()> {
    let place = usual(ground, "sidecar", "session", local(9), &[])?;
    let gate = Gate::start(&place, &ground.gate)?;
    let port = free_port()?;
    let mut hyper = ground.floor("hyper", ["hyper", &port.to_string()])?;
    hyper.listens_on(port)?;
    let questions = place.questions();
    let script = Script::write(ground.dir().join("questions.lua"), &questions)?;
    let url = |port: u16| format!("http://127.0.0.1:{port}/");
    let contenders = [
        Contender { name: "bare hyper", url: url(port), script: script.clone(), processes: vec![&hyper] },
        Contender {
            name: "gate",
            url: url(place.ports.sidecar),
            script: script.clone(),
            processes: vec![&gate.process],
        },
    ];
    let program = ground.gate.clone();
    let taken = rounds::take(&contenders, |round| {
        if round == 1 {
            obeys(&gate, &program, &contenders[1])?;
        }
        Ok(())
    })?;
    ground.disturbed(&taken);
    let (decided, dropped) = (
        gate.metric("panelgate_decisions_total"),
        gate.metric("panelgate_journal_records_total{result=\"dropped\"}"),
    );
    let note = format!(
        "{}; {}; of {} decisions the journal dropped {}",
        told(taken.of("bare hyper")),
        told(taken.of("gate")),
        number(decided),
        number(dropped)
    );
    ground.row(
        "sidecar allow / bare hyper 200",
        Target::AtLeast(0.85),
        taken.ratio("gate", "bare hyper"),
        "",
        note,
    );
    let costs = Figure::ratio(&taken.of("gate").costs, &taken.of("bare hyper").costs);
    ground.row("the same by processor time for each answer", Target::Told, costs, "", String::new());
    percentiles(
        ground,
        &gate,
        local(port),
        &questions,
        Figure::of(taken.of("gate").rates.iter().copied()).median,
    )
}

/// Under load, a session that is ended must be refused at once.
fn obeys(gate: &Gate, program: &Path, contender: &Contender<'_>) -> Outcome<()> {
    thread::scope(|scope| {
        let load = scope.spawn(|| load::most(&contender.url, &contender.script, TURN));
        thread::sleep(Duration::from_millis(700));
        gate.revoke(ACTIVE, program)?;
        load.join().map_err(|_| "the load has ended early")?.map(drop)
    })
}

/// Times at a steady rate that both can keep up with; every answer is looked at.
fn percentiles(
    ground: &mut Ground,
    gate: &Gate,
    hyper: SocketAddr,
    questions: &[String],
    most: f64,
) -> Outcome<()> {
    let rate = (most * 0.5).floor();
    let (mut of_gate, mut of_hyper) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let named = |answer: &str| {
            load::status(answer) == 200 && answer.to_ascii_lowercase().contains("remote-user: user-")
        };
        of_gate.push(load::steady(gate.sidecar(), questions, rate, TURN, &named)?);
        of_hyper.push(load::steady(hyper, questions, rate, TURN, &|answer| load::status(answer) == 200)?);
    }
    let at = |times: &[Histogram<u64>], percentile: f64| {
        Figure::of(times.iter().map(|times| times.value_at_percentile(percentile) as f64 / 1000.0))
    };
    let steps = [50.0, 90.0, 99.0, 99.9];
    let line = |percentile: f64| {
        let (gate, hyper) = (at(&of_gate, percentile), at(&of_hyper, percentile));
        let text = |figure: Figure| {
            format!("{} ({}–{})", number(figure.median), number(figure.low), number(figure.high))
        };
        vec![format!("p{percentile}"), text(gate), text(hyper), number(gate.median / hyper.median)]
    };
    let points = |times: &[Histogram<u64>]| {
        [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9]
            .map(|step| (100.0 / (100.0 - step), at(times, step).median))
            .to_vec()
    };
    let lines = [
        plot::Line { name: "gate", points: points(&of_gate) },
        plot::Line { name: "bare hyper", points: points(&of_hyper) },
    ];
    let picture = "percentiles.svg";
    plot::curves(
        &ground.out.join(picture),
        "Times of the check",
        ("1 in so many is slower", "µs"),
        &lines,
        true,
    )?;
    ground.report.sections.push(Section {
        title: "Times of the check".to_owned(),
        text: format!(
            "{} requests/s to each in turns, half of what the gate can do, on a timetable (no coordinated omission), in µs. Every \
             answer was looked at: 200, with the user's name.",
            number(rate)
        ),
        head: ["", "gate", "bare hyper", "ratio"].map(str::to_owned).to_vec(),
        lines: steps.map(line).to_vec(),
        pictures: vec![picture.to_owned()],
    });
    Ok(())
}

/// nginx by the recipe with the gate and with a bare hyper server in its place; the edge beside what people would run
/// otherwise.
pub(crate) fn proxies(ground: &mut Ground) -> Outcome<()> {
    let (panel, upstream) = panel(ground)?;
    let (with_gate, with_hyper, with_tls, proxying) =
        (free_port()?, free_port()?, free_port()?, free_port()?);
    let origins = [format!("https://localhost:{with_tls}")];
    let place = usual(ground, "proxies", "session", upstream, &origins)?;
    let gate = Gate::start(&place, &ground.gate)?;
    let bare = ground.dir().join("bare.sock");
    let bare_port = free_port()?;
    let mut hyper = ground.floor("hyper", ["hyper", &bare_port.to_string(), &bare.display().to_string()])?;
    hyper.listens_on(bare_port)?;
    let (certificate, key) = place.certificate();
    let shown = (certificate.as_path(), key.as_path());
    let socket = place.socket();
    let nginx = |name: &str, port, tls, gate: &Path| {
        nginx::asking(name, &Addresses { port, tls, panel: upstream, gate }, ground.dir())
    };
    let asks_gate = nginx("nginx-gate", with_gate, None, &socket)?;
    let asks_bare = nginx("nginx-bare", with_hyper, None, &bare)?;
    let asks_tls = nginx("nginx-tls", with_tls, Some(shown), &socket)?;
    let proxy = nginx::proxying("nginx-proxy", proxying, shown, upstream, ground.dir())?;
    let (pingora, [plain, tls]) = pass_through(ground, &place, upstream)?;
    let script = |name: &str, host: &str| Script::write(ground.dir().join(name), &place.requests(host));
    let edge = place.ports.edge;
    let [plain_script, tls_script, edge_script] = [
        script("plain.lua", panelgate_bench::place::HOST)?,
        script("tls.lua", &format!("localhost:{with_tls}"))?,
        script("edge.lua", &format!("localhost:{edge}"))?,
    ];
    let http = |port: u16| format!("http://127.0.0.1:{port}/");
    let https = |port: u16| format!("https://localhost:{port}/");
    let contenders = [
        Contender {
            name: "nginx + bare hyper",
            url: http(with_hyper),
            script: plain_script.clone(),
            processes: vec![&asks_bare, &hyper, &panel],
        },
        Contender {
            name: "nginx + gate",
            url: http(with_gate),
            script: plain_script.clone(),
            processes: vec![&asks_gate, &gate.process, &panel],
        },
        Contender {
            name: "pingora TLS",
            url: https(tls),
            script: edge_script.clone(),
            processes: vec![&pingora, &panel],
        },
        Contender {
            name: "edge",
            url: https(edge),
            script: edge_script.clone(),
            processes: vec![&gate.process, &panel],
        },
        Contender {
            name: "nginx TLS + gate",
            url: https(with_tls),
            script: tls_script,
            processes: vec![&asks_tls, &gate.process, &panel],
        },
        Contender {
            name: "nginx TLS alone",
            url: https(proxying),
            script: edge_script.clone(),
            processes: vec![&proxy, &panel],
        },
        Contender {
            name: "pingora plain",
            url: http(plain),
            script: edge_script,
            processes: vec![&pingora, &panel],
        },
    ];
    let taken = rounds::take(&contenders, |_| Ok(()))?;
    ground.disturbed(&taken);
    let note = |names: &[&str]| names.iter().map(|name| told(taken.of(name))).collect::<Vec<_>>().join("; ");
    let pairs = [
        (
            "nginx + auth_request + gate / nginx + auth_request + bare hyper",
            "nginx + gate",
            "nginx + bare hyper",
            Target::AtLeast(0.97),
        ),
        ("edge allow / pingora's own server, both TLS", "edge", "pingora TLS", Target::AtLeast(0.9)),
        ("edge allow / nginx TLS + auth_request + sidecar", "edge", "nginx TLS + gate", Target::AtLeast(1.1)),
        ("edge allow / nginx TLS proxying without any check", "edge", "nginx TLS alone", Target::Told),
        ("edge allow over TLS / pingora's own server without TLS", "edge", "pingora plain", Target::Told),
    ];
    for (what, of, to, target) in pairs {
        ground.row(what, target, taken.ratio(of, to), "", note(&[of, to]));
    }
    Ok(())
}

/// The check's 99th percentile while passwords are tried, beside the same without.
pub(crate) fn flood(ground: &mut Ground) -> Outcome<()> {
    let place = usual(ground, "flood", "session", local(9), &[])?;
    let gate = Gate::start(&place, &ground.gate)?;
    let questions = place.questions();
    let good = |answer: &str| load::status(answer) == 200;
    let check = || load::steady(gate.sidecar(), &questions, 2_000.0, Duration::from_secs(3), &good);
    check()?;
    let (mut idle, mut flooded, mut counts) = (Vec::new(), Vec::new(), [0, 0]);
    for _ in 0..ROUNDS {
        idle.push(check()?);
        let flood = Flood::begin(&gate, 16);
        thread::sleep(Duration::from_millis(500));
        let times = check();
        let done = flood.end();
        counts = [counts[0] + done[0], counts[1] + done[1]];
        flooded.push(times?);
    }
    if counts[0] == 0 {
        return Err("nobody could sign in during the flood, so there was none".into());
    }
    let at = |times: &[Histogram<u64>], percentile| {
        times.iter().map(|times| times.value_at_percentile(percentile) as f64 / 1000.0).collect::<Vec<_>>()
    };
    for (percentile, target) in [(99.0, Target::AtMost(2.0)), (50.0, Target::Told)] {
        let (idle, flooded) = (at(&idle, percentile), at(&flooded, percentile));
        let note = format!(
            "{} µs and {} µs at 2,000 requests/s on the one core that also hashes; {} signed in, {} were told to come back",
            number(Figure::of(flooded.iter().copied()).median),
            number(Figure::of(idle.iter().copied()).median),
            counts[0],
            counts[1]
        );
        ground.row(
            &format!("p{percentile} of the check during a sign-in flood / idle"),
            target,
            Figure::ratio(&flooded, &idle),
            "",
            note,
        );
    }
    Ok(())
}

/// What an assertion for each request costs.
pub(crate) fn assertion(ground: &mut Ground) -> Outcome<()> {
    let places = ["request", "session", "off"].map(|assertion| {
        usual(ground, &format!("assertion-{assertion}"), assertion, local(9), &[])
            .map(|place| (assertion, place))
    });
    let mut gates = Vec::new();
    for place in places {
        let (assertion, place) = place?;
        gates.push((assertion, Gate::start(&place, &ground.gate)?));
    }
    let contenders = gates
        .iter()
        .map(|(assertion, gate)| {
            let script =
                Script::write(ground.dir().join(format!("{assertion}.lua")), &gate.place.questions())?;
            let url = format!("http://{}/", gate.sidecar());
            Ok(Contender { name: *assertion, url, script, processes: vec![&gate.process] })
        })
        .collect::<Outcome<Vec<_>>>()?;
    let taken = rounds::take(&contenders, |_| Ok(()))?;
    ground.disturbed(&taken);
    let signature = super::inside::signature(ground.dir())?;
    let more: Vec<f64> = taken
        .of("request")
        .costs
        .iter()
        .zip(&taken.of("off").costs)
        .map(|(with, without)| with - without)
        .collect();
    let note = format!(
        "a request costs {} µs more; the signature alone {} µs; {}; {}",
        number(Figure::of(more).median),
        number(signature),
        told(taken.of("request")),
        told(taken.of("off"))
    );
    ground.row(
        "sidecar allow with `assertion: request` / without",
        Target::Told,
        taken.ratio("request", "off"),
        "",
        note,
    );
    let note = told(taken.of("session"));
    ground.row(
        "sidecar allow with `assertion: session` / without",
        Target::Told,
        taken.ratio("session", "off"),
        "",
        note,
    );
    Ok(())
}

/// The memory of connections that do nothing.
pub(crate) fn connections(ground: &mut Ground) -> Outcome<()> {
    let (_panel, upstream) = panel(ground)?;
    let place = Place::make(ground.dir(), "connections", Size { sessions: 1_000, ..USUAL })?;
    place.configure(&Variant { assertion: "session", upstream, origins: &[] })?;
    let gate = Gate::start(&Arc::new(place), &ground.gate)?;
    let costs = probe::connections(&gate, OPEN)?;
    let kib = |bytes: f64| Figure::of([bytes / 1024.0]);
    let note = format!("{OPEN} of them, one after the other, each with one answer");
    ground.row(
        "memory of an idle keep-alive connection to the sidecar",
        Target::AtMost(16.0),
        kib(costs.sidecar),
        " KiB",
        note.clone(),
    );
    ground.row(
        "memory of an idle keep-alive connection to the edge, TLS",
        Target::AtMost(16.0),
        kib(costs.edge),
        " KiB",
        note.clone(),
    );
    ground.row(
        "memory of an idle WebSocket through the edge, TLS",
        Target::AtMost(40.0),
        kib(costs.websocket),
        " KiB",
        note,
    );
    Ok(())
}

/// TLS handshakes, whole and resumed, by the processor time of the server: the client costs more than the server does.
pub(crate) fn handshakes(ground: &mut Ground) -> Outcome<()> {
    let (panel, upstream) = panel(ground)?;
    let place = Place::make(ground.dir(), "handshakes", Size { sessions: 1_000, ..USUAL })?;
    place.configure(&Variant { assertion: "session", upstream, origins: &[] })?;
    let gate = Gate::start(&Arc::new(place), &ground.gate)?;
    let (certificate, _) = gate.place.certificate();
    let (pingora, [_, tls]) = pass_through(ground, &gate.place, upstream)?;
    let edge = gate.place.ports.edge;
    let request = gate.place.requests(&format!("localhost:{edge}")).swap_remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let take = |port: u16, process: &Process, resuming: bool| -> Outcome<(f64, usize)> {
        let client = Edge::to(local(port), &certificate, resuming)?;
        runtime.block_on(client.handshakes(&request, 10))?;
        let before = process.computed();
        let resumed = runtime.block_on(client.handshakes(&request, HANDSHAKES))?;
        Ok(((process.computed() - before).as_secs_f64() * 1e6 / HANDSHAKES as f64, resumed))
    };
    let mut costs = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let mut resumed = [0, 0];
    for _ in 0..ROUNDS {
        costs[0].push(take(edge, &gate.process, false)?.0);
        costs[1].push(take(tls, &pingora, false)?.0);
        for (at, (port, process)) in [(edge, &gate.process), (tls, &pingora)].into_iter().enumerate() {
            let (cost, count) = take(port, process, true)?;
            costs[2 + at].push(cost);
            resumed[at] += count;
        }
    }
    let crowd = crowd(&runtime, &gate, &request)?;
    drop(panel);
    let [edge_whole, pingora_whole, edge_resumed, pingora_resumed] = costs;
    let note = |of: &[f64], to: &[f64]| {
        let rate = |costs: &[f64]| number(1e6 / Figure::of(costs.iter().copied()).median);
        format!("one core makes {}/s at the edge, {}/s in pingora, request included", rate(of), rate(to))
    };
    let all = ROUNDS * HANDSHAKES;
    let counts = format!("; of {all} the edge resumed {}, pingora {}", resumed[0], resumed[1]);
    let (whole, resumed) =
        (note(&edge_whole, &pingora_whole), note(&edge_resumed, &pingora_resumed) + &counts);
    let note = format!(
        "{RETURNING} clients, each back after {HANDSHAKES} connections of others; by what the clients say"
    );
    let what = "handshakes resumed at the edge / all that could be";
    ground.row(what, Target::AtLeast(1.0), Figure::of([crowd]), "", note);
    ground.row(
        "processor time of a whole handshake, edge / pingora",
        Target::Told,
        Figure::ratio(&edge_whole, &pingora_whole),
        "",
        whole,
    );
    ground.row(
        "processor time of a resumed one, edge / pingora",
        Target::Told,
        Figure::ratio(&edge_resumed, &pingora_resumed),
        "",
        resumed,
    );
    Ok(())
}

/// Clients that come back after many others have been there: the part of them whose handshake was resumed, as they see it.
fn crowd(runtime: &tokio::runtime::Runtime, gate: &Gate, request: &str) -> Outcome<f64> {
    let to = |resuming| Edge::to(local(gate.place.ports.edge), &gate.place.certificate().0, resuming);
    let clients = (0..RETURNING).map(|_| to(true)).collect::<Outcome<Vec<_>>>()?;
    let come = || -> Outcome<usize> {
        clients.iter().map(|client| runtime.block_on(client.handshakes(request, 1))).sum()
    };
    come()?;
    runtime.block_on(to(true)?.handshakes(request, HANDSHAKES))?;
    Ok(come()? as f64 / RETURNING as f64)
}

/// Where the time of the allow path goes, at the sidecar and at the edge.
pub(crate) fn profile(ground: &mut Ground) -> Outcome<()> {
    if !load::has("perf") {
        return Err("there is no perf (linux-perf); the profile is left out".into());
    }
    let (_panel, upstream) = panel(ground)?;
    let place = usual(ground, "profile", "session", upstream, &[])?;
    let gate = Gate::start(&place, &ground.gate)?;
    let edge = format!("localhost:{}", place.ports.edge);
    let doors = [
        ("sidecar", format!("http://{}/", gate.sidecar()), place.questions(), "allow-path.svg"),
        ("edge", format!("https://{edge}/"), place.requests(&edge), "edge-path.svg"),
    ];
    for (door, url, requests, picture) in doors {
        let script = Script::write(ground.dir().join(format!("profile-{door}.lua")), &requests)?;
        load::most(&url, &script, Duration::from_secs(2))?;
        let (dir, out) = (ground.dir().to_owned(), ground.out.join(picture));
        let seen = thread::scope(|scope| {
            let load = scope.spawn(|| load::most(&url, &script, Duration::from_secs(6)));
            thread::sleep(Duration::from_millis(500));
            let seen = profile::take(gate.process.id(), 3, &dir, &out);
            load.join().map_err(|_| "the load has ended early")??;
            seen
        })?;
        let line = |(name, part): &(String, f64)| vec![format!("{:.1} %", part * 100.0), format!("`{name}`")];
        let largest: Vec<String> = seen
            .areas
            .iter()
            .filter(|(name, _)| name != "other")
            .take(3)
            .map(|(name, part)| format!("{name} ({:.0} %)", part * 100.0))
            .collect();
        let mut lines: Vec<_> = seen
            .areas
            .iter()
            .map(|(name, part)| vec![format!("{:.1} %", part * 100.0), format!("*{name}*")])
            .collect();
        lines.push(vec!["**with what it calls**".to_owned(), String::new()]);
        lines.extend(seen.within.iter().map(line));
        lines.push(vec!["**in itself**".to_owned(), String::new()]);
        lines.extend(seen.own.iter().map(line));
        ground.report.sections.push(Section {
            title: format!("Where the time of the allow path goes: {door}"),
            text: format!(
                "The three largest costs: {}. Parts of all samples of the gate's process under full load: by what they are for \
                 (each sample once), then functions with what they call, then those that cost most in themselves.",
                largest.join(", ")
            ),
            head: ["part", "function"].map(str::to_owned).to_vec(),
            lines,
            pictures: vec![picture.to_owned()],
        });
    }
    // It is a part of the bench that answers are good under a profiler, too.
    let answer = load::ask(gate.sidecar(), &place.question(1))?;
    if allows(&answer, "user-1") { Ok(()) } else { Err(format!("not allowed: {answer}").into()) }
}
