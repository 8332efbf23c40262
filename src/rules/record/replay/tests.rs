use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    portal::tests::support::rules,
    rules::{
        address::AddrSource,
        policy::{
            Answer, Asked, Question,
            diff::tests::{pair, question},
        },
        record::{
            Acted, Kept, Person, WHOLE_ADDRESSES,
            tests::{person, sample},
        },
        session::PublicId,
    },
};

fn office(networks: &[&str], admin: &str) -> RuleSet {
    let page = |name: &str, paths: &str, more: serde_json::Value| {
        let mut page =
            json!({ "name": name, "paths": [paths], "access": { "root": "full", "admin": admin } });
        page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        page
    };
    rules(&json!({
        "version": 1, "roles": ["root", "admin"],
        "pages": [page("users", "/users/**", json!({})), page("office", "/office/**", json!({ "when": { "networks": networks } }))],
    }))
    .compiled_from(format!("{networks:?}{admin}").as_bytes())
}

/// As the gate writes it down.
fn decided(question: &Question, by: &RuleSet, number: u64) -> Record {
    let mut record = sample(&question.method, "/");
    let [.., high, low] = number.to_be_bytes();
    record.decision = DecisionId([0, 0, 0, high, low]);
    record.at = question.at;
    record.policy = Arc::clone(by.version());
    record.asked.path = Kept::of(&question.target);
    record.asked.upgrade = question.upgrade;
    record.asked.method_override = question.method_override;
    record.client.country = question.country;
    match question.client {
        Some(ip) => record.client.ip = ip,
        None => record.client.from = AddrSource::Stopped,
    }
    record.who = who(&question.who);
    let ruling = question.put(by);
    record.reply.reason = ruling.answer.reason();
    record.reply.needs = Some(ruling.ruling.needs);
    record.reply.said = match ruling.answer {
        Answer::Allow { have, .. } => {
            record.reply.have = Some(have);
            Said::Allow
        }
        Answer::SignIn => Said::SignIn,
        Answer::StepUp { readable } => Said::StepUp { readable },
        Answer::Deny(_) => Said::Deny,
        Answer::BadRequest => Said::BadRequest,
    };
    record
}

fn who(asked: &Asked) -> Option<Person> {
    match asked {
        Asked::Nobody => None,
        Asked::Session { role, enrolled, proof, relaxed, acting } => {
            let acting = acting.as_ref().map(|(role, write)| Acted::For {
                user: "eve".into(),
                role: Role::clone(role),
                write: *write,
                until: Wall::NEVER,
            });
            let person = person(role, *proof);
            Some(Person { enrolled: *enrolled, relaxed: *relaxed, acting, ..person })
        }
        Asked::Key { role, enrolled, scopes } => {
            let held = Held::Key { id: PublicId("k".into()), scopes: scopes.clone() };
            Some(Person { enrolled: *enrolled, held, ..person(role, None) })
        }
    }
}

fn replay<'r>(records: impl IntoIterator<Item = &'r Record>, under: &RuleSet, chosen: Chosen) -> Replayed {
    let mut replay = Replay::under(under, chosen);
    records.into_iter().for_each(|record| replay.take(record));
    replay.finish()
}

