//! What would have allowed a request, in the reader's language.

use std::time::Duration;

use crate::{
    portal::{
        pages::{self, wait},
        words::{Words, fill},
    },
    rules::record::{Change, Record, Report, Said, Way},
};

/// One line for each way.
pub(super) fn all(words: &Words, report: &Report, record: &Record) -> Vec<String> {
    if record.is_allowed() {
        return Vec::new();
    }
    if let Said::Throttle { millis } = record.reply.said {
        let time = wait(words, Duration::from_millis(millis));
        return vec![fill(words.overview.way_wait, &[("time", &time)])];
    }
    lines(words, report.ways())
}

/// The same of ways that were found elsewhere.
pub(in crate::portal::admin) fn lines(words: &Words, ways: &[Way]) -> Vec<String> {
    ways.iter().map(|way| spell(words, way)).collect()
}

fn spell(words: &Words, way: &Way) -> String {
    way.iter().map(|change| one(words, change)).collect::<Vec<_>>().join(words.overview.way_and)
}

fn one(words: &Words, change: &Change) -> String {
    let own = &words.overview;
    match change {
        Change::SignIn(roles) => items(words, own.way_sign_in, roles),
        Change::Enrol => own.way_enrol.to_owned(),
        Change::SecondFactor => own.way_factor.to_owned(),
        Change::Role(roles) => items(words, own.way_role, roles),
        Change::From(networks) => items(words, own.way_from, networks),
        Change::In(countries) => items(words, own.way_from, countries),
        Change::At(at) => fill(own.way_at, &[("time", &pages::date_and_time(*at))]),
        Change::Method(methods) => items(words, own.way_method, methods),
        Change::Scope(scopes) => items(words, own.way_scope, scopes),
        Change::Session => own.way_session.to_owned(),
        Change::EndActing => own.way_end.to_owned(),
        Change::WriteActing => own.way_write.to_owned(),
    }
}

fn items(words: &Words, pattern: &str, list: &[impl ToString]) -> String {
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    fill(pattern, &[("items", &list.join(words.overview.or))])
}
