use super::*;

const AT: Wall = Wall::from_secs(1_764_000_000);

fn session(name: &str) -> PublicId {
    PublicId(name.into())
}

fn known(device: &str, country: &str) -> Known {
    Known { device: device.into(), country: country.into(), first: AT, standing: Standing::Familiar }
}

/// Whether a sign-in is news, and whether it is remembered.
fn seen(places: &[Known], device: &str, country: &str) -> (bool, bool) {
    match sighting(places, device, country, &session("s"), AT) {
        Sighting::Familiar => (false, false),
        Sighting::Learned(_) => (false, true),
        Sighting::News(_) => (true, true),
    }
}

#[test]
fn a_new_device_or_a_new_country_is_news_and_the_first_sign_in_ever_is_not() {
    assert_eq!(seen(&[], "Firefox on Linux", "SE"), (false, true), "the first");
    let home = [known("Firefox on Linux", "SE"), known("Chrome on Android", "DE")];
    for (device, country, news) in [
        ("Firefox on Linux", "SE", false),
        ("Firefox on Linux", "DE", false),
        ("Firefox on Linux", "", false),
        ("Chrome on Windows", "SE", true),
        ("Firefox on Linux", "GB", true),
        ("Chrome on Windows", "", true),
    ] {
        assert_eq!(seen(&home, device, country), (news, news), "{device} {country}");
    }
}

/// Otherwise everybody would hear of themselves on the day on which a database is installed.
#[test]
fn countries_that_become_known_later_are_learned_without_a_word() {
    let before = [known("Firefox on Linux", "")];
    assert_eq!(seen(&before, "Firefox on Linux", "SE"), (false, true));
    let after = [known("Firefox on Linux", ""), known("Firefox on Linux", "SE")];
    assert_eq!(seen(&after, "Firefox on Linux", "SE"), (false, false));
    assert_eq!(seen(&after, "Firefox on Linux", "GB"), (true, true));
}

#[test]
fn news_is_asked_about_until_it_is_answered_and_what_was_disowned_is_news_again() {
    let home = known("Firefox on Linux", "SE");
    let Sighting::News(asked) =
        sighting(std::slice::from_ref(&home), "Chrome on Windows", "GB", &session("one"), AT)
    else {
        panic!("no news");
    };
    let places = [home.clone(), asked];
    let open: Vec<_> = unanswered(&places).map(|(_, session)| session.clone()).collect();
    assert_eq!(open, [session("one")]);
    assert_eq!(
        seen(&places, "Chrome on Windows", "GB"),
        (false, false),
        "one question, however often it comes"
    );
    assert_eq!(answered(&places, &session("another"), true), None);
    for (mine, again) in [(true, false), (false, true)] {
        let answer = answered(&places, &session("one"), mine).unwrap();
        let places = [home.clone(), answer];
        assert_eq!(unanswered(&places).count(), 0);
        assert_eq!(seen(&places, "Chrome on Windows", "GB").0, again, "mine: {mine}");
    }
}

#[test]
fn a_flood_of_news_stops_letters_and_ends_after_an_hour() {
    let asked = |n: usize| Known {
        standing: Standing::Asked(session(&n.to_string())),
        ..known(&format!("device {n}"), "GB")
    };
    let places: Vec<_> = (0..5).map(asked).collect();
    assert!(!is_flood(&places[..4], AT));
    assert!(is_flood(&places, AT));
    assert!(!is_flood(&places, AT.plus(FLOOD)));
}
