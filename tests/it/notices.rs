//! A sign-in from somewhere new, told by a real mail server that wants STARTTLS and a password.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    certificates,
    gate::{self, Gate, HOST, More},
    ports,
    process::Running,
    workspace,
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";

struct MailServer {
    port: u16,
    letters: PathBuf,
    _running: Running,
}

impl MailServer {
    fn start(directory: &Path) -> Self {
        certificates::issue(directory, "127.0.0.1");
        let (port, letters) = (ports::free(), directory.join("letters"));
        fs::create_dir_all(&letters).unwrap();
        let script = workspace::repository("tests/it/support/mail_server.py");
        let arguments = [
            script.display().to_string(),
            port.to_string(),
            letters.display().to_string(),
            directory.join("chain.pem").display().to_string(),
            directory.join("key.pem").display().to_string(),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // Debian's own, which has Debian's packages.
        let running = Running::start("mail", directory, Path::new("/usr/bin/python3"), &arguments);
        running.wait_for_port(port);
        Self { port, letters, _running: running }
    }

    fn letter(&self, number: usize) -> Option<Value> {
        let file = self.letters.join(format!("{number}.json"));
        for _ in 0..200 {
            if let Ok(text) = fs::read(&file) {
                return Some(serde_json::from_slice(&text).unwrap());
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        None
    }
}

/// Asks the portal through the sidecar, as a proxy would, and gives the whole answer.
fn ask(gate: &Gate, (from, agent): (&str, &str), line: &str, cookie: &str, body: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (secret, length) = (&gate.secret, body.len());
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: {from}\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: {HOST}\r\nX-Gate-Proxy-Secret: {secret}\r\nUser-Agent: {agent}\r\n\
         Sec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\nContent-Length: {length}\r\nConnection: close\r\n"
    );
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    stream.write_all(format!("{request}Content-Type: {kind}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn sign_in(gate: &Gate, from: &str, agent: &str) -> String {
    let (name, password) = gate::user("user");
    let body = serde_json::json!({ "username": name, "password": password }).to_string();
    let answer = ask(gate, (from, agent), "POST /_gate/api/v1/sign-in", "", &body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.split("__Host-gate_access=").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

fn is_in(gate: &Gate, token: &str) -> bool {
    let cookie = format!("__Host-gate_access={token}");
    ask(gate, ("192.0.2.1", FIREFOX), "GET /_gate/api/v1/session", &cookie, "").starts_with("HTTP/1.1 200")
}

/// Undoes quoted-printable (RFC 2045 §6.7).
fn decoded(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'=');
        let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_letter_arrives_by_starttls_and_password_and_its_link_signs_that_device_out() {
    let directory = workspace::directory("notices");
    let mail = MailServer::start(&directory);
    gate::write_privately(&directory.join("mail.secret"), "mail-pass\n");
    let database = workspace::repository("tests/data/geoip/GeoLite2-City-Test.mmdb");
    let more = format!(
        "geoip: {{ city: {} }}\nnotices:\n  smtp: {{ host: 127.0.0.1, port: {}, tls: starttls, user: panel, \
         password_file: mail.secret, from: \"Panel <panel@example.com>\", ca: ca.pem }}\n",
        database.display(),
        mail.port
    );
    let gate = Gate::start_with(&directory, Duration::from_secs(900), &More { top: more, ..More::default() });
    let home = sign_in(&gate, "81.2.69.142", FIREFOX);
    let away = sign_in(&gate, "89.160.20.112", CHROME);
    let letter = mail.letter(1).unwrap_or_else(|| panic!("no letter:\n{}", gate.log_tail()));
    assert_eq!((&letter["tls"], &letter["user"]), (&true.into(), &"panel".into()));
    assert_eq!(letter["to"], serde_json::json!(["some-user@example.com"]), "and nobody else: {letter}");
    let text = letter["text"].as_str().unwrap();
    assert!(text.contains("\r\nSubject: New sign-in to "), "{text}");
    let body = decoded(text.split_once("\r\n\r\n").unwrap().1);
    for line in ["Chrome on Windows", "Linköping, Sweden", "89.160.20.112"] {
        assert!(body.contains(line), "{line}: {body}");
    }
    let link = body.lines().find(|line| line.contains("/_gate/not-me?t=")).unwrap().trim();
    let target = link.strip_prefix(&format!("https://{HOST}")).unwrap();
    let page = ask(&gate, ("192.0.2.9", "Mail/1.0"), &format!("GET {target}"), "", "");
    assert!(page.contains("Linköping, Sweden") && is_in(&gate, &away), "{page}");
    let form = page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("form={form}&t={}", target.split_once("t=").unwrap().1);
    let done = ask(&gate, ("192.0.2.9", "Mail/1.0"), "POST /_gate/not-me", "", &body);
    assert!(done.contains("The session was revoked"), "{done}");
    assert!(!is_in(&gate, &away) && is_in(&gate, &home));
    assert!(!mail.letters.join("2.json").exists(), "one letter for one sign-in");
    assert!(!gate.log_tail().contains("mail-pass") && !gate.log_tail().contains("not-me?t="), "R29");
}
