use std::collections::HashSet;

use super::super::backup::{COUNT, generate, hash, plausible};
use crate::{
    entropy::{Entropy, SeededEntropy},
    rules::identity::UserId,
};

const USER: UserId = UserId([1; 16]);

fn codes() -> Vec<String> {
    let entropy: Box<dyn Entropy> = Box::new(SeededEntropy::new(3));
    generate(std::array::from_fn(|_| entropy.array())).iter().map(|code| code.expose().to_owned()).collect()
}

#[test]
fn ten_different_codes_in_groups_of_letters_that_cannot_be_mixed_up() {
    let codes = codes();
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), COUNT);
    for code in codes {
        assert_eq!(code.len(), 14);
        assert!(code.split('-').all(|group| group.len() == 4), "{code}");
        assert!(!code.contains(['I', 'L', 'O', 'U']), "{code}");
        assert!(plausible(&code));
    }
}

/// R35 asks for unguessable codes: 60 of the 64 random bits are in the text.
#[test]
fn each_of_sixty_bits_changes_the_code() {
    let spelled = |bits: u64| generate([bits.to_be_bytes(); COUNT])[0].expose().to_owned();
    let different: HashSet<_> = (0..64).map(|bit| spelled(1 << bit)).collect();
    assert_eq!(different.len(), 61, "sixty, and that of no bit");
    assert_eq!(spelled(0), "0000-0000-0000");
}

#[test]
fn a_code_may_be_typed_in_any_way() {
    let expected = hash(&USER, "7K3F-92QD-1TX0");
    for typed in ["7k3f-92qd-1tx0", "7K3F92QD1TX0", " 7K3F 92QD 1TX0 ", "7K3F-92QD-ITXO", "7k3f-92qd-ltxo"] {
        assert_eq!(hash(&USER, typed), expected, "{typed}");
        assert!(plausible(typed), "{typed}");
    }
    assert_ne!(hash(&USER, "7K3F-92QD-1TX1"), expected);
}

#[test]
fn a_hash_is_bound_to_its_account() {
    assert_ne!(hash(&USER, "7K3F-92QD-1TX0"), hash(&UserId([2; 16]), "7K3F-92QD-1TX0"));
}

#[test]
fn what_cannot_be_a_code_is_not_worth_hashing() {
    for text in [
        "",
        "123456",
        "7K3F-92QD",
        "7K3F-92QD-1TX0-7K3F",
        "7K3F-92QD-1TXU",
        "7K3F_92QD_1TX0",
        "７K3F-92QD-1TX0",
    ] {
        assert!(!plausible(text), "{text}");
    }
    assert!(!plausible(&" ".repeat(1024 * 1024)));
}
