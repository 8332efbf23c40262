//! Guessing passwords, codes and tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Owner, Remote, WRONG, address, cli, runs};
use crate::support::{browser::Browser, gate, house::House};

/// The first wait is longer than the slowest machine takes for a test.
const PATIENT: &str = "lockout: { sign_in: { waits: [5m, 1h] } }";

/// Many networks, one account: five guesses, then it waits for all of them; for a name that nobody has it looks the same.
/// A new process, which reads what was written down, goes on where the old one was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_stuffing_one_account_from_many_networks_ends_after_five_and_shuts_its_owner_nowhere_out() {
    let house = House::start_with("attack-stuffing", PATIENT);
    let owner = Owner::at_work(&house).await;
    for (name, from) in [("some-user", 0), ("nobody-at-all", 100)] {
        let mut statuses = Vec::new();
        for n in from..from + 20 {
            let said = Remote::at(&house, &address(n)).sign_in(name, WRONG).await;
            statuses.push(said.status);
            if said.status == 429 {
                assert!((1..=300).contains(&said.retry_after().unwrap()), "{said:?}");
                assert!(said.body.contains("rate-limited") && !said.body.contains(name), "{said:?}");
            }
            owner.is_served().await;
        }
        assert_eq!(runs(&statuses), "401×5 429×15", "{name}");
    }
    owner.can_sign_in().await;
    let (name, password) = gate::user("user");
    let right = Remote::at(&house, &address(50)).sign_in(&name, password).await;
    assert_eq!(right.status, 429, "a lock does not say when the guess is right");

    tokio::task::block_in_place(|| house.replace());
    for name in ["some-user", "nobody-at-all"] {
        assert_eq!(Remote::at(&house, &address(60)).sign_in(name, WRONG).await.status, 429, "{name}");
    }
    owner.can_sign_in().await;
    let unlocked = cli(&house, &["user", "unlock", "some-user"]);
    assert!(unlocked.contains("locked nowhere"), "{unlocked}");
    assert_eq!(Remote::at(&house, &address(61)).sign_in("some-user", WRONG).await.status, 401);
    let log = house.gate.running.log();
    assert!(log.contains("\"locked\"") && log.contains("\"unlocked\""), "{}", house.gate.log_tail());
    assert!(!log.contains("nobody-at-all"), "what is no account's name may be a password");
}

/// A hundred guesses at once are five.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_guesses_at_once_are_no_more_than_one_after_the_other() {
    let house = House::start_with("attack-parallel", PATIENT);
    let remotes: Vec<_> = (0..100).map(|n| Remote::at(&house, &address(n))).collect();
    let guesses = remotes.iter().map(|remote| remote.sign_in("some-user", WRONG));
    let said = futures_util::future::join_all(guesses).await;
    let looked_at = said.iter().filter(|said| said.status == 401).count();
    let told_to_wait = said.iter().filter(|said| said.status == 429).count();
    assert_eq!((looked_at, told_to_wait), (5, 95));
}

/// All spellings of a name are one account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_spellings_of_one_name_share_their_tries() {
    let house = House::start_with("attack-spellings", PATIENT);
    let owner = Owner::at_work(&house).await;
    let spellings =
        ["some-user", "SOME-USER", " some-user", "Some-User ", "\tsOmE-uSeR", "some-USER", "SoMe-UsEr"];
    let mut statuses = Vec::new();
    for (n, name) in spellings.into_iter().enumerate() {
        statuses.push(Remote::at(&house, &address(n)).sign_in(name, WRONG).await.status);
    }
    assert_eq!(runs(&statuses), "401×5 429×2");
    owner.can_sign_in().await;
}

/// R14: whoever has the password opens session after session on network after network, and has five guesses at the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_guesses_at_the_code_are_those_of_the_account_over_all_sessions_and_networks() {
    let house = House::start_with("attack-totp", "");
    let (operator, password) = house.gate.operator();
    let owner = Browser::signed_in(house.client(), &operator.name, password).await;
    let proved = owner.api("POST", "second-factor", &json!({ "code": operator.code() })).await;
    assert_eq!(proved.status, 200, "{proved:?}");
    let right = operator.code();
    let mut statuses = Vec::new();
    for n in 0..12_u32 {
        // Never the right one.
        let guess = format!("{:06}", (right.parse::<u32>().unwrap() + 1000 + n) % 1_000_000);
        let thief = Browser::signed_in(house.client(), &operator.name, password).await;
        let answer = thief.api("POST", "second-factor", &json!({ "code": guess })).await;
        statuses.push(answer.status);
        if answer.status == 429 {
            let wait: u64 = answer.field("Retry-After").unwrap().parse().unwrap();
            assert!((840..=900).contains(&wait), "{wait}");
        }
        assert_eq!(owner.background("GET", "/echo/readable/x").await.status, 200);
    }
    assert_eq!(runs(&statuses), "401×5 429×7");
    let again = owner.api("POST", "second-factor", &json!({ "backup_code": operator.backup_code })).await;
    assert_eq!(again.status, 200, "his own network has tries of its own: {again:?}");
    let listed: Value = serde_json::from_str(&cli(&house, &["user", "list", "--json"])).unwrap();
    let line = listed.as_array().unwrap().iter().find(|user| user["name"] == operator.name.as_str()).unwrap();
    assert!(line["locked_until"].is_u64() && line["stopped"] == false, "{line}");
}

/// Forged refresh tokens and API keys cost their network: it is banned after fifty, and nobody else notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_tokens_and_keys_ends_in_a_ban_of_the_network() {
    let house = House::start_with("attack-tokens", "");
    let owner = Owner::at_work(&house).await;
    let stolen = owner.browser.cookie("__Secure-gate_refresh").unwrap();
    let forger = Remote::at(&house, &address(0));
    let (head, _) = stolen.rsplit_once('.').unwrap();
    let mut statuses = Vec::new();
    for n in 0..70_u8 {
        let mac = data_encoding::BASE64URL_NOPAD.encode(&[n; 32]);
        let cookie = format!("__Secure-gate_refresh={head}.{mac}");
        let said = forger.call("/_gate/refresh", &[("Cookie", &cookie)], &json!({})).await;
        statuses.push(said.status);
        if said.is_refused("banned") {
            break;
        }
        owner.is_served().await;
    }
    let refused = statuses.iter().filter(|status| **status == 401).count();
    assert!(statuses.last() == Some(&403) && (50..=60).contains(&refused), "{}", runs(&statuses));
    assert_eq!(owner.browser.refresh().await.status, 200, "the session is untouched");

    let guesser = Remote::at(&house, &address(1));
    let mut banned = false;
    for n in 0..120_u8 {
        let key = panelgate::rules::api_key::KeyText::generate([n; 32]);
        banned = guesser.ask("/echo/x", &[("X-Api-Key", key.expose())]).await.is_refused("banned");
        if banned {
            assert!(n >= 50, "after {n} guesses");
            break;
        }
        // Guesses at keys are written down in the background.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(banned);
    let bans = cli(&house, &["ban", "list"]);
    assert!(bans.contains(&address(0)) && bans.contains(&address(1)) && bans.contains("panelgate"), "{bans}");
    owner.can_sign_in().await;
}