fn all<'r>(records: impl IntoIterator<Item = &'r Record>, under: &RuleSet) -> Replayed {
    replay(records, under, Chosen::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Exactly what is decided differently flips, and under the policy that decided nothing does.
    #[test]
    fn what_flips_is_what_is_decided_differently(
        (a, b) in pair(),
        questions in prop::collection::vec(question(), 1..60),
    ) {
        let (a, b) = (a.compiled_from(b"a"), b.compiled_from(b"b"));
        let records: Vec<Record> =
            (0..).zip(&questions).map(|(number, question)| decided(question, &a, number)).collect();
        let differs = |question: &&Question| {
            Outcome::from(question.put(&a).answer) != Outcome::from(question.put(&b).answer)
        };
        let expected = questions.iter().filter(differs).count() as u64;
        let under_b = all(&records, &b);
        prop_assert_eq!(under_b.judged, records.len() as u64);
        prop_assert_eq!(under_b.judged - under_b.unchanged, expected);
        prop_assert_eq!(under_b.totals.all() as u64, expected);
        prop_assert_eq!(under_b.flips.iter().map(|flip| flip.count).sum::<u64>(), expected);
        prop_assert_eq!(under_b.control, Control::default());
        for flip in &under_b.flips {
            let index = records.iter().position(|record| record.decision == flip.example).unwrap();
            prop_assert!(differs(&&questions[index]), "{:?}", questions[index]);
        }
        let under_a = all(&records, &a);
        prop_assert_eq!(under_a.unchanged, records.len() as u64);
        prop_assert_eq!(under_a.control, Control { judged: records.len() as u64, flipped: 0 });
    }
}

#[test]
fn flips_that_are_alike_are_one_line_with_the_newest_as_its_example() {
    let (before, after) = (office(&["0.0.0.0/0"], "read"), office(&["0.0.0.0/0"], "none"));
    let mut records = Vec::new();
    for number in 0..3_u8 {
        let mut record = sample("GET", &format!("/users/{number}"));
        record.at = record.at.plus(Duration::from_secs(u64::from(number)));
        record.decision = DecisionId([0, 0, 0, 0, number]);
        record.policy = Arc::clone(before.version());
        record.reply.said = Said::Allow;
        record.reply.reason = Reason::RoleAllows;
        record.reply.have = Some(Access::Read);
        records.push(record);
    }
    // The order of the files is not that of time.
    records.swap(1, 2);
    let found = all(&records, &after);
    assert_eq!((found.judged, found.unchanged, found.totals.closes), (3, 0, 3));
    let [flip] = found.flips.as_slice() else { panic!("{found:?}") };
    assert_eq!((flip.count, flip.effect, flip.request.as_str()), (3, Effect::Closes, "GET /users/2"));
    assert_eq!(flip.example, DecisionId([0, 0, 0, 0, 2]));
    assert_eq!(flip.span, (records[0].at, records[1].at));
    assert_eq!((flip.user.as_deref(), flip.role.as_deref()), (Some("bob"), Some("admin")));
    assert_eq!(flip.before.to_string(), "allowed (read)");
    assert_eq!(flip.after.to_string(), "refused (role-lacks-access)");

    let narrowed = |chosen| replay(&records, &after, chosen).judged;
    assert_eq!(narrowed(Chosen { user: Some("eve".into()), ..Chosen::default() }), 0);
    assert_eq!(narrowed(Chosen { user: Some("bob".into()), ..Chosen::default() }), 3);
    assert_eq!(narrowed(Chosen { site: Some("other".into()), ..Chosen::default() }), 0);
    assert_eq!(narrowed(Chosen { page: Some("users".into()), ..Chosen::default() }), 3);
    assert_eq!(narrowed(Chosen { page: Some("office".into()), ..Chosen::default() }), 0);
    assert_eq!(narrowed(Chosen { since: Some(records[2].at), ..Chosen::default() }), 2);
    assert_eq!(narrowed(Chosen { until: Some(records[2].at), ..Chosen::default() }), 1);
}

#[test]
fn what_no_policy_decided_is_counted_and_not_judged() {
    let policy = office(&["0.0.0.0/0"], "read");
    let with = |said, reason, path: &str| {
        let mut record = sample("GET", path);
        (record.reply.said, record.reply.reason) = (said, reason);
        record
    };
    let long = format!("/{}", "a".repeat(4000));
    let throttle = Said::Throttle { millis: 1 };
    for (record, why) in [
        (with(Said::Deny, Reason::Portal, "/_gate/account/keys"), Unjudged::Portal),
        (with(Said::SignIn, Reason::NoCredential, "/_gate/sign-out"), Unjudged::Portal),
        (with(Said::Deny, Reason::Banned, "/users/1"), Unjudged::Ban),
        (with(throttle, Reason::RateLimited, "/users/1"), Unjudged::Limit),
        (with(throttle, Reason::PageLimit, "/users/1"), Unjudged::Limit),
        (with(Said::Unavailable, Reason::StoreUnavailable, "/users/1"), Unjudged::Fault),
        (with(Said::BadGateway, Reason::UpstreamUnreachable, "/users/1"), Unjudged::Fault),
        (with(Said::Deny, Reason::PageUnmarkable, "/users/1"), Unjudged::Fault),
        (with(Said::Deny, Reason::ForeignOrigin, "/users/1"), Unjudged::Before),
        (with(Said::BadRequest, Reason::Malformed, "/users/1"), Unjudged::Before),
        (with(Said::Deny, Reason::RoleLacksAccess, &long), Unjudged::Undescribed),
    ] {
        let found = all([&record], &policy);
        assert_eq!(found.not_judged, [(why, 1)].into(), "{:?}", record.reply);
        assert_eq!(found.judged, 0);
    }
    // Whoever was told to sign in because his session had ended is judged as a stranger, and stays one.
    let mut ended = with(Said::SignIn, Reason::SessionEnded, "/users/1");
    ended.who.as_mut().unwrap().accepted = false;
    assert_eq!(all([&ended], &policy).unchanged, 1);
    // An impersonation that was over for lack of the right stays over.
    let mut over = with(Said::Deny, Reason::ImpersonationOver, "/users/1");
    let acting = Acted::For { user: "eve".into(), role: "admin".into(), write: true, until: Wall::NEVER };
    over.who.as_mut().unwrap().acting = Some(acting);
    assert_eq!(all([&over], &policy).unchanged, 1);
}

/// What was taken away from an address is not guessed.
#[test]
fn a_shortened_address_is_judged_only_where_every_address_it_may_have_been_is_judged_alike() {
    let mut record = sample("GET", "/office/1");
    record.who = Some(person("root", None));
    record.reply.reason = Reason::OutsideNetworks;
    record.shorten(record.at.plus(WHOLE_ADDRESSES));
    let unsure = |networks: &[&str]| {
        all([&record], &office(networks, "none")).not_judged.contains_key(&Unjudged::Shortened)
    };
    assert!(unsure(&["203.0.113.64/26"]), "part of what is left");
    assert!(unsure(&["203.0.113.7"]));
    for exact in [&["203.0.113.0/24"][..], &["203.0.0.0/8"], &["10.0.0.1"], &["203.0.113.7", "203.0.0.0/8"]] {
        assert!(!unsure(exact), "{exact:?}");
    }
    // On another page nobody asks for it.
    let mut elsewhere = sample("GET", "/users/1");
    elsewhere.shorten(elsewhere.at.plus(WHOLE_ADDRESSES));
    assert_eq!(all([&elsewhere], &office(&["203.0.113.7"], "read")).judged, 1);
}

#[test]
fn there_is_an_end_to_the_kinds_that_are_told_apart() {
    let policy = office(&["0.0.0.0/0"], "read");
    let mut replay = Replay::under(&policy, Chosen::default());
    for number in 0..KINDS + 7 {
        let mut record = sample("GET", "/users/1");
        record.who.as_mut().unwrap().user = format!("user-{number}").into();
        replay.take(&record);
    }
    let found = replay.finish();
    assert_eq!((found.flips.len(), found.more, found.totals.opens), (KINDS, 7, KINDS + 7));
}
