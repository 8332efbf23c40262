//! What is shipped for Prometheus and Grafana, and what the documentation says, against what a gate says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use super::exposition::{Page, base_name, promtool};
use crate::support::{
    house::House,
    process::program,
    workspace::{self, repository},
};

/// What a metric is, and its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// What Prometheus itself adds.
const ADDED: [&str; 3] = ["instance", "job", "le"];

#[test]
fn the_alert_rules_parse_and_fire_when_they_should() {
    let folder = repository("deploy/prometheus");
    let checked = promtool(&["check", "rules", "alerts.yaml"], &folder, "");
    assert!(checked.contains("SUCCESS"), "{checked}");
    promtool(&["test", "rules", "alerts.test.yaml"], &folder, "");
    let text = fs::read_to_string(folder.join("alerts.yaml")).unwrap();
    for alert in text.split("- alert: ").skip(1) {
        let (name, rule) = alert.split_once('\n').expect("a rule has lines");
        for needed in ["expr:", "severity:", "summary:", "description:"] {
            assert!(rule.contains(needed), "{name} has no {needed}");
        }
    }
}

/// The dashboard loads, its queries parse, and it, the alerts and the documentation know the same metrics as the gate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shipped_asks_for_what_there_is() {
    let house = House::start("metrics-shipped");
    let config = house.read("config.yaml");
    house.write("next.yaml", &house.read("policy.yaml").replace("reader: read", "reader: none"));
    house.write(
        "config.yaml",
        &config.replace("    policy: policy.yaml", "    policy: policy.yaml\n    shadow: next.yaml"),
    );
    house.wait_until("the candidate is read", || house.metrics("/readyz").contains("changed 1 key;")).await;
    let somebody = house.somebody().await;
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    house
        .wait_until("the candidate is asked", || house.metrics("/metrics").contains("panelgate_shadow_"))
        .await;
    house.write("certs/broken.crt", "no certificate");
    house.wait_until("a broken file shows", || house.metrics("/metrics").contains("panelgate_stale{")).await;
    let page = Page::read(&house.metrics("/metrics"));
    assert_eq!(promtool(&["check", "metrics"], Path::new("/"), &page.text), "");
    let metrics = page.metrics();

    let dashboard = dashboard();
    assert!(dashboard.len() > 30, "{dashboard:?}");
    parse(&dashboard);
    let rules = fs::read_to_string(repository("deploy/prometheus/alerts.yaml")).unwrap();
    let tests = fs::read_to_string(repository("deploy/prometheus/alerts.test.yaml")).unwrap();
    let mut asked = BTreeSet::new();
    for query in dashboard.iter().map(String::as_str).chain([rules.as_str(), tests.as_str()]) {
        asked.extend(look_up(query, &metrics, &page));
    }
    let unseen = ["panelgate_config_info", "panelgate_reload_timestamp_seconds", "panelgate_journal_bytes"];
    for name in metrics.keys().filter(|name| !asked.contains(*name) && !unseen.contains(&name.as_str())) {
        let besides = name.starts_with("panelgate_reload_changed")
            || name == "panelgate_shadow_decisions_total"
            || name.starts_with("process_");
        assert!(besides || name == "panelgate_generation", "nothing that is shipped shows {name}");
    }
    documented(&metrics);
}

fn dashboard() -> Vec<String> {
    let file = repository("deploy/grafana/panelgate.json");
    let read = Command::new(program("python3"))
        .arg(repository("tests/it/support/dashboard.py"))
        .arg(file)
        .output()
        .expect("python3 starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).expect("a list")
}

/// Prometheus reads each query, with Grafana's variables filled in.
fn parse(queries: &[String]) {
    let rules = queries.iter().enumerate().map(|(number, query)| {
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        format!("  - record: query:{number}\n    expr: '{query}'\n")
    });
    let text = format!("groups:\n- name: dashboard\n  rules:\n{}", rules.collect::<String>());
    let folder = workspace::directory("metrics-dashboard");
    fs::write(folder.join("rules.yaml"), text).unwrap();
    let said = promtool(&["check", "rules", "rules.yaml"], &folder, "");
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

/// The metrics that a text names; each must be there, with the labels that are asked for, and values of our own words
/// must be possible.
fn look_up(text: &str, metrics: &Metrics, page: &Page) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("panelgate_") {
        rest = behind;
        if before.ends_with(is_word) {
            continue;
        }
        let name = behind.split(|c| !is_word(c)).next().unwrap_or_default();
        let (series, behind) = (&*format!("panelgate_{name}"), behind.strip_prefix(name).unwrap_or_default());
        let base = base_name(series, |name| metrics.contains_key(name));
        let Some((_, labels)) = metrics.get(&base) else { panic!("there is no {series}") };
        let selector =
            behind.strip_prefix('{').and_then(|behind| behind.split_once('}')).map_or("", |(own, _)| own);
        for matcher in selector.split(',').filter(|matcher| !matcher.trim().is_empty()) {
            let (label, value) = matcher.split_once('=').unwrap_or_else(|| panic!("{series}: {matcher}"));
            let label = label.trim().trim_end_matches('!');
            assert!(ADDED.contains(&label) || labels.contains(label), "{series} has no label {label}");
            let value = value.trim_start_matches('~').trim().trim_matches('"');
            for word in value.split('|').filter(|_| !ADDED.contains(&label)) {
                let has = |own: &str| own == word;
                let known = page.samples.iter().filter(|sample| sample.name.starts_with(&base));
                let known =
                    known.into_iter().any(|sample| sample.labels.get(label).is_some_and(|own| has(own)));
                assert!(known, "{series}: {label} is never {word}");
            }
        }
        found.insert(base);
    }
    found
}

/// Every metric is in docs/metrics.md with its kind and labels, and nothing else is.
fn documented(metrics: &Metrics) {
    let text = fs::read_to_string(repository("docs/metrics.md")).unwrap();
    let code =
        |text: &str| -> BTreeSet<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut told = Metrics::new();
    for line in
        text.lines().filter(|line| line.starts_with("| `panelgate_") || line.starts_with("| `process_"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 4 && cells[3].len() > 10, "{line}");
        told.insert(cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), code(cells[2])));
    }
    for (name, said) in &told {
        assert_eq!(metrics.get(name), Some(said), "docs/metrics.md on {name}");
    }
    let missing: Vec<&String> = metrics.keys().filter(|name| !told.contains_key(*name)).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not tell of {missing:?}");
}
