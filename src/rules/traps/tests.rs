use super::*;

fn target(path: &str) -> Target {
    Target::parse(path.as_bytes()).unwrap()
}

#[test]
fn every_usual_trap_can_be_set_and_is_sprung_by_its_own_path() {
    let traps = Traps::default();
    assert_eq!(traps.set.len(), USUAL.len());
    for text in USUAL {
        let path = text.replace("/**/", "/blog/").replace("/**", "/x/y").replace('*', ".local");
        assert_eq!(traps.find(&target(&path)), Some(text), "{path}");
    }
}

#[test]
fn case_and_a_query_hide_nothing_and_neighbours_are_free() {
    let traps = Traps::default();
    for path in ["/.ENV", "/.env?x=1", "/WP-Login.php", "/.git", "/.git/HEAD", "/%2egit/config"] {
        assert!(traps.find(&target(path)).is_some(), "{path}");
    }
    for path in ["/", "/env", "/x.env", "/git/HEAD", "/phpmyadmin/", "/wp-login.php/x", "/x/boaform/y"] {
        assert_eq!(traps.find(&target(path)), None, "{path}");
    }
}

/// Only the ones at the root were known.
#[test]
fn what_scanners_look_for_in_every_folder_is_a_trap_in_every_folder() {
    let traps = Traps::default();
    for path in [
        "/.env.local",
        "/.env.bak",
        "/.env~",
        "/backup/.env",
        "/api/v2/.ENV.production",
        "/blog/wp-login.php",
        "/Blog/WP-Login.php?action=register",
        "/wp-config.php.bak",
        "/old/.git/config",
        "/old/.git",
        "/blog/wp-includes/wlwmanifest.xml",
        "/lib/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    ] {
        assert!(traps.find(&target(path)).is_some(), "{path}");
    }
    assert_ne!(traps.find(&target("/.env")), traps.find(&target("/.env.local")), "two traps, so a ban");
}

#[test]
fn the_gates_own_pages_are_never_a_trap() {
    for path in ["/_gate/.env", "/_gate/x/wp-login.php", "/_gate/.git/config"] {
        assert_eq!(Traps::default().find(&target(path)), None, "{path}");
    }
    let mut traps = Traps::none(Duration::from_secs(1));
    for text in ["/_gate/**", "/_Gate/sign-in", "/**/_gate/**", "/**/_gate"] {
        let refused = traps.set(text).unwrap_err();
        assert!(refused.0.contains("the gate serves"), "{text}: {refused:?}");
    }
}

#[test]
fn a_trap_that_would_catch_everybody_is_refused() {
    let mut traps = Traps::none(Duration::from_secs(1));
    for text in
        ["/**", "/", "/*", "/*/x", "x", "/a?b", "/**/*", "/**/**", "/**/", "/**/.en*", "/**/a/b", "/**/a?b"]
    {
        assert!(traps.set(text).is_err(), "{text}");
    }
    assert_eq!(traps, Traps::none(Duration::from_secs(1)));
}
