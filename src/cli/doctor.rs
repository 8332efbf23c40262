//! `panelgate doctor`: examines the deployed chain.

use std::{
    fs,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
};

use super::{
    ConfigArgs, FAILED, NO,
    connect::{Place, settings},
    style::{self, Stream},
    verdict::{Trouble, finish, json},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    clock::SystemClock,
    config::{Settings, SiteSettings, Upstream},
    doctor::{Also, Inside, Painted, Plan, Proxy, Report, SiteFacts, Trust, View, advice, checks::Severity},
    entropy::SystemEntropy,
    rules::site::{Assertion, Origin},
};

/// Test the deployed chain with real requests, and say what is wrong with it in the proxy's own language.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The public origin: <https://panel.example.com>
    #[arg(long, value_name = "ORIGIN", required_unless_present = "explain", value_parser = origin)]
    through: Option<Origin>,
    /// The proxy, for whose configuration the mends are written; else it is guessed.
    #[arg(long, value_name = "NAME", value_parser = ["nginx", "caddy", "traefik", "haproxy", "envoy", "edge"])]
    proxy: Option<String>,
    /// Connect to this address instead of what DNS says.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The same for the plain listener, which should only redirect; port 80 if it is not said.
    #[arg(long, value_name = "HOST:PORT")]
    connect_plain: Option<String>,
    /// Come from this address of this machine.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Accept certificates of the authorities in this PEM file, and no others.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Accept every certificate.
    #[arg(long)]
    insecure: bool,
    /// The page under which paths are asked for; nothing below it needs to exist.
    #[arg(long, value_name = "PATH", value_parser = page)]
    page: Option<String>,
    /// The panel has a page that answers with the request as JSON: method, target, headers, body_bytes.
    #[arg(long, value_name = "PATH", value_parser = page, conflicts_with = "stand_in")]
    panel_echo: Option<String>,
    /// Listen here in place of the panel, which has to be stopped meanwhile.
    #[arg(long, value_name = "ADDRESS:PORT")]
    stand_in: Option<SocketAddr>,
    /// Use this session (`NAME=VALUE` of the access cookie, or `@FILE` with it) instead of a new account.
    #[arg(long, value_name = "COOKIE")]
    session: Option<String>,
    /// Where the panel listens, if the configuration does not say.
    #[arg(long, value_name = "ADDRESS:PORT")]
    panel: Vec<SocketAddr>,
    /// Another address that may lead to the panel, and must not without the gate's yes.
    #[arg(long, value_name = "URL")]
    also: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Say what a code means, and how it is mended in every proxy.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

/// Runs the verb. Exit codes: 0 no errors, 1 errors, 3 nothing could be tested.
pub fn run(args: &DoctorArgs) -> ExitCode {
    if let Some(code) = &args.explain {
        let section = advice::section(code).map(|section| section.plain());
        let unknown =
            || Trouble::No(format!("there is no code `{code}`; a code of the doctor is written D030"));
        return finish(section.ok_or_else(unknown));
    }
    match examine(args) {
        Ok(report) => tell(&report, args),
        Err(trouble) => finish(Err(trouble)),
    }
}

fn tell(report: &Report, args: &DoctorArgs) -> ExitCode {
    let text = if args.json { json(report) } else { Ok(report.text(&Terminal)) };
    let shown = finish(text);
    match report.errors {
        _ if shown != ExitCode::SUCCESS => ExitCode::from(FAILED),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(NO),
    }
}

fn examine(args: &DoctorArgs) -> Result<Report, Trouble> {
    let Some(origin) = &args.through else { return Err(Trouble::Usage("--through names the origin".into())) };
    let settings = settings(&args.config);
    // From another machine the view from outside is all there is.
    let known = settings.as_ref().map_err(|_| {
        format!("there is no configuration that can be read at {}", args.config.config.display())
    });
    let plan = plan(args, origin, &known)?;
    let daemon = known.map(|settings| Daemon(Place::of(settings)));
    let inside = daemon.as_ref().map(|daemon| daemon as &dyn Inside).map_err(Clone::clone);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::Failed(error.to_string()))?;
    runtime
        .block_on(crate::doctor::run(&plan, inside, &SystemClock::new(), &SystemEntropy))
        .map_err(Trouble::Failed)
}

