//! Keys are spelled as a scanner expects, and read back only in that spelling.

use proptest::prelude::*;

use super::{super::KeyId, KeyText};

/// Made by another implementation: Python's integers, `zlib.crc32` and `hashlib.sha256`.
const ELSEWHERE: [([u8; 32], &str, &str); 3] = [
    ([0; 32], "gate_00000000000000000000000000000000000000000002CZclj", "ksdexighbx6u2p3l"),
    ([0xFF; 32], "gate_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp13sRzl1", "u22xkfr7or4jtvy5"),
    (counting(), "gate_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP", "tswjcff3crl3iygn"),
];

const fn counting() -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < 32 {
        bytes[index as usize] = index;
        index += 1;
    }
    bytes
}

#[test]
fn keys_are_those_that_another_implementation_makes() {
    for (entropy, text, public) in ELSEWHERE {
        let key = KeyText::generate(entropy);
        assert_eq!(key.expose(), text);
        assert_eq!(key.id().public().to_string(), public);
        assert_eq!(KeyText::parse(text), Some(key.id()));
    }
}

#[test]
fn what_is_not_exactly_a_key_is_none() {
    let good = ELSEWHERE[2].1;
    for bad in [
        "",
        "gate_",
        "gate_0",
        good.get(..53).unwrap(),
        &format!("{good}0"),
        &format!(" {good}"),
        &format!("{good} "),
        &good.replace("gate_", "GATE_"),
        &good.replace("gate_", "gate-"),
        &good.replace("gate_", ""),
        &good.to_lowercase(),
        &good.replace("aUl", "aU_"),
        &good.replace("aUl", "é"),
        &good.replace("aUl", "aé"),
        "gate_eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    ] {
        assert_eq!(KeyText::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_key_does_not_show_in_what_is_printed() {
    let key = KeyText::generate([7; 32]);
    let shown = format!("{key:?} {:?}", key.id());
    assert!(!shown.contains(key.expose().trim_start_matches("gate_")), "{shown}");
}

proptest! {
    #[test]
    fn every_key_is_read_back_and_no_single_mistake_is(
        entropy in prop::array::uniform32(any::<u8>()),
        at in 5_usize..54,
        typed in prop::char::ranges(vec!['0'..='9', 'A'..='Z', 'a'..='z'].into()),
    ) {
        let key = KeyText::generate(entropy);
        let text = key.expose();
        prop_assert_eq!(text.len(), 54);
        prop_assert!(text.starts_with("gate_") && text.bytes().skip(5).all(|byte| byte.is_ascii_alphanumeric()));
        prop_assert_eq!(KeyText::parse(text), Some(KeyId::of(text)));
        let mistyped: String =
            text.chars().enumerate().map(|(n, one)| if n == at { typed } else { one }).collect();
        prop_assert_eq!(KeyText::parse(&mistyped).is_some(), mistyped == text);
    }

    #[test]
    fn nothing_makes_the_reader_panic(text in ".{0,80}", tail in "[ -~é]{40,60}") {
        let _ = (KeyText::parse(&text), KeyText::parse(&format!("gate_{tail}")));
    }
}
