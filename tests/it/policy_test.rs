//! `policy test`, `policy explain` and what `check` says of tests: exit codes and what scripts read.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::workspace::repository;

const POLICY: &str = "version: 1
roles: [root, user]
pages:
  - name: users
    paths: [\"/users/**\"]
    when: { networks: [10.0.0.0/8], countries: [SE] }
    access: { root: { unelevated: read, elevated: full } }
";

const CONFIG: &str = "version: 1
data_dir: data
sites:
  - name: panel
    origins: [\"https://panel.example.com\"]
    policy: panel.yaml
sidecar: { socket: sidecar.sock }
";

const HOLDS: &str = "defaults: { role: root, path: /users, from: 10.0.0.5, country: SE }
cases:
  - { name: root looks, expect: allow }
  - { name: \"root <changes> & \\\"more\\\" later\", method: POST, expect: step-up }
";

struct Folder(tempfile::TempDir);

/// What the program said.
struct Said {
    code: i32,
    out: String,
    error: String,
}

impl Folder {
    fn new(tests: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put("config.yaml", CONFIG);
        folder.put("panel.yaml", POLICY);
        folder.put("panel.test.yaml", tests);
        folder
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn policy(&self, arguments: &[&str]) -> Said {
        self.run(&[&["policy"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_panelgate"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("PANELGATE_CONFIG", "config.yaml")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
    }
}

#[test]
fn tests_that_hold_end_with_a_count() {
    let folder = Folder::new(HOLDS);
    let summary = "2 passed, 0 failed, coverage 2 of 10 cells (20 %)\n";
    for arguments in [
        &["test"][..],
        &["test", "panel.test.yaml"],
        &["test", "--policy", "panel.yaml"],
        &["test", "--min-coverage", "20"],
    ] {
        let said = folder.policy(arguments);
        assert_eq!((said.code, said.out.as_str(), said.error.as_str()), (0, summary, ""), "{arguments:?}");
    }
    let one = folder.policy(&["test", "--filter", "ROOT LOOKS"]);
    assert_eq!((one.code, one.out.as_str()), (0, "1 passed, 0 failed, coverage 1 of 10 cells (10 %)\n"));
    folder.put("other.yaml", HOLDS);
    let other = folder.policy(&["test", "other.yaml", "panel.test.yaml", "--policy", "panel.yaml"]);
    assert_eq!((other.code, other.out.starts_with("4 passed, 0 failed")), (0, true), "{}", other.out);
}

#[test]
fn what_is_not_asked_about_is_listed_and_can_fail() {
    let folder = Folder::new(HOLDS);
    let said = folder.policy(&["test", "--coverage", "--min-coverage", "21"]);
    assert_eq!(said.code, 1);
    for wanted in [
        "page   who     what\n",
        "users  nobody  read, write\n",
        "users  root    elevated read, elevated write\n",
        "users  user    read, write, elevated read, elevated write\n",
        "panel.yaml: less than 21 % of it is asked about",
    ] {
        assert!(said.out.contains(wanted), "{wanted}\n{}", said.out);
    }
    folder.put("panel.test.yaml", "cases: [{ name: a, role: [root, user], path: /users, expect: deny }]\n");
    let elsewhere = folder.policy(&["test"]);
    assert!(elsewhere.out.contains("2 passed, 0 failed, coverage 0 of"), "{}", elsewhere.out);
}

#[test]
fn a_case_that_fails_says_what_came_instead_and_from_where() {
    let tests = HOLDS.replace("expect: allow", "expect: deny, reason: role-lacks-access");
    let folder = Folder::new(&tests);
    let said = folder.policy(&["test"]);
    assert_eq!(said.code, 1);
    let wanted = "panel.test.yaml:3: failed: root looks: GET /users as root, from 10.0.0.5, in SE, at \
                  2026-01-05T12:00:00Z: expected deny (role-lacks-access), got allow (role-allows) on users\n  \
                  why: root has read before the second factor, and read is needed  (";
    assert!(said.out.contains(wanted), "{}", said.out);
    assert!(
        said.out.contains("panel.yaml:4)\n1 passed, 1 failed, coverage 2 of 10 cells (20 %)\n"),
        "{}",
        said.out
    );

    let json: Value = serde_json::from_str(&folder.policy(&["test", "--json"]).out).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let policy = &json["policies"][0];
    assert_eq!(policy["coverage"]["uncovered"].as_array().unwrap().len(), 8);
    let check = &policy["checks"][0];
    assert_eq!((&check["passed"], &check["line"]), (&false.into(), &3.into()));
    assert_eq!(
        check["got"],
        serde_json::json!({ "outcome": "allow", "reason": "role-allows", "page": "users" })
    );
    assert_eq!(check["expected"]["page"], Value::Null);
}

#[test]
fn what_cannot_be_run_is_told_from_what_fails() {
    let folder = Folder::new(&HOLDS.replace("role: root", "role: rot"));
    for (arguments, code, wanted) in [
        (&["test"][..], 3, "error[T006]: the policy has no role `rot`"),
        (&["test", "panel.test.yaml"], 3, "help: did you mean `root`?"),
        (&["test", "missing.test.yaml"], 3, "missing.yaml: error[C001]"),
        (&["test", "panel.yaml"], 2, "call it NAME.test.yaml"),
        (&["test", "--config", "nowhere.yaml"], 3, "nowhere.yaml: error[C001]"),
        (&["test", "--json", "--junit", "-"], 2, "cannot both be printed"),
        (&["test", "--min-coverage", "101"], 2, "101"),
    ] {
        let said = folder.policy(arguments);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{arguments:?}: {}", said.error);
        assert!(said.error.contains(wanted), "{arguments:?}: {}", said.error);
    }
    folder.put("panel.test.yaml", HOLDS);
    let none = folder.policy(&["test", "--filter", "nothing like it"]);
    assert_eq!((none.code, none.error.contains("no case has `nothing like it` in its name")), (2, true));
    fs::remove_file(folder.0.path().join("panel.test.yaml")).unwrap();
    let none = folder.policy(&["test"]);
    assert_eq!((none.code, none.error.contains("there are no tests")), (3, true), "{}", none.error);
}

/// What Jenkins, GitLab and the others look at.
const READS_JUNIT: &str = r#"
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.stdin).getroot()
assert root.tag == "testsuites", root.tag
known = {
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"classname", "name", "file", "line", "time"},
    "failure": {"message", "type"},
}
def number(node, name): return int(node.get(name))
for suite in root:
    assert suite.tag == "testsuite" and set(suite.keys()) == known["testsuite"], suite.attrib
    assert number(suite, "tests") == len(suite) and number(suite, "errors") == 0
    assert number(suite, "failures") == len(suite.findall("testcase/failure"))
    for case in suite:
        assert case.tag == "testcase" and set(case.keys()) == known["testcase"], case.attrib
        assert float(case.get("time")) == 0 and number(case, "line") > 0
        for failure in case:
            assert failure.tag == "failure" and set(failure.keys()) == known["failure"] and len(failure) == 0
        print(case.get("name"), "|", *[failure.get("message") for failure in case])
assert number(root, "tests") == sum(len(suite) for suite in root)
assert number(root, "failures") == len(root.findall("testsuite/testcase/failure"))
"#;

fn read_junit(file: &Path) -> String {
    let mut python = Command::new("/usr/bin/python3");
    let output = python.args(["-c", READS_JUNIT]).stdin(fs::File::open(file).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn others_read_the_junit_report() {
    let folder = Folder::new(&HOLDS.replace("expect: step-up", "expect: allow"));
    let said = folder.policy(&["test", "--junit", "report.xml"]);
    assert_eq!((said.code, said.out.contains("1 passed, 1 failed")), (1, true), "{}", said.out);
    let report = folder.0.path().join("report.xml");
    assert_eq!(
        read_junit(&report),
        "root looks: GET /users as root, from 10.0.0.5, in SE, at 2026-01-05T12:00:00Z |\n\
         root <changes> & \"more\" later: POST /users as root, from 10.0.0.5, in SE, at 2026-01-05T12:00:00Z | \
         expected allow, got step-up (needs-elevation) on users\n"
    );
    let printed = folder.policy(&["test", "--junit", "-"]);
    assert_eq!((printed.code, printed.out), (1, fs::read_to_string(report).unwrap()));
    let nowhere = folder.policy(&["test", "--junit", "no/such/folder.xml"]);
    assert_eq!((nowhere.code, nowhere.error.contains("cannot be written")), (3, true));
}

#[test]
fn the_shipped_tests_hold_and_ask_about_every_cell() {
    let folder = Folder::new(HOLDS);
    for name in ["panel", "demo"] {
        let tests = repository(&format!("policies/{name}.test.yaml"));
        let said = folder.policy(&["test", tests.to_str().unwrap(), "--min-coverage", "100", "--coverage"]);
        assert_eq!(said.code, 0, "{name}: {}{}", said.out, said.error);
    }
    let config = repository("config.yaml");
    let said = folder.policy(&["test", "--config", config.to_str().unwrap(), "--min-coverage", "100"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.error);
}

/// What is wrong with tests is an error for `check`, and a warning for whoever only wants to run.
#[test]
fn check_runs_the_tests() {
    let folder = Folder::new(HOLDS);
    let said = folder.run(&["check"]);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(
        said.out.contains("panel: 1 pages, open to everybody: none; tests: 2 passed, 0 failed\n"),
        "{}",
        said.out
    );
    folder.put("panel.test.yaml", &HOLDS.replace("expect: allow", "expect: deny"));
    let said = folder.run(&["check"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("panel.test.yaml:3:5: error[T011]: `root looks` does not hold"),
        "{}",
        said.out
    );
    assert!(said.out.contains("tests: 1 passed, 1 failed"), "{}", said.out);
    folder.put("panel.test.yaml", "cases: []\n");
    let said = folder.run(&["check", "--json"]);
    assert_eq!(said.code, 1);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let problems = json["problems"].as_array().unwrap().iter();
    assert!(problems.clone().any(|problem| problem["code"] == "T004"), "{json}");
    assert_eq!(json["sites"][0]["tests"], Value::Null);
}

#[test]
fn explain_takes_the_facts_that_tests_take() {
    let folder = Folder::new(HOLDS);
    let policy = |more: &[&str]| {
        let base = ["explain", "--policy", "panel.yaml", "--role", "root", "--path", "/users"];
        folder.policy(&[&base, more].concat())
    };
    let there = ["--from", "10.0.0.5", "--country", "SE", "--at", "2026-11-25 08:00 Europe/Berlin"];
    let said = policy(&there);
    assert_eq!(said.code, 0, "{}{}", said.out, said.error);
    for wanted in [
        "request     GET /users as root, from 10.0.0.5, in SE, at 2026-11-25T07:00:00Z\n",
        "conditions  met: page networks 10.0.0.0/8  (panel.yaml:6)\n",
        "            met: page countries SE  (panel.yaml:6)\n",
        "outcome     allow  (role-allows): root has read before the second factor, and read is needed\n",
    ] {
        assert!(said.out.contains(wanted), "{wanted}\n{}", said.out);
    }
    for (more, code, wanted) in [
        (&["--method", "POST"][..], 1, "outcome     step-up  (needs-elevation)"),
        (&["--method", "POST", "--elevated"], 0, "outcome     allow  (elevated-allows)"),
        (&["--method", "POST", "--elevated=20m ago"], 1, "the last was 20m ago and counts for 15m"),
        (&["--method-override"], 1, "outcome     step-up"),
        (&["--scopes", "users:read"], 1, "deny  (key-lacks-scope): the page names no scope for read"),
        (&["--acting-as", "user"], 1, "deny  (role-lacks-access): user has none here"),
    ] {
        let said = policy(&[&there, more].concat());
        assert_eq!(
            (said.code, said.out.contains(wanted)),
            (code, true),
            "{more:?}: {}{}",
            said.out,
            said.error
        );
    }
    let nowhere = policy(&["--from", "192.0.2.1"]);
    assert!(nowhere.out.contains("conditions  not met: page networks"), "{}", nowhere.out);
    assert!(nowhere.out.contains("            cannot be evaluated: page countries"), "{}", nowhere.out);
    for (more, wanted) in [
        (&["--at", "noon"][..], "--at: `noon` is not a point of time"),
        (&["--from", "here"], "--from: `here` is not an address"),
        (&["--country", "UK"], "did you mean `GB`?"),
        (&["--scopes", "a", "--elevated"], "--scopes: `scopes` and `elevated` stand together"),
    ] {
        let said = policy(more);
        assert_eq!((said.code, said.error.contains(wanted)), (2, true), "{more:?}: {}", said.error);
    }
    let json: Value = serde_json::from_str(&policy(&[&there[..], &["--json"]].concat()).out).unwrap();
    assert_eq!(json["conditions"][0]["state"], "met");
    assert_eq!((&json["outcome"], &json["outcome_elevated"]), (&"allow".into(), &"allow".into()));
}

/// Where the configuration has a database, the country need not be said.
#[test]
fn explain_does_not_call_the_own_pages_of_the_gate_denied() {
    let folder = Folder::new(HOLDS);
    let own = ["explain", "--policy", "panel.yaml", "--role", "root", "--path", "/_gate/admin"];
    let said = folder.policy(&own);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.error);
    assert!(said.error.contains("`/_gate/admin` is one of the gate's own pages"), "{}", said.error);
}

#[test]
fn explain_looks_the_country_up() {
    let folder = Folder::new(HOLDS);
    let database = repository("tests/data/geoip/GeoLite2-City-Test.mmdb");
    folder.put("config.yaml", &format!("{CONFIG}geoip: {{ city: {} }}\n", database.display()));
    folder.put("panel.yaml", &POLICY.replace("10.0.0.0/8", "89.160.20.0/24"));
    let asked = ["explain", "--role", "root", "--path", "/users", "--from", "89.160.20.112"];
    let said = folder.policy(&asked);
    assert_eq!(said.code, 0, "{}{}", said.out, said.error);
    assert!(said.out.contains("from 89.160.20.112, in SE, at "), "{}", said.out);
    let told = folder.policy(&[&asked[..], &["--country", "DE"]].concat());
    assert_eq!((told.code, told.out.contains("(outside-countries)")), (1, true), "{}", told.out);
}
