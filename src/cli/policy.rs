//! `panelgate policy`: asking the policy.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};

use super::{ConfigArgs, FAILED, NO, environment};
use crate::{
    config::{self, Loaded},
    rules::{
        facts::Target,
        identity::Role,
        policy::{Explanation, Manner, RuleSet, explain},
    },
};

/// The verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// What would happen to a request, and why.
    Explain(ExplainArgs),
}

/// What to explain.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// A policy file alone, instead of the configuration's.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// The site, where the configuration has several.
    #[arg(long)]
    site: Option<String>,
    /// A role.
    #[arg(long)]
    role: String,
    /// The method; WEBSOCKET for a WebSocket handshake.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The path, as a client would send it.
    #[arg(long)]
    path: String,
    /// Judge as if the second factor had just been proved.
    #[arg(long)]
    elevated: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb. Exit codes: 0 allowed, 1 not, 3 it could not be said.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "answers are for the person at the terminal")]
pub fn run(verb: &PolicyVerb) -> ExitCode {
    let PolicyVerb::Explain(args) = verb;
    match explained(args) {
        Ok(explanation) => {
            let json = serde_json::to_string_pretty(&explanation).unwrap_or_default();
            println!("{}", if args.json { json } else { explanation.to_string() });
            let outcome = if args.elevated { explanation.outcome_elevated } else { explanation.outcome };
            if outcome == "allow" { ExitCode::SUCCESS } else { ExitCode::from(NO) }
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(FAILED)
        }
    }
}

fn explained(args: &ExplainArgs) -> Result<Explanation, String> {
    let target = Target::parse(args.path.as_bytes()).map_err(|bad| format!("`{}`: {bad}", args.path))?;
    let environment = environment();
    let role = Role::from(args.role.as_str());
    let rules = if let Some(policy) = &args.policy {
        config::load_policy(policy, &environment).map_err(|problems| problems.to_string())?.0
    } else {
        let loaded =
            config::load(&args.config.config, &environment).map_err(|problems| problems.to_string())?;
        policy_of(&loaded, args.site.as_deref())?
    };
    let upgrade = args.method == "WEBSOCKET";
    let method = if upgrade { "GET" } else { args.method.as_str() };
    Ok(explain(&rules, &role, &target, Manner { method, upgrade, method_override: false }))
}

fn policy_of(loaded: &Loaded, site: Option<&str>) -> Result<Arc<RuleSet>, String> {
    let sites = &loaded.settings.sites;
    let names: Vec<&str> = sites.iter().map(|site| &*site.site.id).collect();
    let found = match (site, sites.as_slice()) {
        (Some(name), _) => sites.iter().find(|site| &*site.site.id == name),
        (None, [only]) => Some(only),
        (None, _) => {
            return Err(format!("there are several sites: name one of {} with --site", names.join(", ")));
        }
    };
    let found = found.ok_or_else(|| format!("there is no such site; there is {}", names.join(", ")))?;
    Ok(Arc::clone(&found.site.policy))
}
