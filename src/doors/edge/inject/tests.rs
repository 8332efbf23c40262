//! What is put where, for whichever way the page is cut into pieces, and what a policy lets in.

use super::{csp::meta_lets_ask, *};

const TAG: &str = r#"<script src="/_gate/client.js" defer></script>"#;
const MARK: &str = "<table id=m></table>";

fn insert(script: Option<&str>, always: Option<bool>) -> Insert {
    let mark = always.map(|always| Mark { html: MARK.to_owned(), always });
    Insert { script: script.map(str::to_owned), mark, scheme: Scheme::Https, host: host() }
}

fn host() -> Host {
    Host::parse(b"panel.test:8443").unwrap()
}

fn own(host: &Host) -> Own<'_> {
    Own { scheme: Scheme::Https, host }
}

/// The rewritten page, the same for every way to cut it.
fn rewritten(insert: &Insert, page: &[u8]) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = [1, 3, 7, 64, 4096]
        .map(|size| {
            let mut injector = Injector::new(insert.clone(), false);
            let mut out = Vec::new();
            for piece in page.chunks(size) {
                out.extend(injector.rewrite(Some(&Bytes::copy_from_slice(piece)), false).unwrap_or_default());
            }
            out.extend(injector.rewrite(None, true).unwrap_or_default());
            out
        })
        .into();
    all.dedup();
    assert_eq!(all.len(), 1, "cut otherwise, it is another page");
    all.remove(0)
}

fn text(insert: &Insert, page: &str) -> String {
    String::from_utf8(rewritten(insert, page.as_bytes())).unwrap()
}

#[test]
fn the_mark_stands_first_in_the_body_and_the_script_first_in_the_head() {
    let both = insert(Some(TAG), Some(true));
    for (page, wanted) in [
        (
            "<html><head><title>t</title></head><body class=a><p>x",
            "<html><head>S<title>t</title></head><body class=a>M<p>x",
        ),
        (
            "<!doctype html><title>t</title><meta charset=utf-8><p>x",
            "<!doctype html><title>t</title><meta charset=utf-8>M<p>xS",
        ),
        ("<body><p>x</body>", "<body>MS<p>x</body>"),
        ("only text", "only textMS"),
        ("", "MS"),
        // What stands in a comment, a script, a text field or a template is no body.
        (
            "<head><!-- <body> --><script>'<body>'</script></head><body>",
            "<head>S<!-- <body> --><script>'<body>'</script></head><body>M",
        ),
        (
            "<title><body></title><template><p>x</p></template><main>",
            "<title><body></title><template><p>x</p></template>M<main>S",
        ),
        // A frameset that something stands before is none; its frames are pages of their own.
        (
            "<head></head><frameset><frame src=a></frameset>",
            "<head>S</head><frameset><frame src=a></frameset>",
        ),
        ("<frameset><frame src=a></frameset>", "S<frameset><frame src=a></frameset>"),
    ] {
        assert_eq!(text(&both, page).replace(TAG, "S").replace(MARK, "M"), wanted, "{page}");
    }
}

#[test]
fn a_mark_that_gives_way_to_the_script_is_for_browsers_without() {
    let page = "<head></head><body>x";
    let quiet = format!("<noscript>{MARK}</noscript>");
    assert_eq!(text(&insert(Some(TAG), Some(false)), page), format!("<head>{TAG}</head><body>{quiet}x"));
    assert_eq!(text(&insert(None, Some(false)), page), format!("<head></head><body>{MARK}x"));
    let mute = "<head><meta http-equiv=Content-Security-Policy content=\"connect-src 'none'\"></head><body>x";
    assert!(text(&insert(Some(TAG), Some(false)), mute).ends_with(&format!("<body>{MARK}x")));
    let lets = mute.replace("'none'", "'self'");
    assert!(text(&insert(Some(TAG), Some(false)), &lets).ends_with(&format!("<body>{quiet}x")));
}

