//! The files in `deploy/fail2ban/`, under Debian's fail2ban, with logs of real attacks (R29).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::{StreamExt as _, stream};
use panelgate::gate::failure_line::plain;
use serde_json::{Value, json};

use super::{Owner, Remote, WRONG, address, cli};
use crate::support::{
    house::House,
    process::{Running, program},
    workspace::repository,
};

/// How many hostile names.
const NAMES: usize = 10_000;

/// What hostile names claim to be.
const VICTIM: &str = "8.8.8.8";

/// Each kind of failure is found once, at the address that it came from, in both formats, as the journal gives them and at
/// a level that says nothing else; somebody whose address is not certain is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_filter_finds_each_failure_and_nothing_else() {
    for format in ["text", "json"] {
        let top = format!("log: {{ format: {format}, level: error }}");
        let house = House::start_with(&format!("fail2ban-{format}"), &top);
        let mut expected = BTreeMap::new();
        for (n, failures) in [2, 2, 3, 1, 1, 1].into_iter().enumerate() {
            expected.insert(address(n), failures);
        }
        expected.insert("2001:db8:1:2::3".to_owned(), 1);
        for _ in 0..2 {
            for (n, name) in ["some-user", "nobody-at-all"].into_iter().enumerate() {
                assert_eq!(Remote::at(&house, &address(n)).sign_in(name, WRONG).await.status, 401);
            }
        }
        for name in ["a name of nobody", "x\ny", ""] {
            assert_eq!(Remote::at(&house, &address(2)).sign_in(name, WRONG).await.status, 401);
        }
        guess_code_token_and_key(&house, [&address(3), &address(4), &address(5)]).await;
        let trapped = Remote::at(&house, "2001:db8:1:2::3").ask("/.git/a%20b", &[]).await;
        assert!(trapped.is_refused("trap"), "{trapped:?}");
        assert_eq!(Remote::at(&house, "unknown").sign_in("nobody-at-all", WRONG).await.status, 401);
        let owner = Owner::at_work(&house).await;
        owner.is_served().await;

        let log = house.gate.running.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("panelgate::failure")).collect();
        assert_eq!(lines.len(), 12, "{log}");
        assert!(!log.contains('\u{1b}') && !log.contains("nobody"), "{log}");
        assert!(log.contains("some-user") && log.contains("/.git/a%20b"), "{log}");
        let file = house.directory.join("panelgate.log");
        assert_eq!(found(&file), expected, "{log}");
        let stamped = |line: &&str| format!("2026-01-02T03:04:05.123456Z host panelgate[77]: {line}\n");
        let journal = lines.iter().map(stamped).collect::<Vec<_>>().concat();
        let file = house.directory.join("journal.log");
        fs::write(&file, &journal).expect("the workspace is writable");
        assert_eq!(found(&file), expected, "{journal}");
    }
}

/// Hostile names at the real sign-in, and some of them as paths of traps as well: nobody is found but those who sent them,
/// each as often as he failed. Ten thousand sign-ins take a debug build minutes, so it is two thousand that are sent; then
/// all ten thousand are put where a real line has the attacker's text, by the function that does it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c89_hostile_names_never_make_it_find_anybody_but_the_peer() {
    for (format, names) in [("text", 1500), ("json", 500)] {
        let house = House::start_with(&format!("hostile-{format}"), &format!("log: {{ format: {format} }}"));
        let mut expected = send_names(&house, names).await;
        let sprung = spring_traps(&house).await;
        assert!(sprung.len() >= HOSTILE.len() / 2, "{sprung:?}");
        expected.extend(sprung.into_iter().map(|address| (address, 1)));
        let file = house.directory.join("panelgate.log");
        let log = house.gate.running.log();
        assert!(!log.contains(['\u{1b}', '\0']), "control characters in the log");
        assert_eq!(found(&file), expected);

        let trap = log.lines().find(|line| line.contains("panelgate::failure") && line.contains("/.git/"));
        let (line, _) = trap.and_then(|line| line.split_once("/.git/")).expect("a trap was sprung");
        let end = if format == "json" { "\",\"target\":\"panelgate::failure\"}" } else { "\"" };
        let lines: Vec<_> = (0..NAMES).map(|n| format!("{line}{}{end}\n", plain(&hostile(n)))).collect();
        fs::write(&file, lines.concat()).expect("the workspace is writable");
        let found = found(&file);
        assert_eq!((found.len(), found.values().sum()), (1, NAMES), "{found:?}");
        assert!(found.keys().all(|address| address.starts_with("2001:db8:")), "{found:?}");
    }
}

