//! `panelgate audit`: reading the audit trail, with or without a daemon.

mod archive;
mod check;
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
    progress::QuietArgs,
    style::{self, Stream},
    verdict::{Trouble, finish, json, visible},
};
use crate::{
    app,
    clock::Wall,
    feeds,
    rules::trail::{
        Link, PublicKey, Query, Record, Unreadable, altered,
        export::{self, Form, Source},
        read,
    },
    telemetry::trail,
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
        /// Print another form, for a program that forwards it.
        #[arg(long, conflicts_with = "json")]
        format: Option<Format>,
    },
    /// Find records; everything that is given must hold.
    Search(Search),
    /// Check that no record was altered, removed, moved or cut off, and that all is signed; exit code 1 if not.
    Verify(Verify),
    /// Print the number and hash of the newest record that `head` vouches for, to be noted on another machine for `verify --against`.
    Checkpoint,
    /// Print the public key that checkpoints are verified with, for another machine.
    Key,
    /// Move old files elsewhere. The chain goes on, and `verify` knows that they are not here.
    Archive {
        /// Files whose records are all older: a duration such as `400d`, or a time such as 2026-01-01T00:00:00Z.
        #[arg(long, value_name = "WHEN", value_parser = when)]
        before: Wall,
        /// The folder that they are moved to; it is made if it is not there.
        #[arg(value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        taken: Taken,
        #[command(flatten)]
        output: Output,
    },
    /// Print the records for other programs, one a line, oldest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// In which form.
        #[arg(long, default_value = "jsonl")]
        format: Format,
        /// Accepted for uniformity: the same as `--format jsonl`.
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
}

/// A form for other programs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// The records as they are, JSON.
    Jsonl,
    /// Open Cybersecurity Schema Framework 1.6.0, JSON.
    Ocsf,
    /// ArcSight Common Event Format.
    Cef,
    /// Syslog, RFC 5424.
    Syslog,
}

#[derive(Clone, Debug, clap::Args)]
struct Verify {
    /// The first files were moved elsewhere by hand: begin with the first one that is here.
    #[arg(long)]
    archived: bool,
    /// Files that `audit archive` moved here, instead of the trail itself.
    #[arg(long, value_name = "FOLDER", conflicts_with = "archived")]
    folder: Option<PathBuf>,
    /// What `audit checkpoint` printed earlier: that record has to be there. May be given several times.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = link)]
    against: Vec<Link>,
    #[command(flatten)]
    taken: Taken,
    #[command(flatten)]
    quiet: QuietArgs,
    #[command(flatten)]
    output: Output,
}

/// What is taken on somebody's word.
#[derive(Clone, Debug, clap::Args)]
struct Taken {
    /// The record before the first one that is here, as another archive's last one: for archives that begin later.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = link)]
    after: Option<Link>,
    /// Records `trail-unsigned` whose cause you know, by number: what they name is no finding any more.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    accept: Vec<u64>,
    /// What `audit key` printed, instead of the key in the data directory. May be given several times.
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Vec<PublicKey>,
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
    // What is elsewhere, with a key that is given, needs nothing from here.
    if let Verb::Verify(asked @ Verify { folder: Some(folder), taken, .. }) = &args.verb
        && !taken.key.is_empty()
    {
        return finish(check::verify(asked, folder, &taken.key));
    }
    let found = Place::find(&args.config).and_then(|place| {
        place.become_owner()?;
        Ok(place)
    });
    finish(found.and_then(|place| {
        if let Verb::Archive { before, to, taken, output } = &args.verb {
            return archive::archive(&place, *before, to, taken, *output);
        }
        carry_out(&args.verb, place.data_dir(), &mut io::stdout().lock())
    }))
}

