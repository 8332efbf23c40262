//! `panelgate audit`: reading the audit trail, with or without a daemon.

#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    fs,
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    ConfigArgs,
    arguments::{Output, when},
    connect::Place,
    progress::{Progress, QuietArgs},
    style::{self, Stream},
    verdict::{Trouble, finish, json, visible},
};
use crate::{
    clock::Wall,
    rules::trail::{Query, Record, read},
    telemetry::trail::{self, Verdict},
};

/// How often a followed trail is looked at.
const FOLLOW: Duration = Duration::from_millis(300);

/// Read the audit trail.
#[derive(Clone, Debug, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Show the newest records.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: usize,
        /// Go on with what is written meanwhile.
        #[arg(long, short)]
        follow: bool,
        /// Print JSON, one record a line.
        #[arg(long)]
        json: bool,
    },
    /// Find records; everything that is given must hold.
    Search(Search),
    /// Check that no record was altered, removed, moved or cut off; exit code 1 if one was.
    Verify {
        /// The first files were moved to an archive: begin with the first one that is here.
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        quiet: QuietArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Print the records as JSON, one a line, oldest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// Accepted for uniformity: the export is always JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Search {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Debug, clap::Args)]
struct Filter {
    /// Concerns this account: as whom or by whom.
    #[arg(long)]
    user: Option<String>,
    /// The event, such as `sign-in-failed`; `session-*` finds all that begin so.
    #[arg(long)]
    event: Option<String>,
    /// From this address or network.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    client: Option<IpNet>,
    /// Not before: a duration such as `24h`, or a time such as 2026-11-25T08:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Wall>,
    /// Before.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Wall>,
    /// A text in any of its members.
    #[arg(long)]
    text: Option<String>,
}

/// Runs the verb.
pub fn run(args: &AuditArgs) -> ExitCode {
    let folder = Place::find(&args.config).and_then(|place| {
        place.become_owner()?;
        Ok(trail::folder(place.data_dir()))
    });
    finish(folder.and_then(|folder| carry_out(&args.verb, &folder, &mut io::stdout().lock())))
}

fn carry_out(verb: &Verb, folder: &Path, out: &mut dyn Write) -> Result<String, Trouble> {
    let unreadable = |error: io::Error| failed(folder, &error);
    if !folder.exists() {
        return Err(Trouble::Failed(format!(
            "there is no audit trail in {}: it begins when panelgate first runs",
            folder.display()
        )));
    }
    match verb {
        Verb::Tail { lines, follow, json } => {
            let mut newest = trail::newest(folder, &Query::default(), *lines).map_err(unreadable)?;
            newest.reverse();
            let seq = newest.last().map_or(0, |record| record.seq);
            let told = tell(&newest, *json, out)
                .and_then(|()| if *follow { follow_on(folder, seq, *json, out) } else { Ok(()) });
            printed(told, folder)
        }
        Verb::Search(search) => {
            let mut found =
                trail::newest(folder, &search.filter.query(), search.limit).map_err(unreadable)?;
            found.reverse();
            if search.output.json {
                return json(&found.iter().map(Record::to_json).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return Err(Trouble::No("no record matches".into()));
            }
            printed(tell(&found, false, out), folder)
        }
        Verb::Verify { archived, quiet, output } => verify(folder, *archived, *quiet, *output),
        Verb::Export { filter, .. } => {
            let query = filter.query();
            for file in trail::files(folder).map_err(unreadable)? {
                let records = trail::read_file(&file).map_err(unreadable)?;
                let wanted: Vec<_> = records.into_iter().filter(|record| query.matches(record)).collect();
                match tell(&wanted, true, out) {
                    Ok(()) => {}
                    stopped => return printed(stopped, folder),
                }
            }
            Ok(String::new())
        }
    }
}

impl Filter {
    fn query(&self) -> Query {
        Query {
            user: self.user.clone(),
            event: self.event.clone(),
            client: self.client,
            since: self.since,
            until: self.until,
            text: self.text.clone(),
            site: None,
            before: None,
        }
    }
}

fn verify(folder: &Path, archived: bool, quiet: QuietArgs, output: Output) -> Result<String, Trouble> {
    let unreadable = |error: io::Error| failed(folder, &error);
    let sizes = trail::files(folder).map_err(unreadable)?;
    let total = sizes.iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).sum();
    let progress = Progress::bytes("checking the audit trail", total, quiet);
    let verdict = trail::verify(folder, archived, |bytes| progress.advance(bytes)).map_err(unreadable)?;
    progress.finish();
    let text = if output.json { json(&document(&verdict))? } else { report(&verdict) };
    match (verdict.findings.is_empty(), output.json) {
        (true, _) => Ok(text),
        (false, true) => Err(Trouble::Report(text)),
        (false, false) => Err(Trouble::No(text)),
    }
}

fn document(verdict: &Verdict) -> serde_json::Value {
    let findings = verdict.findings.iter().map(|finding| {
        let (file, line) = &finding.place;
        let records = finding.kind.records();
        serde_json::json!({
            "kind": finding.kind.code(), "file": file, "line": line,
            "from": records.map(|(from, _)| from), "to": records.map(|(_, to)| to),
            "text": finding.kind.to_string(),
        })
    });
    serde_json::json!({
        "intact": verdict.findings.is_empty(), "files": verdict.files, "records": verdict.records,
        "last": verdict.last.seq, "hash": data_encoding::HEXLOWER.encode(&verdict.last.hash),
        "unfinished": verdict.cut_off, "findings": findings.collect::<Vec<_>>(),
    })
}

fn report(verdict: &Verdict) -> String {
    let hash = data_encoding::HEXLOWER.encode(&verdict.last.hash);
    if verdict.findings.is_empty() {
        let note = if verdict.cut_off {
            "the last line is being written, or was cut off by a crash; the next start closes it\n"
        } else {
            ""
        };
        return format!(
            "{} {} records in {} files, each continues the one before it\nlast record {}, {hash}\n{note}",
            style::good(Stream::Out).of("intact:"),
            verdict.records,
            verdict.files,
            verdict.last.seq
        );
    }
    let mut text = "the audit trail was tampered with, or the disk is damaged:\n".to_owned();
    for finding in &verdict.findings {
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

/// Whoever reads our output may have seen enough.
fn printed(told: io::Result<()>, folder: &Path) -> Result<String, Trouble> {
    match told {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(folder, &error)),
        _ => Ok(String::new()),
    }
}

fn tell(records: &[Record], json: bool, out: &mut dyn Write) -> io::Result<()> {
    for record in records {
        if json {
            writeln!(out, "{}", record.to_json())?;
        } else {
            writeln!(out, "{}", line(record))?;
        }
    }
    out.flush()
}

/// One record on one line. What clients wrote comes last and cannot steer the terminal.
fn line(record: &Record) -> String {
    let at = style::dim(Stream::Out).of(&record.at);
    let event = style::strong(Stream::Out).of(&record.event);
    let mut text = format!("{at} {:>6} {event}", record.seq);
    for name in record.fields.keys() {
        if let Some(value) = record.text(name).filter(|value| !value.is_empty()) {
            let value = visible(&first_line(&value));
            let value = if value.contains([' ', '"']) { format!("{value:?}") } else { value };
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

/// Problems of a configuration have many lines; `--json` prints them all.
fn first_line(text: &str) -> String {
    let text = text.trim_matches('\n');
    text.split_once('\n').map_or_else(|| text.to_owned(), |(first, _)| format!("{}…", first.trim_end()))
}

/// Prints what is written from now on, for ever.
fn follow_on(folder: &Path, mut seq: u64, json: bool, out: &mut dyn Write) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut at: Option<(PathBuf, u64)> = None;
    loop {
        for file in trail::files(folder)? {
            let begin = match &at {
                Some((known, offset)) if *known == file => *offset,
                Some((known, _)) if file < *known => continue,
                _ => 0,
            };
            let (records, end) = from(&file, begin)?;
            at = Some((file, end));
            let fresh: Vec<_> = records.into_iter().filter(|record| record.seq > seq).collect();
            seq = fresh.last().map_or(seq, |record| record.seq);
            tell(&fresh, json, out)?;
        }
        runtime.block_on(tokio::time::sleep(FOLLOW));
    }
}

/// The whole lines from an offset on, and where they end.
fn from(file: &Path, offset: u64) -> io::Result<(Vec<Record>, u64)> {
    let mut opened = fs::File::open(file)?;
    opened.seek(SeekFrom::Start(offset))?;
    let (mut lines, mut line, mut end, mut records) =
        (BufReader::new(opened), Vec::new(), offset, Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        end += line.len() as u64;
        records.extend(read(whole).ok());
        line.clear();
    }
    Ok((records, end))
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map_err(|_| "write an address or a network: 203.0.113.0/24".to_owned())
}

fn failed(folder: &Path, error: &io::Error) -> Trouble {
    Trouble::Failed(format!("the audit trail in {} cannot be read: {error}", folder.display()))
}
