use super::*;
use crate::{
    clock::Wall,
    rules::{
        identity::{UserName, UserSource},
        policy::compile,
        written::{At, Findings, Key, Node, Value},
    },
};

fn policy(roles: &[&str]) -> RuleSet {
    let at = || At::source("test");
    let text = |text: &str| Node { at: at(), value: Value::Scalar(text.into()) };
    let roles = Node { at: at(), value: Value::List(roles.iter().map(|role| text(role)).collect()) };
    let fields =
        [("version", text("1")), ("roles", roles), ("pages", Node { at: at(), value: Value::List(vec![]) })];
    let fields = fields.map(|(name, node)| (Key { at: at(), text: name.into() }, node));
    compile(&Node { at: at(), value: Value::Map(fields.into()) }, &mut Findings::default()).unwrap()
}

fn user(id: u8, role: &str) -> User {
    User {
        id: UserId([id; 16]),
        name: UserName::parse(&format!("user{id}")).unwrap(),
        display: String::new(),
        email: String::new(),
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

fn asking<T>(role: &str, others: &[&RuleSet], question: impl Fn(Administrator<'_>) -> T) -> T {
    let (policy, role) = (policy(&["root", "admin", "reseller", "user"]), role.into());
    question(Administrator { id: UserId([1; 16]), role: &role, policy: &policy, others })
}

#[test]
fn administrators_see_lower_roles_and_the_mightiest_sees_everybody() {
    for (who, whom, seen) in [
        ("root", "root", true),
        ("root", "admin", true),
        ("root", "gone", true),
        ("admin", "root", false),
        ("admin", "admin", false),
        ("admin", "reseller", true),
        ("admin", "user", true),
        ("gone", "user", false),
    ] {
        assert_eq!(asking(who, &[], |admin| admin.sees(&user(2, whom))), seen, "{who} → {whom}");
    }
}

/// Accounts are shared between sites: an administrator here must not switch off whoever is mightier there.
#[test]
fn a_role_that_ranks_higher_on_another_site_is_out_of_reach() {
    let other = policy(&["root", "user", "admin"]);
    let foreign = policy(&["superuser"]);
    for (others, whom, seen) in [
        (vec![&other], "user", false),
        (vec![&other], "reseller", true),
        (vec![&foreign], "user", true),
        (vec![&foreign], "superuser", false),
    ] {
        assert_eq!(asking("admin", &others, |admin| admin.sees(&user(2, whom))), seen, "{whom}");
    }
    assert!(asking("root", &[&other], |admin| admin.sees(&user(2, "root"))));
    assert!(!asking("root", &[&foreign], |admin| admin.sees(&user(2, "superuser"))));
}

#[test]
fn nobody_does_anything_to_the_own_account() {
    for act in [Act::Disable, Act::RemoveFactor, Act::SignOut, Act::Role("user".into()), Act::Enable] {
        assert_eq!(
            asking("root", &[], |admin| admin.may(&user(1, "root"), &act)),
            Err(No::Oneself),
            "{act:?}"
        );
    }
}

#[test]
fn roles_are_given_strictly_below_ones_own() {
    let given = |who: &str| {
        asking(who, &[], |admin| admin.roles().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(given("root"), ["admin", "reseller", "user"]);
    assert_eq!(given("admin"), ["reseller", "user"]);
    assert_eq!(given("user"), Vec::<String>::new());
    let may = |who: &str, role: &str| {
        asking(who, &[], |admin| admin.may(&user(2, "user"), &Act::Role(role.into())))
    };
    assert_eq!(may("root", "admin"), Ok(()));
    assert_eq!(may("root", "root"), Err(No::RoleTooHigh));
    assert_eq!(may("admin", "admin"), Err(No::RoleTooHigh));
    assert_eq!(may("admin", "nobody-knows"), Err(No::RoleTooHigh));
    assert_eq!(may("admin", "user"), Err(No::Nothing));
}

#[test]
fn what_is_so_already_is_not_done_again() {
    let may = |user: &User, act: Act| asking("root", &[], |admin| admin.may(user, &act));
    let plain = user(2, "user");
    assert_eq!(may(&plain, Act::Enable), Err(No::Nothing));
    assert_eq!(may(&plain, Act::RemoveFactor), Err(No::Nothing));
    assert_eq!(may(&plain, Act::Disable), Ok(()));
    let other = User { disabled: true, backup_codes: vec![[1; 32]], ..plain };
    assert_eq!(may(&other, Act::Disable), Err(No::Nothing));
    assert_eq!((may(&other, Act::Enable), may(&other, Act::RemoveFactor)), (Ok(()), Ok(())));
}
