use super::*;
use crate::{
    clock::Wall,
    rules::identity::{UserId, UserName, UserSource},
};

fn user(name: &str, display: &str, email: &str, role: &str) -> User {
    User {
        id: UserId([1; 16]),
        name: UserName::parse(name).unwrap(),
        display: display.into(),
        email: email.into(),
        role: role.into(),
        source: UserSource::Embedded,
        password: None,
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: Wall::default(),
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    }
}

fn rules() -> Rules {
    Rules { min_length_by_role: vec![("root".into(), 14)], ..Rules::default() }
}

fn verdict(password: &str, role: &str) -> Verdict {
    let user = user("alexandra", "Alexandra Oakwood", "a.oakwood@example.com", role);
    weigh(&SecretText::from(password.to_owned()), &rules(), &user, "Harbor Panel")
}

/// What the meter says, word by word: grade, whether it is taken, and why.
#[test]
fn every_kind_of_password_gets_its_grade_and_its_reasons() {
    use Remark::{
        Common, ContainsName, Date, Empty, Guessable, Keyboard, NameLike, Names, Nul, Repeats, Sequence,
        TooLong, TooShort,
    };
    use Strength::{Medium, Strong, Weak};
    let long = "x7".repeat(37);
    let table: [(&str, Strength, bool, &[Remark]); 24] = [
        ("", Weak, false, &[Empty]),
        ("a\0bcdefghijklmnop", Weak, false, &[Nul]),
        (&long, Weak, false, &[TooLong]),
        ("password", Weak, false, &[Common, TooShort(12)]),
        ("123456789012", Weak, false, &[Sequence]),
        ("Password2024!", Weak, false, &[Common]),
        ("P@ssw0rd!!!!", Weak, false, &[Common, Repeats]),
        ("drowssap", Weak, false, &[Common, TooShort(12)]),
        ("uninformative", Weak, false, &[Guessable]),
        ("qwertyuiop[]", Weak, false, &[Common, Keyboard]),
        ("aaaaaaaaaaaa", Weak, false, &[Repeats]),
        ("abcdefghijkl", Weak, false, &[Sequence]),
        ("20240229-2024", Medium, true, &[Date]),
        ("alexandra2024!", Weak, false, &[Common, NameLike]),
        ("4l3x4ndr4-2024", Weak, false, &[NameLike]),
        ("ardnaxela99!!", Weak, false, &[Common, NameLike]),
        ("harbor-panel-1", Weak, false, &[NameLike]),
        ("michaeljessica", Weak, false, &[Names]),
        ("letmein-dragon", Medium, true, &[]),
        ("oakwood rides a tandem", Strong, true, &[]),
        ("zu9Kq!wL", Weak, false, &[TooShort(12)]),
        ("alexandrawinter77", Medium, true, &[ContainsName]),
        ("correct horse battery staple", Strong, true, &[]),
        ("n4Xq-7fLp-02Zd", Strong, true, &[]),
    ];
    for (password, strength, accepted, remarks) in table {
        let found = verdict(password, "user");
        let expected = Verdict { strength, accepted, remarks: remarks.to_vec() };
        assert_eq!(found, expected, "{password:?}");
    }
}

#[test]
fn a_role_may_have_to_take_a_longer_one() {
    let thirteen = "n4Xq-7fLp-02Z";
    assert!(verdict(thirteen, "user").accepted);
    assert_eq!(verdict(thirteen, "root").remarks, [Remark::TooShort(14)]);
    assert!(verdict("n4Xq-7fLp-02Zd", "root").accepted);
}

/// Characters count for the least length, bytes for bcrypt's.
#[test]
fn the_least_length_is_in_characters_and_the_greatest_in_bytes() {
    assert!(verdict("ÄÖÜß€ñçøđłŧŋ", "user").accepted);
    assert!(verdict(&"Ö4q€".repeat(11), "user").remarks.contains(&Remark::TooLong));
    assert!(
        !verdict(&format!("n4Xq-7fLp-02Zd{}", "y9#Kw".repeat(11)), "user").remarks.contains(&Remark::TooLong)
    );
}

/// A site that takes weak passwords still takes no common one, and none made of a name.
#[test]
fn some_are_refused_whatever_grade_a_site_asks_for() {
    let lenient = Rules { min_length: 1, min_length_by_role: Vec::new(), min_strength: Strength::Weak };
    let user = user("bob", "", "", "user");
    let weigh = |text: &str| weigh(&SecretText::from(text.to_owned()), &lenient, &user, "Panel");
    for refused in ["password", "letmein", "Password2024!", "bob", "b0b-1234", "panel123"] {
        let found = weigh(refused);
        assert!(!found.accepted && !found.remarks.is_empty(), "{refused}: {found:?}");
    }
    assert!(weigh("k3#vv").accepted, "weak, and nothing else");
}

/// Every sign that can stand for letters multiplies what the estimator tries: 69 of them took it half a minute.
#[test]
fn what_is_estimated_is_short_where_signs_could_stand_for_letters() {
    let signs = "4@8({[<369&#!1/|0$5+7%2".repeat(3);
    assert_eq!(weighable(&signs), "4@8({[<369&#");
    let words = "correct horse battery staple and some more words";
    assert_eq!(weighable(words), "correct horse battery staple and");
    assert_eq!(weighable("räksmörgås"), "räksmörgås");
    assert_eq!(weighable(&"ü".repeat(36)).chars().count(), 32);
    assert_eq!(weighable(""), "");
}
