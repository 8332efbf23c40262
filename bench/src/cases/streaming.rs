//! Large bodies through the edge, beside pingora's own server.

use panelgate_bench::{
    Outcome,
    load::Script,
    probe::Gate,
    process::free_port,
    report::{Target, number},
    rounds::{self, Contender, Figure},
};

use super::doors::{panel, usual};
use crate::Ground;

/// Of one body.
const BYTES: usize = 1 << 20;

/// Downloads and uploads of a MiB each, both over TLS.
pub(crate) fn streaming(ground: &mut Ground) -> Outcome<()> {
    let (panel, upstream) = panel(ground)?;
    let place = usual(ground, "streaming", "session", upstream, &[])?;
    let gate = Gate::start(&place, &ground.gate)?;
    let (certificate, key) = place.certificate();
    let (plain, tls) = (free_port()?, free_port()?);
    let args = [
        plain.to_string(),
        tls.to_string(),
        certificate.display().to_string(),
        key.display().to_string(),
        upstream.to_string(),
    ];
    let mut pingora =
        ground.floor("pingora", ["pingora", &args[0], &args[1], &args[2], &args[3], &args[4]])?;
    pingora.listens_on(tls)?;
    let edge = place.ports.edge;
    let host = format!("localhost:{edge}");
    let bodies = [("download", place.download(&host, BYTES)), ("upload", place.upload(&host, BYTES))];
    for (what, request) in bodies {
        let script = Script::write(ground.dir().join(format!("{what}.lua")), &[request])?;
        let url = |port: u16| format!("https://localhost:{port}/");
        let contenders = [
            Contender {
                name: "pingora TLS",
                url: url(tls),
                script: script.clone(),
                processes: vec![&pingora, &panel],
            },
            Contender { name: "edge", url: url(edge), script, processes: vec![&gate.process, &panel] },
        ];
        let taken = rounds::take(&contenders, |_| Ok(()))?;
        ground.disturbed(&taken);
        let rate = |name| number(Figure::of(taken.of(name).rates.iter().copied()).median);
        let note = format!("the edge {} MiB/s, pingora {} MiB/s", rate("edge"), rate("pingora TLS"));
        ground.row(
            &format!("{what} of 1 MiB through the edge / pingora's own server, both TLS"),
            Target::Told,
            taken.ratio("edge", "pingora TLS"),
            "",
            note,
        );
        let costs = Figure::ratio(&taken.of("edge").costs, &taken.of("pingora TLS").costs);
        ground.row("the same by processor time", Target::Told, costs, "", String::new());
    }
    Ok(())
}
