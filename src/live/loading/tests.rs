//! R12: what is loaded late is never older than what memory knows already.

use std::sync::Arc;

use super::super::Records;
use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        judge::View as _,
        session::{EndReason, Ended, ExternalKey, Family, Origin, Session, Sid},
    },
    secret::SecretBytes,
    store::{Change, Cursor, Everything},
};

const OPENED: Wall = Wall::from_secs(1_764_000_000);

fn session(n: u8) -> Session {
    Session {
        sid: Sid([n; 32]),
        user: UserId([1; 16]),
        site: "panel".into(),
        origin: Origin::External(Box::new(key(n))),
        opened: OPENED,
        seen: OPENED,
        idle_millis: 86_400_000,
        expires: OPENED.plus(std::time::Duration::from_secs(86_400)),
        family: Family {
            seed: SecretBytes::new([3; 32]),
            key: "r1".into(),
            generation: 0,
            current_seen: None,
        },
        elevation: None,
        device: "curl".into(),
        address: [192, 0, 2, 1].into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

fn key(n: u8) -> ExternalKey {
    ExternalKey { issuer: "panel-jwt".into(), session: format!("session-{n}") }
}

fn ended(n: u8) -> Session {
    Session { ended: Some(Ended { at: OPENED, why: EndReason::Revoked }), ..session(n) }
}

/// Memory that has no session yet, at position 10.
fn loading() -> Records {
    let records = Records::default();
    records.begin(Everything { cursor: Cursor(10), ..Everything::default() });
    records
}

fn read(n: u8) -> [Arc<Session>; 1] {
    [Arc::new(session(n))]
}

#[test]
fn nobody_is_told_about_all_sessions_before_they_are_here() {
    let records = loading();
    records.put_missing(read(1));
    assert!(records.whole().is_none());
    assert!(!*records.loaded().borrow());
    records.put_missing(read(2));
    records.end_loading();
    let whole = records.whole().unwrap();
    assert_eq!(whole.sessions().len(), 2);
    assert_eq!(whole.sessions_of(&UserId([1; 16])).len(), 2);
    assert_eq!(whole.session_by_public(&Sid([2; 32]).public()).unwrap().sid, Sid([2; 32]));
    assert_eq!(whole.count_sessions(OPENED, |_| false), (2, 0));
    assert_eq!(records.external(&key(1)).unwrap().sid, Sid([1; 32]));
}

#[test]
fn r12_a_change_that_came_first_is_not_undone_by_an_older_read() {
    let records = loading();
    records.apply(Cursor(11), Change::Session(Arc::new(ended(1))));
    records.put_missing(read(1));
    records.end_loading();
    assert!(records.session(&Sid([1; 32])).unwrap().ended.is_some(), "it was alive again");
    assert!(records.external(&key(1)).unwrap().ended.is_some());
}

#[test]
fn r12_a_session_that_went_while_it_was_read_does_not_come_back() {
    let records = loading();
    records.apply(Cursor(11), Change::SessionGone(Sid([1; 32])));
    records.put_missing(read(1));
    assert!(records.session(&Sid([1; 32])).is_none(), "it came back before all were here");
    assert!(records.external(&key(1)).is_none());
    records.put_missing(read(2));
    records.apply(Cursor(12), Change::SessionGone(Sid([2; 32])));
    records.put_missing(read(2));
    records.end_loading();
    assert!(records.whole().unwrap().sessions().is_empty(), "it came back");
    assert!(records.whole().unwrap().session_by_public(&Sid([1; 32]).public()).is_none());
}

#[test]
fn r12_a_session_that_is_not_in_everything_does_not_come_back_by_an_older_read() {
    let records = loading();
    records.put_missing(read(1));
    let sessions = vec![Arc::new(session(2))];
    let everything = Everything { cursor: Cursor(20), sessions, ..Everything::default() };
    records.apply(Cursor(20), Change::Everything(Arc::new(everything)));
    records.put_missing(read(1));
    records.put_missing(read(3));
    let sids: Vec<Sid> = records.whole().unwrap().sessions().iter().map(|session| session.sid).collect();
    assert_eq!(sids, [Sid([2; 32])], "everything was all there was");
}

#[test]
fn r12_a_read_that_was_under_way_when_all_were_here_brings_nothing_back() {
    let records = loading();
    records.put_missing(read(1));
    records.end_loading();
    records.apply(Cursor(11), Change::SessionGone(Sid([1; 32])));
    records.put_missing(read(1));
    assert!(records.session(&Sid([1; 32])).is_none());
}
