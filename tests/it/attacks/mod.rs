//! Attacks, bounded and from loopback alone: each ends in the limit that docs/limits.md states, and somebody with good
//! intentions is served throughout.

mod fail2ban;
mod guessing;
mod networks;
mod places;
mod plain;
mod wire;

use serde_json::json;

use self::wire::Remote;
use crate::support::{browser::Browser, gate, house::House};

const WRONG: &str = "a wrong guess that is long enough";

/// Somebody who is at work while the attack goes on.
struct Owner {
    browser: Browser,
}

impl Owner {
    async fn at_work(house: &House) -> Self {
        Self { browser: house.somebody().await }
    }

    /// He is served.
    async fn is_served(&self) {
        let answer = self.browser.background("GET", "/echo/x").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// He is served, and can sign in once more from where he is.
    async fn can_sign_in(&self) {
        self.is_served().await;
        let (name, password) = gate::user("user");
        let again = Browser::new(self.browser.client.clone());
        let body = json!({ "username": name, "password": password });
        let answer = again.api("POST", "sign-in", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Statuses in a row, and how often each came: `401×5 429×3`.
fn runs(statuses: &[u16]) -> String {
    let mut runs: Vec<(u16, usize)> = Vec::new();
    for status in statuses {
        match runs.last_mut() {
            Some((last, count)) if last == status => *count += 1,
            _ => runs.push((*status, 1)),
        }
    }
    let runs: Vec<String> = runs.iter().map(|(status, count)| format!("{status}×{count}")).collect();
    runs.join(" ")
}

/// An address of nobody else.
fn address(n: usize) -> String {
    format!("198.18.{}.{}", n / 250, n % 250 + 1)
}

/// The command line, at a house.
fn cli(house: &House, arguments: &[&str]) -> String {
    let config = house.directory.join("config.yaml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_panelgate"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
