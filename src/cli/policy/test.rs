//! `policy test`: the tests beside policies.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde_json::{Value, json};

use super::junit;
use crate::{
    cli::{
        ConfigArgs, environment,
        style::{self, Paint, Stream},
        verdict::{self, Trouble, table, visible},
    },
    config::{self, Environment},
    rules::policy::{
        RuleSet,
        testing::{Beside, Cell, Check, Coverage, Report, Suite, run as run_suite},
    },
};

/// What to run.
#[derive(Args, Debug)]
pub struct TestArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Files of tests, each with its policy beside it: panel.test.yaml and panel.yaml. Default: the tests beside all
    /// policies of the configuration.
    files: Vec<PathBuf>,
    /// The policy that the files are about; without files, its own tests are run.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Only cases whose names contain this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// List what no case asked about.
    #[arg(long)]
    coverage: bool,
    /// Fail when the cases ask about less of a policy than this.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// Write the results as JUnit XML, for CI; `-` prints them.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One policy with what came of its tests.
struct Tested {
    policy: String,
    report: Report,
}

/// Exit codes: 0 all hold, 1 some do not or too little was asked about, 2 usage, 3 they could not be run.
pub(super) fn run(args: &TestArgs) -> Result<String, Trouble> {
    let printed = args.junit.as_deref() == Some(Path::new("-"));
    if printed && args.json {
        return Err(Trouble::Usage(
            "JUnit and JSON cannot both be printed: name a file behind --junit".into(),
        ));
    }
    let tested = tested(args, &environment())?;
    if tested.iter().all(|one| one.report.checks.is_empty()) {
        return Err(nothing(args));
    }
    let all: Vec<(&str, &Report)> = tested.iter().map(|one| (&*one.policy, &one.report)).collect();
    if let Some(path) = args.junit.as_deref().filter(|_| !printed) {
        let written = fs::write(path, junit::document(&all));
        written.map_err(|error| Trouble::Failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    let text = if printed {
        junit::document(&all)
    } else if args.json {
        verdict::json(&in_json(&tested))?
    } else {
        in_words(&tested, args)
    };
    if tested.iter().all(|one| one.holds(args.min_coverage)) { Ok(text) } else { Err(Trouble::Report(text)) }
}

fn nothing(args: &TestArgs) -> Trouble {
    match &args.filter {
        Some(filter) => Trouble::Usage(format!("no case has `{filter}` in its name")),
        None => Trouble::Failed(
            "there are no tests; write them beside the policy: panel.test.yaml for panel.yaml (see docs/policy.md)"
                .to_owned(),
        ),
    }
}

fn tested(args: &TestArgs, environment: &Environment) -> Result<Vec<Tested>, Trouble> {
    if args.files.is_empty() && args.policy.is_none() {
        return of_configuration(args, environment);
    }
    let own = args.policy.as_deref().map(config::tests_beside).filter(|_| args.files.is_empty());
    let mut found: BTreeMap<PathBuf, (Arc<RuleSet>, Report)> = BTreeMap::new();
    for file in args.files.iter().chain(own.as_ref()) {
        let policy = policy_of(file, args)?;
        let known = found.get(&policy).map(|(rules, _)| Arc::clone(rules));
        let rules = match known {
            Some(rules) => rules,
            None => config::load_policy(&policy, environment).map_err(failed)?.0,
        };
        let report = args.run(&rules, &config::load_tests(file, &rules, environment).map_err(failed)?);
        match found.get_mut(&policy) {
            Some((_, before)) => before.join(report),
            None => drop(found.insert(policy, (rules, report))),
        }
    }
    let one = |(policy, (_, report)): (PathBuf, _)| Tested { policy: policy.display().to_string(), report };
    Ok(found.into_iter().map(one).collect())
}

/// The policy that a file of tests is about.
fn policy_of(file: &Path, args: &TestArgs) -> Result<PathBuf, Trouble> {
    let unclear = || {
        let file = file.display();
        Trouble::Usage(format!(
            "{file} does not say which policy it is about: call it NAME.test.yaml, or name the policy with --policy"
        ))
    };
    args.policy.clone().or_else(|| config::policy_beside(file)).ok_or_else(unclear)
}

/// The tests of every policy of the configuration, each once.
fn of_configuration(args: &TestArgs, environment: &Environment) -> Result<Vec<Tested>, Trouble> {
    let loaded = config::load(&args.config.config, environment).map_err(failed)?;
    let mut seen: Vec<&Path> = Vec::new();
    let mut tested = Vec::new();
    for site in &loaded.settings.sites {
        if seen.contains(&site.policy_file.as_path()) {
            continue;
        }
        seen.push(&site.policy_file);
        let rules = &site.site.policy;
        let report = match &site.site.tests {
            Beside::Broken(problems) => return Err(Trouble::Failed(problems.to_string())),
            Beside::Tests(suite) => args.run(rules, suite),
            // Nothing of it is asked about, which --min-coverage is to notice.
            Beside::Nothing => Report { checks: Vec::new(), coverage: Coverage::of(rules) },
        };
        tested.push(Tested { policy: site.policy_file.display().to_string(), report });
    }
    Ok(tested)
}

fn failed(problems: config::Problems) -> Trouble {
    Trouble::Failed(problems.to_string())
}

impl TestArgs {
    fn run(&self, rules: &RuleSet, suite: &Suite) -> Report {
        match &self.filter {
            Some(filter) => run_suite(rules, &suite.named_like(filter)),
            None => run_suite(rules, suite),
        }
    }
}

impl Tested {
    fn holds(&self, least: Option<u8>) -> bool {
        self.report.failed() == 0 && !self.lacks(least)
    }

    /// Whether too little was asked about.
    fn lacks(&self, least: Option<u8>) -> bool {
        least.is_some_and(|least| self.report.coverage.percent() < usize::from(least))
    }
}

fn in_words(tested: &[Tested], args: &TestArgs) -> String {
    let (bad, good, dim) = (style::error(Stream::Out), style::good(Stream::Out), style::dim(Stream::Out));
    let mut text = String::new();
    for one in tested {
        for check in one.report.failures() {
            failure(&mut text, check, bad, dim);
        }
        if args.coverage {
            uncovered(&mut text, one);
        }
        // Which policy it is goes without saying when there is one. Writing to a string cannot fail, here and below.
        if tested.len() > 1 {
            let _ = write!(text, "{}: ", one.policy);
        }
        let paint = if one.holds(args.min_coverage) { good } else { bad };
        let _ = writeln!(text, "{}", paint.of(summary(&one.report)));
        if let Some(least) = args.min_coverage.filter(|_| one.lacks(args.min_coverage)) {
            let _ = writeln!(
                text,
                "{}: less than {least} % of it is asked about; --coverage says what is not",
                one.policy
            );
        }
    }
    text
}

/// `14 passed, 0 failed, coverage 20 of 24 cells (83 %)`.
fn summary(report: &Report) -> String {
    let coverage = &report.coverage;
    format!(
        "{} passed, {} failed, coverage {} of {} cells ({} %)",
        report.passed(),
        report.failed(),
        coverage.covered(),
        coverage.total(),
        coverage.percent()
    )
}

fn failure(text: &mut String, check: &Check, bad: Paint, dim: Paint) {
    let Check { file, line, case, request, expected, got, why, .. } = check;
    let (case, request) = (visible(case), visible(request));
    let _ = writeln!(
        text,
        "{file}:{line}: {}: {case}: {request}: expected {expected}, got {got}",
        bad.of("failed")
    );
    let place = check.decided_at.as_ref().map_or(String::new(), |place| format!("  ({place})"));
    let _ = writeln!(text, "  {} {}{place}", dim.of("why:"), visible(why));
}

/// What no case asked about, a line for each page and asker.
fn uncovered(text: &mut String, one: &Tested) {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for cell in one.report.coverage.uncovered() {
        let (page, who) = (cell.page.as_deref().unwrap_or("(no page)").to_owned(), cell.who.to_string());
        match rows.last_mut() {
            Some([last, asker, kinds]) if *last == page && *asker == who => {
                kinds.push_str(", ");
                kinds.push_str(kind(cell));
            }
            Some(_) | None => rows.push([page, who, kind(cell).to_owned()]),
        }
    }
    if !rows.is_empty() {
        let _ = writeln!(text, "{}: not asked about:", one.policy);
        text.push_str(&table(["page", "who", "what"], rows));
    }
}

/// In the words of a policy.
const fn kind(cell: &Cell) -> &'static str {
    match (cell.elevated, cell.write) {
        (false, false) => "read",
        (false, true) => "write",
        (true, false) => "elevated read",
        (true, true) => "elevated write",
    }
}

fn in_json(tested: &[Tested]) -> Value {
    let sum = |count: fn(&Report) -> usize| tested.iter().map(|one| count(&one.report)).sum::<usize>();
    let policies = tested.iter().map(|one| {
        let Report { checks, coverage } = &one.report;
        json!({
            "policy": one.policy,
            "passed": one.report.passed(),
            "failed": one.report.failed(),
            "coverage": {
                "covered": coverage.covered(),
                "total": coverage.total(),
                "percent": coverage.percent(),
                "uncovered": coverage.uncovered().collect::<Vec<_>>(),
            },
            "checks": checks,
        })
    });
    json!({
        "passed": sum(Report::passed),
        "failed": sum(Report::failed),
        "policies": policies.collect::<Vec<_>>(),
    })
}
