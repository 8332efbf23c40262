use std::time::Duration;

use proptest::prelude::*;

use super::{nearest, parse_duration, spell_duration};

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, millis) in [
        ("90s", 90_000),
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("7d", 604_800_000),
        ("10ms", 10),
        (" 1s ", 1000),
    ] {
        assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "",
        "15",
        "m",
        "-1s",
        "1.5h",
        "15 m",
        "30m1h",
        "1s1s",
        "1w",
        "1S",
        "99999999999999999999s",
        "9999999999999999d",
    ] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}

#[test]
fn a_suggestion_is_close_or_is_not_made() {
    let keys = ["origins", "policy", "portal", "upstream"];
    for (word, meant) in
        [("polciy", Some("policy")), ("Origin", Some("origins")), ("upstraem", Some("upstream"))]
    {
        assert_eq!(nearest(word, keys), meant, "{word}");
    }
    for word in ["colour", "x", "", "password"] {
        assert_eq!(nearest(word, keys), None, "{word}");
    }
}

proptest! {
    #[test]
    fn every_duration_is_read_back(millis in 0_u64..4_000_000_000_000) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(parse_duration(&spell_duration(duration)), Some(duration));
    }
}
