//! Request heads that can be read in two ways never get past the edge (R22, R8).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    client::{rest, status},
    panel::Panel,
    rig::Rig,
};
use crate::doors::edge::Limits;

const GET: &str = "GET /echo HTTP/1.1\r\nHost: panel.test\r\n";

/// Each with the only statuses that may come back. Where there are several, all of them refuse.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &[u16])] = &[
    ("a signed length (e103)", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: +5\r\n\r\nhello", &[400]),
    ("a negative length", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: -5\r\n\r\nhello", &[400]),
    ("two differing lengths", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", &[400]),
    ("a list of lengths", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: 5, 5\r\n\r\nhello", &[400]),
    ("two equal lengths", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", &[400]),
    ("an endless length", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: 99999999999999999999\r\n\r\n", &[400]),
    ("length and encoding", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("two encodings (e102)", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("identity and chunked (e99)", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("gzip, chunked", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("an encoding in HTTP/1.0 (e99)", "POST /echo HTTP/1.0\r\nHost: panel.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("a body in HTTP/1.0", "POST /echo HTTP/1.0\r\nHost: panel.test\r\nContent-Length: 5\r\n\r\nhello", &[400]),
    ("xchunked", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", &[400]),
    ("a control character before chunked", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", &[400]),
    ("no host", "GET /echo HTTP/1.1\r\nAccept: */*\r\n\r\n", &[400]),
    ("no host in HTTP/1.0", "GET /echo HTTP/1.0\r\n\r\n", &[400]),
    ("an empty host", "GET /echo HTTP/1.1\r\nHost:\r\n\r\n", &[400]),
    ("a host with a path", "GET /echo HTTP/1.1\r\nHost: panel.test/x?y\r\n\r\n", &[400]),
    ("two hosts in one", "GET /echo HTTP/1.1\r\nHost: panel.test, other.test\r\n\r\n", &[400]),
    ("two hosts", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nHost: panel.test\r\n\r\n", &[400]),
    ("user information in the host", "GET /echo HTTP/1.1\r\nHost: a@panel.test\r\n\r\n", &[400]),
    ("absolute form, other authority", "GET https://other.test/echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("absolute form, same authority", "GET https://panel.test/echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("absolute form, no host", "GET https://panel.test/echo HTTP/1.1\r\n\r\n", &[400]),
    ("a folded field", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nA: b\r\n c\r\n\r\n", &[400]),
    ("a fold on the first field", "GET /echo HTTP/1.1\r\n Host: panel.test\r\n\r\n", &[400]),
    ("a NUL in a value", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nA: b\0c\r\n\r\n", &[400]),
    ("a bare CR in a value", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nA: b\rc\r\n\r\n", &[400]),
    ("an empty name (e109)", "GET /echo HTTP/1.1\r\nHost: panel.test\r\n: x\r\n\r\n", &[400]),
    ("a space before the colon", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length : 5\r\n\r\nhello", &[400]),
    ("no colon", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nnothing\r\n\r\n", &[400]),
    ("a name that is not ASCII", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nn\u{e4}me: x\r\n\r\n", &[400]),
    ("bare LF everywhere", "GET /echo HTTP/1.1\nHost: panel.test\n\n", &[400]),
    ("bare LF once", "GET /echo HTTP/1.1\r\nHost: panel.test\nA: b\r\n\r\n", &[400]),
    ("bare LF LF, and a second request", "GET /echo HTTP/1.1\nHost: panel.test\n\nGET /second HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("an empty line first", "\r\nGET /echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("a NUL in the target", "GET /echo\0b HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("a space in the target", "GET /echo b HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("two spaces", "GET  /echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("a tab in the request line", "GET\t/echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("characters that must be encoded", "GET /echo\"<> HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("more of them", "GET /echo{}|^` HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("UTF-8 in the target", "GET /caf\u{e9} HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("no slash", "GET echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("a fragment (a06)", "GET /public#/../echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("dot segments (a15)", "GET /public/../echo HTTP/1.1\r\nHost: panel.test\r\nConnection: close\r\n\r\n", &[400]),
    ("an encoded slash (a15)", "GET /public/..%2fecho HTTP/1.1\r\nHost: panel.test\r\nConnection: close\r\n\r\n", &[400]),
    ("a backslash", "GET /public\\..\\echo HTTP/1.1\r\nHost: panel.test\r\nConnection: close\r\n\r\n", &[400]),
    ("two slashes (a26)", "GET //other.test/echo HTTP/1.1\r\nHost: panel.test\r\nConnection: close\r\n\r\n", &[400]),
    ("a nominated identity header", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nConnection: close, Remote-User\r\n\r\n", &[400]),
    ("a nominated cookie", "GET /echo HTTP/1.1\r\nHost: panel.test\r\nConnection: Cookie\r\n\r\n", &[400]),
    ("HTTP/1.2", "GET /echo HTTP/1.2\r\nHost: panel.test\r\n\r\n", &[505]),
    ("HTTP/0.9", "GET /echo\r\n\r\n", &[400]),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 505]),
    ("a method in small letters", "get /echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[400]),
    ("CONNECT", "CONNECT panel.test:443 HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[405]),
    ("TRACE", "TRACE /echo HTTP/1.1\r\nHost: panel.test\r\n\r\n", &[405]),
    ("an unknown expectation (e108)", "POST /echo HTTP/1.1\r\nHost: panel.test\r\nExpect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello", &[417]),
    ("a stranger's host", "GET /echo HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", &[400, 421]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_ambiguous_heads_are_refused_and_nothing_reaches_the_panel() {
    let rig = Rig::start().await;
    for (what, bytes, allowed) in REFUSED {
        let signed_in = bytes.replacen("\r\n", &format!("\r\nCookie: {}\r\n", rig.cookie), 1);
        // Once as it is, once by somebody whom the policy would let through.
        for bytes in [(*bytes).to_owned(), signed_in] {
            // Malformed starts stay malformed: the cookie only goes behind a request line.
            let answer = rig.exchange(bytes.as_bytes()).await;
            assert!(allowed.contains(&status(&answer)), "{what}: {answer:?}");
            assert!(!answer.to_ascii_lowercase().contains("pingora"), "{what}: {answer:?}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer:?}");
        }
    }
    assert_eq!(rig.panel.seen(), "");
    let good =
        rig.exchange(format!("{GET}Cookie: {}\r\nConnection: close\r\n\r\n", rig.cookie).as_bytes()).await;
    assert_eq!(status(&good), 200, "the table would prove nothing: {good}");
    assert_ne!(rig.panel.seen(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_sizes_are_bounded() {
    let rig = Rig::start().await;
    let many = "A: b\r\n".repeat(120);
    let name = "a".repeat(300);
    let value = "b".repeat(9 * 1024);
    let path = "c".repeat(9 * 1024);
    let whole = format!("A: {}\r\n", "d".repeat(7 * 1024)).repeat(6);
    for (what, bytes, wanted) in [
        ("fields", format!("{GET}{many}\r\n"), 431),
        ("a name (e110)", format!("{GET}Content-Length{name}: 5\r\n\r\n"), 431),
        ("a value", format!("{GET}A: {value}\r\n\r\n"), 431),
        ("the head", format!("{GET}{whole}\r\n"), 431),
        ("the head, without an end", format!("{GET}{whole}"), 431),
        ("the target", format!("GET /{path} HTTP/1.1\r\nHost: panel.test\r\n\r\n"), 414),
    ] {
        let answer = rig.exchange(bytes.as_bytes()).await;
        assert_eq!(status(&answer), wanted, "{what}: {answer}");
    }
    assert_eq!(rig.panel.seen(), "");
}

/// A tenth of the real deadlines, so that the tests are quick.
async fn hasty() -> Rig {
    Rig::with(Panel::start().await, |settings| {
        settings.limits = Limits {
            head: Duration::from_secs(1),
            handshake: Duration::from_secs(1),
            body_idle: Duration::from_millis(1500),
            keep_alive: Duration::from_secs(2),
            ..Limits::default()
        };
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_slow_head_is_answered_408_and_closed_also_on_a_kept_connection() {
    let rig = hasty().await;
    let mut first = rig.raw().await;
    let mut second = rig.raw().await;
    let request = format!("GET /echo HTTP/1.1\r\nHost: panel.test\r\nCookie: {}\r\n\r\n", rig.cookie);
    second.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    assert_ne!(second.read(&mut answer).await.unwrap(), 0);
    let dribble = |mut tls: super::client::Tls| async move {
        let (mut reader, mut writer) = tokio::io::split(&mut tls);
        let writing = async {
            for byte in request_bytes() {
                if writer.write_all(&[byte]).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        let reading = async {
            let mut piece = [0; 1024];
            while let Ok(read @ 1..) = reader.read(&mut piece).await {
                answer.extend_from_slice(&piece[..read]);
            }
        };
        let closed = tokio::time::timeout(Duration::from_millis(2500), async {
            tokio::select! { () = writing => {} () = reading => {} }
        });
        assert!(closed.await.is_ok(), "still open after the deadline");
        String::from_utf8(answer).unwrap()
    };
    first.flush().await.unwrap();
    let (first, second) = tokio::join!(dribble(first), dribble(second));
    assert_eq!(status(&first), 408, "{first}");
    assert!(second.contains("HTTP/1.1 408 "), "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_kept_connection_is_timed_anew_after_each_answer_and_closed_when_it_was_idle() {
    let rig = hasty().await;
    let mut tls = rig.raw().await;
    let request = format!("GET /echo HTTP/1.1\r\nHost: panel.test\r\nCookie: {}\r\n\r\n", rig.cookie);
    for _ in 0..3 {
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 8192];
        assert_ne!(tls.read(&mut answer).await.unwrap(), 0, "closed before it had been idle for so long");
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    let closed = tokio::time::timeout(Duration::from_millis(2500), rest(&mut tls)).await;
    assert!(!closed.expect("still open after the deadline").contains("HTTP/1.1"), "it was told nothing");
}

fn request_bytes() -> Vec<u8> {
    format!("{GET}X: {}\r\n\r\n", "y".repeat(200)).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_silent_connections_are_closed_before_and_after_the_handshake() {
    let rig = hasty().await;
    let mut before = super::client::plain(rig.address).await;
    let mut http1 = rig.raw().await;
    let mut byte = [0; 1];
    let silent = async {
        assert_eq!(before.read(&mut byte).await.unwrap_or(0), 0);
    };
    tokio::time::timeout(Duration::from_millis(2500), silent).await.unwrap();
    tokio::time::timeout(Duration::from_millis(2500), rest(&mut http1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_http2_without_its_preface_is_closed_after_5_seconds() {
    let rig = hasty().await;
    let mut http2 = rig.connect("panel.test", &[b"h2"]).await.unwrap();
    tokio::time::timeout(Duration::from_millis(6500), rest(&mut http2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e98_bytes_behind_a_request_are_never_taken_for_another_one() {
    let rig = Rig::start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: panel.test\r\n\r\n";
    let head = format!("Host: panel.test\r\nOrigin: https://panel.test\r\nCookie: {}\r\n", rig.cookie);
    for first in [
        // Pipelined, behind an upgrade that nobody agrees to, and behind one that the panel refuses.
        format!("GET /echo HTTP/1.1\r\n{head}\r\n"),
        format!("GET /echo HTTP/1.1\r\n{head}Connection: upgrade\r\nUpgrade: foo\r\n\r\n"),
        format!("GET /ws-not-agreed HTTP/1.1\r\n{head}{UPGRADE}\r\n"),
        format!("GET /ws-no HTTP/1.1\r\n{head}{UPGRADE}\r\n"),
    ] {
        let answer = rig.exchange(format!("{first}{smuggled}").as_bytes()).await;
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1 + usize::from(answer.ends_with("HTTP/1.1 200")),
            "{answer}"
        );
    }
    assert!(rig.panel.seen().contains("GET /ws-no "), "{}", rig.panel.seen());
    assert!(!rig.panel.seen().contains("/smuggled"), "{}", rig.panel.seen());
}

const UPGRADE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e101_a_refusal_does_not_leave_its_body_to_be_read_as_a_request() {
    let rig = Rig::start().await;
    let inner = "GET /smuggled HTTP/1.1\r\nHost: panel.test\r\n\r\n";
    let post =
        format!("POST /echo HTTP/1.1\r\nHost: panel.test\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let next = format!("{GET}Cookie: {}\r\nConnection: close\r\n\r\n", rig.cookie);
    let mut tls = rig.raw().await;
    tls.write_all(post.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let read = tls.read(&mut answer).await.unwrap();
    assert_eq!(status(&String::from_utf8_lossy(&answer[..read])), 401);
    // The body was read to its end, so the connection may go on: with the next request and nothing else.
    tls.write_all(next.as_bytes()).await.unwrap();
    let answer = rest(&mut tls).await;
    assert!(answer.contains("GET /echo"), "{answer}");
    assert!(!rig.panel.seen().contains("/smuggled"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e103_broken_chunks_never_become_a_whole_request() {
    let rig = Rig::start().await;
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: panel.test\r\nCookie: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        rig.cookie
    );
    let whole = rig.exchange(format!("{head}5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n").as_bytes()).await;
    assert!(whole.contains("200 OK"), "the table would prove nothing: {whole}");
    for body in [
        "5;\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "11111111111111111\r\nx",
    ] {
        let at_once = rig.exchange(format!("{head}{body}").as_bytes()).await;
        let mut tls = rig.raw().await;
        tls.write_all(head.as_bytes()).await.unwrap();
        tls.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // The edge may have hung up already.
        let _ = tls.write_all(body.as_bytes()).await;
        for answer in [at_once, rest(&mut tls).await] {
            assert!(!answer.contains("200 OK"), "{body:?}: {answer}");
            assert!(!answer.to_ascii_lowercase().contains("pingora"), "{answer}");
        }
    }
}