#[test]
fn pages_that_cannot_be_read_pass_as_they_are_and_those_that_are_too_much_are_marked_at_their_end() {
    let both = insert(Some(TAG), Some(true));
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("<body>x".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(rewritten(&both, &wide), wide);
    // Bytes of another encoding than UTF-8 stay what they are.
    let latin = b"<body title=\xFC>\xE4\xFF\xFE</body>";
    let expected = [b"<body title=\xFC>", MARK.as_bytes(), TAG.as_bytes(), b"\xE4\xFF\xFE</body>"].concat();
    assert_eq!(rewritten(&both, latin), expected);
    let huge = format!("<a title='{}'>x</a>", "x".repeat(MEMORY));
    let out = text(&both, &huge);
    assert!(out.starts_with(&huge), "the page itself is whole");
    assert_eq!(out.get(huge.len()..).unwrap(), format!("{MARK}{TAG}"));
}

#[test]
fn a_compressed_page_comes_as_it_is_made() {
    use std::io::Read;
    let mut injector = Injector::new(insert(Some(TAG), None), true);
    let mut packed =
        injector.rewrite(Some(&Bytes::from_static(b"<head></head><body>first")), false).unwrap().to_vec();
    let mut seen = [0; 70];
    flate2::read::GzDecoder::new(packed.as_slice()).read_exact(&mut seen[..60]).unwrap();
    assert!(String::from_utf8_lossy(&seen).starts_with(&format!("<head>{TAG}</head>")));
    packed.extend(injector.rewrite(Some(&Bytes::from_static(b"second")), true).unwrap());
    let mut whole = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut whole).unwrap();
    assert_eq!(whole, format!("<head>{TAG}</head><body>firstsecond"));
}

#[test]
fn gzip_is_for_those_who_read_it() {
    for (value, reads) in [
        ("gzip", true),
        ("br, GZIP;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip; q=0.0", false),
        ("br, zstd", false),
        ("*", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("accept-encoding", value.parse().unwrap());
        assert_eq!(reads_gzip(&headers), reads, "{value}");
    }
    assert!(!reads_gzip(&HeaderMap::new()));
}

#[test]
fn the_pages_own_policy_decides_how_the_script_comes_in() {
    let (free, blocked) = (Entry::Free, Entry::Blocked);
    let nonce = |text: &str| Entry::Nonce(text.to_owned());
    for (policies, wanted) in [
        (&[][..], &free),
        (&["default-src 'self'"], &free),
        (&["script-src *"], &free),
        (&["script-src https:"], &free),
        (&["img-src 'none'; style-src 'none'"], &free),
        (&["script-src https://panel.test:8443"], &free),
        (&["script-src *.test:*"], &free),
        (&["script-src panel.test:8443/_gate/"], &free),
        (&["script-src panel.test:8443/_gate/client.js"], &free),
        (&["script-src 'none'; script-src-elem 'self'"], &free),
        (&["SCRIPT-SRC 'SELF'"], &free),
        (&["sandbox allow-scripts allow-same-origin"], &free),
        (&["default-src 'none'"], &blocked),
        (&["default-src 'self'; connect-src 'none'"], &blocked),
        (&["script-src"], &blocked),
        (&["script-src 'none'"], &blocked),
        (&["script-src 'unsafe-inline'"], &blocked),
        (&["script-src https://panel.test"], &blocked),
        (&["script-src https://other.test:8443"], &blocked),
        (&["script-src https://evil-panel.test:8443 *.panel.test:8443"], &blocked),
        (&["script-src panel.test:8443/static/"], &blocked),
        (&["script-src 'self'; script-src-elem 'none'"], &blocked),
        (&["script-src 'none'; script-src 'self'"], &blocked),
        (&["script-src 'self' 'strict-dynamic' 'sha256-x'"], &blocked),
        (&["sandbox"], &blocked),
        (&["sandbox allow-scripts"], &blocked),
        (&["script-src 'self'", "script-src 'none'"], &blocked),
        (&["script-src 'self', script-src 'none'"], &blocked),
        (&["script-src 'nonce-a\"b'"], &blocked),
        (&["script-src 'nonce-Ab+/9=='"], &nonce("Ab+/9==")),
        (&["script-src 'strict-dynamic' 'nonce-x1'"], &nonce("x1")),
        (&["script-src 'nonce-a' 'nonce-b', script-src 'nonce-b'"], &nonce("b")),
        (&["script-src 'nonce-a', script-src 'nonce-b'"], &blocked),
        (&["script-src 'nonce-a' 'self'"], &free),
    ] {
        let mut headers = HeaderMap::new();
        for policy in policies {
            headers.append("content-security-policy", policy.parse().unwrap());
        }
        assert_eq!(csp::entry(&headers, own(&host())), *wanted, "{policies:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert("integrity-policy", "blocked-destinations=(script)".parse().unwrap());
    assert_eq!(csp::entry(&headers, own(&host())), blocked);
    headers.clear();
    headers
        .insert("content-security-policy", http::HeaderValue::from_bytes(b"script-src 'self' \xFF").unwrap());
    assert_eq!(csp::entry(&headers, own(&host())), blocked, "what cannot be read is a no");
    assert!(!meta_lets_ask("default-src 'none'; script-src 'self'", own(&host())));
}
