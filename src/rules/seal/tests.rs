use proptest::prelude::*;

use super::{Resealed, Sealer};

fn sealer() -> Sealer {
    Sealer::new([7; 32])
}

#[test]
fn what_was_sealed_opens_under_the_same_key_and_purpose_only() {
    let sealed = sealer().seal("pending", b"alice", [1; 12]);
    assert_eq!(sealer().open("pending", &sealed).as_deref(), Some(b"alice".as_slice()));
    assert_eq!(sealer().open("refusal", &sealed), None, "R11: another purpose");
    assert_eq!(Sealer::new([8; 32]).open("pending", &sealed), None, "another key");
}

#[test]
fn one_nonce_gives_unrelated_texts_for_two_purposes() {
    let a = sealer().seal("a", &[0; 32], [1; 12]);
    let b = sealer().seal("b", &[0; 32], [1; 12]);
    let same = a.iter().zip(&b).skip(20).filter(|(x, y)| x == y).count();
    assert!(same < 8, "{same} of 48 bytes agree: the purposes share a key stream");
}

#[test]
fn without_a_key_nothing_seals_and_nothing_opens() {
    assert!(Sealer::default().seal("a", b"x", [0; 12]).is_empty());
    assert_eq!(Sealer::default().open("a", &sealer().seal("a", b"x", [0; 12])), None);
    assert_eq!(sealer().open("a", &[]), None);
}

/// 12 bytes of nonce, ciphertext and tag, as they were written before master keys had ids.
fn without_id(sealed: &[u8]) -> &[u8] {
    &sealed[8..]
}

#[test]
fn what_an_older_master_key_sealed_opens_and_can_be_sealed_again() {
    let (old, both) = (sealer(), Sealer::new([9; 32]).opening([7; 32]));
    let sealed = old.seal("p", b"secret", [1; 12]);
    for sealed in [&sealed[..], without_id(&sealed)] {
        assert_eq!(both.open("p", sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(both.reseal("q", sealed, [2; 12]), Resealed::Lost, "R11: another purpose");
        let Resealed::New(again) = both.reseal("p", sealed, [2; 12]) else { panic!("it was sealed with 7") };
        assert_eq!(Sealer::new([9; 32]).open("p", &again).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(both.reseal("p", &again, [3; 12]), Resealed::Current, "once is enough");
    }
    let fresh = both.seal("p", b"secret", [4; 12]);
    assert_eq!(old.open("p", &fresh), None, "new texts are under the new key");
    assert_eq!(Sealer::new([9; 32]).reseal("p", &sealed, [5; 12]), Resealed::Lost, "the old key is gone");
}

#[test]
fn what_was_sealed_before_keys_had_ids_opens_and_is_sealed_again_once() {
    let sealed = sealer().seal("p", b"secret", [1; 12]);
    assert_eq!(sealer().open("p", without_id(&sealed)).as_deref(), Some(b"secret".as_slice()));
    assert!(matches!(sealer().reseal("p", without_id(&sealed), [2; 12]), Resealed::New(_)));
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?} {:?}", sealer(), Sealer::default()), "Sealer(…) Sealer(no key)");
}

proptest! {
    #[test]
    fn a_change_in_any_byte_or_length_is_noticed(
        plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let sealed = sealer().seal("p", &plain, [3; 12]);
        prop_assert_eq!(sealer().open("p", &sealed), Some(plain));
        let mut bent = sealed.clone();
        bent[at.index(sealed.len())] ^= 1 << bit;
        prop_assert_eq!(sealer().open("p", &bent), None);
        prop_assert_eq!(sealer().open("p", &sealed[..at.index(sealed.len())]), None);
    }

    #[test]
    fn opening_rubbish_never_panics(rubbish in proptest::collection::vec(any::<u8>(), 0..128)) {
        prop_assert_eq!(sealer().open("p", &rubbish), None);
    }
}
