//! `panelgate audit verify`.

use std::{fmt::Write as _, fs, io, path::Path};

use super::{Verify, failed};
use crate::{
    cli::{
        progress::Progress,
        style::{self, Stream},
        verdict::{Trouble, json},
    },
    rules::trail::PublicKey,
    telemetry::trail::{self, Check, Verdict},
};

/// `own`: the key in the data directory, if there is one.
pub(super) fn verify(asked: &Verify, folder: &Path, own: &[PublicKey]) -> Result<String, Trouble> {
    let unreadable = |error: io::Error| failed(folder, &error);
    let sizes = trail::files(folder).map_err(unreadable)?;
    let total = sizes.iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).sum();
    let progress = Progress::bytes("checking the audit trail", total, asked.quiet);
    let keys = if asked.key.is_empty() { own.to_vec() } else { asked.key.clone() };
    let apart = asked.folder.is_some();
    let check = Check { keys, against: asked.against.clone(), archived: asked.archived, apart };
    let verdict = trail::verify(folder, &check, |bytes| progress.advance(bytes)).map_err(unreadable)?;
    progress.finish();
    let good = verdict.found.findings.is_empty();
    let text = match (asked.output.json, good) {
        (true, _) => json(&document(&verdict, &check))?,
        (false, true) => praise(&verdict, &check),
        (false, false) => complain(&verdict),
    };
    match (good, asked.output.json) {
        (true, _) => Ok(text),
        (false, true) => Err(Trouble::Report(text)),
        (false, false) => Err(Trouble::No(text)),
    }
}

fn document(verdict: &Verdict, check: &Check) -> serde_json::Value {
    let found = &verdict.found;
    let findings = found.findings.iter().map(|finding| {
        let (file, line) = &finding.place;
        let records = finding.kind.records();
        serde_json::json!({
            "kind": finding.kind.code(), "file": file, "line": line,
            "from": records.map(|(from, _)| from), "to": records.map(|(_, to)| to),
            "text": finding.kind.to_string(),
        })
    });
    serde_json::json!({
        "intact": found.findings.is_empty(), "files": verdict.files, "records": found.records,
        "last": found.last.seq, "hash": data_encoding::HEXLOWER.encode(&found.last.hash),
        "unfinished": found.cut_off, "signed": !check.keys.is_empty(), "checkpoints": found.checkpoints,
        "vouched": found.vouched, "head": verdict.head.map(|head| head.seq), "gone": found.gone,
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn praise(verdict: &Verdict, check: &Check) -> String {
    let found = &verdict.found;
    let mut text = format!(
        "{} {} records in {} files, each continues the one before it\nlast record {}, {}\n",
        style::good(Stream::Out).of("intact:"),
        found.records,
        verdict.files,
        found.last.seq,
        data_encoding::HEXLOWER.encode(&found.last.hash)
    );
    // Writing to a string cannot fail.
    if check.keys.is_empty() {
        text += "no signature was checked: there is no key here, and none was given with --key\n";
    } else {
        let _ = writeln!(
            text,
            "{} checkpoints are signed, the last is record {}",
            found.checkpoints, found.vouched
        );
    }
    let behind = verdict.head.filter(|head| !check.keys.is_empty() && head.seq < found.last.seq);
    if let Some(head) = behind {
        let (from, to) = (head.seq + 1, found.last.seq);
        let _ = writeln!(text, "records {from} to {to} are not signed yet: they were being written");
    }
    if found.gone > 0 {
        let _ =
            writeln!(text, "records 1 to {} are not here; verify them where they were moved to", found.gone);
    }
    if found.cut_off {
        text += "the last line is being written, or was cut off by a crash; the next start closes it\n";
    }
    text
}

fn complain(verdict: &Verdict) -> String {
    let mut text = "the audit trail was tampered with, or the disk is damaged:\n".to_owned();
    for finding in &verdict.found.findings {
        let place = match &finding.place {
            (file, _) if file.is_empty() => "at the end".to_owned(),
            (file, 0) => file.clone(),
            (file, line) => format!("{file}:{line}"),
        };
        let place = style::strong(Stream::Err).of(place);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {place}: {}", finding.kind);
    }
    text + "compare with a backup (`panelgate restore FILE --into DIR`, then `PANELGATE_DATA_DIR=DIR panelgate audit verify`) \
                   before anything else\n"
}