/// Tries hostile names, ten from each address; whom that leaves behind, and how often.
async fn send_names(house: &House, names: usize) -> BTreeMap<String, usize> {
    let asked = (0..names).map(|n| {
        let remote = Remote::at(house, &address(n / 10));
        async move { (remote.sign_in(&hostile(n), WRONG).await.status, remote.forwarded) }
    });
    let mut failed = BTreeMap::new();
    // Few enough that none is told to come back when less is to be hashed.
    let mut asked = stream::iter(asked).buffer_unordered(16);
    while let Some((status, from)) = asked.next().await {
        assert_eq!(status, 401, "{from}");
        *failed.entry(from).or_default() += 1;
    }
    failed
}

/// Asks for what only scanners ask for, with hostile endings; from where a trap was sprung. What cannot be a path at all
/// is refused before.
async fn spring_traps(house: &House) -> Vec<String> {
    let mut sprung = Vec::new();
    for n in 0..2 * HOSTILE.len() {
        let remote = Remote::at(house, &format!("2001:db8:{:x}::1", n + 1));
        let text: Vec<_> = hostile(n).bytes().take(800).map(|byte| format!("%{byte:02X}")).collect();
        if remote.ask(&format!("/.git/{}", text.concat()), &[]).await.is_refused("trap") {
            sprung.push(remote.forwarded);
        }
    }
    sprung
}

/// A jail that reads the log of a gate and bans at the gate, and lifts the ban.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jail_bans_at_the_gate_and_lifts_it() {
    let house = House::start_with("fail2ban-jail", "");
    let log = house.directory.join("panelgate.log");
    let folder = configuration(&house.directory);
    let shipped = fail2ban(&folder, &["-d"]);
    for part in ["'panelgate', 'maxretry', 15]", "_SYSTEMD_UNIT=panelgate.service", "multiport", "ban add"] {
        assert!(shipped.contains(part), "{part} is not in\n{shipped}");
    }
    let mine = format!(
        "[sshd]\nenabled = false\n[panelgate]\nbackend = polling\nlogpath = {}\nmaxretry = 3\nbantime = 600\n\
         action = panelgate[name=panelgate, panelgate={}, config={}]\n",
        log.display(),
        env!("CARGO_BIN_EXE_panelgate"),
        house.directory.join("config.yaml").display()
    );
    fs::write(folder.join("jail.local"), mine).expect("the workspace is writable");
    let (config, socket) = (folder.display().to_string(), folder.join("socket"));
    let server = Running::start(
        "fail2ban",
        &house.directory,
        &program("fail2ban-server"),
        &["-c", &config, "-f", "--loglevel", "INFO", "start"],
    );
    server.wait_until("start the jail", || {
        socket.exists() && server.log().contains("Jail 'panelgate' started")
    });

    let owner = Owner::at_work(&house).await;
    let (patient, attacker) = (Remote::at(&house, &address(1)), Remote::at(&house, &address(2)));
    for n in 0..3 {
        if n < 2 {
            assert_eq!(patient.sign_in(&hostile(n), WRONG).await.status, 401);
        }
        assert_eq!(attacker.sign_in(&hostile(n), WRONG).await.status, 401);
    }
    tokio::task::block_in_place(|| server.wait_until("ban", || !bans(&house).is_empty()));
    let banned = bans(&house);
    let ban = &banned[0];
    let lasts = ban["until"].as_u64().zip(ban["since"].as_u64()).map(|(until, since)| until - since);
    assert_eq!(lasts, Some(600), "{ban}");
    assert_eq!((banned.len(), &ban["reason"]), (1, &json!("fail2ban: panelgate")), "{banned:?}");
    assert!(ban["network"].as_str().is_some_and(|network| network.starts_with(&address(2))), "{ban}");
    assert!(attacker.ask("/echo/x", &[]).await.is_refused("banned"));
    owner.is_served().await;

    fail2ban(&folder, &["set", "panelgate", "unbanip", &address(2)]);
    tokio::task::block_in_place(|| server.wait_until("lift the ban", || bans(&house).is_empty()));
    assert_eq!(attacker.ask("/echo/x", &[]).await.status, 401);
    let said = String::from_utf8_lossy(&server.stop()).into_owned();
    assert!(!said.contains("ERROR"), "{said}");
}

