//! `panelgate check`: every problem of the configuration, the policies and the files that they name, at once.

mod explain;
mod files;
mod keys;
mod suites;
mod surroundings;
#[cfg(test)]
mod tests;

use std::{fmt::Write as _, path::Path, process::ExitCode};

#[cfg(test)]
pub(crate) use self::tests::codes::mended;

use serde_json::{Value, json};

use super::{
    ConfigArgs, environment,
    style::{self, Stream},
    verdict::{self, Trouble, finish},
};
use crate::{
    clock::{Clock, SystemClock, Wall},
    config::{self, Environment, Examined, Problems, SiteSettings},
    rules::{
        outcome::Access,
        policy::RuleSet,
        written::{Findings, Severity},
    },
};

/// Checks the configuration, the policies and every file they name.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print what a code means, with an example, instead of checking.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

/// Prints everything that was found; exit code 0 if there is no error, 1 if there is one.
pub fn run(args: &CheckArgs) -> ExitCode {
    if let Some(code) = &args.explain {
        return finish(explain::text(code).map_err(Trouble::Usage));
    }
    let report = Report::of(&args.config.config, &environment(), SystemClock::new().wall());
    let text = if args.json {
        verdict::json(&report.json())
    } else {
        Ok(report.text(style::wants_colour(Stream::Out), &args.config.config.display().to_string()))
    };
    finish(if report.errors() == 0 { text } else { text.and_then(|text| Err(Trouble::Report(text))) })
}

/// What was found.
struct Report {
    problems: Problems,
    /// Whether an error is elsewhere than in the tests, which keep nothing from being used.
    unusable: bool,
    sites: Vec<SiteLine>,
}

/// What a site's policy opens to everybody, and the candidate beside it.
struct SiteLine {
    name: String,
    policy: PolicyLine,
    /// How many tests of the policy hold, and how many do not; `None` without tests.
    tests: Option<(usize, usize)>,
    /// With its file.
    shadow: Option<(String, PolicyLine)>,
}

struct PolicyLine {
    pages: usize,
    open: Vec<String>,
}

impl Report {
    fn of(file: &Path, environment: &Environment, now: Wall) -> Self {
        let Examined { settings, problems, in_tests, named, .. } = config::examine(file, environment);
        let (mut found, mut in_tests) = (Findings::default(), in_tests);
        files::look(file, &named, &mut found);
        surroundings::look(&named, settings.as_ref(), now, &mut found);
        let sites = settings.iter().flat_map(|settings| &settings.sites);
        let tests = suites::run(sites.clone(), &mut in_tests);
        let sites = sites.map(|site| SiteLine::of(site, tests.get(&site.policy_file).copied())).collect();
        if let Some(settings) = &settings {
            // Last, as it may give up being root.
            keys::look(&named, settings, &mut found);
        }
        let unusable = problems.count(Severity::Error) > 0 || found.any_errors();
        found.extend(in_tests);
        Self { problems: problems.and(found), unusable, sites }
    }

    fn errors(&self) -> usize {
        self.problems.count(Severity::Error)
    }

    fn verdict(&self) -> String {
        let failed = self.problems.list().iter().filter(|problem| problem.code == suites::FAILS).count();
        match (self.unusable, self.errors()) {
            (true, _) => "cannot be used".to_owned(),
            (false, 0) => "can be used".to_owned(),
            (false, 1) if failed == 1 => "can be used, but 1 test does not hold".to_owned(),
            (false, errors) if failed == errors => format!("can be used, but {failed} tests do not hold"),
            (false, _) => "can be used, but not all of its tests".to_owned(),
        }
    }

    fn text(&self, coloured: bool, file: &str) -> String {
        let mut text = if coloured { self.problems.coloured() } else { self.problems.to_string() };
        if !text.is_empty() {
            text.push('\n');
        }
        for site in &self.sites {
            // Writing to a string cannot fail, here and below.
            let tests = site.tests.map_or_else(String::new, |(passed, failed)| {
                format!("; tests: {passed} passed, {failed} failed")
            });
            let _ = writeln!(text, "{}: {}{tests}", site.name, site.policy.text());
            if let Some((file, shadow)) = &site.shadow {
                let _ = writeln!(text, "{}, shadow {file}, without effect: {}", site.name, shadow.text());
            }
        }
        let counts: Vec<String> = [Severity::Error, Severity::Warning]
            .iter()
            .filter_map(|severity| self.counted(*severity))
            .collect();
        let counts = if counts.is_empty() { "no problem found".to_owned() } else { counts.join(", ") };
        let _ = writeln!(text, "{file} {}: {counts}", self.verdict());
        // What is worst, and of that the first.
        if let Some(worst) = self.problems.list().iter().min_by_key(|problem| problem.severity) {
            let _ = writeln!(text, "`panelgate check --explain {}` says more about a code", worst.code);
        }
        text
    }

    fn counted(&self, severity: Severity) -> Option<String> {
        let count = self.problems.count(severity);
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {}{plural}", severity.as_str()))
    }

    fn json(&self) -> Value {
        let sites = self.sites.iter();
        json!({
            "usable": !self.unusable,
            "errors": self.errors(),
            "warnings": self.problems.count(Severity::Warning),
            "problems": self.problems.json(),
            "sites": sites.map(SiteLine::json).collect::<Vec<_>>(),
        })
    }
}

impl SiteLine {
    fn of(settings: &SiteSettings, tests: Option<(usize, usize)>) -> Self {
        let SiteSettings { site, shadow_file, .. } = settings;
        let shadow = shadow_file.as_ref().zip(site.shadow.as_ref());
        Self {
            name: site.id.to_string(),
            policy: PolicyLine::of(&site.policy),
            shadow: shadow.map(|(file, rules)| (file.display().to_string(), PolicyLine::of(rules))),
            tests,
        }
    }

    fn json(&self) -> Value {
        let shadow = self
            .shadow
            .as_ref()
            .map(|(file, shadow)| json!({ "file": file, "pages": shadow.pages, "anonymous": shadow.open }));
        let PolicyLine { pages, open } = &self.policy;
        let tests = self.tests.map(|(passed, failed)| json!({ "passed": passed, "failed": failed }));
        json!({ "name": self.name, "pages": pages, "anonymous": open, "tests": tests, "shadow": shadow })
    }
}

impl PolicyLine {
    fn of(rules: &RuleSet) -> Self {
        let open = rules.pages().iter().filter(|page| page.anonymous > Access::None);
        Self { pages: rules.pages().len(), open: open.map(|page| page.name.to_string()).collect() }
    }

    fn text(&self) -> String {
        let open = if self.open.is_empty() { "none".to_owned() } else { self.open.join(", ") };
        format!("{} pages, open to everybody: {open}", self.pages)
    }
}
