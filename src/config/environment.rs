//! `PANELGATE_SECTION__KEY` over what the files say.

use crate::{
    config::Environment,
    rules::written::{At, Key, Node, Value},
};

const PREFIX: &str = "PANELGATE_";

/// Names that the command line reads for itself.
const OTHERS: [&str; 1] = ["PANELGATE_CONFIG"];

/// Sections that a site may set for itself; what the environment says wins over the site, too.
const PER_SITE: [&str; 2] = ["lifetimes", "second_factor"];

/// Puts the environment's settings into the tree of the configuration.
pub(super) fn over_config(root: &mut Node, environment: &Environment) {
    for (at, path, value) in settings(environment) {
        if path.first().is_some_and(|section| section == "elevation") {
            continue;
        }
        if path.first().is_some_and(|section| PER_SITE.contains(&section.as_str())) {
            for site in sites(root) {
                remove(site, &path);
            }
        }
        put(root, &path, &at, value);
    }
}

/// Puts the environment's `elevation` into the tree of a policy.
pub(super) fn over_policy(root: &mut Node, environment: &Environment) {
    for (at, path, value) in settings(environment) {
        if path.first().is_some_and(|section| section == "elevation") {
            put(root, &path, &at, value);
        }
    }
}

fn settings(environment: &Environment) -> impl Iterator<Item = (At, Vec<String>, &String)> {
    let ours = environment.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str()));
    ours.filter_map(|(name, value)| {
        let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase().split("__").map(str::to_owned).collect();
        Some((At::source(&format!("environment {name}")), path, value))
    })
}

fn sites(root: &mut Node) -> impl Iterator<Item = &mut Node> {
    let list = match child(root, "sites") {
        Some(Node { value: Value::List(sites), .. }) => sites.as_mut_slice(),
        _ => &mut [],
    };
    list.iter_mut()
}

fn child<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(key, _)| key.text == name).map(|(_, node)| node)
}

fn remove(node: &mut Node, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            if let Value::Map(entries) = &mut node.value {
                entries.retain(|(key, _)| key.text != *last);
            }
        }
        [first, rest @ ..] => {
            if let Some(below) = child(node, first) {
                remove(below, rest);
            }
        }
    }
}

fn put(node: &mut Node, path: &[String], at: &At, value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *node = Node { at: at.clone(), value: Value::Scalar(value.to_owned()) };
        return;
    };
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let place = entries.iter().position(|(key, _)| key.text == *first).unwrap_or(entries.len());
    if place == entries.len() {
        let fresh = Node { at: at.clone(), value: Value::Null };
        entries.push((Key { at: at.clone(), text: first.clone() }, fresh));
    }
    if let Some((_, below)) = entries.get_mut(place) {
        put(below, rest, at, value);
    }
}
