use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::hmac;
use lettre::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    clock::Wall,
    config::{SmtpSettings, SmtpTls, WebhookSettings},
    rules::{identity::UserName, place::Places, session::PublicId},
    secret::SecretBytes,
};

fn news() -> NewSignIn {
    NewSignIn {
        site: "panel".into(),
        title: "Example panel".into(),
        user: UserName::parse("alice").unwrap(),
        email: "alice@example.com".into(),
        session: PublicId("abcdefgh".into()),
        device: "Chrome on Windows".into(),
        address: "89.160.20.112".parse().unwrap(),
        places: Places::default(),
        at: Wall::from_secs(1_764_000_000),
        revoke: "https://panel.example.com/_gate/not-me?t=abc".into(),
        sessions: "https://panel.example.com/_gate/account/sessions".into(),
    }
}

fn smtp(port: u16) -> Mail {
    let settings = SmtpSettings {
        host: "127.0.0.1".into(),
        port,
        tls: SmtpTls::None,
        login: None,
        from: "Example panel <panel@example.com>".parse().unwrap(),
        ca: None,
    };
    Mail::new(&settings, "en").unwrap()
}

/// The lines of a letter's head.
fn head(message: &Message) -> Vec<String> {
    let text = String::from_utf8(message.formatted()).unwrap();
    text.split("\r\n\r\n").next().unwrap().split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_letter_has_exactly_the_head_that_we_gave_it() {
    assert_eq!(
        head(&smtp(1).write(&news()).unwrap()),
        [
            "From: \"Example panel\" <panel@example.com>",
            "To: alice@example.com",
            "Subject: New sign-in to Example panel",
            "Date: Mon, 24 Nov 2025 16:00:00 +0000",
            "Message-ID: <abcdefgh.1764000000000@example.com>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        ]
    );
}

#[tokio::test]
async fn no_text_of_anybody_else_becomes_a_line_of_the_head() {
    let evil = "x\r\nBcc: all@example.com\r\n\r\n";
    let usual: Vec<_> = names(&head(&smtp(1).write(&news()).unwrap()));
    let hostile = NewSignIn { device: evil.into(), title: evil.into(), ..news() };
    let written = head(&smtp(1).write(&hostile).unwrap());
    assert_eq!(names(&written), usual, "{written:?}");
    for email in [
        "alice@example.com\r\nBcc: all@example.com",
        "alice@example.com, all@example.com",
        "<alice@example.com> RCPT TO:<all@example.com>",
        "alice",
        "\u{0}@example.com",
    ] {
        let news = NewSignIn { email: email.into(), ..news() };
        assert!(smtp(1).write(&news).is_err(), "{email:?}");
        assert!(!smtp(1).tell(&news).await.unwrap_err().again, "there is no use in trying again");
    }
}

fn names(head: &[String]) -> Vec<String> {
    head.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_account_without_an_address_gets_no_letter() {
    assert_eq!(smtp(1).tell(&NewSignIn { email: String::new(), ..news() }).await.unwrap(), Told::Nobody);
}

/// Fails as often as it is told, and counts.
struct Flaky {
    failures: usize,
    again: bool,
    tries: AtomicUsize,
}

#[async_trait]
impl Way for Flaky {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn tell(&self, _news: &NewSignIn) -> Result<Told, NotTold> {
        let tried = self.tries.fetch_add(1, Ordering::Relaxed);
        if tried < self.failures {
            Err(NotTold { why: "no".into(), again: self.again })
        } else {
            Ok(Told::Sent)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn three_tries_and_none_where_another_would_not_help() {
    for (failures, again, tries) in [(0, true, 1), (1, true, 2), (2, true, 3), (9, true, 3), (9, false, 1)] {
        let way = Arc::new(Flaky { failures, again, tries: AtomicUsize::new(0) });
        tell(Arc::<Flaky>::clone(&way), Arc::new(news()), WAITS).await;
        assert_eq!(way.tries.load(Ordering::Relaxed), tries, "{failures} failures");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_holds_nothing_else_up_and_everything_stops_when_told() {
    let way = Arc::new(Flaky { failures: 5, again: true, tries: AtomicUsize::new(0) });
    let ways = Arc::new(ArcSwap::from_pointee(Ways(vec![Arc::<Flaky>::clone(&way)])));
    let (queue, waiting) = mpsc::channel(QUEUE);
    let stop = CancellationToken::new();
    let delivering = tokio::spawn(deliver(ways, waiting, stop.clone()));
    for _ in 0..6 {
        queue.send(news()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(way.tries.load(Ordering::Relaxed), 6, "the sixth is not behind the waits of the others");
    stop.cancel();
    delivering.await.unwrap();
}

/// A program that answers `statuses` in turn and keeps what it is sent.
async fn program(statuses: Vec<u16>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.contains("\r\n\r\n") || !request.ends_with('}') {
                let mut piece = [0; 4096];
                let length = stream.read(&mut piece).await.unwrap();
                request.push_str(std::str::from_utf8(&piece[..length]).unwrap());
            }
            kept.lock().unwrap().push(request);
            let answer = format!("HTTP/1.1 {status} x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, sent)
}

#[tokio::test]
async fn a_program_gets_json_with_a_signature_that_it_can_check() {
    let (port, sent) = program(vec![200]).await;
    let secret = b"0123456789abcdef0123456789abcdef";
    let url = format!("http://127.0.0.1:{port}/hook?x=1").parse().unwrap();
    let webhook = Webhook::new(&WebhookSettings { url, secret: SecretBytes::new(*secret) });
    assert_eq!(webhook.tell(&news()).await.unwrap(), Told::Sent);
    let request = sent.lock().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
    let signature = head.lines().find_map(|line| line.strip_prefix("x-gate-signature-256: sha256=")).unwrap();
    let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, body.as_bytes(), &signature).unwrap();
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&document["event"], &document["user"]), (&"new-sign-in".into(), &"alice".into()));
}

#[tokio::test]
async fn what_a_program_answers_decides_about_another_try_and_redirects_lead_nowhere() {
    for (status, again) in [(500, true), (503, true), (429, true), (400, false), (404, false), (302, false)] {
        let (port, sent) = program(vec![status]).await;
        let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let webhook = Webhook::new(&WebhookSettings { url, secret: SecretBytes::new([1; 32]) });
        assert_eq!(webhook.tell(&news()).await.unwrap_err().again, again, "{status}");
        assert_eq!(sent.lock().unwrap().len(), 1, "{status}");
    }
    let url = "http://127.0.0.1:1/".parse().unwrap();
    let nobody = Webhook::new(&WebhookSettings { url, secret: SecretBytes::new([1; 32]) });
    assert!(nobody.tell(&news()).await.unwrap_err().again, "it may only be restarting");
}
