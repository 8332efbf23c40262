use std::{fs, path::Path};

use super::*;

fn places() -> Places {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip/GeoLite2-City-Test.mmdb");
    Places::parse(fs::read(file).unwrap()).unwrap()
}

fn news() -> NewSignIn {
    NewSignIn {
        site: "panel".into(),
        title: "Example panel".into(),
        user: UserName::parse("alice").unwrap(),
        email: "alice@example.com".into(),
        session: PublicId("abcdefgh".into()),
        device: "Chrome on Windows".into(),
        address: "89.160.20.112".parse().unwrap(),
        places: places(),
        at: Wall::from_secs(1_764_000_000),
        revoke: "https://panel.example.com/_gate/not-me?t=abc".into(),
        sessions: "https://panel.example.com/_gate/account/sessions".into(),
    }
}

#[test]
fn a_letter_says_what_where_when_and_what_to_do_in_both_languages() {
    let english = news().letter("en");
    assert_eq!(english.subject, "New sign-in to Example panel");
    for line in [
        "    Device:      Chrome on Windows\n",
        "    Location:    Linköping, Sweden\n",
        "    IP address:  89.160.20.112\n",
        "    Time:        2025-11-24 16:00 UTC\n",
        "\nhttps://panel.example.com/_gate/not-me?t=abc\n",
    ] {
        assert!(english.text.contains(line), "{line} in {}", english.text);
    }
    let german = news().letter("de");
    assert_eq!(german.subject, "Neue Anmeldung bei Example panel");
    assert!(german.text.contains("Chrome unter Windows") && german.text.contains("Linköping, Schweden"));
    assert_eq!(news().letter("tlh"), english, "English where there is no such language");
}

#[test]
fn nothing_in_a_letter_begins_a_line_of_its_own() {
    let hostile = "x\r\nBcc: all@example.com\r\n\r\nhello\u{2028}there";
    let letter = NewSignIn { device: hostile.into(), title: hostile.into(), ..news() }.letter("en");
    assert_eq!(letter.subject.lines().count(), 1, "{}", letter.subject);
    assert_eq!(letter.text.lines().count(), news().letter("en").text.lines().count(), "{}", letter.text);
    assert!(!letter.text.contains(['\r', '\u{2028}']));
}

#[test]
fn programs_get_the_same_id_however_often_and_no_link_that_does_something() {
    let document = news().document();
    assert_eq!(document["id"], "abcdefgh-1764000000000");
    assert_eq!((&document["city"], &document["country"]), (&"Linköping".into(), &"SE".into()));
    assert!(!document.to_string().contains("not-me"), "{document}");
}
