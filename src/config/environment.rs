//! `PANELGATE_SECTION__KEY` over what the files say.

use crate::{
    config::Environment,
    rules::written::{At, Findings, Key, Node, Value},
};

const PREFIX: &str = "PANELGATE_";

/// What has no section. Other names without `__` are not ours: orchestrators set `PANELGATE_PORT` and the like.
const WITHOUT_SECTION: [&str; 3] = ["data_dir", "master_key_file", "master_key_old_file"];

/// Sections that a site may set for itself; what the environment says wins over the site, too.
const PER_SITE: [&str; 2] = ["lifetimes", "second_factor"];

/// The section that stands in policies.
const OF_POLICIES: &str = "elevation";

/// Puts the environment's settings into the tree of the configuration. Entries of lists are counted from 0:
/// `PANELGATE_SITES__0__UPSTREAM`. An empty value takes the key out.
pub(super) fn over_config(root: &mut Node, environment: &Environment, found: &mut Findings) {
    for setting in settings(environment).filter(|setting| !setting.is_of_policies()) {
        if setting.path.first().is_some_and(|section| PER_SITE.contains(&section.as_str())) {
            for site in sites(root) {
                remove(site, &setting.path);
            }
        }
        setting.put(root, found);
    }
}

/// Puts the environment's `elevation` into the tree of a policy.
pub(super) fn over_policy(root: &mut Node, environment: &Environment, found: &mut Findings) {
    for setting in settings(environment).filter(Setting::is_of_policies) {
        setting.put(root, found);
    }
}

struct Setting<'e> {
    at: At,
    path: Vec<String>,
    value: &'e str,
}

impl Setting<'_> {
    fn is_of_policies(&self) -> bool {
        self.path.first().is_some_and(|section| section == OF_POLICIES)
    }

    fn put(&self, root: &mut Node, found: &mut Findings) {
        if !put(root, &self.path, &self.at, self.value) {
            let what = format!("there is no place for `{}`", self.path.join("."));
            let help =
                "sections are mappings; an entry of a list that the file has is named by its number, from 0";
            found.error("C007", &self.at, what, help);
        }
    }
}

fn settings(environment: &Environment) -> impl Iterator<Item = Setting<'_>> {
    environment.iter().filter_map(|(name, value)| {
        let path: Vec<String> =
            name.strip_prefix(PREFIX)?.to_ascii_lowercase().split("__").map(str::to_owned).collect();
        let ours = path.len() > 1 || path.first().is_some_and(|key| WITHOUT_SECTION.contains(&key.as_str()));
        ours.then(|| Setting { at: At::source(&format!("environment {name}")), path, value })
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

/// Whether there was a place for it.
fn put(node: &mut Node, path: &[String], at: &At, value: &str) -> bool {
    let Some((first, rest)) = path.split_first() else {
        let value = if value.is_empty() { Value::Null } else { Value::Scalar(value.to_owned()) };
        *node = Node { at: at.clone(), value };
        return true;
    };
    if node.value == Value::Null {
        *node = Node { at: at.clone(), value: Value::Map(Vec::new()) };
    }
    match &mut node.value {
        Value::Map(entries) => {
            let place = entries.iter().position(|(key, _)| key.text == *first).unwrap_or(entries.len());
            if place == entries.len() {
                let fresh = Node { at: at.clone(), value: Value::Null };
                entries.push((Key { at: at.clone(), text: first.clone() }, fresh));
            }
            entries.get_mut(place).is_some_and(|(_, below)| put(below, rest, at, value))
        }
        Value::List(items) => {
            let item = first.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.is_some_and(|below| put(below, rest, at, value))
        }
        Value::Null | Value::Scalar(_) => false,
    }
}
