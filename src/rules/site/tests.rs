use super::*;

fn site(id: &str, policy: &str) -> Site {
    let policy = Arc::new(RuleSet::default().compiled_from(policy.as_bytes()));
    Site { policy, ..Site::sample(id, &["https://panel.example.com"]) }
}

#[test]
fn a_site_is_named_only_where_it_matters() {
    let (one, alike, other) = (site("one", "a"), site("alike", "a"), site("other", "b"));
    let chosen = |sites: &[&Site], name| Site::choose(sites, name).map(|site| site.id.to_string());
    assert_eq!(chosen(&[&one], None).unwrap(), "one");
    assert_eq!(chosen(&[&one, &alike], None).unwrap(), "one", "they have the same policy");
    assert_eq!(chosen(&[&one, &other], Some("other")).unwrap(), "other");
    assert!(chosen(&[&one, &other], None).unwrap_err().contains("one, other"));
    assert!(chosen(&[&one, &other], Some("none")).unwrap_err().contains("one, other"));
    assert!(chosen(&[], None).is_err());
}
