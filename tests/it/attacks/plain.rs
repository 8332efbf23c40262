//! Plain questions are read and answered without the HTTP engine; nobody may be able to tell.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, timeout},
};

use crate::support::{gate::HOST, house::House};

/// Status line, fields in their order, and body of one answer; what differs from answer to answer is taken out.
#[derive(Debug, PartialEq)]
struct Answer {
    status: String,
    fields: BTreeMap<String, Vec<String>>,
    body: String,
}

async fn ask(house: &House, method: &str, target: &str, more: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {HOST}\r\nX-Gate-Proxy-Secret: {}\r\nX-Forwarded-For: 192.0.2.7\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {HOST}\r\n\
         X-Forwarded-Uri: /echo/x\r\nX-Original-Method: GET\r\nX-Original-URL: https://{HOST}/echo/x\r\n{more}\r\n",
        house.gate.secret
    );
    let asked = async {
        let mut stream =
            TcpStream::connect(("127.0.0.1", house.gate.port)).await.expect("the sidecar listens");
        stream.write_all(head.as_bytes()).await.expect("the sidecar reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the sidecar answers");
        answer
    };
    let answer = timeout(Duration::from_secs(20), asked).await.expect("an answer within 20 s");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default().to_owned();
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in lines.map(|line| line.split_once(": ").expect("a field")) {
        // Each decision has a name of its own, and each second a date.
        let value = if ["x-gate-decision", "x-gate-outcome", "date"].contains(&name) { "-" } else { value };
        fields.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    Answer { status, fields, body: without_names(body) }
}

/// The text without names of decisions, such as `7K3F-92QD`.
fn without_names(text: &str) -> String {
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let name = |at: &usize| {
        let piece = text.as_bytes().get(*at..at + 9)?;
        let named =
            piece.iter().enumerate().all(|(at, byte)| if at == 4 { *byte == b'-' } else { letter(*byte) });
        named.then(|| text.get(*at..at + 9)).flatten()
    };
    let names = (0..text.len()).filter_map(|at| name(&at));
    names.fold(text.to_owned(), |text, name| text.replace(name, "-"))
}

#[tokio::test]
async fn a_plain_question_gets_the_very_answer_that_the_engine_gives() {
    let house = House::start("plain-question");
    let browser = house.somebody().await;
    let cookies = browser.cookies("/echo/x").expect("somebody has signed in");
    let signed_in = format!("Cookie: theme=dark; {cookies}\r\nAuthorization: Basic cGFuZWw6c2VjcmV0\r\n");
    let mut seen = Vec::new();
    for target in ["/api/authz/auth-request", "/api/authz/forward-auth", "/api/authz/ext-authz/echo/x"] {
        for who in [signed_in.as_str(), "", "Accept: text/html\r\n", "Cookie: __Host-gate_at=nonsense\r\n"] {
            for method in ["GET", "HEAD", "POST"] {
                let short = ask(&house, method, target, &format!("{who}Connection: close\r\n")).await;
                // One byte of body, and the engine has to read it.
                let whole = format!("{who}Connection: close\r\nContent-Length: 1\r\n\r\nx");
                let whole = ask(&house, method, target, &whole).await;
                assert_eq!(short, whole, "{method} {target} {who}");
                seen.push(short.status);
            }
        }
    }
    for status in ["200 OK", "401 Unauthorized"] {
        assert!(seen.iter().any(|line| line.ends_with(status)), "{status} is not among {seen:?}");
    }
}
