//! The session machine, by example and against a model that keeps whole histories.

use std::{net::Ipv4Addr, time::Duration};

use proptest::prelude::*;

use super::{
    Elevation, EndReason, Factor, Family, Origin, Presented, PublicId, Rotation, Session, Sid, Status,
    elevate, end, mark_seen, rotate, status, touch,
};
use crate::{clock::Wall, rules::identity::UserId, secret::SecretBytes};

const START: u64 = 1_000_000;
const IDLE: u64 = 60_000;
const LIFE: u64 = 200_000;
const GRACE: u64 = 10_000;

fn wall(millis: u64) -> Wall {
    Wall::from_millis(millis)
}

fn fresh() -> Session {
    Session {
        sid: Sid([7; 32]),
        user: UserId([1; 16]),
        site: "panel".into(),
        origin: Origin::Portal,
        opened: wall(START),
        seen: wall(START),
        idle_millis: IDLE,
        expires: wall(START + LIFE),
        family: Family {
            seed: SecretBytes::new([9; 32]),
            key: "k1".into(),
            generation: 1,
            current_seen: None,
        },
        elevation: None,
        device: String::new(),
        address: Ipv4Addr::LOCALHOST.into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

fn present(session: &mut Session, generation: u64, at: u64) -> Rotation {
    let grace = Duration::from_millis(GRACE);
    rotate(session, &Presented { sid: session.sid, generation, at: wall(at), grace })
}

fn status_at(session: &Session, at: u64) -> Status {
    status(session, session.seen, wall(at))
}

#[test]
fn r13_twenty_parallel_refreshes_of_one_token_give_one_successor() {
    let mut session = fresh();
    assert_eq!(present(&mut session, 1, START), Rotation::Rotated { generation: 2 });
    for late in 1..20 {
        assert_eq!(present(&mut session, 1, START + late), Rotation::Repeated { generation: 2 });
    }
    assert_eq!(status_at(&session, START + 20), Status::Alive);
}

#[test]
fn r13_a_lost_answer_is_repeated_however_late_while_nobody_saw_the_successor() {
    let mut session = fresh();
    present(&mut session, 1, START);
    assert_eq!(present(&mut session, 1, START + IDLE - 1), Rotation::Repeated { generation: 2 });
}

#[test]
fn r13_reuse_after_grace_kills_the_family() {
    for (after, expected) in [(GRACE, Rotation::Repeated { generation: 2 }), (GRACE + 1, Rotation::Reused)] {
        let mut session = fresh();
        present(&mut session, 1, START);
        assert!(mark_seen(&mut session, 2, wall(START + 5)));
        assert_eq!(present(&mut session, 1, START + 5 + after), expected);
    }
    let mut session = fresh();
    present(&mut session, 1, START);
    mark_seen(&mut session, 2, wall(START));
    present(&mut session, 1, START + GRACE + 1);
    let dead = Status::Ended(EndReason::RefreshReuse);
    assert_eq!(
        present(&mut session, 2, START + GRACE + 2),
        Rotation::Dead(dead),
        "the honest one is out too"
    );
}

#[test]
fn r13_a_generation_that_is_older_or_from_the_future_kills_the_family() {
    for wrong in [0, 1, 4, 5, u64::MAX] {
        let mut session = fresh();
        present(&mut session, 1, START);
        present(&mut session, 2, START);
        assert_eq!(present(&mut session, wrong, START), Rotation::Reused, "generation {wrong}");
        assert_eq!(status_at(&session, START), Status::Ended(EndReason::RefreshReuse));
    }
}

#[test]
fn the_first_sight_of_a_generation_is_what_counts() {
    let mut session = fresh();
    assert!(!mark_seen(&mut session, 2, wall(START)), "not current");
    assert!(mark_seen(&mut session, 1, wall(START + 1)));
    assert!(!mark_seen(&mut session, 1, wall(START + 2)));
    assert_eq!(session.family.current_seen, Some(wall(START + 1)));
}

#[test]
fn an_end_outranks_expiry_and_expiry_outranks_idleness() {
    let mut session = fresh();
    assert_eq!(status_at(&session, START + IDLE - 1), Status::Alive);
    assert_eq!(status_at(&session, START + IDLE), Status::Idle);
    assert_eq!(
        status(&session, wall(START + 50), wall(START + IDLE)),
        Status::Alive,
        "an unwritten use counts"
    );
    assert_eq!(status_at(&session, START + LIFE), Status::Expired);
    end(&mut session, EndReason::SignedOut, wall(START));
    assert_eq!(status_at(&session, START + LIFE), Status::Ended(EndReason::SignedOut));
}

#[test]
fn the_first_end_stays_the_reason() {
    let mut session = fresh();
    assert!(end(&mut session, EndReason::Revoked, wall(START)));
    assert!(!end(&mut session, EndReason::SignedOut, wall(START + 1)));
    assert_eq!(status_at(&session, START), Status::Ended(EndReason::Revoked));
}

#[test]
fn r15_only_a_live_session_is_elevated() {
    let mut session = fresh();
    let proof = |at| Elevation { at: wall(at), by: Factor::Totp };
    assert!(elevate(&mut session, proof(START + 1)));
    assert!(!elevate(&mut session, proof(START + 1 + IDLE)));
    assert_eq!(session.elevation, Some(proof(START + 1)));
    end(&mut session, EndReason::SignedOut, wall(START + 2));
    assert!(!elevate(&mut session, proof(START + 3)));
}

#[test]
fn a_clock_that_goes_backwards_revives_nothing_that_was_ended() {
    let mut session = fresh();
    assert!(!end(&mut session, EndReason::Revoked, wall(START + LIFE)), "it had expired");
    assert_eq!(status_at(&session, START), Status::Ended(EndReason::Revoked));
    assert!(!touch(&mut session, wall(START + 1)));
}

/// What can happen to a session.
#[derive(Clone, Debug)]
enum Event {
    /// The clock moves, perhaps backwards.
    Jump(i64),
    /// The refresh token `back` generations before the newest is presented.
    Present {
        back: u64,
    },
    /// An access token of the generation `back` before the newest is seen.
    Seen {
        back: u64,
    },
    Elevate,
    Touch,
    End,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (-30_000_i64..30_000).prop_map(Event::Jump),
        3 => (0_u64..4).prop_map(|back| Event::Present { back }),
        2 => (0_u64..3).prop_map(|back| Event::Seen { back }),
        1 => Just(Event::Elevate),
        2 => Just(Event::Touch),
        1 => Just(Event::End),
    ];
    prop::collection::vec(event, 1..80)
}

/// The stupid version: it remembers every token ever minted and every use, and looks things up.
struct Model {
    /// When the token at this index (generation 1 first) was first seen in an access token.
    minted: Vec<Option<u64>>,
    uses: Vec<u64>,
    proofs: Vec<u64>,
    ended: Option<EndReason>,
}

impl Model {
    fn new() -> Self {
        Self { minted: vec![None], uses: vec![START], proofs: vec![], ended: None }
    }

    fn status(&self, now: u64) -> Status {
        match self.ended {
            Some(why) => Status::Ended(why),
            None if now >= START + LIFE => Status::Expired,
            None if self.uses.iter().all(|used| now >= used + IDLE) => Status::Idle,
            None => Status::Alive,
        }
    }

    fn present(&mut self, generation: u64, now: u64) -> Rotation {
        if self.status(now) != Status::Alive {
            return Rotation::Dead(self.status(now));
        }
        let newest = self.minted.len() as u64;
        let seen = self.minted[self.minted.len() - 1];
        let answered = generation + 1 == newest && seen.is_none_or(|seen| now <= seen + GRACE);
        if generation != newest && !answered {
            self.ended = Some(EndReason::RefreshReuse);
            return Rotation::Reused;
        }
        self.uses.push(now);
        if answered {
            return Rotation::Repeated { generation: newest };
        }
        self.minted.push(None);
        Rotation::Rotated { generation: newest + 1 }
    }

    fn seen(&mut self, generation: u64, now: u64) {
        if generation == self.minted.len() as u64 {
            self.minted.last_mut().unwrap().get_or_insert(now);
        }
    }

    fn elevate(&mut self, now: u64) -> bool {
        let alive = self.status(now) == Status::Alive;
        if alive {
            self.proofs.push(now);
            self.uses.push(now);
        }
        alive
    }

    fn touch(&mut self, now: u64) {
        if self.ended.is_none() {
            self.uses.push(now);
        }
    }

    fn end(&mut self, now: u64) -> bool {
        let alive = self.status(now) == Status::Alive;
        self.ended.get_or_insert(EndReason::Revoked);
        alive
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(events in events()) {
        let (mut session, mut model, mut now) = (fresh(), Model::new(), START);
        for event in events {
            let newest = model.minted.len() as u64;
            match event {
                Event::Jump(by) => now = now.saturating_add_signed(by),
                Event::Present { back } => {
                    let generation = newest.saturating_sub(back);
                    prop_assert_eq!(present(&mut session, generation, now), model.present(generation, now));
                }
                Event::Seen { back } => {
                    mark_seen(&mut session, newest.saturating_sub(back), wall(now));
                    model.seen(newest.saturating_sub(back), now);
                }
                Event::Elevate => {
                    let proof = Elevation { at: wall(now), by: Factor::BackupCode };
                    prop_assert_eq!(elevate(&mut session, proof), model.elevate(now));
                }
                Event::Touch => {
                    touch(&mut session, wall(now));
                    model.touch(now);
                }
                Event::End => {
                    let alive = end(&mut session, EndReason::Revoked, wall(now));
                    prop_assert_eq!(alive, model.end(now));
                }
            }
            prop_assert_eq!(status_at(&session, now), model.status(now));
            prop_assert_eq!(session.elevation.map(|proof| proof.at.millis()), model.proofs.last().copied());
            prop_assert_eq!(session.family.generation, model.minted.len() as u64);
        }
    }
}

#[test]
fn a_public_id_is_found_by_what_it_spells_and_by_nothing_else() {
    let sid = Sid([7; 32]);
    let public = sid.public();
    assert_eq!(public.short(), Some(sid.short()));
    let spelt = public.0.to_string();
    for other in [
        spelt.to_uppercase(),
        format!("{spelt}="),
        format!(" {spelt}"),
        spelt.chars().skip(1).collect(),
        String::new(),
    ] {
        assert_eq!(PublicId(other.as_str().into()).short(), None, "{other:?}");
    }
    assert_ne!(PublicId("aaaaaaaaaaaaaaaa".into()).short(), Some(sid.short()));
}

/// A million of them are in memory: whoever adds a field that few have puts it into a box.
#[test]
fn a_session_does_not_grow_unnoticed() {
    assert!(size_of::<Session>() <= 272, "{}", size_of::<Session>());
}
