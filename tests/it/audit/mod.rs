//! The audit trail of the running gate: on a disk that is full, over a change of processes, and for other programs.

mod forms;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    browser::{Browser, background},
    gate,
    house::{House, signal},
};

/// The records of a house, with the event of each.
fn records(house: &House) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(house.directory.join("data/audit"))
        .expect("there is a trail")
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("it is readable")).collect();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn audit(house: &House, words: &[&str]) -> (bool, String) {
    let config = house.directory.join("config.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_panelgate"));
    let output = command.arg("audit").args(words).args(["--config", &config.display().to_string()]).output();
    let output = output.expect("panelgate runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Asks the daemon for a record of this length: the trail becomes larger than every other file that the gate writes.
fn grow(house: &House, bytes: usize) {
    let config = house.read("config.yaml");
    let socket = config.lines().find_map(|line| line.trim().strip_prefix("admin:")).map_or_else(
        || house.directory.join("data/admin.socket"),
        |line| line.trim_matches([' ', '{', '}']).trim_start_matches("socket:").trim().into(),
    );
    let mut stream =
        UnixStream::connect(&socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    let asked = json!({ "do": "note-rotated", "what": "x".repeat(bytes) });
    writeln!(stream, "{asked}").expect("the daemon reads");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("the daemon answers");
    assert!(answer.contains("done"), "{answer}");
}

/// Whichever file is written to, it cannot grow beyond this: what a full disk does to the largest one.
fn limit(house: &House, bytes: &str) {
    let pid = house.serving().to_string();
    let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(set.is_ok_and(|status| status.success()), "the limit cannot be set");
}

async fn sign_in(house: &House) -> (Browser, crate::support::client::Answer) {
    let browser = Browser::new(house.client());
    let (name, password) = gate::user("user");
    let answer = browser.api("POST", "sign-in", &json!({ "username": name, "password": password })).await;
    (browser, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_on_a_full_disk_what_needs_a_record_is_refused_and_goes_on_when_there_is_room() {
    let house = House::start("audit-full");
    let (somebody, leaver) = (house.somebody().await, house.somebody().await);
    tokio::task::block_in_place(|| grow(&house, 12 << 20));
    let file =
        fs::metadata(house.directory.join("data/audit/trail-000000000001.jsonl")).expect("it is there");
    limit(&house, &(file.len() + 300).to_string());
    house
        .wait_until("it is seen before a record meets it", || {
            house.metrics("/readyz").contains("[-]audit-trail")
        })
        .await;
    let before = records(&house).len();
    let (_, second) = sign_in(&house).await;
    assert_eq!(
        (second.status, second.json()["reason"].as_str()),
        (503, Some("audit-unavailable")),
        "{second:?}"
    );
    assert_eq!(somebody.refresh().await.status, 503);
    let ready = house.metrics("/readyz");
    assert!(ready.contains("[-]audit-trail since") && ready.starts_with("HTTP/1.0 200"), "{ready}");
    assert!(house.gate.running.log().contains("make room on that disk"), "{}", house.gate.log_tail());
    // What is not audited goes on, and whoever wants to go may.
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    assert!(leaver.api("POST", "sign-out", &json!({})).await.status < 300);
    assert_eq!(leaver.background("GET", "/echo/x").await.status, 401);
    let config = house.directory.join("config.yaml").display().to_string();
    let ban = Command::new(env!("CARGO_BIN_EXE_panelgate"))
        .args(["user", "role", "some-user", "reader", "--config", &config])
        .output()
        .expect("panelgate runs");
    let said = String::from_utf8_lossy(&ban.stderr).into_owned();
    assert!(!ban.status.success() && said.contains("the audit trail cannot be written"), "{said}");
    // Another process would begin without what waits here.
    signal("USR2", house.serving());
    house
        .wait_until("the hand-over is refused", || {
            house.metrics("/readyz").contains("records wait here for it")
        })
        .await;
    assert!(!house.gate.running.log().contains("it is given the store"), "{}", house.gate.log_tail());
    assert_eq!(records(&house).len(), before);

    limit(&house, "unlimited");
    house.wait_until("the trail goes on", || !house.metrics("/readyz").contains("audit-trail")).await;
    assert_eq!(sign_in(&house).await.1.status, 200);
    let events: Vec<_> = records(&house)[before..].iter().map(|one| one["event"].to_string()).collect();
    assert!(events.contains(&"\"signed-out\"".to_owned()), "what was held back is there: {events:?}");
    assert!(events.iter().filter(|event| *event == "\"session-opened\"").count() == 1, "{events:?}");
    let (intact, text) = audit(&house, &["verify"]);
    assert!(intact, "{text}");
}

/// What the old process is still asked for is in the trail, which the new one writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_what_happens_in_the_old_process_is_in_the_new_ones_trail_before_it_is_answered() {
    let house = House::start("audit-handover");
    let (first, second) = (house.client().connect().await, house.client().connect().await);
    tokio::task::block_in_place(|| house.replace());
    assert!(!house.gate.running.has_ended(), "the old process holds the connections");
    let newcomer = Browser::new(house.client());
    let (name, password) = gate::user("user");
    let ask = |password: &str| {
        let credentials = json!({ "username": name, "password": password }).to_string();
        background("POST", "/_gate/api/v1/sign-in").body("application/json", credentials)
    };
    let of =
        |event: &str| records(&house).into_iter().filter(|one| one["event"] == event).collect::<Vec<_>>();
    assert_eq!(newcomer.send_over(first, ask("wrong, and long enough")).await.status, 401);
    let failed = of("sign-in-failed");
    assert_eq!((failed.len(), failed[0]["user"].as_str()), (1, Some(&*name)), "{failed:?}");
    assert_eq!(newcomer.send_over(second, ask(password)).await.status, 200);
    let opened = of("session-opened");
    let last = opened.last().expect("it is there when the answer is");
    assert_eq!((last["user"].as_str(), last["outcome"].as_str()), (Some(&*name), Some("done")), "{opened:?}");
    assert!(
        last["client"].is_string() && last["decision"].is_string() && last["device"].is_string(),
        "{last}"
    );
    let order: Vec<_> = records(&house).iter().map(|one| one["seq"].as_u64()).collect();
    assert!(order.is_sorted(), "{order:?}");
    house.wait_until("the hand-over is written down", || !of("handed-over").is_empty()).await;
    let (intact, text) = audit(&house, &["verify"]);
    assert!(intact, "{text}");
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Whoever follows is told what is new, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_the_trail_hears_what_happens_from_then_on() {
    let house = House::start("audit-follow");
    house.somebody().await;
    let config = house.directory.join("config.yaml").display().to_string();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_panelgate"))
        .args(["audit", "tail", "-n", "0", "-f", "--json", "--config", &config])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("panelgate runs");
    let (told, heard) = std::sync::mpsc::channel();
    let lines = std::io::BufRead::lines(BufReader::new(tail.stdout.take().expect("it is piped")));
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line)));
    let mut first = None;
    // It may not follow yet when the first of them happen.
    for _ in 0..20 {
        house.somebody().await;
        if let Ok(line) = heard.recv_timeout(Duration::from_secs(2)) {
            first = Some(line);
            break;
        }
    }
    let ended = tail.try_wait().expect("it can be asked");
    tail.kill().expect("it runs");
    tail.wait().expect("it ends");
    let first: Value = serde_json::from_str(&first.expect("nothing was told")).expect("it is JSON");
    assert_eq!(first["event"], "session-opened", "{first}");
    assert!(first["seq"].as_u64() > Some(2), "what was there before was not asked for: {first}");
    assert!(ended.is_none(), "it ended by itself: {ended:?}");
}

/// Runs a command that is to succeed.
fn command(house: &House, words: &[&str]) -> String {
    let config = house.directory.join("config.yaml").display().to_string();
    let output =
        Command::new(env!("CARGO_BIN_EXE_panelgate")).args(words).args(["--config", &config]).output();
    let output = output.expect("panelgate runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_records_say_what_was_done_and_to_whom() {
    let house = House::start("audit-what");
    let somebody = house.somebody().await;
    let (name, _) = gate::user("user");
    let hash = format!("$2b$12${}", ".".repeat(53));
    let users = house.directory.join("users.json");
    fs::write(&users, json!([{ "name": name, "role": "reader", "password_hash": hash }]).to_string())
        .expect("the workspace is writable");
    let list = house.directory.join("list.txt");
    fs::write(&list, "192.0.2.0/28\n192.0.2.99\n").expect("the workspace is writable");
    assert!(somebody.api("POST", "sign-out", &json!({})).await.status < 300);
    command(&house, &["user", "role", &name, "reader"]);
    command(&house, &["user", "role", &name, "user"]);
    command(&house, &["user", "import", "--update", &users.display().to_string()]);
    command(&house, &["ban", "import", &list.display().to_string()]);
    command(&house, &["ban", "add", "192.0.2.200", "--reason", "turns \u{202e}round"]);
    let of = |event: &str| {
        let found = records(&house).into_iter().rev().find(|one| one["event"] == event);
        found.unwrap_or_else(|| panic!("no {event}"))
    };
    let role = of("role-set");
    assert_eq!(
        (role["user"].as_str(), role["before"].as_str(), role["role"].as_str()),
        (Some(&*name), Some("reader"), Some("user"))
    );
    let imported = of("user-imported");
    assert_eq!(
        (&imported["user"], &imported["before"], &imported["role"], &imported["new"]),
        (&json!(name), &json!("user"), &json!("reader"), &json!(false)),
        "{imported}"
    );
    assert_eq!(of("bans-listed")["whom"], "192.0.2.0/28 192.0.2.99/32");
    assert_eq!(of("signed-out")["user"], json!(name));
    assert_eq!(of("banned")["reason"], "turns \u{202e}round");
}

/// A folder that cannot take the files leaves no record that says they are there, and the trail's own folder is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_archive_says_nothing_before_the_files_are_where_they_go() {
    let house = House::start("audit-archive");
    tokio::task::block_in_place(|| grow(&house, 17 << 20));
    let _ = sign_in(&house).await;
    // What is of this second is not older.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let own = house.directory.join("data/audit").display().to_string();
    let file = house.directory.join("config.yaml").display().to_string();
    for (to, why) in [(&own, "in the folder of the trail itself"), (&file, "config.yaml")] {
        let (done, said) = audit(&house, &["archive", "--before", "0s", to]);
        assert!(!done && said.contains(why), "{said}");
    }
    let archived = |records: Vec<Value>| records.iter().any(|one| one["event"] == "trail-archived");
    assert!(!archived(records(&house)));
    assert!(house.directory.join("data/audit/trail-000000000001.jsonl").exists());
    let elsewhere = house.directory.join("elsewhere");
    let (done, said) = audit(&house, &["archive", "--before", "0s", &elsewhere.display().to_string()]);
    assert!(done && archived(records(&house)), "{said}");
    assert!(elsewhere.join("trail-000000000001.jsonl").exists());
    assert!(!house.directory.join("data/audit/trail-000000000001.jsonl").exists());
    let (intact, text) = audit(&house, &["verify"]);
    assert!(intact, "{text}");
}
