use super::*;

fn target(path: &str) -> Target {
    Target::parse(path.as_bytes()).unwrap()
}

#[test]
fn every_usual_trap_can_be_set_and_is_sprung_by_its_own_path() {
    let traps = Traps::default();
    assert_eq!(traps.set.len(), USUAL.len());
    for text in USUAL {
        let path = text.replace("/**", "/x/y");
        assert_eq!(traps.find(&target(&path)), Some(text), "{path}");
    }
}

#[test]
fn case_and_a_query_hide_nothing_and_neighbours_are_free() {
    let traps = Traps::default();
    for path in ["/.ENV", "/.env?x=1", "/WP-Login.php", "/.git", "/.git/HEAD", "/%2egit/config"] {
        assert!(traps.find(&target(path)).is_some(), "{path}");
    }
    for path in ["/", "/.envy", "/env", "/x/.env", "/git/HEAD", "/phpmyadmin/"] {
        assert_eq!(traps.find(&target(path)), None, "{path}");
    }
}

#[test]
fn a_trap_that_would_catch_everybody_is_refused() {
    let mut traps = Traps::none(Duration::from_secs(1));
    for text in ["/**", "/", "/*", "/*/x", "x", "/a?b"] {
        assert!(traps.set(text).is_err(), "{text}");
    }
    assert_eq!(traps, Traps::none(Duration::from_secs(1)));
}
