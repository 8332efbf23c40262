//! `panelgate audit verify`.

use std::{fmt::Write as _, fs, io, path::Path};

use super::{Verify, failed};
use crate::{
    cli::{
        progress::Progress,
        style::{self, Stream},
        verdict::{Trouble, json},
    },
    rules::trail::{Finding, Kind, PublicKey},
    telemetry::trail::{self, Check, Verdict},
};

/// `own`: the key in the data directory, if there is one.
pub(super) fn verify(asked: &Verify, folder: &Path, own: &[PublicKey]) -> Result<String, Trouble> {
    let unreadable = |error: io::Error| failed(folder, &error);
    let sizes = trail::files(folder).map_err(unreadable)?;
    let apart = asked.folder.is_some();
    if sizes.is_empty() && (apart || nothing_is_known(asked, folder)) {
        return Err(Trouble::Failed(format!(
            "there are no records in {}: nothing to verify; if there were any, they were removed, or this is another folder",
            folder.display()
        )));
    }
    let total = sizes.iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).sum();
    let progress = Progress::bytes("checking the audit trail", total, asked.quiet);
    let keys = if asked.taken.key.is_empty() { own.to_vec() } else { asked.taken.key.clone() };
    let against = asked.against.iter().chain(&asked.taken.after).copied().collect();
    let (archived, accepted) = (asked.archived, asked.taken.accept.clone());
    let check = Check { keys, against, archived, apart, accepted, chain_only: false };
    let verdict = trail::verify(folder, &check, |bytes| progress.advance(bytes)).map_err(unreadable)?;
    progress.finish();
    let good = verdict.found.findings.is_empty();
    let text = match (asked.output.json, good) {
        (true, _) => json(&document(&verdict, &check))?,
        (false, true) => praise(&verdict, &check),
        (false, false) => complain(&verdict, &check),
    };
    match (good, asked.output.json) {
        (true, _) => Ok(text),
        (false, true) => Err(Trouble::Report(text)),
        (false, false) => Err(Trouble::No(text)),
    }
}

/// Whether nothing says that there ever was a record.
fn nothing_is_known(asked: &Verify, folder: &Path) -> bool {
    asked.against.is_empty() && asked.taken.after.is_none() && !folder.join(trail::HEAD).exists()
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
        "first": found.first, "last": found.last.seq, "hash": data_encoding::HEXLOWER.encode(&found.last.hash),
        "unfinished": found.cut_off, "signed": !check.keys.is_empty(), "checkpoints": found.checkpoints,
        "vouched": found.vouched, "head": verdict.head.map(|head| head.seq), "gone": found.gone,
        "elsewhere": found.elsewhere, "recovered": found.recovered, "waiting": verdict.waiting,
        "accepted": found.accepted.iter().map(|(record, from, to)| serde_json::json!({
            "record": record, "from": from, "to": to,
        })).collect::<Vec<_>>(),
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
    let _ =
        writeln!(text, "{} checkpoints are signed, the last is record {}", found.checkpoints, found.vouched);
    if check.apart {
        text += &range(verdict);
    }
    let behind = verdict.head.filter(|head| head.seq < found.last.seq);
    if let Some(head) = behind {
        let (from, to) = (head.seq + 1, found.last.seq);
        let _ = writeln!(text, "records {from} to {to} are not signed yet: they were being written");
    }
    if found.gone > 0 {
        let _ =
            writeln!(text, "records 1 to {} are not here; verify them where they were moved to", found.gone);
    }
    if !found.elsewhere.is_empty() {
        let noted: Vec<_> = found.elsewhere.iter().map(u64::to_string).collect();
        let _ = writeln!(
            text,
            "noted elsewhere and not compared, as they are among those: records {}; give --against there",
            noted.join(", ")
        );
    }
    for (record, from, to) in &found.accepted {
        let what = if from > to {
            "that nothing is missing before it".into()
        } else {
            format!("records {from} to {to}")
        };
        let _ = writeln!(text, "taken on your word, as --accept {record} says: {what}");
    }
    if !found.recovered.is_empty() {
        let which: Vec<_> = found.recovered.iter().map(u64::to_string).collect();
        let _ = writeln!(
            text,
            "lines that are no records stand before {}: a crash cut them off, or somebody added them behind the end",
            which.join(", ")
        );
    }
    if verdict.waiting {
        text += "records that could not be written wait in `held`; the next start writes them\n";
    }
    if found.cut_off {
        text += "the last line is being written, or was cut off by a crash; the next start closes it\n";
    }
    text
}

fn range(verdict: &Verdict) -> String {
    format!("here are records {} to {}\n", verdict.found.first, verdict.found.last.seq)
}

/// Where it is.
pub(super) fn place(finding: &Finding) -> String {
    match &finding.place {
        (file, _) if file.is_empty() => "at the end".to_owned(),
        (file, 0) => file.clone(),
        (file, line) => format!("{file}:{line}"),
    }
}

fn complain(verdict: &Verdict, check: &Check) -> String {
    let mut text = "the audit trail was tampered with, or the disk is damaged:\n".to_owned();
    for finding in &verdict.found.findings {
        let place = style::strong(Stream::Err).of(place(finding));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {place}: {}", finding.kind);
    }
    if check.apart {
        text += &range(verdict);
        if verdict.found.findings.iter().any(|finding| matches!(finding.kind, Kind::NoStart(_))) {
            text += "if those before were moved elsewhere, say where this begins: --after NUMBER:HASH, which is the last \
                     record there, or what was noted\n";
        }
    }
    text + "compare with a backup (`panelgate restore FILE --into DIR`, then `PANELGATE_DATA_DIR=DIR panelgate audit verify`) \
                   before anything else\n"
}
