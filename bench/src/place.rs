//! A place: the folder, configuration, policy, keys and store that one gate is run with.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use panelgate::{
    clock::{Clock as _, SystemClock, Wall},
    entropy::{Entropy, SystemEntropy},
    feeds::keys,
    rules::{
        ban::{Ban, Whom},
        factor::password,
        identity::{User, UserId, UserName, UserSource},
        session::{Family, Origin, Session, Sid},
        token::{AccessClaims, KeySet},
    },
    secret::{SecretBytes, SecretText},
    store::{RedbStore, Store as _},
};

use crate::{Outcome, process::free_port};

/// The site; `aud` of its tokens.
pub const SITE: &str = "bench";
/// The host that is asked about at the sidecar.
pub const HOST: &str = "localhost";
/// The password of every account.
pub const PASSWORD: &str = "correct horse battery staple";
/// Sessions that are used at one time; the others are only there.
pub const ACTIVE: usize = 1_000;
/// Accounts that the sessions belong to.
const ACCOUNTS: usize = 1_000;
/// How many writes are under way at one time.
const WRITES: usize = 512;

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Live sessions in the store.
    pub sessions: usize,
    /// Pages of the policy.
    pub pages: usize,
    /// Bans in force, none of which reaches anybody here.
    pub bans: usize,
}

/// A session that is used, and its token.
#[derive(Clone, Debug)]
pub struct Member {
    /// The record.
    pub session: Session,
    /// An access token of it that is good for hours.
    pub token: String,
}

/// Where a gate is run.
pub struct Place {
    /// The folder of all of it.
    pub dir: PathBuf,
    /// The ports of its doors.
    pub ports: Ports,
    /// How much there is.
    pub size: Size,
    /// The sessions that are used.
    pub members: Vec<Member>,
}

/// Where a gate listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The sidecar, beside its socket.
    pub sidecar: u16,
    /// The edge.
    pub edge: u16,
    /// Metrics.
    pub metrics: u16,
}

/// What differs between the gates that are compared.
#[derive(Clone, Debug)]
pub struct Variant<'a> {
    /// `assertion:` of the site.
    pub assertion: &'a str,
    /// Where the edge sends requests.
    pub upstream: SocketAddr,
    /// Further origins, those of proxies in front.
    pub origins: &'a [String],
}

impl Place {
    /// Makes the folder, the keys, the certificate and the store with its sessions.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn make(root: &Path, name: &str, size: Size) -> Outcome<Self> {
        let dir = root.join(name);
        let data = dir.join("data");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
        let entropy = SystemEntropy;
        let now = SystemClock::new().wall();
        let keys = keys::load_or_create(&data.join("keys"), &entropy, now)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let members = runtime.block_on(fill(&data.join("panelgate.redb"), size, &keys, now))?;
        certificate(&dir)?;
        fs::write(dir.join("policy.yaml"), policy(size.pages))?;
        let ports = Ports { sidecar: free_port()?, edge: free_port()?, metrics: free_port()? };
        Ok(Self { dir, ports, size, members })
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, variant: &Variant<'_>) -> Outcome<()> {
        let Ports { sidecar, edge, metrics } = self.ports;
        let mut origins = vec![format!("https://{HOST}"), format!("https://localhost:{edge}")];
        origins.extend_from_slice(variant.origins);
        let origins = origins.iter().map(|origin| format!("\"{origin}\"")).collect::<Vec<_>>().join(", ");
        let Variant { assertion, upstream, .. } = variant;
        // Limits are on, and far away; the journal and the metrics are as they are shipped.
        let text = format!(
            "version: 1\ndata_dir: data\nsites:\n  - name: {SITE}\n    title: Bench\n    origins: [{origins}]\n    \
             policy: policy.yaml\n    upstream: http://{upstream}\n    assertion: {assertion}\nsidecar:\n  \
             listen: 127.0.0.1:{sidecar}\n  socket: sidecar.sock\n  trusted_proxies: [127.0.0.0/8]\nedge:\n  \
             listen: [127.0.0.1:{edge}]\n  certificates: certs\n  limits: {{ connections: 4096, per_address: 4096 }}\n\
             metrics: {{ listen: 127.0.0.1:{metrics} }}\nlimits: {{ requests: 1000000/s, account: 1000000/s, sign_in: 1000000/s, \
             refresh: 1000000/s, portal_api: 1000000/s }}\nlog: {{ level: warn }}\n"
        );
        Ok(fs::write(self.config(), text)?)
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }

    /// The sidecar's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("sidecar.sock")
    }

    /// The certificate and its key, in PEM, good for `localhost`.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("certs/localhost.crt"), self.dir.join("certs/localhost.key"))
    }

    /// The path of the page that a member looks at.
    pub fn path(&self, index: usize) -> String {
        format!("/p{}/list", index * 7 % self.size.pages)
    }

    /// What nginx would ask about a member's request, as the recipe lets it ask.
    pub fn question(&self, index: usize) -> String {
        let Member { token, .. } = &self.members[index];
        format!(
            "GET /api/authz/auth-request HTTP/1.1\r\nHost: {HOST}\r\nX-Original-URL: https://{HOST}{}\r\n\
             X-Original-Method: GET\r\nX-Forwarded-For: 198.51.{}.{}\r\n{BROWSER}Cookie: __Host-gate_access={token}; \
             panel_theme=dark\r\n\r\n",
            self.path(index),
            index / 250,
            index % 250 + 1,
        )
    }

    /// All questions: those of every member that is used.
    pub fn questions(&self) -> Vec<String> {
        (0..self.members.len() - 1).map(|index| self.question(index)).collect()
    }

    /// The same requests as browsers send them to a proxy or to the edge.
    pub fn requests(&self, host: &str) -> Vec<String> {
        let request = |index: usize| {
            let Member { token, .. } = &self.members[index];
            format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\n{BROWSER}Cookie: __Host-gate_access={token}; panel_theme=dark\r\n\r\n",
                self.path(index)
            )
        };
        (0..self.members.len() - 1).map(request).collect()
    }
}

