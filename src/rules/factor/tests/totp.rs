use proptest::prelude::*;
use totp_rs::Totp;

use super::super::totp::{check, code, open, seal, url};
use crate::{
    clock::Wall,
    rules::{identity::UserId, seal::Sealer},
};

/// The secret of RFC 4226 Appendix D and of the SHA-1 rows of RFC 6238 Appendix B.
const SECRET: &[u8] = b"12345678901234567890";

fn at(seconds: u64) -> Wall {
    Wall::from_secs(seconds)
}

/// RFC 6238 Appendix B: eight digits there, of which six-digit codes are the last six.
#[test]
fn codes_are_those_of_rfc_6238() {
    for (seconds, eight) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let six = eight.get(2..).unwrap();
        assert_eq!(code(SECRET, at(seconds)), six);
        assert_eq!(check(SECRET, six, at(seconds), 0), Some(seconds / 30));
    }
}

/// RFC 4226 Appendix D: a step is a counter.
#[test]
fn steps_are_the_counters_of_rfc_4226() {
    let codes =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (counter, expected) in (0..).zip(codes) {
        assert_eq!(code(SECRET, at(counter * 30)), expected);
    }
}

/// Clocks past 2038 and 2106, and at the beginning and end of time.
#[test]
fn no_time_is_too_early_or_too_late() {
    for seconds in [0, 29, 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32] {
        assert_eq!(
            check(SECRET, &code(SECRET, at(seconds)), at(seconds), 0),
            Some(seconds / 30).filter(|s| *s > 0)
        );
    }
    assert_eq!(check(SECRET, "000000", Wall::NEVER, u64::MAX), None);
}

#[test]
fn the_neighbouring_steps_are_accepted_and_no_others() {
    let now = at(3_000_000);
    let step = 100_000;
    for (shift, accepted) in
        [(-60_i64, None), (-30, Some(step - 1)), (0, Some(step)), (30, Some(step + 1)), (60, None)]
    {
        let shown = code(SECRET, at(3_000_000_u64.checked_add_signed(shift).unwrap()));
        assert_eq!(check(SECRET, &shown, now, 0), accepted, "{shift}");
    }
}

/// R14, c62: a step counts once, and nothing before it counts after it.
#[test]
fn a_used_step_and_older_ones_are_refused() {
    let now = at(3_000_000);
    let [before, current, after] = [2_999_970, 3_000_000, 3_000_030].map(|seconds| code(SECRET, at(seconds)));
    assert_eq!(check(SECRET, &current, now, 99_999), Some(100_000));
    assert_eq!(check(SECRET, &current, now, 100_000), None);
    assert_eq!(check(SECRET, &before, now, 100_000), None);
    assert_eq!(check(SECRET, &after, now, 100_000), Some(100_001));
    assert_eq!(check(SECRET, &current, now, 100_001), None);
}

/// A clock that is set back does not make an old code new.
#[test]
fn a_backward_clock_revives_nothing() {
    assert_eq!(check(SECRET, &code(SECRET, at(3_000_000)), at(3_000_000), 200_000), None);
}

/// Two steps of this secret show one code: the newer must not be hidden by the older, which was used.
#[test]
fn of_two_steps_with_one_code_the_newest_counts() {
    let (secret, step) = collision();
    let shown = code(&secret, at(step * 30));
    assert_eq!(shown, code(&secret, at((step + 1) * 30)));
    assert_eq!(check(&secret, &shown, at(step * 30), 0), Some(step + 1));
    assert_eq!(check(&secret, &shown, at(step * 30), step), Some(step + 1));
}

/// Some step whose code is that of the next; one in a million.
fn collision() -> (Vec<u8>, u64) {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET);
    let short = |step: u64| {
        let tag = aws_lc_rs::hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap());
        (word & 0x7fff_ffff) % 1_000_000
    };
    let mut last = short(1);
    for step in 2..20_000_000 {
        let next = short(step);
        if next == last {
            return (SECRET.to_vec(), step - 1);
        }
        last = next;
    }
    panic!("no collision");
}

#[test]
fn codes_are_read_as_people_type_them() {
    let now = at(59);
    for good in ["287082", "287 082", " 287082 ", "2 8 7 0 8 2"] {
        assert_eq!(check(SECRET, good, now, 0), Some(1), "{good}");
    }
    for bad in [
        "",
        "28708",
        "2870820",
        "+87082",
        "-87082",
        "28708２",
        "２８７０８２",
        "287\t082",
        "28708\0",
        "287082\n",
        "0x4617A",
    ] {
        assert_eq!(check(SECRET, bad, now, 0), None, "{bad}");
    }
    assert_eq!(check(SECRET, &" ".repeat(1024 * 1024), now, 0), None);
}

#[test]
fn short_secrets_accept_nothing() {
    for length in [0, 1, 15] {
        let secret = vec![7; length];
        assert_eq!(code(&secret, at(59)), "");
        assert_eq!(check(&secret, "", at(59), 0), None);
    }
}

/// The address is read back by a parser that is not ours.
#[test]
fn apps_can_read_the_address() {
    let text = url(SECRET, "Panel: München & Söhne", "alice@example.com");
    let read = Totp::from_url(&text).unwrap();
    assert_eq!(read.secret().as_bytes(), SECRET);
    assert_eq!((read.digits(), read.step()), (6, 30));
    assert_eq!((read.issuer(), read.account_name()), (Some("Panel  München & Söhne"), "alice@example.com"));
    let parsed = url::Url::parse(&text).unwrap();
    assert_eq!((parsed.scheme(), parsed.host_str()), ("otpauth", Some("totp")));
    assert!(
        parsed.query_pairs().any(|pair| pair == ("secret".into(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into()))
    );
}

#[test]
fn a_sealed_secret_opens_for_its_account_only() {
    let sealer = Sealer::new([1; 32]);
    let sealed = seal(&sealer, &UserId([1; 16]), SECRET, [2; 12]);
    assert_eq!(open(&sealer, &UserId([1; 16]), &sealed).unwrap().expose(), SECRET);
    assert_eq!(open(&sealer, &UserId([2; 16]), &sealed), None, "moved into another record");
    assert_eq!(open(&Sealer::new([2; 32]), &UserId([1; 16]), &sealed), None);
}

proptest! {
    #[test]
    fn every_shown_code_is_accepted_once(secret: [u8; 20], seconds in 60..5_000_000_000_u64) {
        let now = at(seconds);
        let shown = code(&secret, now);
        let step = check(&secret, &shown, now, 0).unwrap();
        prop_assert!(step >= seconds / 30);
        prop_assert_eq!(check(&secret, &shown, now, seconds / 30 + 1), None);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}", seconds: u64) {
        let _ = check(SECRET, &text, at(seconds), 0);
    }
}
