//! The steps of one allowed request, without a network: for criterion, for counting instructions and allocations.

use std::{fs, net::IpAddr, path::Path, sync::Arc};

use http::request::Parts as Head;
use panelgate::{
    clock::{Clock as _, SystemClock, Wall},
    doors::{
        dialect::{Answer, Caller, Dialect},
        identity_headers,
    },
    entropy::SystemEntropy,
    feeds::keys,
    live::Records,
    rules::{
        address::TrustedProxies,
        facts::Facts,
        judge::{self, Bench, Signed, Step, View},
        outcome::{Access, DecisionId, Grant, Judgement, Outcome as Judged},
        place::Places,
        session::Sid,
        site::{Site, Sites},
        token::{AssertionClaims, Issuers, KeySet, RequestBinding},
    },
    store::Everything,
};

use crate::{
    Outcome,
    place::{self, HOST, SITE},
};

/// Everything that the steps need.
pub struct Parts {
    sites: Arc<Sites>,
    keys: KeySet,
    issuers: Issuers,
    records: Records,
    places: Places,
    trusted: TrustedProxies,
    now: Wall,
    heads: Vec<(Dialect, Head)>,
    facts: Vec<Facts>,
    tokens: Vec<String>,
    sids: Vec<Sid>,
}

/// The steps, by name.
pub const STEPS: [&str; 9] = [
    "dialect: nginx asks",
    "dialect: Traefik, Caddy or HAProxy asks",
    "dialect: Envoy asks",
    "facts",
    "policy",
    "token: read",
    "judge",
    "dialect: allowed",
    "assertion: signed",
];

impl Parts {
    /// With a policy of so many pages and so many sessions in memory.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn make(dir: &Path, pages: usize, sessions: usize) -> Outcome<Self> {
        let Furniture { sites, keys, now, everything, tokens, sids } = furnish(dir, pages, sessions)?;
        let records = Records::default();
        records.load(everything);
        let mut parts = Self {
            sites,
            keys,
            issuers: Issuers::default(),
            records,
            places: Places::default(),
            trusted: TrustedProxies(vec!["127.0.0.0/8".parse()?]),
            now,
            heads: Vec::new(),
            facts: Vec::new(),
            tokens,
            sids,
        };
        for (dialect, path) in [
            (Dialect::AuthRequest, "auth-request"),
            (Dialect::ForwardAuth, "forward-auth"),
            (Dialect::ExtAuthz, "ext-authz/p1/list"),
        ] {
            parts.heads.push((dialect, head(path, &parts.tokens[0], "/p1/list", CLIENT)?));
        }
        for (index, token) in parts.tokens.iter().enumerate() {
            let head = head("auth-request", token, &format!("/p{}/list", index * 7 % pages), CLIENT)?;
            let ask = Dialect::AuthRequest.ask(&head, &parts.caller()).map_err(|error| error.to_string())?;
            parts.facts.push(Facts::new(&ask, &parts.sites)?.0);
        }
        parts.check()?;
        Ok(parts)
    }

    /// Every request is allowed, or nothing that is measured means anything.
    fn check(&self) -> Outcome<()> {
        for index in 0..self.facts.len() {
            let judged = self.judge(index);
            if !matches!(judged.0.outcome, Judged::Allow(_)) {
                return Err(format!("request {index} is not allowed: {:?}", judged.0).into());
            }
        }
        Ok(())
    }

    fn caller(&self) -> Caller<'_> {
        Caller { peer: IpAddr::from([127, 0, 0, 1]), channel_trusted: true, trusted: &self.trusted }
    }

    /// How many requests there are.
    pub fn count(&self) -> usize {
        self.facts.len()
    }

    fn site(&self) -> &Site {
        &self.sites.all()[0]
    }

    fn bench(&self) -> Bench<'_> {
        Bench {
            site: self.site(),
            keys: &self.keys,
            issuers: &self.issuers,
            view: &self.records,
            places: &self.places,
            at: self.now,
            decision: DecisionId([7; 5]),
        }
    }

    /// Judges a request.
    pub fn judge(&self, index: usize) -> (Judgement, Option<Signed>) {
        match judge::judge(&self.facts[index % self.facts.len()], self.bench()) {
            Step::Done(done) => done,
            Step::NeedSession(_) | Step::NeedExternal(_) => unreachable!("every session is in memory"),
        }
    }

    /// Reads a token.
    pub fn read_token(&self, index: usize) -> bool {
        self.keys.read_access(&self.tokens[index % self.tokens.len()], SITE, self.now).is_ok()
    }

    /// A token.
    pub fn token(&self, index: usize) -> &str {
        &self.tokens[index % self.tokens.len()]
    }

    /// A new token of a session, which nobody has read.
    pub fn fresh_token(&self, index: usize) -> String {
        let session = View::session(&self.records, &self.sids[index % self.sids.len()]);
        session.map(|session| place::token(&session, &self.keys, self.now)).unwrap_or_default()
    }

    /// The key that tokens are verified with, in base64url.
    pub fn public_key(&self) -> String {
        self.keys.jwks()["keys"][0]["x"].as_str().unwrap_or_default().to_owned()
    }

    /// Reads a token for the first time.
    pub fn read(&self, token: &str) -> bool {
        self.keys.read_access(token, SITE, self.now).is_ok()
    }

    fn grant(&self) -> Grant {
        match self.judge(0).0.outcome {
            Judged::Allow(grant) => grant,
            _ => unreachable!("checked when it was made"),
        }
    }

    /// A step as something that can be done over and over; the argument counts up.
    ///
    /// # Errors
    /// When there is no step of this name.
    pub fn step(&self, name: &str) -> Outcome<Box<dyn Fn(usize) -> usize + '_>> {
        let asking = |index: usize| {
            let (dialect, head) = &self.heads[index];
            Box::new(move |_: usize| usize::from(dialect.ask(head, &self.caller()).is_ok()))
        };
        Ok(match name {
            "dialect: nginx asks" => asking(0),
            "dialect: Traefik, Caddy or HAProxy asks" => asking(1),
            "dialect: Envoy asks" => asking(2),
            "facts" => Box::new(|_| {
                let ask = self.heads[0].0.ask(&self.heads[0].1, &self.caller());
                usize::from(ask.is_ok_and(|ask| Facts::new(&ask, &self.sites).is_ok()))
            }),
            "policy" => Box::new(|index| {
                usize::from(self.site().policy.rule(&self.facts[index % self.facts.len()]).page.is_some())
            }),
            "token: read" => Box::new(|index| usize::from(self.read_token(index))),
            "judge" => Box::new(|index| usize::from(matches!(self.judge(index).0.outcome, Judged::Allow(_)))),
            "dialect: allowed" => {
                let grant = self.grant();
                Box::new(move |_| {
                    let identity =
                        identity_headers::all(&grant, http::HeaderValue::from_static("")).collect();
                    Dialect::AuthRequest.render(Answer::Allow { identity }).headers().len()
                })
            }
            "assertion: signed" => {
                let claims = self.assertion();
                Box::new(move |_| self.keys.sign_assertion(&claims).len())
            }
            other => return Err(format!("there is no step `{other}`").into()),
        })
    }

    fn assertion(&self) -> AssertionClaims {
        let grant = self.grant();
        let bearer = grant.bearer().expect("every request here is somebody's");
        AssertionClaims {
            aud: SITE.into(),
            sub: bearer.user.name.clone(),
            role: Arc::clone(&bearer.role),
            session: bearer.public.clone(),
            access: Access::Read,
            elevated_until: None,
            actor: None,
            iat: self.now,
            request: Some(RequestBinding {
                method: "GET".to_owned(),
                host: HOST.to_owned(),
                path: "/p1/list".to_owned(),
            }),
        }
    }
}

