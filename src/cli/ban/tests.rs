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
    assert_eq!(
        (&listed[0]["network"], &listed[0]["whom"], &listed[0]["over"]),
        (&"203.0.113.9/32".into(), &"203.0.113.9/32".into(), &false.into())
    );

    assert_eq!(
        say(place, &["ban", "lift", "203.0.113.9", "--json"]).unwrap(),
        "{\"done\":\"lifted\",\"name\":\"203.0.113.9\"}\n"
    );
    let again = say(place, &["ban", "lift", "203.0.113.9"]);
    assert!(matches!(again, Err(Trouble::No(why)) if why.contains("ban list")));
    let own = say(place, &["ban", "add", "127.0.0.1"]);
    assert!(matches!(own, Err(Trouble::No(why)) if why.contains("this machine itself")));
    let wide = say(place, &["ban", "add", "0.0.0.0/0"]);
    assert!(matches!(wide, Err(Trouble::No(why)) if why.contains("firewall")));
    assert!(matches!(say(place, &["ban", "add", "203.0.113.9", "--for", "soon"]), Err(Trouble::Usage(_))));
}

#[test]
fn a_country_without_a_database_is_banned_and_said_to_reach_nobody() {
    let desk = desk();
    let place = &desk.place;
    let said = say(place, &["ban", "add", "country:de"]).unwrap();
    assert!(
        said.starts_with("country:DE is banned until it is lifted\n") && said.contains("geoip.city"),
        "{said}"
    );
    let said = say(place, &["ban", "add", "asn:64500"]).unwrap();
    assert!(said.contains("geoip.asn"), "{said}");
    let table = say(place, &["ban", "list"]).unwrap();
    assert!(table.contains("country:DE (reaches nobody)") && table.contains("asn:64500"), "{table}");
    let listed: serde_json::Value =
        serde_json::from_str(&say(place, &["ban", "list", "--json"]).unwrap()).unwrap();
    let countries: Vec<_> = listed.as_array().unwrap().iter().map(|ban| ban["country"].as_str()).collect();
    assert!(countries.contains(&Some("DE")) && countries.contains(&None), "{listed}");
    say(place, &["ban", "lift", "country:DE"]).unwrap();
    let wrong = say(place, &["ban", "add", "country:Germany"]);
    assert!(matches!(wrong, Err(Trouble::No(why)) if why.contains("ISO 3166-1")));
}

fn file(folder: &std::path::Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_list_is_imported_again_and_again_and_what_it_lost_is_lifted() {
    let (desk, folder) = (desk(), tempfile::tempdir().unwrap());
    let place = &desk.place;
    say(place, &["ban", "add", "198.51.100.1"]).unwrap();
    let list = file(
        folder.path(),
        "blocked.netset",
        "# a list\n203.0.113.7\n198.51.100.1 # ours\n192.0.2.0/24\n127.0.0.1\n224.0.0.0/3\n2001:db8::1\n",
    );
    let import = |more: &[&str]| say(place, &[&["ban", "import", &list], more].concat());
    assert_eq!(import(&["--dry-run"]).unwrap(), "6 bans would be imported\n");
    assert!(!say(place, &["ban", "list"]).unwrap().contains("list blocked"), "a dry run changes nothing");
    let said = import(&["--for", "7d"]).unwrap();
    assert!(said.starts_with("3 banned, 0 kept, 1 banned by others already, 0 lifted\n"), "{said}");
    assert!(said.contains("this machine itself") && said.contains("224.0.0.0/3 is too wide"), "{said}");
    let table = say(place, &["ban", "list"]).unwrap();
    assert_eq!(table.matches("list blocked").count(), 3, "{table}");
    assert!(table.contains("2001:db8::/64"), "{table}");

    std::fs::write(&list, "203.0.113.7\n").unwrap();
    let said: serde_json::Value =
        serde_json::from_str(&import(&["--for", "7d", "--replace", "--json"]).unwrap()).unwrap();
    assert_eq!(
        (&said["list"], &said["done"]["kept"], &said["done"]["lifted"]),
        (&"blocked".into(), &1.into(), &2.into()),
        "{said}"
    );
    let table = say(place, &["ban", "list"]).unwrap();
    assert!(table.contains("198.51.100.1/32"), "what a person banned stays: {table}");
    std::fs::write(&list, "\n").unwrap();
    assert!(
        matches!(import(&["--replace"]), Err(Trouble::No(why)) if why.contains("no addresses")),
        "half of a download lifts nothing"
    );
    assert!(matches!(import(&["--list", "a b"]), Err(Trouble::No(_))));
}

#[test]
fn one_bad_line_keeps_a_whole_list_out_and_every_one_is_told() {
    let (desk, folder) = (desk(), tempfile::tempdir().unwrap());
    let list = file(folder.path(), "x.txt", "203.0.113.7\nnonsense\n203.0.113.0/99\n1.2.3.4 5.6.7.8\n");
    let Err(Trouble::No(why)) = say(&desk.place, &["ban", "import", &list]) else { panic!() };
    assert!(why.starts_with("nothing is imported, 3 to mend:\n"), "{why}");
    for line in ["x.txt:2: `nonsense` is neither", "x.txt:3: `203.0.113.0/99`", "x.txt:4: more than one"] {
        assert!(why.contains(line), "{line}\n{why}");
    }
    assert_eq!(say(&desk.place, &["ban", "list"]).unwrap(), "nobody is banned\n");
    let Err(Trouble::Report(text)) = say(&desk.place, &["ban", "import", &list, "--json"]) else { panic!() };
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((said["problems"].as_array().unwrap().len(), &said["problems"][0]["line"]), (3, &2.into()));
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let (desk, folder) = (desk(), tempfile::tempdir().unwrap());
    let add = |words: &[&str]| say(&desk.place, &[&["ban", "add"], words].concat()).unwrap();
    add(&["203.0.113.7", "--for", "2h", "--reason", "guesses, \"much\""]);
    add(&["192.0.2.0/24"]);
    add(&["2001:db8::/48", "--for", "1d"]);
    add(&["country:SE"]);
    add(&["asn:64500"]);
    for (format, all) in [("plain", 3), ("crowdsec", 5), ("crowdsec-csv", 5), ("json", 5)] {
        let text = say(&desk.place, &["ban", "export", "--format", format]).unwrap();
        let other = self::desk();
        let list = file(folder.path(), "export.txt", &text);
        let said = say(&other.place, &["ban", "import", &list]).unwrap();
        assert_eq!(
            said,
            format!("{all} banned, 0 kept, 0 banned by others already, 0 lifted\n"),
            "{format}: {text}"
        );
        let again = say(&other.place, &["ban", "list"]).unwrap();
        assert!(again.contains("203.0.113.7/32") && again.contains("2001:db8::/48"), "{format}: {again}");
        assert_eq!(again.contains("guesses, \"much\""), format != "plain", "{format}: {again}");
        assert_eq!(again.contains("country:SE") && again.contains("asn:64500"), format != "plain", "{again}");
    }
    let plain = say(&desk.place, &["ban", "export"]).unwrap();
    assert!(
        plain.contains("\n203.0.113.7\n") && plain.contains("\n# country:SE is banned as well\n"),
        "{plain}"
    );
}
