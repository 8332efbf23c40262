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

/// What is found by its spelling is what parsing would have found.
#[test]
fn a_host_that_is_spelt_as_it_is_configured_is_found_without_parsing() {
    let mut one = site("panel", "roles: [user]\nanonymous: none\n");
    for origin in ["https://Panel.Example.com.", "https://[2001:DB8::1]:8443", "https://localhost:8443"] {
        one.origins.push(Origin::parse(origin).unwrap());
    }
    let sites = Sites::new(vec![one]).unwrap();
    for spelt in ["panel.example.com", "[2001:db8::1]:8443", "localhost:8443"] {
        let (host, site) = sites.spelt(spelt).unwrap();
        assert_eq!(Ok(host), Host::parse(spelt.as_bytes()).as_ref(), "{spelt}");
        assert!(std::ptr::eq(site, sites.find(host).unwrap()), "{spelt}");
    }
    for spelt in
        ["Panel.example.com", "panel.example.com.", "panel.example.com:443", "[2001:DB8::1]:8443", ""]
    {
        assert!(sites.spelt(spelt).is_none(), "{spelt}");
    }
}