impl Place {
    /// A request whose answer has so many bytes.
    pub fn download(&self, host: &str, bytes: usize) -> String {
        let path = self.path(0);
        self.requests(host).swap_remove(0).replacen(&path, &format!("{path}?bytes={bytes}"), 1)
    }

    /// A request with so many bytes.
    pub fn upload(&self, host: &str, bytes: usize) -> String {
        let head = self.requests(host).swap_remove(0).replacen("GET", "POST", 1);
        let length = format!("\r\nOrigin: https://{host}\r\nContent-Length: {bytes}\r\n\r\n");
        head.replacen("\r\n\r\n", &length, 1) + &"x".repeat(bytes)
    }
}

/// What a browser sends with every request.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
                       Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\n\
                       Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n";

/// A hundred pages, each with conditions, on which so many of four roles have conditions of their own.
pub fn policy_of_terms(roles: usize) -> String {
    let mut text = String::from(
        "version: 1\nroles: [root, admin, reseller, user]\nelevation: { lasts: 15m, methods: [totp, backup-code] }\n\
         default: none\npages:\n",
    );
    let when = "when: { networks: [198.51.0.0/16, 127.0.0.0/8], methods: [GET, POST] }";
    for page in 0..100 {
        let _ =
            write!(text, "  - name: page-{page}\n    paths: [\"/p{page}/**\"]\n    {when}\n    access:\n");
        for role in ["user", "reseller", "admin", "root"].into_iter().take(roles) {
            let _ = writeln!(text, "      {role}: {{ unelevated: full, elevated: full, {when} }}");
        }
    }
    text
}

/// A policy of so many pages: the usual roles, every fourth page with conditions.
pub fn policy(pages: usize) -> String {
    let mut text = String::from(
        "version: 1\nroles: [root, admin, reseller, user]\nelevation: { lasts: 15m, methods: [totp, backup-code] }\n\
         default: none\npages:\n",
    );
    for page in 0..pages {
        let when = if page % 4 == 0 {
            "    when: { networks: [198.51.0.0/16, 127.0.0.0/8, \"2001:db8::/32\"] }\n"
        } else {
            ""
        };
        let _ = write!(
            text,
            "  - name: page-{page}\n    paths: [\"/p{page}/**\", \"/api/p{page}/*/items\"]\n{when}    access:\n      \
             root: {{ unelevated: read, elevated: full }}\n      admin: {{ unelevated: none, elevated: full }}\n      \
             reseller: read\n      user: full\n"
        );
    }
    text
}

