use super::{Fact, Question};
use crate::{clock::Wall, rules::written::Findings};

const NOW: Wall = Wall::from_secs(1_780_000_000);

fn fact(key: &'static str, texts: &[&str]) -> Fact {
    Fact { key, called: format!("--{key}"), texts: texts.iter().map(|text| (*text).to_owned()).collect() }
}

fn asked(more: Vec<Fact>) -> Result<Question, Vec<String>> {
    let mut facts = vec![fact("role", &["root"]), fact("path", &["/a,b"])];
    facts.retain(|one| more.iter().all(|other| other.key != one.key));
    facts.extend(more);
    let mut found = Findings::default();
    let question = Question::of_facts(&facts, NOW, &mut found);
    let said = found.sorted().into_iter().map(|found| format!("{}: {}", found.at.source, found.what));
    question.ok_or_else(|| said.collect())
}

#[test]
fn facts_from_elsewhere_make_one_question() {
    let plain = asked(vec![]).unwrap();
    assert_eq!(plain.to_string(), "GET /a,b as root, at 2026-05-28T20:26:40Z");
    let all = asked(vec![
        fact("method", &["WEBSOCKET"]),
        fact("from", &["::ffff:10.0.0.5"]),
        fact("country", &["DE"]),
        fact("at", &["2026-11-25 08:00 Europe/Berlin"]),
        fact("elevated", &["5m ago"]),
        fact("acting_as", &["user"]),
        fact("write", &["true"]),
        fact("override", &["true"]),
    ]);
    assert_eq!(
        all.unwrap().to_string(),
        "GET (upgrade) (method override) /a,b as root acting for user, verified 5m ago with totp, from 10.0.0.5, in DE, \
         at 2026-11-25T07:00:00Z"
    );
    let key = asked(vec![fact("scopes", &["a:read", "a:write"])]).unwrap();
    assert_eq!(key.to_string(), "GET /a,b as a key of root with [a:read, a:write], at 2026-05-28T20:26:40Z");
    let nobody = asked(vec![fact("role", &["nobody"])]).unwrap();
    assert_eq!(nobody.to_string(), "GET /a,b as nobody, at 2026-05-28T20:26:40Z");
}

#[test]
fn mistakes_name_what_their_giver_calls_them() {
    for (facts, wanted) in [
        (vec![fact("from", &["here"])], "--from: `here` is not an address"),
        (vec![fact("country", &["UK"])], "--country: `UK` is not a country"),
        (vec![fact("at", &["noon"])], "--at: `noon` is not a point of time"),
        (vec![fact("at", &["2026-11-25 08:00"])], "--at: `2026-11-25 08:00` is not a point of time"),
        (vec![fact("elevated", &["5m"])], "--elevated: `5m` does not say whether a second factor was proved"),
        (vec![fact("method", &["get"])], "--method: `get` is not a method"),
        (vec![fact("path", &["users"])], "--path: `users` is not a path as a client sends it"),
        (vec![fact("path", &["/a/../b"])], "--path: the path has a . or .. segment"),
        (vec![fact("write", &["true"])], "--write: `write` says nothing without `acting_as`"),
        (
            vec![fact("scopes", &["a"]), fact("elevated", &["true"])],
            "--scopes: `scopes` and `elevated` stand together in the question",
        ),
        (vec![fact("role", &[])], "--role: `role` is empty in the question"),
    ] {
        assert_eq!(asked(facts.clone()).unwrap_err(), [wanted], "{facts:?}");
    }
}

/// A time that there is twice, or never, is no time that a test could mean.
#[test]
fn times_are_read_as_people_write_them() {
    let at = |text: &str| asked(vec![fact("at", &[text])]).map(|question| question.at.secs());
    for (text, seconds) in [
        ("2026-11-25 08:00 Europe/Berlin", 1_795_590_000),
        ("2026-11-25 08:00:30 Europe/Berlin", 1_795_590_030),
        ("2026-11-25T07:00:00Z", 1_795_590_000),
        ("2026-11-25T08:00:00+01:00", 1_795_590_000),
        ("2026-07-01 08:00 UTC", 1_782_892_800),
        ("1970-01-01 00:00 UTC", 0),
    ] {
        assert_eq!(at(text), Ok(seconds), "{text}");
    }
    for text in [
        "2026-03-29 02:30 Europe/Berlin",
        "2026-10-25 02:30 Europe/Berlin",
        "1969-12-31 23:59 UTC",
        "2026-02-30 08:00 UTC",
        "2026-11-25",
        "",
    ] {
        assert!(at(text).is_err(), "{text}");
    }
}
