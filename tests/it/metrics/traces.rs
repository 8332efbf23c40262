//! Traces, as a collector that reads them with OpenTelemetry's own messages gets them.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{ask_sidecar, exposition::Page};
use crate::support::{
    browser::background,
    gate::write_privately,
    house::House,
    ports,
    process::{Running, program},
    workspace,
};

const THEIRS: &str = "0af7651916cd43dd8448eb211c80319c";

struct Collector {
    spans: PathBuf,
    port: u16,
    running: Running,
}

impl Collector {
    fn start(name: &str) -> Self {
        let directory = workspace::directory(name);
        let (port, spans) = (ports::free(), directory.join("spans"));
        let script = workspace::repository("tests/it/support/collector.py");
        let arguments = [script.display().to_string(), port.to_string(), spans.display().to_string()];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let running = Running::start("collector", &directory, &program("python3"), &arguments);
        running.wait_for_port(port);
        Self { spans, port, running }
    }

    fn house(&self, name: &str, sample: &str) -> House {
        self.house_that(name, sample, false)
    }

    fn house_that(&self, name: &str, sample: &str, trusts_parents: bool) -> House {
        let headers = workspace::directory(name).join("otlp.headers");
        write_privately(&headers, "Authorization: Bearer c0llect0r\n");
        let port = self.port;
        House::start_with(
            name,
            &format!(
                "bans: {{ allow: [127.0.0.0/8] }}\ntraces: {{ endpoint: \"http://127.0.0.1:{port}\", sample: {sample}, \
                 service: gate-in-test, headers_file: otlp.headers, trust_parent: {trusts_parents} }}"
            ),
        )
    }

    fn spans(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.spans).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            if let Some(span) = self.spans().into_iter().find(|span| wanted(span)) {
                return span;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no span: {what}\n{:#?}\n{}", self.spans(), self.running.log_tail());
    }
}

fn fields_of(echo: &Value, wanted: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().expect("the panel tells what it got");
    let of = headers.iter().filter(|pair| pair[0].as_str().is_some_and(|name| name == wanted));
    of.filter_map(|pair| pair[1].as_str().map(str::to_owned)).collect()
}

/// A client's own context is replaced; the panel is told the span that it is a part of; decisions and ways to the panel
/// are one trace; and nothing that is secret, or says who, is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_through_the_edge_is_one_trace_into_the_panel() {
    let collector = Collector::start("traces-collector");
    let house = collector.house("traces", "100%");
    let somebody = house.somebody().await;
    let ask = background("GET", "/echo/secret-path?token=s3cr3t-query")
        .field("traceparent", &format!("00-{THEIRS}-b7ad6b7169203331-01"))
        .field("tracestate", "evil=1");
    let answer = somebody.send(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = fields_of(&answer.json(), "traceparent");
    assert_eq!(told.len(), 1, "{told:?}");
    let parts: Vec<&str> = told[0].split('-').collect();
    assert!(parts[1] != THEIRS && parts[3] == "01", "a client's own context is not believed: {told:?}");
    assert_eq!(fields_of(&answer.json(), "tracestate"), Vec::<String>::new());

    let forward = collector.wait_for("the way to the panel", |span| span["span_id"] == parts[2]).await;
    assert_eq!((&forward["name"], &forward["kind"]), (&"forward".into(), &"SPAN_KIND_CLIENT".into()));
    assert_eq!(forward["attributes"]["http.response.status_code"], "200");
    let decide =
        collector.wait_for("the decision", |span| span["span_id"] == forward["parent_span_id"]).await;
    assert_eq!((&decide["name"], &decide["kind"]), (&"decide".into(), &"SPAN_KIND_SERVER".into()));
    assert_eq!((&decide["parent_span_id"], &decide["trace_id"]), (&"".into(), &parts[1].into()));
    let attributes = &decide["attributes"];
    for (name, value) in [
        ("panelgate.door", "edge"),
        ("panelgate.site", "panel"),
        ("panelgate.outcome", "allow"),
        ("panelgate.reason", "role-allows"),
        ("panelgate.page", "open"),
        ("http.request.method", "GET"),
    ] {
        assert_eq!(attributes[name], value, "{name}: {decide:#}");
    }
    let decision = fields_of(&answer.json(), "x-gate-decision");
    assert_eq!(attributes["panelgate.decision"], decision[0].as_str(), "`panelgate why` finds it");
    assert!(forward["nanos"].as_u64() > Some(0) && decide["nanos"].as_u64() < Some(10_000_000_000));
    assert_eq!(decide["resource"]["service.name"], "gate-in-test");
    assert_eq!(decide["headers"]["authorization"], "Bearer c0llect0r");

    let text = fs::read_to_string(&collector.spans).unwrap();
    let token = somebody.cookie("__Host-gate_access").expect("somebody has signed in");
    for secret in ["s3cr3t-query", "secret-path", "some-user", "evil", token.as_str()] {
        assert!(!text.contains(secret), "{secret} is in a span");
    }
    assert!(!house.gate.running.log().contains("c0llect0r"));
}

/// At the edge a listed proxy is believed, too; and traces go on in a process that took over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_proxy_s_trace_goes_on_at_the_edge() {
    let collector = Collector::start("traces-edge-collector");
    let house = collector.house_that("traces-edge", "0%", true);
    let config = house.read("config.yaml");
    house.write(
        "config.yaml",
        &config.replace("certificates: certs }", "certificates: certs, trusted_proxies: [127.0.0.0/8] }"),
    );
    house.replace();
    let somebody = house.somebody().await;
    let ask = background("GET", "/echo/x")
        .field("X-Forwarded-For", "192.0.2.7")
        .field("traceparent", &format!("00-{THEIRS}-b7ad6b7169203331-01"))
        .field("tracestate", "a=1");
    let answer = somebody.send(ask).await;
    let told = fields_of(&answer.json(), "traceparent");
    assert!(told.len() == 1 && told[0].contains(THEIRS) && !told[0].contains("b7ad6b7169203331"), "{told:?}");
    assert_eq!(fields_of(&answer.json(), "tracestate"), ["a=1"]);
    let decide = collector.wait_for("the decision", |span| span["name"] == "decide").await;
    assert_eq!(
        (&decide["trace_id"], &decide["parent_span_id"]),
        (&THEIRS.into(), &"b7ad6b7169203331".into())
    );
}

