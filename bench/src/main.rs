//! `make bench`: builds nothing, measures everything, writes `target/bench/report.md`, `report.json` and pictures.

mod cases;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use panelgate_bench::{
    Outcome,
    allocations::Counting,
    floors::{self, PassThrough},
    load, machine,
    parts::Parts,
    report::Report,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // pingora installs ring as the process default unless somebody was first; both sides use the same library.
    let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Outcome<bool> {
    match args {
        ["floor", "hyper", port] => floors::hyper(port.parse()?, None).map(|()| true),
        ["floor", "hyper", port, socket] => floors::hyper(port.parse()?, Some(socket.into())).map(|()| true),
        ["floor", "pingora", plain, tls, certificate, key, upstream] => {
            let certificate = (certificate.into(), key.into());
            let (plain, tls, upstream) = (plain.parse()?, tls.parse()?, upstream.parse()?);
            floors::pingora(&PassThrough { plain, tls, certificate, upstream }).map(|()| true)
        }
        // For counting instructions: one step so many times.
        ["step", dir, name, count] => {
            let parts = Parts::make(Path::new(dir), 100, 50)?;
            let step = parts.step(name)?;
            Ok((0..count.parse()?).map(|index| step(index)).sum::<usize>() < usize::MAX)
        }
        ["memory", dir] if Path::new(dir).is_dir() => cases::memory::count(Path::new(dir)).map(|()| true),
        only => bench(only),
    }
}

/// What all parts need.
pub(crate) struct Ground {
    /// A folder that goes at the end, on the disk that the report is on.
    pub(crate) work: tempfile::TempDir,
    /// Where the report is written.
    pub(crate) out: PathBuf,
    /// The gate.
    pub(crate) gate: PathBuf,
    /// This program, which is the floors as well.
    pub(crate) this: PathBuf,
    /// What has been measured.
    pub(crate) report: Report,
}

/// Runs the parts that are named, or all.
fn bench(only: &[&str]) -> Outcome<bool> {
    if machine::cores() < 2 {
        return Err("two cores are needed: one for the servers, one for the load".into());
    }
    for program in ["taskset", "wrk", "nginx"] {
        if !load::has(program) {
            return Err(
                format!("there is no {program}; scripts/setup.sh bench installs what is needed").into()
            );
        }
    }
    let begin = Instant::now();
    machine::pin(machine::LOAD)?;
    let this = std::env::current_exe()?;
    let gate = this.with_file_name("panelgate");
    let out =
        PathBuf::from(std::env::var("PANELGATE_BENCH_OUT").unwrap_or_else(|_| "../target/bench".to_owned()));
    std::fs::create_dir_all(&out)?;
    let work = tempfile::Builder::new().prefix("work-").tempdir_in(&out)?;
    let work = work.path().canonicalize().map(|_| work)?;
    let mut ground = Ground { work, out: out.canonicalize()?, gate, this, report: Report::default() };
    let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    ground.report.machine = machine::describe();
    ground.report.at = at;
    ground.report.date = said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]);
    ground.report.commit = said("git", &["describe", "--always", "--dirty"]);
    ground.quiet("before");
    for (name, part) in cases::ALL {
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        let idle = machine::wait_until_quiet(Duration::from_secs(20))?;
        eprintln!(
            "bench: {name} (after {} s; machine {:.0} % idle)",
            begin.elapsed().as_secs(),
            idle * 100.0
        );
        ground.report.quiet.push(((*name).to_owned(), format!("{:.0} % idle", idle * 100.0)));
        if let Err(error) = part(&mut ground) {
            eprintln!("bench: {name} could not be measured: {error}");
            ground.report.missing.push(((*name).to_owned(), error.to_string()));
        }
        ground.report.write(&ground.out)?;
    }
    ground.quiet("after");
    cases::picture(&ground)?;
    ground.report.write(&ground.out)?;
    println!("{}", ground.report.markdown());
    eprintln!("bench: {} s; {}", begin.elapsed().as_secs(), ground.out.join("report.md").display());
    Ok(ground.report.missing.is_empty())
}

impl Ground {
    fn quiet(&mut self, when: &str) {
        self.report.quiet.push((when.to_owned(), format!("load average {}", machine::load_average())));
    }
}

/// What a program says, or nothing.
fn said(program: &str, args: &[&str]) -> String {
    let said = Command::new(program).args(args).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}
