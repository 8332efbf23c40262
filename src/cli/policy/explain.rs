//! `policy explain`: what would happen to a request, and why.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    cli::{
        ConfigArgs, NO,
        connect::Place,
        environment,
        verdict::{Trouble, finish},
    },
    clock::{Clock, SystemClock},
    config::{self, Loaded},
    feeds,
    rules::{
        identity::UserName,
        place::{Country, Places},
        policy::{Explanation, Fact, Question, RuleSet, explain},
        written::Findings,
    },
};

/// What to explain. Facts are spelt as in the tests beside a policy.
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
    /// A role, or `nobody` for somebody who is not signed in.
    #[arg(long)]
    role: Option<String>,
    /// The method; WEBSOCKET for a WebSocket handshake.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The path, as a client would send it.
    #[arg(long)]
    path: String,
    /// Judge as if the second factor had just been proved, or a while ago: --elevated="5m ago".
    #[arg(long, value_name = "AGO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    elevated: Option<String>,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Its country (ISO 3166-1 alpha-2). Default: looked up by --from, if the configuration has a database.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// When: "2026-11-25 08:00 Europe/Berlin", or 2026-11-25T07:00:00Z. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The request carries an API key with these scopes, separated by commas.
    #[arg(long, value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// The session acts for an account of this role.
    #[arg(long, value_name = "ROLE")]
    acting_as: Option<String>,
    /// It may change things meanwhile.
    #[arg(long, requires = "acting_as")]
    write: bool,
    /// The request overrides its method, by a header or `_method`.
    #[arg(long)]
    method_override: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb. Exit codes: 0 allowed, 1 not, 3 it could not be said.
#[expect(clippy::print_stdout, reason = "the explanation is the answer, whichever exit code goes with it")]
pub(super) fn run(args: &ExplainArgs) -> ExitCode {
    let explanation = match explained(args) {
        Ok(explanation) => explanation,
        Err(trouble) => return finish(Err(trouble)),
    };
    let json = serde_json::to_string_pretty(&explanation).unwrap_or_default();
    println!("{}", if args.json { json } else { explanation.to_string() });
    if explanation.outcome == "allow" { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

fn explained(args: &ExplainArgs) -> Result<Explanation, Trouble> {
    let now = SystemClock::new().wall();
    let ask = |facts: &[Fact]| {
        let mut found = Findings::default();
        let question = Question::of_facts(facts, now, &mut found);
        question.ok_or_else(|| Trouble::Usage(said(found)))
    };
    // What is wrong on the command line is said before anything is looked up.
    let mut question = ask(&facts(args, args.role.as_deref().unwrap_or("user")))?;
    if question.target.is_ours() {
        return Err(Trouble::Usage(format!(
            "--path: `{}` is one of the gate's own pages; the policy is not asked about it",
            args.path
        )));
    }
    let (rules, loaded) = rules(args)?;
    if let (Some(user), Some(loaded)) = (&args.user, &loaded) {
        question = ask(&facts(args, &role_of(loaded, user)?))?;
    }
    if let (None, Some(client), Some(loaded)) = (question.country, question.client, &loaded) {
        question.country = country_of(loaded, client)?;
    }
    Ok(explain(&rules, &question))
}

fn said(found: Findings) -> String {
    let one = |problem: crate::rules::written::Problem| {
        let source =
            if problem.at.source.is_empty() { String::new() } else { format!("{}: ", problem.at.source) };
        format!("{source}{}; {}", problem.what, problem.help)
    };
    found.sorted().into_iter().map(one).collect::<Vec<_>>().join("\npanelgate: ")
}

/// What the command line says, in the words of the tests beside a policy.
fn facts(args: &ExplainArgs, role: &str) -> Vec<Fact> {
    let truth = |on: bool| on.then(|| "true".to_owned());
    let one = |key, flag: &str, text: Option<String>| {
        text.map(|text| Fact { key, called: flag.to_owned(), texts: vec![text] })
    };
    let scopes = args.scopes.as_ref().map(|scopes| Fact {
        key: "scopes",
        called: "--scopes".to_owned(),
        texts: scopes.iter().filter(|scope| !scope.is_empty()).cloned().collect(),
    });
    let all = [
        one("role", "--role", Some(role.to_owned())),
        one("method", "--method", Some(args.method.clone())),
        one("path", "--path", Some(args.path.clone())),
        one("elevated", "--elevated", args.elevated.clone()),
        one("from", "--from", args.from.clone()),
        one("country", "--country", args.country.clone()),
        one("at", "--at", args.at.clone()),
        scopes,
        one("acting_as", "--acting-as", args.acting_as.clone()),
        one("write", "--write", truth(args.write)),
        one("override", "--method-override", truth(args.method_override)),
    ];
    all.into_iter().flatten().collect()
}

/// The policy that is asked, with the configuration that it is of, unless a file was named.
fn rules(args: &ExplainArgs) -> Result<(Arc<RuleSet>, Option<Loaded>), Trouble> {
    let environment = environment();
    if let Some(policy) = &args.policy {
        let loaded = config::load_policy(policy, &environment);
        return Ok((loaded.map_err(|problems| Trouble::Failed(problems.to_string()))?.0, None));
    }
    let loaded = config::load(&args.config.config, &environment)
        .map_err(|problems| Trouble::Failed(problems.to_string()))?;
    Ok((policy_of(&loaded, args.site.as_deref())?, Some(loaded)))
}

/// The country of an address, where the configuration names a database.
fn country_of(loaded: &Loaded, client: std::net::IpAddr) -> Result<Option<Country>, Trouble> {
    let Some(path) = &loaded.settings.geoip.city else { return Ok(None) };
    let places: Places = feeds::places::look(path).map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(Country::parse(&places.country(client)))
}

/// The role of an account, from the running daemon or from the store.
fn role_of(loaded: &Loaded, user: &str) -> Result<String, Trouble> {
    let name = UserName::parse(user).map_err(|bad| Trouble::Usage(format!("`{user}`: {bad}")))?;
    let answer = Place::of(&loaded.settings).ask(AdminRequest::ListUsers)?;
    let users = if let AdminAnswer::Users { users } = answer { users } else { Vec::new() };
    let found = users.into_iter().find(|known| known.name == name.as_str());
    let unknown = || Trouble::No(format!("there is no account `{name}`; see `panelgate user list`"));
    found.map(|user| user.role).ok_or_else(unknown)
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