fn carry_out(verb: &Verb, data_dir: &Path, out: &mut dyn Write) -> Result<String, Trouble> {
    let own = trail::folder(data_dir);
    let folder = if let Verb::Verify(Verify { folder: Some(folder), .. }) = verb { folder } else { &own };
    let unreadable = |error: io::Error| failed(folder, &error);
    if !folder.exists() {
        return Err(Trouble::Failed(format!(
            "there is no audit trail in {}: it begins when panelgate first runs",
            folder.display()
        )));
    }
    match verb {
        Verb::Tail { lines, follow, json, format } => {
            let shape = Shape::of(*json, *format);
            // What is new is what comes after the newest, whether or not it was asked for.
            let last = trail::newest(folder, &Query::default(), 1).map_err(unreadable)?;
            let seq = last.last().map_or(0, |record| record.seq);
            let mut newest = trail::newest(folder, &Query::default(), *lines).map_err(unreadable)?;
            newest.retain(|record| record.seq <= seq);
            newest.reverse();
            let told = tell(&newest, &shape, out)
                .and_then(|()| if *follow { follow_on(folder, seq, &shape, out) } else { Ok(()) });
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
            printed(tell(&found, &Shape::People, out), folder)
        }
        Verb::Verify(verify) => check::verify(verify, folder, &own_key(data_dir)?),
        Verb::Checkpoint => {
            let last = trail::vouched(folder, &own_key(data_dir)?).map_err(unreadable)?;
            let why = "the signed `head` names no record that is here, so nothing is printed that could be noted: see \
                       `panelgate audit verify`";
            last.map(|last| format!("{last}\n")).ok_or_else(|| Trouble::No(why.into()))
        }
        Verb::Key => match own_key(data_dir)?.first() {
            Some(key) => Ok(format!("{key}\n")),
            None => Err(Trouble::No("there is no key yet: it is made when panelgate first runs".into())),
        },
        Verb::Export { filter, format, .. } => {
            let (query, shape) = (filter.query(), Shape::of(false, Some(*format)));
            for file in trail::files(folder).map_err(unreadable)? {
                let records = trail::read_shown(&file).map_err(unreadable)?;
                let wanted: Vec<_> = records.into_iter().filter(|record| query.matches(record)).collect();
                match tell(&wanted, &shape, out) {
                    Ok(()) => {}
                    stopped => return printed(stopped, folder),
                }
            }
            Ok(String::new())
        }
        // It needs whoever writes the trail.
        Verb::Archive { .. } => Ok(String::new()),
    }
}

fn own_key(data_dir: &Path) -> Result<Vec<PublicKey>, Trouble> {
    let signer = feeds::keys::signer(&app::keys_dir(data_dir));
    let signer = signer.map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(signer.map(|signer| signer.public()).into_iter().collect())
}

/// How records are shown.
enum Shape {
    People,
    Programs(Form, Source),
}

impl Shape {
    fn of(json: bool, format: Option<Format>) -> Self {
        let form = match format {
            None if !json => return Self::People,
            None | Some(Format::Jsonl) => Form::JsonLines,
            Some(Format::Ocsf) => Form::Ocsf,
            Some(Format::Cef) => Form::Cef,
            Some(Format::Syslog) => Form::Syslog,
        };
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self::Programs(form, Source { host: host.trim().to_owned(), version: env!("CARGO_PKG_VERSION") })
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

/// Whoever reads our output may have seen enough.
fn printed(told: io::Result<()>, folder: &Path) -> Result<String, Trouble> {
    match told {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(folder, &error)),
        _ => Ok(String::new()),
    }
}

fn tell(records: &[Record], shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
    for record in records {
        match shape {
            Shape::People => writeln!(out, "{}", line(record))?,
            Shape::Programs(form, source) => writeln!(out, "{}", export::line(record, *form, source))?,
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
fn follow_on(folder: &Path, mut seq: u64, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut at: Option<(PathBuf, u64)> = None;
    loop {
        for file in trail::files(folder)? {
            let begin = match &at {
                Some((known, offset)) if *known == file => *offset,
                Some((known, _)) if file < *known => continue,
                _ => 0,
            };
            let (records, end) = from(&file, begin, seq)?;
            at = Some((file, end));
            let fresh: Vec<_> = records.into_iter().filter(|record| record.seq > seq).collect();
            seq = fresh.last().map_or(seq, |record| record.seq);
            tell(&fresh, shape, out)?;
        }
        runtime.block_on(async { tokio::time::sleep(FOLLOW).await });
    }
}

/// The whole lines from an offset on, behind the record `seq`, and where they end.
fn from(file: &Path, offset: u64, mut seq: u64) -> io::Result<(Vec<Record>, u64)> {
    let mut opened = fs::File::open(file)?;
    opened.seek(SeekFrom::Start(offset))?;
    let (mut lines, mut line, mut end, mut records) =
        (BufReader::new(opened), Vec::new(), offset, Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        end += line.len() as u64;
        match read(whole) {
            Ok(record) => {
                seq = record.seq;
                records.push(record);
            }
            Err(Unreadable::Hash) => {
                seq += 1;
                records.push(altered(seq, "", (&file.display().to_string(), 0)));
            }
            Err(Unreadable::Form) => {}
        }
        line.clear();
    }
    Ok((records, end))
}

fn link(text: &str) -> Result<Link, String> {
    Link::parse(text)
        .ok_or_else(|| "write it as `panelgate audit checkpoint` printed it: NUMBER:HASH".to_owned())
}

fn key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).ok_or_else(|| "write it as `panelgate audit key` printed it".to_owned())
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
