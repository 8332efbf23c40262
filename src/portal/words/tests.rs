use super::*;

fn accepting(value: &str) -> &'static str {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_LANGUAGE, value.parse().unwrap());
    choose(&headers).lang
}

fn placeholders(text: &str) -> Vec<&str> {
    let mut names: Vec<_> =
        text.split('{').skip(1).map(|rest| rest.split_once('}').expect("a closed brace").0).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_readers_language_is_chosen_by_weight_and_english_is_the_fallback() {
    for (header, lang) in [
        ("de", "de"),
        ("de-AT,en;q=0.5", "de"),
        ("en;q=0.5,de;q=0.9", "de"),
        ("fr, de;q=0.3", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("de;q=banana", "en"),
        ("de;q=9", "en"),
        (";;;,,,", "en"),
    ] {
        assert_eq!(accepting(header), lang, "{header}");
    }
    assert_eq!(choose(&HeaderMap::new()).lang, "en");
}

#[test]
fn every_language_has_the_same_placeholders_and_no_empty_message() {
    let reference = en::WORDS.entries();
    for ((key, english), (_, other)) in reference.iter().zip(de::WORDS.entries()) {
        assert!(!other.is_empty(), "{key} is empty");
        assert_eq!(placeholders(english), placeholders(other), "{key}");
    }
}

#[test]
fn words_never_say_what_a_machine_would() {
    for (key, text) in en::WORDS.entries() {
        for banned in ["invalid", "unauthorized", "forbidden", "401", "403", "error"] {
            assert!(!text.to_lowercase().contains(banned), "{key} says {banned:?}");
        }
    }
}

#[test]
fn filling_in_replaces_every_name_and_never_looks_into_the_values() {
    assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "x")]), "{b} and x");
    assert_eq!(fill("no {unknown} name", &[]), "no  name");
    assert_eq!(fill("open {brace", &[]), "open ");
}
