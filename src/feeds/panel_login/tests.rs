use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{Failure, PanelLogins, Question};
use crate::{
    clock::{ManualClock, Wall},
    rules::{
        identity::UserName,
        login::{Before, Claims, PassOn, Person, Piece, Recipe, Success, Template},
    },
    secret::SecretText,
};

const SIGNED_IN: &str = "HTTP/1.1 302 Found\r\nlocation: /\r\nset-cookie: sid=abc; HttpOnly\r\n\
                         content-length: 0\r\nconnection: close\r\n\r\n";
const WRONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nagain";

type Heard = Arc<Mutex<Vec<String>>>;

/// A panel that gives each connection the next answer, the last one for ever; an empty one is never sent.
async fn panel(answers: &[&str]) -> (url::Url, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/login", listener.local_addr().unwrap()).parse().unwrap();
    let heard = Heard::default();
    let (answers, log) = (answers.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), heard.clone());
    tokio::spawn(async move {
        let mut held = Vec::new();
        for number in 0.. {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            let answer = answers.get(number).or(answers.last()).unwrap();
            let text = request(&mut socket).await;
            log.lock().unwrap().push(text);
            if answer.is_empty() {
                held.push(socket);
            } else {
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        }
    });
    (url, heard)
}

/// A whole request, as far as its length is stated.
async fn request(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let read = socket.read(&mut piece).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return text;
            }
            continue;
        };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

fn recipe(url: url::Url) -> Recipe {
    let form = [("user", "{username}"), ("pass", "{password}")];
    Recipe {
        name: "panel".into(),
        url,
        before: None,
        body: Template::Form(form.map(|(name, text)| (name.to_owned(), Piece::split(text))).into()),
        success: Success { status: vec![302], cookie: Some("sid".into()), ..Success::default() },
        claims: Claims::default(),
        roles: [].into(),
        role: Some("user".into()),
        timeout: Duration::from_secs(5),
        authorities: vec![],
        pass_on: PassOn { cookies: vec!["sid".into()], token: None },
        signed_out: None,
        renew: false,
    }
}

fn logins() -> (PanelLogins, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Wall::from_secs(1_800_000_000)));
    (PanelLogins::new(clock.clone()), clock)
}

async fn ask(logins: &PanelLogins, recipe: &Recipe) -> Result<Person, Failure> {
    let (name, password) = (UserName::parse("alice").unwrap(), SecretText::from("p&ss wörd".to_owned()));
    let on_behalf_of = ("x-forwarded-for".parse().unwrap(), "192.0.2.7".parse().unwrap());
    let question = Question { name: &name, password: &password, on_behalf_of: &on_behalf_of };
    logins.ask(recipe, question).await
}

#[tokio::test]
async fn credentials_are_sent_as_a_form_and_the_answer_decides() {
    let (url, heard) = panel(&[SIGNED_IN, WRONG]).await;
    let (logins, recipe) = (logins().0, recipe(url));
    let person = ask(&logins, &recipe).await.unwrap();
    assert_eq!(person.jar.pairs(), b"sid=abc");
    assert_eq!(person.jar.again, None, "the password is kept only where `renew` says so");
    assert_eq!(ask(&logins, &recipe).await, Err(Failure::NoMatch));
    let heard = heard.lock().unwrap();
    assert!(heard[0].starts_with("POST /login HTTP/1.1\r\n"), "{}", heard[0]);
    assert!(heard[0].contains("x-forwarded-for: 192.0.2.7\r\n"), "{}", heard[0]);
    assert!(heard[0].ends_with("user=alice&pass=p%26ss+w%C3%B6rd"), "{}", heard[0]);
}

#[tokio::test]
async fn the_password_is_kept_to_sign_in_again_only_if_that_is_wanted() {
    let (url, _) = panel(&[SIGNED_IN]).await;
    let again = ask(&logins().0, &Recipe { renew: true, ..recipe(url) }).await.unwrap().jar.again.unwrap();
    assert_eq!((again.name.as_str(), again.password.expose()), ("alice", "p&ss wörd".as_bytes()));
}

