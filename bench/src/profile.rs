//! Where the time of the allow path goes: `perf` looks, the flame graph shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use inferno::{
    collapse::{Collapse as _, perf},
    flamegraph::{self, Options},
};

use crate::Outcome;

/// Parts of all samples, by function.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// In the function itself.
    pub own: Vec<(String, f64)>,
    /// In the function and what it calls; only functions of ours, and what they are given by libraries.
    pub within: Vec<(String, f64)>,
    /// By what it is for: every sample belongs to one of [`AREAS`], or to none.
    pub areas: Vec<(String, f64)>,
}

/// What time is spent on, with what stands in the stack then. The first that fits has the sample.
const AREAS: [(&str, &[&str]); 14] = [
    ("the journal's writer", &["journal::Scribe", "app::journal"]),
    (
        "the decision",
        // What a decision is accounted under is all that is left of it where it was put into its caller.
        &["gate::Gate::decide", "gate::Gate::refusal", "judge::judge", "task_local::TaskLocalFuture"],
    ),
    ("the facts of a request", &["gate::Gate::describe", "request::Arrival"]),
    ("the head for the panel", &["Gateway::upstream_request_filter", "forward::head"]),
    ("the head of the answer", &["Gateway::response_filter"]),
    ("the check of the head as it arrives", &["accept::head::", "accept::chunks::"]),
    ("TLS", &["rustls::conn", "rustls::record_layer", "rustls::common_state", "aws_lc_"]),
    ("the system's calls for writing", &["sys_sendto", "sys_writev", "tcp_sendmsg"]),
    ("the system's calls for reading", &["sys_recvfrom", "sys_read", "tcp_recvmsg"]),
    (
        "waiting and waking",
        &["sys_epoll", "sys_futex", "runtime::scheduler::multi_thread::worker::Context::park"],
    ),
    ("reading a plain question", &["question::read", "question::Heads"]),
    ("writing its answer", &["reply::Replies", "identity_headers::", "gate::Gate::assertion"]),
    ("the rest of the gate", &["edge::gateway", "gate::Gate", "doors::sidecar"]),
    ("the HTTP engine", &["pingora_", "hyper::"]),
];

/// Looks at a process for so many seconds, and draws what it sees.
///
/// # Errors
/// When `perf` is not there or may not look.
pub fn take(process: u32, seconds: u64, dir: &Path, picture: &Path) -> Outcome<Profile> {
    let data = dir.join("perf.data");
    let looked = Command::new("perf")
        .args([
            "record",
            "-e",
            "cpu-clock",
            "-F",
            "997",
            "--call-graph",
            "dwarf,16384",
            "-p",
            &process.to_string(),
            "-o",
        ])
        .arg(&data)
        .args(["--", "sleep", &seconds.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if !looked.status.success() {
        return Err(format!("perf: {}", String::from_utf8_lossy(&looked.stderr)).into());
    }
    let script = dir.join("perf.script");
    let mut writing = Command::new("perf");
    writing.args(["script", "--no-inline", "-i"]).arg(&data);
    writing.stdout(File::create(&script)?).stderr(Stdio::null()).status()?;
    let mut folded = Vec::new();
    perf::Folder::from(perf::Options::default())
        .collapse(BufReader::new(File::open(&script)?), &mut folded)?;
    fs::remove_file(&data)?;
    fs::remove_file(&script)?;
    let folded = String::from_utf8(folded)?;
    let folded: String = folded.lines().map(|line| shortened(line) + "\n").collect();
    let mut options = Options::default();
    options.title = "The allow path".to_owned();
    options.count_name = "samples".to_owned();
    flamegraph::from_lines(&mut options, folded.lines(), File::create(picture)?)?;
    Ok(sum(&folded))
}

/// Without hashes, and without the type parameters that make names longer than a screen.
fn shortened(line: &str) -> String {
    let Some((stack, count)) = line.rsplit_once(' ') else { return line.to_owned() };
    let stack: Vec<String> = stack.split(';').map(plain).collect();
    format!("{} {count}", stack.join(";"))
}

fn plain(name: &str) -> String {
    without_parameters(&format!("{:#}", rustc_demangle::demangle(name)))
}

/// `<a::B<C> as d::E<F>>::g<H>` becomes `a::B::g`.
fn without_parameters(name: &str) -> String {
    if let Some(rest) = name.strip_prefix('<')
        && let Some(end) = closing(rest)
    {
        let (inner, tail) = rest.split_at(end);
        let inner = inner.split(" as ").next().unwrap_or(inner);
        return without_parameters(inner) + &without_parameters(tail.trim_start_matches('>'));
    }
    let (mut text, mut depth) = (String::new(), 0_usize);
    for character in name.replace("->", "").chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            other if depth == 0 => text.push(other),
            _ => {}
        }
    }
    text.replace("::::", "::")
}

/// Where the bracket that is open at the beginning closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn sum(folded: &str) -> Profile {
    let (mut own, mut within, mut all) = (BTreeMap::new(), BTreeMap::new(), 0.0);
    let mut areas = BTreeMap::new();
    for line in BufReader::new(folded.as_bytes()).lines().map_while(Result::ok) {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        let count: f64 = count.parse().unwrap_or(0.0);
        all += count;
        let area = AREAS.iter().find(|(_, signs)| signs.iter().any(|sign| stack.contains(sign)));
        *areas.entry(area.map_or("other", |(name, _)| name).to_owned()).or_insert(0.0) += count;
        let names: Vec<&str> = stack.split(';').collect();
        if let Some(last) = names.last() {
            *own.entry((*last).to_owned()).or_insert(0.0) += count;
        }
        for name in names.iter().collect::<BTreeSet<_>>() {
            *within.entry((*name).to_owned()).or_insert(0.0) += count;
        }
    }
    let parts = |counts: BTreeMap<String, f64>| {
        let mut parts: Vec<(String, f64)> =
            counts.into_iter().map(|(name, count)| (name, count / all)).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    };
    let ours = |name: &str| {
        name.contains("panelgate::")
            || name.starts_with("__x64_sys_")
            || name.contains("hyper::proto")
            || name.contains("pingora_")
            || name.contains("rustls::")
    };
    let within =
        parts(within).into_iter().filter(|(name, part)| ours(name) && *part > 0.01).take(40).collect();
    Profile { own: parts(own).into_iter().take(15).collect(), within, areas: parts(areas) }
}
