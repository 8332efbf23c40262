//! A proxy that asks the sidecar for clients wherever they are.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, timeout},
};

use crate::support::{gate::HOST, house::House};

/// A client behind the proxy.
pub(super) struct Remote<'a> {
    pub(super) house: &'a House,
    /// What the proxy appends to `X-Forwarded-For`; before it stands what the client has sent.
    pub(super) forwarded: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl<'a> Remote<'a> {
    pub(super) fn at(house: &'a House, address: &str) -> Self {
        Self { house, forwarded: address.to_owned() }
    }

    /// Tries a password.
    pub(super) async fn sign_in(&self, name: &str, password: &str) -> Said {
        self.call("/_gate/api/v1/sign-in", &[], &json!({ "username": name, "password": password })).await
    }

    /// Calls the portal.
    pub(super) async fn call(&self, path: &str, more: &[(&str, &str)], body: &Value) -> Said {
        self.send("POST", path, more, &body.to_string()).await
    }

    /// Whether a request for the panel is allowed.
    pub(super) async fn ask(&self, target: &str, more: &[(&str, &str)]) -> Said {
        let ask = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", target)];
        self.send("GET", "/api/authz/forward-auth", &[&ask, more].concat(), "").await
    }

    async fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Said {
        let gate = &self.house.gate;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nX-Gate-Proxy-Secret: {}\r\n\
             X-Forwarded-For: {}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {HOST}\r\nOrigin: https://{HOST}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            gate.secret,
            self.forwarded,
            body.len()
        );
        for (name, value) in more {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", gate.port)).await.expect("the sidecar listens");
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("the sidecar reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("the sidecar answers");
            answer
        };
        let answer = timeout(Duration::from_secs(20), asked).await.expect("an answer within 20 s");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Said { status: status.expect("a status line"), head: head.to_owned(), body: body.to_owned() }
    }
}

impl Said {
    /// The seconds of `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let line = self
            .head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
        line.and_then(|value| value.trim().parse().ok())
    }

    /// The cookies that it sets, as they are sent back.
    pub(super) fn cookies(&self) -> String {
        let set = self.head.lines().filter_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default())
        });
        set.collect::<Vec<_>>().join("; ")
    }

    /// Whether it is a refusal for this reason, with the name of its decision.
    pub(super) fn is_refused(&self, reason: &str) -> bool {
        self.status == 403
            && self.body.contains(&format!("\"reason\":\"{reason}\""))
            && self.body.contains("\"decision\":")
    }
}