/// Fills a new store, and gives the sessions that are used.
async fn fill(path: &Path, size: Size, keys: &KeySet, now: Wall) -> Outcome<Vec<Member>> {
    let store = RedbStore::open(path)?;
    let hash = password::hash(
        &SecretText::from(PASSWORD.to_owned()),
        password::USUAL_COST,
        random(),
        password::no_pause,
    )
    .map_err(|error| format!("the password: {error:?}"))?;
    let users: Vec<User> = (0..ACCOUNTS).map(|index| user(index, &hash, now)).collect::<Outcome<_>>()?;
    let added = stream::iter(users.iter().cloned()).map(|user| store.add_user(user)).buffer_unordered(WRITES);
    added.try_for_each(|_| async { Ok(()) }).await?;
    let session = |index: usize| session(index, &users[index % ACCOUNTS], keys, now);
    let count = size.sessions.max(ACTIVE + 1);
    let members: Vec<Session> = (0..=ACTIVE).map(session).collect();
    let all = members.iter().cloned().chain((ACTIVE + 1..count).map(session));
    let opened = stream::iter(all).map(|session| store.open_session(session)).buffer_unordered(WRITES);
    opened.try_for_each(|_| async { Ok(()) }).await?;
    let bans = stream::iter(0..size.bans).map(|index| store.ban(ban(index, now))).buffer_unordered(WRITES);
    bans.try_for_each(|_| async { Ok(()) }).await?;
    store.close().await?;
    Ok(members.into_iter().map(|session| Member { token: token(&session, keys, now), session }).collect())
}

fn random<const N: usize>() -> [u8; N] {
    let entropy: &dyn Entropy = &SystemEntropy;
    entropy.array()
}

/// An access token of a session that is good for a day.
pub fn token(session: &Session, keys: &KeySet, now: Wall) -> String {
    let claims = AccessClaims {
        sid: session.sid,
        generation: session.family.generation,
        aud: SITE.into(),
        iat: now,
        exp: now.plus(Duration::from_secs(86_400)),
    };
    keys.issue_access(&claims, random(), &session.user)
}

pub(crate) fn user(index: usize, hash: &str, now: Wall) -> Outcome<User> {
    Ok(User {
        id: UserId(random()),
        name: UserName::parse(&format!("user-{index}"))?,
        display: format!("User {index}"),
        email: format!("user-{index}@bench.example"),
        role: "user".into(),
        source: UserSource::Embedded,
        password: Some(hash.to_owned()),
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: now,
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    })
}

pub(crate) fn session(index: usize, user: &User, keys: &KeySet, now: Wall) -> Session {
    let [a, b] = [index / 250 % 250, index % 250 + 1].map(|part| u8::try_from(part).unwrap_or(0));
    Session {
        sid: Sid(random()),
        user: user.id,
        site: SITE.into(),
        origin: Origin::Portal,
        opened: now,
        seen: now,
        idle_millis: 7 * 86_400_000,
        expires: now.plus(Duration::from_secs(30 * 86_400)),
        family: Family {
            seed: SecretBytes::new(random::<32>()),
            key: keys.current_refresh_key().into(),
            generation: 0,
            current_seen: Some(now),
        },
        elevation: None,
        device: "Firefox on Linux".into(),
        address: IpAddr::from([198, 51, a, b]),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

fn ban(index: usize, now: Wall) -> Ban {
    let [_, a, b, c] = u32::try_from(index).unwrap_or(0).to_be_bytes();
    Ban {
        whom: Whom::Network(ipnet::IpNet::from(IpAddr::from([100 + a, b, c, 7]))),
        reason: "a scanner".to_owned(),
        by: "bench".to_owned(),
        since: now,
        until: Some(now.plus(Duration::from_secs(86_400))),
    }
}

/// A certificate for `localhost`.
fn certificate(dir: &Path) -> Outcome<()> {
    fs::create_dir_all(dir.join("certs"))?;
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    fs::write(dir.join("certs/localhost.crt"), made.cert.pem())?;
    Ok(fs::write(dir.join("certs/localhost.key"), made.signing_key.serialize_pem())?)
}

/// The sites of a configuration as the gate itself reads them.
///
/// # Errors
/// With what is wrong with the configuration.
pub fn load(config: &Path) -> Outcome<Arc<panelgate::rules::site::Sites>> {
    let loaded = panelgate::config::load(config, &panelgate::config::Environment::new())
        .map_err(|problems| problems.to_string())?;
    let sites = loaded.settings.sites.into_iter().map(|site| site.site).collect();
    Ok(Arc::new(panelgate::rules::site::Sites::new(sites)?))
}
