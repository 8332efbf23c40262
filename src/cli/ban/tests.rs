use crate::cli::{
    user::tests::{desk, say},
    verdict::Trouble,
};

#[test]
fn a_ban_goes_through_its_life_and_is_accounted_for() {
    let desk = desk();
    let place = &desk.place;
    assert_eq!(say(place, &["ban", "list"]).unwrap(), "nobody is banned\n");
    let said = say(place, &["ban", "add", "203.0.113.9", "--for", "2h", "--reason", "a scanner"]).unwrap();
    assert!(said.starts_with("203.0.113.9/32 is banned until 20"), "{said}");
    let table = say(place, &["ban", "list"]).unwrap();
    assert!(
        table.contains("203.0.113.9/32") && table.contains("a scanner") && table.contains("uid "),
        "{table}"
    );
    let listed: serde_json::Value =
        serde_json::from_str(&say(place, &["ban", "list", "--json"]).unwrap()).unwrap();
    assert_eq!((&listed[0]["network"], &listed[0]["over"]), (&"203.0.113.9/32".into(), &false.into()));

    say(place, &["ban", "lift", "203.0.113.9"]).unwrap();
    let again = say(place, &["ban", "lift", "203.0.113.9"]);
    assert!(matches!(again, Err(Trouble::No(why)) if why.contains("ban list")));
    let own = say(place, &["ban", "add", "127.0.0.1"]);
    assert!(matches!(own, Err(Trouble::No(why)) if why.contains("this machine itself")));
    let wide = say(place, &["ban", "add", "0.0.0.0/0"]);
    assert!(matches!(wide, Err(Trouble::No(why)) if why.contains("firewall")));
    assert!(matches!(say(place, &["ban", "add", "203.0.113.9", "--for", "soon"]), Err(Trouble::Usage(_))));
}
