use proptest::prelude::*;

use super::{
    super::{KeyMaterial, KeySet, Pending, RefreshKey, RefreshToken},
    USER, bent, keys, now,
};
use crate::{
    rules::{
        session::{Family, Sid},
        token::{AccessKey, BadKey, BadToken},
    },
    secret::SecretBytes,
};

fn family() -> Family {
    Family { seed: SecretBytes::new([5; 32]), key: "r1".into(), generation: 4, current_seen: None }
}

fn sid() -> Sid {
    Sid([7; 32])
}

fn minted() -> String {
    keys().mint_refresh(&sid(), &family()).unwrap()
}

fn holds(text: &str, family: &Family) -> bool {
    RefreshToken::parse(text).is_some_and(|token| keys().check_refresh(&token, family))
}

#[test]
fn a_minted_token_names_its_session_and_generation_and_checks() {
    let token = RefreshToken::parse(&minted()).unwrap();
    assert_eq!((token.sid, token.generation), (sid(), 4));
    assert!(keys().check_refresh(&token, &family()));
    assert!(minted().len() <= 108);
}

/// R13: the same successor can be handed out again, and an older token is still recognised as one of the family.
#[test]
fn minting_is_repeatable_and_older_generations_still_check() {
    assert_eq!(minted(), minted());
    let rotated = Family { generation: 5, ..family() };
    assert!(holds(&minted(), &rotated));
    assert_ne!(keys().mint_refresh(&sid(), &rotated).unwrap(), minted());
}

#[test]
fn neither_the_key_nor_the_seed_alone_can_forge() {
    assert!(!holds(&minted(), &Family { seed: SecretBytes::new([6; 32]), ..family() }));
    let other = KeySet::of_seed(2).mint_refresh(&sid(), &Family { key: "r2".into(), ..family() }).unwrap();
    assert!(!holds(&other, &family()));
}

#[test]
fn a_family_whose_key_is_gone_mints_and_checks_nothing() {
    let orphan = Family { key: "r0".into(), ..family() };
    assert_eq!(keys().mint_refresh(&sid(), &orphan), None);
    assert!(!holds(&minted(), &orphan));
}

#[test]
fn another_session_or_generation_needs_another_mac() {
    let [sid_text, generation, mac]: [&str; 3] =
        minted().leak().split('.').collect::<Vec<_>>().try_into().unwrap();
    assert!(holds(&format!("{sid_text}.{generation}.{mac}"), &family()));
    assert!(!holds(&format!("{}.{generation}.{mac}", Sid([8; 32]).text()), &family()));
    assert!(!holds(&format!("{sid_text}.5.{mac}"), &family()));
}

#[test]
fn only_the_spelling_that_we_write_is_a_refresh_token() {
    let text = minted();
    for bad in [
        String::new(),
        text.replace(".4.", ".04."),
        text.replace(".4.", ".+4."),
        text.replace(".4.", ".-4."),
        text.replace(".4.", ".4.4."),
        text.replace(".4.", ".99999999999999999999."),
        text.replace(".4.", "."),
        format!("{text}="),
        format!(" {text}"),
        format!("{text} "),
        format!("{text}."),
        format!("{text}{}", "A".repeat(200)),
        ".".repeat(1024 * 1024),
    ] {
        assert_eq!(RefreshToken::parse(&bad), None, "{}", bad.get(..120).unwrap_or(&bad));
    }
}

#[test]
fn key_material_that_cannot_work_is_named() {
    let good = || KeyMaterial {
        access: vec![AccessKey::from_seed("a".into(), [1; 32])],
        refresh: vec![RefreshKey { id: "r".into(), key: SecretBytes::new([1; 32]) }],
        master: SecretBytes::new([1; 32]),
    };
    let with = |change: fn(&mut KeyMaterial)| {
        let mut material = good();
        change(&mut material);
        KeySet::new(material).map(drop)
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|m| m.access[0].pkcs8 = SecretBytes::new([1; 48])), Err(BadKey::Access("a".into())));
    assert_eq!(with(|m| m.refresh[0].key = SecretBytes::new([1; 31])), Err(BadKey::Refresh("r".into())));
    assert_eq!(with(|m| m.master = SecretBytes::new([])), Err(BadKey::Master));
    assert_eq!(with(|m| m.access.clear()), Err(BadKey::None("access")));
    assert_eq!(with(|m| m.refresh.push(m.refresh[0].clone())), Err(BadKey::Twice("r".into())));
}

fn pending() -> Pending {
    let expires = now().plus(std::time::Duration::from_secs(300));
    Pending {
        user: USER,
        site: "main".into(),
        issued: now(),
        expires,
        rd: Some("https://panel.example.com/".into()),
        panel: None,
    }
}

#[test]
fn a_pending_sign_in_opens_until_it_expires() {
    let sealed = keys().seal_pending(&pending(), [1; 12]);
    assert_eq!(keys().open_pending(&sealed, now()), Ok(pending()));
    assert_eq!(keys().open_pending(&sealed, pending().expires), Err(BadToken::Expired));
    assert_eq!(KeySet::of_seed(2).open_pending(&sealed, now()), Err(BadToken::Invalid));
    assert_eq!(KeySet::default().open_pending("", now()), Err(BadToken::Invalid));
}

#[test]
fn a_way_back_that_would_not_fit_a_cookie_is_dropped() {
    let with = |length: usize| Pending { rd: Some("x".repeat(length)), ..pending() };
    let text = keys().seal_pending(&with(2048), [1; 12]);
    assert!(text.len() < 3500);
    assert_eq!(keys().open_pending(&text, now()), Ok(with(2048)));
    let dropped = keys().open_pending(&keys().seal_pending(&with(2049), [1; 12]), now()).unwrap();
    assert_eq!(dropped.rd, None);
}

proptest! {
    #[test]
    fn parsing_never_panics_and_has_one_spelling(text in "[A-Za-z0-9_.=+-]{0,120}") {
        if let Some(token) = RefreshToken::parse(&text) {
            let start = format!("{}.{}.", token.sid.text(), token.generation);
            prop_assert!(text.starts_with(&start));
        }
    }

    #[test]
    fn no_change_of_a_refresh_token_checks(at in any::<prop::sample::Index>(), new in "[A-Za-z0-9_.-]") {
        let text = minted();
        let at = at.index(text.len());
        let bent = bent(&text, at, &new);
        prop_assert_eq!(holds(&bent, &family()), bent == text);
    }

    #[test]
    fn no_change_of_a_pending_sign_in_opens(at in any::<prop::sample::Index>(), new in "[A-Za-z0-9_.-]") {
        let text = keys().seal_pending(&pending(), [1; 12]);
        let at = at.index(text.len());
        let bent = bent(&text, at, &new);
        prop_assert_eq!(keys().open_pending(&bent, now()).is_ok(), bent == text);
    }
}
