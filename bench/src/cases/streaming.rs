//! Large bodies through the edge, beside pingora's own server.

use panelgate_bench::{
    Outcome,
    load::Script,
    probe::Gate,
    report::{Target, number},
    rounds::{self, Contender, Figure},
};

use super::doors::{panel, pass_through, usual};
use crate::Ground;

/// Of one body.
const BYTES: usize = 1 << 20;

/// Downloads and uploads of a MiB each, both over TLS.
pub(crate) fn streaming(ground: &mut Ground) -> Outcome<()> {
    let (panel, upstream) = panel(ground)?;
    let place = usual(ground, "streaming", "session", upstream, &[])?;
    let gate = Gate::start(&place, &ground.gate)?;
    let (pingora, [_, tls]) = pass_through(ground, &place, upstream)?;
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
