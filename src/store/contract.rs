//! What every backend must do. Each function is run against each backend.

mod accounts;
mod bans;
mod batches;
mod beginning;
mod changes;
mod failures;
mod people;
mod sessions;

use std::{net::Ipv4Addr, os::unix::net::UnixStream, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;

use super::{Cursor, MemoryStore, RedbStore, Store};
use crate::{
    clock::Wall,
    rules::{
        identity::{Totp, User, UserId, UserName, UserSource},
        session::{ExternalIdentity, ExternalKey, Family, Origin, Presented, Session, Sid},
    },
    secret::SecretBytes,
};

/// When the sessions of these tests are opened.
pub(super) const START: Wall = Wall::from_secs(1_000_000);
const IDLE: Duration = Duration::from_secs(600);
const LIFE: Duration = Duration::from_secs(6000);

/// Runs each function of the contract against each backend.
macro_rules! contract {
    ($($area:ident: $($name:ident)*;)*) => {
        mod memory {
            $($(
                #[tokio::test]
                async fn $name() {
                    super::$area::$name(std::sync::Arc::new(super::MemoryStore::new())).await;
                }
            )*)*
        }
        mod redb {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::RedbStore::open(&folder.path().join("store.redb")).unwrap();
                    super::$area::$name(std::sync::Arc::new(store)).await;
                }
            )*)*
        }
        mod given_away {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::given_away(&folder.path().join("store.redb")).await;
                    super::$area::$name(std::sync::Arc::new(store)).await;
                }
            )*)*
        }
    };
}

contract! {
    accounts:
        a_name_is_taken_once
        only_what_is_some_changes
        removing_the_app_drops_the_backup_codes
        a_removed_account_frees_its_name_and_ends_its_sessions
        r14_of_200_parallel_consumers_of_one_step_exactly_one_is_told_true
        r14_a_step_that_is_not_later_is_refused
        of_200_parallel_enrolments_exactly_one_is_told_true
        a_backup_code_is_taken_by_exactly_one
        r12_disabling_ends_every_session
        a_new_password_ends_every_session_but_the_kept_one
        a_session_opened_for_a_disabled_or_unknown_account_is_born_ended;
    sessions:
        opening_again_does_not_revive
        r13_of_20_parallel_rotations_one_rotates_and_the_rest_repeat
        r13_reuse_after_grace_ends_the_session_for_good
        rotation_of_an_unknown_session_is_none
        r15_elevation_needs_a_live_session
        ending_counts_what_was_alive
        touches_move_only_forwards
        an_external_session_is_opened_once
        an_external_identity_joins_the_account_of_its_name
        an_external_account_follows_its_issuers_role
        a_tombstone_of_an_external_session_stays_until_its_tokens_are_dead
        a_tombstone_outlives_its_session_as_long_as_the_first_token_could
        purge_takes_only_what_nothing_can_name
        purge_is_bounded_and_oldest_first
        closed_means_closed;
    people:
        a_key_lives_until_it_or_its_account_is_removed
        an_account_has_so_many_keys_and_no_more
        uses_of_keys_move_only_forwards
        r14_of_parallel_enrolments_exactly_one_counts
        what_a_session_carries_needs_it_alive_and_dies_with_it
        high_security_mode_is_remembered
        a_sign_in_with_a_password_that_was_changed_meanwhile_opens_nothing
        of_two_changes_of_one_password_the_first_counts
        elevation_ends_with_the_second_factor
        places_are_remembered_once_and_the_oldest_are_forgotten;
    batches:
        accounts_are_imported_all_or_none
        an_import_changes_what_it_says_and_signs_out_only_for_a_new_password
        accounts_of_others_are_not_imported_over
        what_is_sealed_is_replaced_unless_it_has_changed_meanwhile
        a_store_from_an_earlier_time_ends_its_sessions_and_spends_codes;
    bans:
        a_ban_lives_until_it_is_lifted_and_there_is_one_for_a_network
        bans_that_have_long_been_over_are_forgotten
        bans_show_in_the_stream
        countries_and_autonomous_systems_are_banned_like_networks
        a_list_is_banned_at_once_and_takes_nothing_from_others;
    failures:
        r16_failures_are_counted_by_account_and_by_name_and_show_in_the_stream
        r16_of_200_parallel_failures_none_is_lost
        r16_a_slash_48_is_banned_for_what_its_networks_do_together
        a_success_takes_back_its_own_and_writes_only_news
        a_new_password_and_a_new_factor_forgive_their_own_kind
        a_network_that_fails_too_often_is_banned_once_unless_it_is_spared
        the_networks_that_failed_last_are_listed_first
        names_have_two_places_and_the_one_that_was_quiet_for_longest_goes;
    beginning:
        sessions_that_are_read_late_fit_the_stream
        every_one_of_many_sessions_is_read_once
        a_session_is_found_with_the_position_that_it_is_of
        the_rest_is_everything_but_the_sessions;
    changes:
        every_write_shows_in_order_and_before_its_answer
        one_write_of_many_changes_has_a_position_for_each
        everything_and_the_stream_fit_together
        a_follower_that_fell_behind_is_told_everything_again
        a_position_from_the_future_starts_over
        a_write_that_changes_nothing_moves_nothing
        followers_end_when_the_store_is_closed;
}