/// What a proxy says of the trace counts, as only a trusted one can ask; and its choice of what is sampled as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_s_trace_goes_on_at_the_sidecar() {
    let collector = Collector::start("traces-sidecar-collector");
    let house = collector.house_that("traces-sidecar", "0%", true);
    let parent =
        |flags: &str, id: &str| format!("traceparent: 00-{THEIRS}-{id}-{flags}\r\ntracestate: a=1\r\n");
    ask_sidecar(&house, "192.0.2.7", "/echo/x", &parent("00", "00f067aa0ba902b7"));
    ask_sidecar(&house, "192.0.2.7", "/echo/x", "");
    let answer = ask_sidecar(&house, "192.0.2.7", "/echo/x", &parent("01", "b7ad6b7169203331"));
    assert!(answer.starts_with("HTTP/1.1 401") && !answer.to_lowercase().contains("traceparent"), "{answer}");
    let decide = collector.wait_for("the decision", |span| span["trace_id"] == THEIRS).await;
    assert_eq!(decide["parent_span_id"], "b7ad6b7169203331");
    assert_eq!(decide["traceState"], "a=1");
    assert_eq!(decide["attributes"]["panelgate.outcome"], "sign-in");
    assert_eq!(decide["attributes"]["panelgate.door"], "sidecar");
    assert_eq!(collector.spans().len(), 1, "what nobody samples is not sent: {:#?}", collector.spans());
}

/// Proxies pass a client's `traceparent` on: by default it neither has a request sampled nor chooses whose trace it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_passes_on_of_a_client_s_trace_is_not_obeyed() {
    let collector = Collector::start("traces-forged-collector");
    let (none, all) = (collector.house("traces-forged", "0%"), collector.house("traces-forged-all", "100%"));
    let sent = format!("traceparent: 00-{THEIRS}-b7ad6b7169203331-01\r\ntracestate: evil=1\r\n");
    for house in [&none, &all] {
        assert!(ask_sidecar(house, "192.0.2.7", "/echo/x", &sent).starts_with("HTTP/1.1 401"));
    }
    let decide = collector.wait_for("the decision", |span| span["name"] == "decide").await;
    assert!(decide["trace_id"] != THEIRS && decide["parent_span_id"] == "", "{decide:#}");
    assert!(!decide.to_string().contains("evil"), "{decide:#}");
    drop((none, all));
    assert_eq!(collector.spans().len(), 1, "at 0 % nothing is sampled: {:#?}", collector.spans());
}

/// A collector that is away holds nobody up; what is lost is counted, and said once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_holds_nobody_up() {
    let collector = Collector::start("traces-away-collector");
    let house = collector.house("traces-away", "100%");
    collector.running.stop();
    let somebody = house.somebody().await;
    let lost = || {
        let page = Page::read(&house.metrics("/metrics"));
        page.sum("panelgate_trace_spans_total", &[("result", "failed")])
    };
    for _ in 0..2 {
        let before = lost();
        for _ in 0..20 {
            assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
        }
        house.wait_until("the loss is counted", || lost() > before).await;
    }
    let log = house.gate.running.log();
    assert_eq!(log.matches("traces do not reach the collector").count(), 1, "{log}");
}

/// Without `traces` the gate is not a part of anybody's trace, and what a client sends goes to the panel as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_traces_nothing_is_changed() {
    let house = House::start("traces-off");
    let somebody = house.somebody().await;
    let sent = format!("00-{THEIRS}-b7ad6b7169203331-01");
    let answer = somebody.send(background("GET", "/echo/x").field("traceparent", &sent)).await;
    assert_eq!(fields_of(&answer.json(), "traceparent"), [sent]);
    let page = Page::read(&house.metrics("/metrics"));
    assert_eq!(page.sum("panelgate_trace_spans_total", &[]), 0);
}