/// Where requests come from that nobody counts.
const CLIENT: &str = "198.51.0.7";

/// The head of a question.
pub(crate) fn head(path: &str, token: &str, target: &str, client: &str) -> Outcome<Head> {
    let request = http::Request::builder()
        .uri(format!("/api/authz/{path}"))
        .header("host", HOST)
        .header("x-original-url", format!("https://{HOST}{target}"))
        .header("x-original-method", "GET")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", HOST)
        .header("x-forwarded-uri", target)
        .header("x-forwarded-for", client)
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-language", "en-US,en;q=0.5")
        .header("sec-fetch-dest", "document")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-site", "same-origin")
        .header("cookie", format!("__Host-gate_access={token}; panel_theme=dark"));
    Ok(request.body(())?.into_parts().0)
}

/// What there is before anything is asked.
pub(crate) struct Furniture {
    pub(crate) sites: Arc<Sites>,
    pub(crate) keys: KeySet,
    pub(crate) now: Wall,
    pub(crate) everything: Everything,
    pub(crate) tokens: Vec<String>,
    sids: Vec<Sid>,
}

/// A site with so many pages, and so many sessions, a thousand of which have tokens.
pub(crate) fn furnish(dir: &Path, pages: usize, sessions: usize) -> Outcome<Furniture> {
    fs::create_dir_all(dir)?;
    let now = SystemClock::new().wall();
    let keys = keys::load_or_create(&dir.join("keys"), &SystemEntropy, now)?;
    fs::write(dir.join("policy.yaml"), place::policy(pages))?;
    let config = dir.join("config.yaml");
    let text = format!(
        "version: 1\ndata_dir: data\nsites:\n  - {{ name: {SITE}, title: Bench, origins: [\"https://{HOST}\"], policy: policy.yaml }}\n\
         sidecar: {{ socket: sidecar.sock }}\n"
    );
    fs::write(&config, text)?;
    let sites = place::load(&config)?;
    let users = (0..100).map(|index| place::user(index, "", now)).collect::<Outcome<Vec<_>>>()?;
    let sessions: Vec<_> =
        (0..sessions).map(|index| place::session(index, &users[index % 100], &keys, now)).collect();
    let used = &sessions[..sessions.len().min(1000)];
    let tokens: Vec<String> = used.iter().map(|session| place::token(session, &keys, now)).collect();
    let sids = used.iter().map(|session| session.sid).collect();
    let everything =
        Everything { users, sessions: sessions.into_iter().map(Arc::new).collect(), ..Everything::default() };
    Ok(Furniture { sites, keys, now, everything, tokens, sids })
}
