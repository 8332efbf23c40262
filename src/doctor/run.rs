//! One examination, from the first handshake to the last look.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

use data_encoding::BASE32_NOPAD;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Inside, Plan, Proxy, View,
    guest::{self, Account},
    observed::{Answer, Available, Exchange, Observed, Saw, Tls},
    probes::{self, By, Common, LIE_ADDRESS, LIE_HOST, Over, Probe},
    report::Report,
    stand_in::{EVENTS, StandIn},
    tls,
    wire::{Ask, NO_TLS, Wire},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, Sighting},
    clock::Clock,
    entropy::Entropy,
    rules::facts::Door,
};

/// Requests under way at one time: few enough for every limit on connections.
const AT_ONCE: usize = 4;
/// Questions that could not be read are known by the sidecar's own path, which stands in the recipes.
pub(super) const QUESTIONS: &str = "/api/authz/";
/// The longest wait that a limit may ask for.
const LONGEST_WAIT: u64 = 15;

/// What one run works with.
struct Run<'a> {
    plan: &'a Plan,
    wire: Wire,
    stand_in: Option<StandIn>,
    marker: String,
}

/// What ends an examination from outside: the keyboard, whoever started it, and a terminal that goes away.
struct Endings {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Endings {
    fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened for: {error}"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// What a session rests on.
struct Seat {
    cookie: String,
    session: Available,
}

/// Examines a chain.
///
/// # Errors
/// With why nothing could be tested at all.
pub async fn run(
    plan: &Plan,
    inside: Result<&dyn Inside, String>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Report, String> {
    let wire = Wire {
        address: plan.connect,
        from: plan.from,
        host: plan.host.clone(),
        authority: plan.authority.clone(),
        tls: plan.trust.config()?,
    };
    let stand_in = match plan.view {
        View::StandIn(address) => Some(StandIn::start(address).await?),
        View::None | View::Echo => None,
    };
    let marker = format!("pgdoctor{}", BASE32_NOPAD.encode(&entropy.array::<10>()).to_ascii_lowercase());
    let run = Run { plan, wire, stand_in, marker };
    let local = match run.wire.handshake().await {
        Ok(local) => local,
        // Nothing is sent to somebody who may be somebody else.
        Err(why) if why.starts_with(NO_TLS) => return Ok(run.unsafe_to_go_on(why)),
        Err(why) => return Err(format!("{}: {why}", plan.origin)),
    };
    let inside = inside
        .and_then(|inside| inside.ask(AdminRequest::Watch { marker: run.marker.clone() }).map(|_| inside));
    run.examine(local, inside, clock, entropy).await
}

impl Run<'_> {
    async fn examine(
        &self,
        local: IpAddr,
        inside: Result<&dyn Inside, String>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Report, String> {
        // Before there is an account: from here on nothing that asks for an end ends the process by itself.
        let mut endings = Endings::listen()?;
        let swept = inside.as_ref().ok().and_then(|inside| guest::sweep(*inside, clock.wall()));
        let account = self.account(&inside, clock, entropy);
        // Whatever happens, the account is removed and the watch closed.
        let worked = tokio::select! {
            worked = Box::pin(self.work(&account)) => Ok(worked),
            () = endings.wait() => Err("interrupted".to_owned()),
        };
        let removed = match (account, &inside) {
            (Ok(Some(account)), Ok(inside)) => account.remove(*inside).map(Some),
            _ => Ok(None),
        };
        let mut lost = None;
        let sightings = inside.clone().and_then(|inside| {
            let (sightings, remark) = self.watched(inside)?;
            lost = remark;
            Ok(sightings)
        });
        let mut observed = worked?;
        observed.guest = removed?;
        observed.remarks.extend(swept.into_iter().chain(lost));
        observed.local = Some(local);
        self.lay_beside(&mut observed, sightings);
        observed.proxy = self.plan.proxy.or_else(|| guess(&observed));
        Ok(Report::of(&observed))
    }

    /// The gate's view, with what is to be told of it. One that lacks marked requests is none: what is not in it may
    /// have been judged all the same.
    fn watched(&self, inside: &dyn Inside) -> Result<(Vec<Sighting>, Option<String>), String> {
        let asked = inside.ask(AdminRequest::Watched { marker: self.marker.clone() })?;
        let AdminAnswer::Sightings { sightings, lost_marked, lost_unread } = asked else {
            return Err("panelgate answered something else than was asked".to_owned());
        };
        if lost_marked > 0 {
            return Err(format!(
                "{lost_marked} more requests with the marker arrived than it keeps; something repeats them"
            ));
        }
        let remark = (lost_unread > 0).then(|| {
            format!(
                "{lost_unread} more questions that could not be read arrived at the sidecar than panelgate keeps: D027 \
                 may lack some"
            )
        });
        Ok((sightings, remark))
    }

    /// An account, `None` if a session was given.
    fn account(
        &self,
        inside: &Result<&dyn Inside, String>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Option<Account>, String> {
        if self.plan.session.is_some() {
            return Ok(None);
        }
        let inside =
            inside.clone().map_err(|why| format!("no account could be made for the examination: {why}"))?;
        let site = self.plan.site.as_ref().map_err(Clone::clone)?;
        site.sign_in.clone()?;
        let role = site.role(&format!("{}/{}", self.plan.page, self.marker), clock.wall())?;
        Account::make(inside, role, entropy).map(Some)
    }

    async fn work(&self, account: &Result<Option<Account>, String>) -> Observed {
        let (mut exchanges, seat) = self.sign_in(account).await;
        exchanges.extend(self.portal().await);
        let common = Common {
            origin: self.plan.origin.clone(),
            page: self.plan.page.clone(),
            marker: self.marker.clone(),
            cookie: seat.cookie.clone(),
        };
        let wanted = |probe: &&Probe| {
            (probe.by == By::Visitor || seat.session.is_ok()) && (!probe.stand_in || self.stand_in.is_some())
        };
        let (last, rest): (Vec<&Probe>, Vec<&Probe>) =
            probes::ALL.iter().filter(wanted).partition(|probe| probe.name == "again");
        let mut streamed = Err("the stand-in answers no stream here".to_owned());
        let mut sent = stream::iter(rest).map(|probe| self.send(probe, &common)).buffered(AT_ONCE);
        while let Some((exchange, events)) = sent.next().await {
            exchanges.push(exchange);
            streamed = events.unwrap_or(streamed);
        }
        drop(sent);
        for probe in last {
            exchanges.push(self.send(probe, &common).await.0);
        }
        let mut also = Vec::new();
        for (number, one) in self.plan.also.iter().enumerate() {
            also.push((one.url.clone(), self.visit(number, one).await));
        }
        let token = seat.cookie.split_once('=').map(|(_, token)| token.to_owned()).unwrap_or_default();
        Observed {
            token,
            session: seat.session,
            tls: self.tls().await,
            plain: self.wire.send_plainly(self.plan.connect_plain, &Ask::get("/")).await,
            streamed,
            exchanges,
            panel_listens: self.panel_listens(),
            stranger: self.stranger().await,
            also,
            ..self.nothing_seen()
        }
    }

    fn nothing_seen(&self) -> Observed {
        let unknown = || Err("it was not tried".to_owned());
        let site = self.plan.site.as_ref().ok();
        let cookies = ["__Host-gate_access", "__Secure-gate_refresh"].map(str::to_owned);
        let stand_in = "this needs the stand-in: stop the panel and add --stand-in with its address";
        let view = "the panel's view is not had: give --stand-in with the panel's address, or --panel-echo";
        Observed {
            proxy: self.plan.proxy,
            origin: self.plan.origin.clone(),
            authority: self.plan.authority.clone(),
            cookies: site.map_or(cookies, |site| site.cookies.clone()),
            token: String::new(),
            assertion: site.is_some_and(|site| site.assertion),
            local: None,
            guest: None,
            inside: unknown(),
            view: if self.plan.view == View::None { Err(view.to_owned()) } else { Ok(()) },
            stand_in: if self.stand_in.is_some() { Ok(()) } else { Err(stand_in.to_owned()) },
            session: unknown(),
            tls: Tls { certificate: unknown(), old_version: unknown().map(|()| false), http2: false },
            plain: Err("it was not tried".to_owned()),
            streamed: unknown().map(|()| false),
            exchanges: Vec::new(),
            others: Vec::new(),
            panel_listens: Err("it was not tried".to_owned()),
            stranger: Err("it was not tried".to_owned()),
            also: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn unsafe_to_go_on(&self, why: String) -> Report {
        let stopped = || Err("the certificate was not accepted (D001), so nothing was sent".to_owned());
        let mut observed = self.nothing_seen();
        observed.tls.certificate = Err(why);
        (observed.inside, observed.view, observed.session) = (stopped(), stopped(), stopped());
        Report::of(&observed)
    }

    /// Signs the account in, with a lie about where from.
    async fn sign_in(&self, account: &Result<Option<Account>, String>) -> (Vec<Exchange>, Seat) {
        let nobody = |why: String| Seat { cookie: String::new(), session: Err(why) };
        let account = match (account, &self.plan.session) {
            (Ok(None), Some(cookie)) => {
                return (Vec::new(), Seat { cookie: cookie.clone(), session: Ok(()) });
            }
            (Ok(Some(account)), _) => account,
            (Ok(None), None) => return (Vec::new(), nobody("there is no session".to_owned())),
            (Err(why), _) => return (Vec::new(), nobody(why.clone())),
        };
        let body = json!({ "username": account.name.as_str(), "password": account.password }).to_string();
        let ask = Ask { method: "POST".into(), body: body.into_bytes(), ..Ask::get("/_gate/api/v1/sign-in") }
            .field("Content-Type", "application/json")
            .field("Accept", "application/json")
            .field("Origin", &self.plan.origin)
            .field("Sec-Fetch-Site", "same-origin")
            .field("User-Agent", "panelgate doctor")
            .field("X-Forwarded-For", LIE_ADDRESS);
        let exchange = self.exchange("gate-sign-in", &ask).await;
        let access = self.plan.site.as_ref().map(|site| format!("{}=", site.cookies[0])).unwrap_or_default();
        let cookie = exchange.answer.as_ref().ok().and_then(|answer| {
            let line = answer.all("set-cookie").find(|line| line.starts_with(&access))?;
            line.split(';').next().map(str::to_owned)
        });
        let seat = match cookie {
            Some(cookie) => Seat { cookie, session: Ok(()) },
            None => nobody("signing in through the chain did not work (see D010, D012)".to_owned()),
        };
        (vec![exchange], seat)
    }

    async fn portal(&self) -> Vec<Exchange> {
        let page = || Ask::get("/_gate/sign-in").field("Accept", "text/html");
        vec![
            self.exchange("gate-script", &Ask::get("/_gate/client.js")).await,
            self.exchange("gate-page", &page()).await,
            self.exchange("gate-liehost", &page().field("X-Forwarded-Host", LIE_HOST)).await,
            self.exchange("gate-lieproto", &page().field("X-Forwarded-Proto", "http")).await,
        ]
    }

    async fn exchange(&self, name: &'static str, ask: &Ask) -> Exchange {
        let answer = self.wire.send(ask).await;
        exchange(name, ask, answer)
    }

    /// Sends a probe; a limit is waited for once.
    async fn send(&self, probe: &'static Probe, common: &Common) -> (Exchange, Option<Result<bool, String>>) {
        let ask = probe.ask(common);
        let mut events = None;
        let mut answer = self.send_once(probe, &ask, &mut events).await;
        let wait = answer.as_ref().ok().filter(|answer| answer.status == 429);
        let wait = wait.and_then(|answer| answer.field("retry-after")?.parse::<u64>().ok());
        if let Some(wait) = wait.filter(|wait| *wait <= LONGEST_WAIT) {
            tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
            answer = self.send_once(probe, &ask, &mut events).await;
        }
        (exchange(probe.name, &ask, answer), events)
    }

    async fn send_once(
        &self,
        probe: &Probe,
        ask: &Ask,
        events: &mut Option<Result<bool, String>>,
    ) -> Result<Answer, String> {
        match probe.over {
            Over::Http1 => self.wire.send(ask).await,
            Over::Http2 => {
                let answer = self.wire.send_http2(ask).await?;
                answer.ok_or_else(|| "HTTP/2 is not offered".to_owned())
            }
            Over::Stream => {
                let [first, second] = EVENTS.map(str::trim_end);
                let mut alone = None;
                let answer = self
                    .wire
                    .send_until(ask, |body| {
                        let body = String::from_utf8_lossy(body);
                        if body.contains(first) && alone.is_none() {
                            alone = Some(!body.contains(second));
                            if let Some(stand_in) = &self.stand_in {
                                stand_in.heard();
                            }
                        }
                        body.contains(second)
                    })
                    .await;
                *events = Some(alone.ok_or_else(|| "no event arrived".to_owned()));
                answer
            }
        }
    }

    async fn visit(&self, number: usize, also: &super::Also) -> Exchange {
        let wire = Wire {
            address: also.address,
            host: also.host.clone(),
            authority: also.authority.clone(),
            ..self.wire.clone()
        };
        let ask =
            Ask::get(&format!("{}/{}-also{number}", self.plan.page, self.marker)).field("Accept", "*/*");
        let answer =
            if also.secure { wire.send(&ask).await } else { wire.send_plainly(also.address, &ask).await };
        exchange("also", &ask, answer)
    }

    async fn tls(&self) -> Tls {
        let http2 = self.wire.send_http2(&Ask::get("/_gate/client.js")).await;
        Tls {
            certificate: Ok(()),
            old_version: tls::speaks_old_versions(&self.wire).await,
            http2: matches!(http2, Ok(Some(_))),
        }
    }

    /// Asks the sidecar's own port, without a secret.
    async fn stranger(&self) -> Result<Answer, String> {
        let Some(port) = self.plan.sidecar else {
            return Err(
                "the sidecar listens on no port of its own, as far as the configuration here says".to_owned()
            );
        };
        let ask = Ask::get("/api/authz/forward-auth")
            .field("X-Forwarded-Method", "GET")
            .field("X-Forwarded-Proto", "https")
            // Tells this one from the proxy's questions, which may be unreadable as well.
            .field("Host", LIE_HOST)
            .field("X-Forwarded-Host", &self.plan.authority)
            .field("X-Forwarded-Uri", &format!("{}/{}-stranger", self.plan.page, self.marker))
            .field("X-Forwarded-For", LIE_ADDRESS);
        Wire { from: None, ..self.wire.clone() }.send_plainly(port, &ask).await
    }

    /// Where something listens on the panel's ports, as the kernel says.
    fn panel_listens(&self) -> Result<Vec<SocketAddr>, String> {
        if self.stand_in.is_some() {
            return Err("the panel is stopped while the stand-in listens".to_owned());
        }
        if self.plan.panel.is_empty() {
            return Err("where the panel listens is not known: --panel 127.0.0.1:8080".to_owned());
        }
        let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let all = read("/proc/net/tcp")? + &read("/proc/net/tcp6").unwrap_or_default();
        let ports: Vec<u16> = self.plan.panel.iter().map(SocketAddr::port).collect();
        Ok(listening(&all).into_iter().filter(|address| ports.contains(&address.port())).collect())
    }

    /// Gives every exchange the gate's and the panel's view of it.
    fn lay_beside(&self, observed: &mut Observed, sightings: Result<Vec<Sighting>, String>) {
        let stood_in = self.stand_in.as_ref().map(StandIn::saw);
        let sightings = match sightings {
            Ok(sightings) => {
                observed.inside = Ok(());
                sightings
            }
            Err(why) => {
                observed.inside = Err(format!("the gate was not asked from inside: {why}"));
                Vec::new()
            }
        };
        let (unread, mut sightings): (Vec<_>, Vec<_>) =
            sightings.into_iter().partition(|sighting| sighting.target.starts_with(QUESTIONS));
        let also = observed.also.iter_mut().map(|(_, exchange)| exchange);
        for exchange in observed.exchanges.iter_mut().chain(also) {
            let mark = match exchange.name {
                "also" => exchange.target.rsplit('/').next().unwrap_or_default().to_owned(),
                "again" => continue,
                name => format!("{}-{name}", self.marker),
            };
            (exchange.gate, sightings) =
                sightings.into_iter().partition(|sighting| names(&sighting.target, &mark));
            exchange.panel = match (&stood_in, &exchange.answer) {
                (Some(saw), _) => saw.iter().filter(|saw| names(&saw.target, &mark)).cloned().collect(),
                (None, Ok(answer)) if observed.view.is_ok() => {
                    serde_json::from_str::<Saw>(&answer.body).into_iter().collect()
                }
                (None, _) => Vec::new(),
            };
        }
        let ours = |sighting: &Sighting| sighting.record.asked.host != LIE_HOST;
        observed.others = sightings.into_iter().chain(unread.into_iter().filter(ours)).collect();
    }
}

fn exchange(name: &'static str, ask: &Ask, answer: Result<Answer, String>) -> Exchange {
    let (method, target) = (ask.method.clone(), ask.target.clone());
    Exchange { name, method, target, answer, gate: Vec::new(), panel: Vec::new() }
}

/// Whether a target has this mark, and not a longer one, in it.
fn names(target: &str, mark: &str) -> bool {
    target
        .split_once(mark)
        .is_some_and(|(_, after)| !after.starts_with(|next: char| next.is_ascii_alphanumeric()))
}

/// What the answers and the gate's own record say about who stands in front.
fn guess(observed: &Observed) -> Option<Proxy> {
    let record = observed.exchanges.iter().find_map(|exchange| Some(&exchange.judged()?.record));
    match record.map(|record| (record.asked.door, record.asked.dialect.as_str())) {
        Some((Door::Edge, _)) => return Some(Proxy::Edge),
        Some((_, "auth-request")) => return Some(Proxy::Nginx),
        Some((_, "ext-authz")) => return Some(Proxy::Envoy),
        _ => {}
    }
    let answers = observed.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref().ok());
    let said: Vec<String> = answers
        .flat_map(|answer| answer.all("server").chain(answer.all("via")).map(str::to_ascii_lowercase))
        .collect();
    let named = |proxy: &Proxy| said.iter().any(|text| text.contains(proxy.as_str()));
    [Proxy::Nginx, Proxy::Caddy, Proxy::Envoy].into_iter().find(named)
}

/// The listening sockets in the kernel's own table.
fn listening(table: &str) -> Vec<SocketAddr> {
    const LISTEN: &str = "0A";
    let socket = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (columns.next()?, columns.nth(1)?);
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok().filter(|_| state == LISTEN)?;
        let words: Vec<u8> = (0..address.len())
            .step_by(8)
            .filter_map(|at| u32::from_str_radix(address.get(at..at + 8)?, 16).ok())
            .flat_map(u32::to_ne_bytes)
            .collect();
        let ip = match <[u8; 4]>::try_from(&*words) {
            Ok(four) => IpAddr::from(four),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(&*words).ok()?).to_canonical(),
        };
        Some(SocketAddr::from((ip, port)))
    };
    table.lines().filter_map(socket).collect()
}

#[cfg(test)]
mod tests {
    use super::{listening, names};

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n\
             1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n\
             2: 0100007F:1F92 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0        0 1\n\
             3: 00000000000000000000000000000000:1F93 00000000000000000000000000000000:0000 0A 0 0 0\n";
        let shown: Vec<String> = listening(table).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:8080", "0.0.0.0:8081", "[::]:8083"]);
    }

    #[test]
    fn a_mark_is_not_taken_for_a_longer_one() {
        assert!(names("/echo/pgdoctor-lie?x", "pgdoctor-lie") && names("/pgdoctor-lie", "pgdoctor-lie"));
        assert!(!names("/echo/pgdoctor-liefor", "pgdoctor-lie"));
    }
}