fn plan(args: &DoctorArgs, origin: &Origin, known: &Result<&Settings, String>) -> Result<Plan, Trouble> {
    let settings = known.as_ref().ok();
    let authority = origin.host.to_string();
    let (host, port) = split(&authority, 443);
    let connect = match &args.connect {
        Some(given) => address(given)?,
        None => address(&format!("{host}:{port}"))?,
    };
    let connect_plain = match &args.connect_plain {
        Some(given) => address(given)?,
        None => SocketAddr::new(connect.ip(), 80),
    };
    let site = settings.and_then(|settings| {
        settings.sites.iter().find(|site| site.site.hosts().any(|host| *host == origin.host))
    });
    let upstream = site.and_then(|site| site.upstream.as_ref());
    let facts = match (site, known) {
        (Some(site), _) => Ok(facts(site, origin)),
        (None, Ok(_)) => Err(format!("no site of the configuration has the origin {}", origin.text)),
        (None, Err(why)) => Err(why.clone()),
    };
    let echo = args.panel_echo.clone();
    let view = match (&echo, args.stand_in) {
        (Some(_), _) => View::Echo,
        (None, Some(address)) => View::StandIn(address),
        (None, None) => View::None,
    };
    let also = args.also.iter().map(|url| also(url)).collect::<Result<_, _>>()?;
    Ok(Plan {
        origin: origin.text.to_string(),
        host: host.to_owned(),
        authority: authority.clone(),
        connect,
        connect_plain,
        from: args.from,
        trust: match &args.ca {
            _ if args.insecure => Trust::Anything,
            Some(file) => Trust::File(file.clone()),
            None => Trust::System,
        },
        page: echo.or_else(|| args.page.clone()).unwrap_or_default(),
        view,
        session: args.session.as_deref().map(session).transpose()?,
        proxy: args.proxy.as_deref().and_then(Proxy::parse),
        panel: if args.panel.is_empty() { upstream_address(upstream) } else { args.panel.clone() },
        sidecar: settings.and_then(|settings| settings.sidecar.as_ref()?.listen),
        also,
        site: facts,
    })
}

fn facts(site: &SiteSettings, origin: &Origin) -> SiteFacts {
    let site = &site.site;
    let elsewhere = site.portal.host != origin.host;
    let sign_in = if site.login.is_some() {
        Err("the panel keeps the accounts, so none could be made: give a session with --session".to_owned())
    } else if elsewhere {
        Err(format!("people sign in at {}: give a session with --session", site.portal.text))
    } else {
        Ok(())
    };
    SiteFacts {
        cookies: [site.cookies.access.clone(), site.cookies.refresh.clone()],
        assertion: site.assertion != Assertion::Off,
        policy: site.policy.clone(),
        sign_in,
    }
}

fn upstream_address(upstream: Option<&Upstream>) -> Vec<SocketAddr> {
    match upstream {
        Some(Upstream::Tcp { host, port, .. }) => {
            (host.as_str(), *port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
        }
        Some(Upstream::Unix(_)) | None => Vec::new(),
    }
}

/// Host and port of an authority.
fn split(authority: &str, usual: u16) -> (&str, u16) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(usual)),
        _ => (authority, usual),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

fn address(text: &str) -> Result<SocketAddr, Trouble> {
    let none = |why: String| Trouble::Failed(format!("{text}: {why}"));
    let (host, port) = split(text, 443);
    let mut found = (host, port).to_socket_addrs().map_err(|error| none(error.to_string()))?;
    found.next().ok_or_else(|| none("there is no such address".to_owned()))
}

fn also(url: &str) -> Result<Also, Trouble> {
    let origin = Origin::parse(url).map_err(|bad| Trouble::Usage(format!("--also {url}: {}", bad.0)))?;
    let authority = origin.host.to_string();
    let (host, port) = split(&authority, if origin.secure { 443 } else { 80 });
    let address = address(&format!("{host}:{port}"))?;
    Ok(Also {
        url: url.to_owned(),
        host: host.to_owned(),
        authority: authority.clone(),
        secure: origin.secure,
        address,
    })
}

fn session(given: &str) -> Result<String, Trouble> {
    let text = match given.strip_prefix('@') {
        Some(file) => {
            fs::read_to_string(file).map_err(|error| Trouble::Failed(format!("{file}: {error}")))?
        }
        None => given.to_owned(),
    };
    let cookie = text.trim().to_owned();
    let sound = cookie.contains('=') && cookie.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        Ok(cookie)
    } else {
        Err(Trouble::Usage("--session takes one cookie, NAME=VALUE, or @FILE".into()))
    }
}

fn origin(text: &str) -> Result<Origin, String> {
    let origin = Origin::parse(text.trim_end_matches('/')).map_err(|bad| bad.0.to_owned())?;
    if origin.secure { Ok(origin) } else { Err("a panel is reached over https".to_owned()) }
}

fn page(text: &str) -> Result<String, String> {
    let sound = text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%;\\".contains(&byte));
    if sound { Ok(text.trim_end_matches('/').to_owned()) } else { Err("a path such as /echo".to_owned()) }
}

/// The running gate.
struct Daemon(Place);

impl Inside for Daemon {
    fn ask(&self, request: AdminRequest) -> Result<AdminAnswer, String> {
        match self.0.ask_daemon(&request) {
            Ok(Some(AdminAnswer::No { why } | AdminAnswer::Failed { why })) => Err(why),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("no panelgate runs with this configuration".to_owned()),
            Err(Trouble::Usage(why) | Trouble::No(why) | Trouble::Report(why) | Trouble::Failed(why)) => {
                Err(why)
            }
        }
    }
}

/// Colours, where they are wanted.
struct Terminal;

impl Painted for Terminal {
    fn head(&self, severity: Severity, text: &str) -> String {
        let paint = match severity {
            Severity::Error => style::error(Stream::Out),
            Severity::Warning => style::warning(Stream::Out),
            Severity::Note => style::note(Stream::Out),
        };
        paint.of(text)
    }

    fn strong(&self, text: &str) -> String {
        style::strong(Stream::Out).of(text)
    }
}