#[tokio::test]
async fn a_form_token_and_its_cookie_are_fetched_first() {
    let page = "<form><input type=hidden name=csrf value=\"a&amp;b/1=\"><input name=user></form>";
    let first = format!(
        "HTTP/1.1 200 OK\r\nset-cookie: csrftoken=c1; Path=/\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    let (url, heard) = panel(&[&first, SIGNED_IN, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]).await;
    let before = Some(Before { url: url.join("/form").unwrap(), field: "csrf".into() });
    let body = Template::Form(vec![("csrf".into(), Piece::split("{token}"))]);
    let (logins, recipe) = (logins().0, Recipe { before, body, ..recipe(url) });
    ask(&logins, &recipe).await.unwrap();
    {
        let heard = heard.lock().unwrap();
        assert!(heard[0].starts_with("GET /form "), "{}", heard[0]);
        assert!(heard[1].contains("cookie: csrftoken=c1\r\n"), "{}", heard[1]);
        assert!(heard[1].ends_with("\r\n\r\ncsrf=a%26b%2F1%3D"), "{}", heard[1]);
    }
    assert_eq!(ask(&logins, &recipe).await, Err(Failure::Unavailable), "a page without the token");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, never) = panel(&[SIGNED_IN]).await;
    let away = format!(
        "HTTP/1.1 307 Away\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (url, _) = panel(&[&away]).await;
    assert_eq!(ask(&logins().0, &recipe(url)).await, Err(Failure::NoMatch));
    assert!(never.lock().unwrap().is_empty(), "the password went to an address that nobody configured");
}

#[tokio::test]
async fn a_panel_that_is_away_slow_broken_or_endless_signs_nobody_in() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = format!("http://{gone}/").parse().unwrap();
    assert_eq!(ask(&logins().0, &recipe(gone)).await, Err(Failure::Unavailable), "away");
    let (slow, _) = panel(&[""]).await;
    let slow = Recipe { timeout: Duration::from_millis(100), ..recipe(slow) };
    assert_eq!(ask(&logins().0, &slow).await, Err(Failure::Unavailable), "slow");
    let broken = SIGNED_IN.replace("302 Found", "503 Later");
    let (broken, _) = panel(&[&broken]).await;
    assert_eq!(ask(&logins().0, &recipe(broken)).await, Err(Failure::Unavailable), "broken");
    let endless = format!(
        "HTTP/1.1 302 Found\r\nset-cookie: sid=1\r\nconnection: close\r\n\r\n{}",
        "x".repeat(300 << 10)
    );
    let (endless, _) = panel(&[&endless]).await;
    assert_eq!(ask(&logins().0, &recipe(endless)).await, Err(Failure::Unavailable), "more than 256 KiB");
}

#[tokio::test]
async fn five_faults_in_a_row_leave_the_panel_alone_for_half_a_minute() {
    let broken = SIGNED_IN.replace("302 Found", "500 Broken");
    let five = [broken.as_str(); 5];
    let (url, heard) = panel(&[&five[..], &[SIGNED_IN]].concat()).await;
    let ((logins, clock), recipe) = (logins(), recipe(url));
    for _ in 0..8 {
        assert_eq!(ask(&logins, &recipe).await, Err(Failure::Unavailable));
    }
    assert_eq!(heard.lock().unwrap().len(), 5, "after the fifth nobody asks");
    clock.advance(Duration::from_secs(30));
    assert!(ask(&logins, &recipe).await.is_ok() && ask(&logins, &recipe).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_no_fault_however_often_it_comes() {
    let wrong = [WRONG; 9];
    let (url, heard) = panel(&[&wrong[..], &[SIGNED_IN]].concat()).await;
    let (logins, recipe) = (logins().0, recipe(url));
    for _ in 0..9 {
        assert_eq!(ask(&logins, &recipe).await, Err(Failure::NoMatch));
    }
    assert!(ask(&logins, &recipe).await.is_ok());
    assert_eq!(heard.lock().unwrap().len(), 10);
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_it_before_the_password_is_sent() {
    let authority = || {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap();
        (certificate.der().to_vec(), Issuer::new(params, key))
    };
    let ((ours, issuer), (theirs, _)) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url =
        format!("https://localhost:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
    let heard = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            request(&mut socket).await;
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _ = socket.write_all(SIGNED_IN.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    let logins = logins().0;
    let strangers = Recipe { authorities: vec![theirs], ..recipe(url.clone()) };
    assert_eq!(ask(&logins, &strangers).await, Err(Failure::Unavailable));
    assert_eq!(heard.load(std::sync::atomic::Ordering::Relaxed), 0);
    // The same login after a reload with the right file.
    assert!(ask(&logins, &Recipe { authorities: vec![ours], ..recipe(url) }).await.is_ok());
}
