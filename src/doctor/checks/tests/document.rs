//! docs/doctor.md: a section for every check, and lines that stand so in the recipes.

use std::{collections::BTreeSet, fs, path::Path};

use crate::doctor::{
    advice::{Proxy, sections},
    checks::ALL,
};

/// The recipe of a proxy, as its lines without indentation.
fn recipe(proxy: Proxy) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(proxy.as_str());
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    files.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()).collect()
}

#[test]
fn every_check_has_a_section_and_every_section_a_check() {
    let checks: Vec<&str> = ALL.iter().map(|check| check.code).collect();
    let explained: Vec<&str> = sections().map(|section| section.code).collect();
    assert_eq!(checks, explained, "in the same order, each once");
    assert!(checks.is_sorted() && checks.len() > 50);
}

#[test]
fn every_section_says_what_follows_and_how_it_is_mended_in_every_proxy() {
    for section in sections() {
        let (code, mends) = (section.code, section.mends());
        assert!(!section.meaning().is_empty() && !section.meaning().starts_with('`'), "{code}");
        assert!(mends.iter().all(|mend| !mend.place.is_empty() && !mend.lines.is_empty()), "{code}");
        let known = |name: &str| name == "panelgate" || Proxy::parse(name).is_some();
        assert!(mends.iter().all(|mend| known(mend.proxy)), "{code}");
        // HTTP/2 is always on in two of them, and only nginx's refusals are fetched.
        if ["D005", "D025"].contains(&code) || mends.iter().any(|mend| mend.proxy == "panelgate") {
            continue;
        }
        for proxy in Proxy::ALL.into_iter().filter(|proxy| *proxy != Proxy::Edge) {
            assert!(mends.iter().any(|mend| mend.proxy == proxy.as_str()), "{code} has no lines for {proxy}");
        }
    }
}

#[test]
fn the_lines_that_mend_stand_in_the_recipes() {
    let mut wrong = Vec::new();
    for proxy in Proxy::ALL.into_iter().filter(|proxy| *proxy != Proxy::Edge) {
        let recipe = recipe(proxy);
        for section in sections() {
            for mend in section.mends_for(Some(proxy)).iter().filter(|mend| mend.proxy == proxy.as_str()) {
                if mend.place.contains("not in the recipe") {
                    continue;
                }
                let missing = mend.lines.iter().filter(|line| !recipe.contains(line.trim()));
                wrong.extend(missing.map(|line| format!("{} {proxy}: {line}", section.code)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