/// A store that was given away, and whose heir does everything for it, as after a hand-over.
async fn given_away(file: &Path) -> RedbStore {
    let old = RedbStore::open(file).unwrap();
    let lent = old.lend().await.unwrap();
    let new = RedbStore::open(file).unwrap();
    let (line, theirs) = UnixStream::pair().unwrap();
    let mut changes = new.changes(Cursor::default()).await.unwrap();
    new.serve_predecessor(theirs).unwrap();
    let heir = lent.give(line);
    tokio::spawn(async move {
        while let Some((at, change)) = changes.next().await {
            heir.tell(at, change);
        }
    });
    old
}

/// An account with an app and three backup codes.
pub(super) fn user(n: u8) -> User {
    User {
        id: UserId([n; 16]),
        name: UserName::parse(&format!("user-{n}")).unwrap(),
        display: format!("User {n}"),
        email: String::new(),
        role: "admin".into(),
        source: UserSource::Embedded,
        password: Some("hash".into()),
        disabled: false,
        totp: Some(Totp { sealed_secret: SecretBytes::new([n; 40]), last_step: 100 }),
        backup_codes: vec![[1; 32], [2; 32], [3; 32]],
        created: START,
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    }
}

/// A session of `user(owner)`.
pub(super) fn session(n: u8, owner: u8) -> Session {
    Session {
        sid: Sid([n; 32]),
        user: UserId([owner; 16]),
        site: "panel".into(),
        origin: Origin::Portal,
        opened: START,
        seen: START,
        idle_millis: u64::try_from(IDLE.as_millis()).unwrap(),
        expires: START.plus(LIFE),
        family: Family {
            seed: SecretBytes::new([n; 32]),
            key: "k1".into(),
            generation: 1,
            current_seen: None,
        },
        elevation: None,
        device: "Firefox on Linux".into(),
        address: Ipv4Addr::LOCALHOST.into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

fn identity(claim: &str, name: &str) -> ExternalIdentity {
    ExternalIdentity {
        key: ExternalKey { issuer: "panel".into(), session: claim.into() },
        name: UserName::parse(name).unwrap(),
        role: Some("reseller".into()),
        email: "x@example.org".into(),
        expires: START.plus(LIFE),
    }
}

fn presented(n: u8, generation: u64, at: Wall) -> Presented {
    Presented { sid: Sid([n; 32]), generation, at, grace: Duration::from_secs(10) }
}

pub(super) fn later(secs: u64) -> Wall {
    START.plus(Duration::from_secs(secs))
}

/// Adds `user(owner)` and opens `session(n, owner)` for each `n`.
async fn populate(store: &Arc<dyn Store>, owner: u8, sessions: &[u8]) {
    assert!(store.add_user(user(owner)).await.unwrap().value);
    for n in sessions {
        store.open_session(session(*n, owner)).await.unwrap();
    }
}

/// The session as it is kept.
async fn kept(store: &Arc<dyn Store>, n: u8) -> Session {
    store.session(&Sid([n; 32])).await.unwrap().unwrap()
}