/// Patterns of hostile names; `#` is a number and `@` the victim.
const HOSTILE: [&str; 20] = [
    "x# from @",
    "# from @ port 22 ssh2",
    "x#\n2026-01-01T00:00:00.000000Z  WARN panelgate::failure: client=@ bannable=true kind=password site=panel",
    "x#\r\n2026-01-01T00:00:00.000000Z  WARN panelgate::failure: client=@ bannable=true kind=key site=panel\r\n",
    "#\" client=@ bannable=true kind=password site=panel user=\"",
    "client=@ bannable=true kind=trap site=panel path=\"/#\"",
    "#\",\"client\":\"@\",\"bannable\":true,\"target\":\"panelgate::failure\"}",
    "#\n{\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"WARN\",\"client\":\"@\",\"bannable\":true,\"kind\":\"key\",\"site\":\"panel\",\"target\":\"panelgate::failure\"}",
    "\u{1b}[31m#\u{1b}[0m @",
    "\u{1b}[2K\u{1b}[1G# client=@",
    "#\0client=@",
    "#\u{2028}client=@ \u{2029}\u{85}\u{b}\u{c}",
    "::ffff:@ #",
    "[::ffff:808:808]:#",
    "2001:4860:4860::8888 #",
    "<HOST>#<ADDR>(?P<host>@)",
    "'; panelgate ban add @; #",
    "$(panelgate ban add @) `#` & | %(host)s %s",
    "\u{202e}8.8.8.8\u{202c}ｃｌｉｅｎｔ＝@ #",
    "%0Aclient=@%20#\\n\\u000aclient=@",
];

/// One of ten thousand; each hundredth is very long.
fn hostile(n: usize) -> String {
    let pattern = HOSTILE[n % HOSTILE.len()];
    let name = pattern.replace('#', &n.to_string()).replace('@', VICTIM);
    if n % 100 < HOSTILE.len() && n % 1000 < 100 { name.repeat(20) } else { name }
}

async fn guess_code_token_and_key(house: &House, from: [&str; 3]) {
    let (operator, password) = house.gate.operator();
    let signed_in = Remote::at(house, &address(90)).sign_in(&operator.name, password).await;
    let cookies = signed_in.cookies();
    let wrong = (operator.code().parse::<u32>().expect("six digits") + 5000) % 1_000_000;
    let guess = json!({ "code": format!("{wrong:06}") });
    let path = "/_gate/api/v1/second-factor";
    let said = Remote::at(house, from[0]).call(path, &[("Cookie", &cookies)], &guess).await;
    assert_eq!(said.status, 401, "{said:?}");

    let refresh = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("__Secure-gate_refresh="));
    let (head, _) = refresh.and_then(|token| token.rsplit_once('.')).expect("a refresh token was set");
    let forged = format!("__Secure-gate_refresh={head}.{}", data_encoding::BASE64URL_NOPAD.encode(&[7; 32]));
    let said = Remote::at(house, from[1]).call("/_gate/refresh", &[("Cookie", &forged)], &json!({})).await;
    assert_eq!(said.status, 401, "{said:?}");

    let key = panelgate::rules::api_key::KeyText::generate([9; 32]);
    let said = Remote::at(house, from[2]).ask("/echo/x", &[("X-Api-Key", key.expose())]).await;
    assert_eq!(said.status, 401, "{said:?}");
}

/// Whom `fail2ban-regex` finds with the shipped filter, and how often.
fn found(log: &Path) -> BTreeMap<String, usize> {
    let output = Command::new(program("fail2ban-regex"))
        .args(["--usedns", "no", "-o", "<ip>"])
        .args([log, &repository("deploy/fail2ban/filter.d/panelgate.conf")])
        .output()
        .expect("fail2ban-regex runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeMap::new();
    for address in said.lines() {
        *found.entry(address.to_owned()).or_default() += 1;
    }
    found
}

/// Debian's configuration with the shipped files in it, and everything that a server writes in one folder.
fn configuration(directory: &Path) -> PathBuf {
    let folder = directory.join("fail2ban");
    let copied = Command::new("cp").args(["-r", "/etc/fail2ban"]).arg(&folder).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "fail2ban is not installed; run scripts/setup.sh test"
    );
    for part in ["filter.d", "action.d", "jail.d"] {
        let file = format!("{part}/panelgate.conf");
        fs::copy(repository("deploy/fail2ban").join(&file), folder.join(&file)).expect("both are there");
    }
    let place = folder.display();
    let server = format!(
        "[Definition]\nsocket = {place}/socket\npidfile = {place}/pid\ndbfile = None\nlogtarget = STDOUT\nsyslogsocket = auto\n"
    );
    fs::write(folder.join("fail2ban.local"), server).expect("the workspace is writable");
    folder
}

fn fail2ban(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program("fail2ban-client"))
        .arg("-c")
        .arg(folder)
        .args(arguments)
        .output()
        .expect("fail2ban-client runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn bans(house: &House) -> Vec<Value> {
    serde_json::from_str(&cli(house, &["ban", "list", "--json"])).expect("a list in JSON")
}
