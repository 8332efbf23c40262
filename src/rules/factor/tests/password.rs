use super::super::password::{self, Refused, cost_of, missing, no_pause, nobodys, well_formed};
use crate::secret::SecretText;

fn text(text: &str) -> SecretText {
    SecretText::from(text.to_owned())
}

fn hash(password: &SecretText, cost: u32, salt: [u8; 16]) -> Result<String, Refused> {
    password::hash(password, cost, salt, no_pause)
}

fn verify(password: &SecretText, hash: &str) -> bool {
    password::verify(password, hash, no_pause)
}

fn verify_evenly(password: &SecretText, hash: Option<&str>, cost: u32) -> bool {
    password::verify_evenly(password, hash, cost, no_pause)
}

fn quick(password: &str) -> Result<String, Refused> {
    hash(&text(password), 4, [7; 16])
}

#[test]
fn a_password_verifies_against_its_own_hash_only() {
    let stored = quick("correct horse").unwrap();
    assert!(stored.starts_with("$2b$04$") && stored.len() == 60);
    assert!(verify(&text("correct horse"), &stored));
    for other in ["", "Correct horse", "correct horse ", "correct horse\0", "correct"] {
        assert!(!verify(&text(other), &stored), "{other:?}");
    }
}

#[test]
fn the_salt_is_in_the_hash() {
    assert_ne!(hash(&text("x"), 4, [1; 16]), hash(&text("x"), 4, [2; 16]));
}

/// Values of John the Ripper, jBCrypt and PHP's manual, all made elsewhere.
#[test]
fn hashes_of_other_panels_verify() {
    for (password, stored) in [
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        ("rasmuslerdorf", "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi"),
    ] {
        for version in ["$2a$", "$2b$", "$2y$"] {
            let stored = stored.replace("$2a$", version);
            assert!(verify(&text(password), &stored), "{stored}");
            assert!(!verify(&text("wrong"), &stored), "{stored}");
        }
        assert!(!verify(&text(password), &stored.replace("$2a$", "$2x$")), "the variant with the sign bug");
    }
}

#[test]
fn what_bcrypt_would_not_look_at_is_refused_and_never_cut() {
    assert!(quick(&"x".repeat(72)).is_ok());
    assert_eq!(quick(&"x".repeat(73)), Err(Refused::TooLong));
    assert_eq!(quick(&"ü".repeat(37)), Err(Refused::TooLong), "bytes count, not characters");
    assert_eq!(quick("a\0b"), Err(Refused::Nul));
    assert_eq!(quick(""), Err(Refused::Empty));
    let stored = quick(&"x".repeat(72)).unwrap();
    assert!(verify(&text(&"x".repeat(72)), &stored));
    assert!(!verify(&text(&"x".repeat(73)), &stored));
    assert!(!verify(&text(&"x".repeat(71)), &stored), "all 72 bytes count");
}

#[test]
fn costs_that_take_no_time_or_forever_are_refused() {
    for cost in [0, 3, 17, 31, u32::MAX] {
        assert_eq!(hash(&text("x"), cost, [0; 16]), Err(Refused::Cost(cost)));
    }
    assert!(!verify(&text("x"), &quick("x").unwrap().replace("$04$", "$31$")), "and this returns at once");
}

#[test]
fn rubbish_is_no_hash() {
    let good = quick("x").unwrap();
    let (cut, long) = (good.get(..59).unwrap(), format!("{good}A"));
    for bad in [
        "",
        "x",
        "$2b$",
        "$2b$04$",
        "$1$abc$def",
        "{SSHA}x",
        cut,
        &long,
        &good.replace("$04$", "$4$0"),
        &good.replace('$', ""),
    ] {
        assert!(!well_formed(bad), "{bad}");
        assert!(!verify(&text("x"), bad), "{bad}");
    }
    assert!(well_formed(&good));
}

/// R31: checking an unknown account does the work of cost 12, and never succeeds.
#[test]
fn nobodys_hash_is_real_work_at_every_cost() {
    for cost in 4..=8 {
        let hash = nobodys(cost);
        assert!(well_formed(&hash) && cost_of(&hash) == Some(cost), "{hash}");
        assert!(bcrypt::verify("guess", &hash).is_ok_and(|matches| !matches));
    }
}

/// R31: an account whose hash came from elsewhere must not be told from an unknown one by its time.
#[test]
fn a_check_costs_the_same_whether_there_is_no_hash_a_cheaper_one_or_a_costly_one() {
    for wanted in 4..=16 {
        for done in [None].into_iter().chain((4..=wanted).map(Some)) {
            let work: u64 = done.into_iter().chain(missing(done, wanted)).map(|cost| 1_u64 << cost).sum();
            assert_eq!(work, 1 << wanted, "{done:?} {wanted}");
        }
    }
    assert!(missing(Some(14), 12).is_empty());
    let cheap = quick("right").unwrap();
    assert!(
        verify_evenly(&text("right"), Some(&cheap), 6) && !verify_evenly(&text("wrong"), Some(&cheap), 6)
    );
    assert!(!verify_evenly(&text("right"), None, 6) && !verify_evenly(&text("right"), Some("rubbish"), 6));
}
