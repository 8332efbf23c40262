//! `panelgate policy`: asking the policy.

mod diff;
mod new;
mod replay;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};

use super::{
    ConfigArgs, NO,
    connect::Place,
    environment, schema,
    verdict::{Trouble, finish},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    clock::{Clock, SystemClock},
    config::{self, Loaded},
    rules::{
        facts::Target,
        identity::{Role, UserName},
        policy::{Circumstances, Explanation, Manner, RuleSet, explain},
    },
};

/// The verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// What would happen to a request, and why.
    Explain(ExplainArgs),
    /// What two policies answer differently: all of it, computed and not sampled.
    Diff(diff::DiffArgs),
    /// What a policy would have answered to the requests that there were.
    Replay(replay::ReplayArgs),
    /// Print the JSON Schema of a policy, for editors.
    Schema {
        /// That of the tests beside it, NAME.test.yaml.
        #[arg(long)]
        tests: bool,
    },
}

/// What to explain.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// A policy file alone, instead of the configuration's.
    #[arg(long, conflicts_with_all = ["user", "site"])]
    policy: Option<PathBuf>,
    /// The site, where the configuration has several.
    #[arg(long)]
    site: Option<String>,
    /// An account; its role is looked up.
    #[arg(long, required_unless_present = "role", conflicts_with = "role")]
    user: Option<String>,
    /// A role.
    #[arg(long)]
    role: Option<String>,
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
#[expect(clippy::print_stdout, reason = "the explanation is the answer, whichever exit code goes with it")]
pub fn run(verb: &PolicyVerb) -> ExitCode {
    let args = match verb {
        PolicyVerb::Explain(args) => args,
        PolicyVerb::Diff(args) => return diff::run(args),
        PolicyVerb::Replay(args) => return replay::run(args),
        PolicyVerb::Schema { tests } => return finish(Ok(schema::policy(*tests))),
    };
    let explanation = match explained(args) {
        Ok(explanation) => explanation,
        Err(trouble) => return finish(Err(trouble)),
    };
    let json = serde_json::to_string_pretty(&explanation).unwrap_or_default();
    println!("{}", if args.json { json } else { explanation.to_string() });
    let outcome = if args.elevated { explanation.outcome_elevated } else { explanation.outcome };
    if outcome == "allow" { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

fn explained(args: &ExplainArgs) -> Result<Explanation, Trouble> {
    let target = Target::parse(args.path.as_bytes())
        .map_err(|bad| Trouble::Usage(format!("`{}`: {bad}", args.path)))?;
    let (rules, role) = rules_and_role(args)?;
    let upgrade = args.method == "WEBSOCKET";
    let method = if upgrade { "GET" } else { args.method.as_str() };
    let circumstances = Circumstances { client: None, country: None, at: SystemClock::new().wall() };
    Ok(explain(&rules, &role, &target, Manner { method, upgrade, method_override: false }, circumstances))
}

fn rules_and_role(args: &ExplainArgs) -> Result<(Arc<RuleSet>, Role), Trouble> {
    let environment = environment();
    let named = args.role.as_deref().map(Role::from);
    if let (Some(policy), Some(role)) = (&args.policy, &named) {
        let loaded = config::load_policy(policy, &environment)
            .map_err(|problems| Trouble::Failed(problems.to_string()))?;
        return Ok((loaded.0, Role::clone(role)));
    }
    let loaded = config::load(&args.config.config, &environment)
        .map_err(|problems| Trouble::Failed(problems.to_string()))?;
    let rules = policy_of(&loaded, args.site.as_deref())?;
    let role = match (named, &args.user) {
        (Some(role), _) => role,
        (None, Some(user)) => role_of(&loaded, user)?,
        (None, None) => {
            return Err(Trouble::Usage("name an account with --user, or a role with --role".to_owned()));
        }
    };
    Ok((rules, role))
}

/// The role of an account, from the running daemon or from the store.
fn role_of(loaded: &Loaded, user: &str) -> Result<Role, Trouble> {
    let name = UserName::parse(user).map_err(|bad| Trouble::Usage(format!("`{user}`: {bad}")))?;
    let answer = Place::of(&loaded.settings).ask(AdminRequest::ListUsers)?;
    let users = if let AdminAnswer::Users { users } = answer { users } else { Vec::new() };
    let found = users.into_iter().find(|known| known.name == name.as_str());
    let unknown = || Trouble::No(format!("there is no account `{name}`; see `panelgate user list`"));
    found.map(|user| Role::from(user.role)).ok_or_else(unknown)
}

fn policy_of(loaded: &Loaded, site: Option<&str>) -> Result<Arc<RuleSet>, Trouble> {
    let sites = &loaded.settings.sites;
    let names: Vec<&str> = sites.iter().map(|site| &*site.site.id).collect();
    let found = match (site, sites.as_slice()) {
        (Some(name), _) => sites.iter().find(|site| &*site.site.id == name),
        (None, [only]) => Some(only),
        (None, _) => {
            return Err(Trouble::Usage(format!(
                "there are several sites: name one of {} with --site",
                names.join(", ")
            )));
        }
    };
    let found = found
        .ok_or_else(|| Trouble::Usage(format!("there is no such site; there is {}", names.join(", "))))?;
    Ok(Arc::clone(&found.site.policy))
}
