//! Load: `wrk` for throughput (closed loop), and an open loop of our own for percentiles.
//!
//! The open loop keeps to a timetable: a request that could not be sent in time because an earlier answer was late is
//! late itself, and its time counts from when it should have been sent (no coordinated omission).

use std::{
    collections::VecDeque,
    fs,
    io::{ErrorKind, Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::{Outcome, machine};

/// Connections that `wrk` keeps open.
pub const CONNECTIONS: usize = 32;

/// Requests as `wrk` sends them, one after the other, over and over.
#[derive(Clone, Debug)]
pub struct Script(PathBuf);

impl Script {
    /// Writes the script for these requests, each a whole one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(path: PathBuf, requests: &[String]) -> Outcome<Self> {
        use std::fmt::Write as _;
        let mut text = String::from("local requests = {\n");
        for request in requests {
            writeln!(text, "{},", quoted(request))?;
        }
        text.push_str(
            r#"}
local at = 0
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"#,
        );
        fs::write(&path, text)?;
        Ok(Self(path))
    }
}

/// A string of Lua.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n")
    )
}

/// As many requests as a server answers; every answer must be a good one.
///
/// # Errors
/// When `wrk` cannot be run, or one answer was not 2xx or did not come.
pub fn most(url: &str, script: &Script, time: Duration) -> Outcome<f64> {
    let said = Command::new("taskset")
        .args(["-c", &machine::LOAD.to_string(), "wrk", "-t1"])
        .arg(format!("-c{CONNECTIONS}"))
        .arg(format!("-d{}s", time.as_secs().max(1)))
        .arg("-s")
        .arg(&script.0)
        .arg(url)
        .output()
        .map_err(|error| format!("wrk does not start ({error}); scripts/setup.sh bench installs it"))?;
    let text = String::from_utf8_lossy(&said.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let figures: Vec<u64> =
        result.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    let [requests, micros, errors] = figures[..] else {
        return Err(format!(
            "wrk said nothing of use about {url}: {text}{}",
            String::from_utf8_lossy(&said.stderr)
        )
        .into());
    };
    if errors > 0 || requests == 0 {
        return Err(format!("{url}: {errors} of {requests} answers were none or not good:\n{text}").into());
    }
    Ok(requests as f64 / (micros as f64 / 1e6))
}

/// A connection of the open loop.
struct Line {
    stream: TcpStream,
    /// When the request that is under way should have been sent.
    since: Option<Instant>,
    got: Vec<u8>,
}

/// Sends so many requests a second, evenly, whatever the server does; the time of each, in nanoseconds.
///
/// # Errors
/// When an answer is not a good one, or does not come within 10 s.
pub fn steady(
    server: SocketAddr,
    requests: &[String],
    rate: f64,
    time: Duration,
    good: &dyn Fn(&str) -> bool,
) -> Outcome<Histogram<u64>> {
    let mut lines: Vec<Line> = (0..CONNECTIONS).map(|_| Line::to(server)).collect::<Outcome<_>>()?;
    let mut times = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
    let begin = Instant::now() + Duration::from_millis(5);
    let due = |number: u64| begin + Duration::from_secs_f64(number as f64 / rate);
    let last = (time.as_secs_f64() * rate) as u64;
    let (mut next, mut answered, mut moved) = (0, 0, Instant::now());
    let mut free: VecDeque<usize> = (0..lines.len()).collect();
    while answered < last {
        let now = Instant::now();
        while next < last && due(next) <= now {
            let Some(index) = free.pop_front() else { break };
            let line = &mut lines[index];
            line.since = Some(due(next));
            line.stream.write_all(requests[next as usize % requests.len()].as_bytes())?;
            next += 1;
        }
        for (index, line) in lines.iter_mut().enumerate() {
            let Some(since) = line.since else { continue };
            if let Some(answer) = line.read()? {
                if !good(&answer) {
                    return Err(format!("an answer that is not good: {answer}").into());
                }
                times.saturating_record(u64::try_from(since.elapsed().as_nanos())?);
                line.since = None;
                free.push_back(index);
                answered += 1;
                moved = Instant::now();
            }
        }
        if moved.elapsed() > Duration::from_secs(10) {
            return Err(format!("{server} has not answered for 10 s").into());
        }
    }
    Ok(times)
}

impl Line {
    fn to(server: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, since: None, got: Vec::with_capacity(4096) })
    }

    /// A whole answer, if there is one.
    fn read(&mut self) -> Outcome<Option<String>> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => return Err("the server has closed a connection".into()),
            Ok(count) => self.got.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let whole = whole_answer(&self.got);
        Ok(whole.then(|| String::from_utf8_lossy(&std::mem::take(&mut self.got)).into_owned()))
    }
}

/// Whether a head and the body that it announces are there.
fn whole_answer(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

/// One request on a connection of its own, blocking: the whole answer.
///
/// # Errors
/// When it does not come within 30 s.
pub fn ask(server: SocketAddr, request: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    ask_on(&mut stream, request)
}

/// One request on an open connection.
///
/// # Errors
/// When the answer does not come.
pub fn ask_on(stream: &mut (impl Read + std::io::Write), request: &str) -> Outcome<String> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    while !whole_answer(&got) {
        match stream.read(&mut piece)? {
            0 => return Err(format!("no whole answer: {}", String::from_utf8_lossy(&got)).into()),
            count => got.extend_from_slice(&piece[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&got).into_owned())
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Whether a tool can be run.
pub fn has(program: &str) -> bool {
    let dirs = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    dirs.split(':').any(|dir| Path::new(dir).join(program).exists())
}
