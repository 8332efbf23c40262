use http::HeaderMap;

use super::*;
use crate::portal::words;

#[test]
fn the_usual_browsers_are_recognised() {
    const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 16; K)";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)";
    const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
    for (system, rest, expected) in [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)", "Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Android 16; Mobile; rv:145.0)", "Gecko/145.0 Firefox/145.0", "Firefox on Android"),
        (WINDOWS, "AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (WINDOWS, &format!("{WEBKIT} Safari/537.36 Edg/140.0"), "Edge on Windows"),
        (ANDROID, &format!("{WEBKIT} Mobile Safari/537.36 EdgA/140.0"), "Edge on Android"),
        (ANDROID, &format!("{WEBKIT} Mobile Safari/537.36"), "Chrome on Android"),
        (
            ANDROID,
            "AppleWebKit/537.36 SamsungBrowser/28.0 Chrome/130.0 Mobile",
            "Samsung Internet on Android",
        ),
        (MAC, &format!("{WEBKIT} Safari/537.36 OPR/120.0"), "Opera on macOS"),
        (MAC, "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "Safari on macOS"),
        (
            MAC,
            "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15 Ddg/19.0",
            "DuckDuckGo on macOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64)",
            &format!("{WEBKIT} Safari/537.36 Vivaldi/7.1"),
            "Vivaldi on Linux",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 16000.0.0)",
            &format!("{WEBKIT} Safari/537.36"),
            "Chrome on ChromeOS",
        ),
        (
            IPHONE,
            "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            IPHONE,
            "AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            IPHONE,
            "AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
            "Firefox on iPhone",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)",
            "Version/17.0 Mobile/15E148 Safari/604.1",
            "Safari on iPad",
        ),
        ("Mozilla/5.0 (X11; FreeBSD amd64; rv:140.0)", "Gecko/20100101 Firefox/140.0", "Firefox on FreeBSD"),
        (WINDOWS, "Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows"),
    ] {
        assert_eq!(name(&format!("{system} {rest}")), expected);
    }
}

#[test]
fn programs_keep_their_name_and_version_and_nothing_that_becomes_a_link_or_a_line() {
    for (sent, expected) in [
        ("curl/8.14.1", "curl"),
        ("my-script/1.0 (x)", "my-script/1.0"),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("Go-http-client/1.1", "Go-http-client/1.1"),
        ("https://evil.example/win", "https"),
        ("evil.example/1", "evil/1"),
        ("x/1.0\r\nBcc: all@example.com", "x/1.0"),
        ("<b>bold</b>", ""),
        ("", ""),
    ] {
        assert_eq!(name(sent), expected, "{sent:?}");
    }
    let longest = name(&format!("{}/{}", "a".repeat(500), "1".repeat(500)));
    assert_eq!(longest.len(), 40);
}

#[test]
fn devices_are_shown_in_the_readers_words() {
    let german = HeaderMap::from_iter([(http::header::ACCEPT_LANGUAGE, "de".parse().unwrap())]);
    let (english, german) = (words::choose(&HeaderMap::new()), words::choose(&german));
    assert_eq!(shown(english, "Firefox on Linux"), "Firefox on Linux");
    assert_eq!(shown(german, "Firefox on Linux"), "Firefox unter Linux");
    assert_eq!(shown(english, ""), "Unknown device");
    assert_eq!(shown(english, "my-script/1.0"), "my-script/1.0");
    let raw = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    assert_eq!(shown(english, raw), "Firefox on Linux", "as a session of a trusted issuer has it");
}
