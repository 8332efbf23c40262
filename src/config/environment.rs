//! `PANELGATE_SECTION__KEY` over what the files say.

mod names;

use std::sync::Arc;

use super::yaml;
use crate::{
    config::Environment,
    rules::written::{At, Findings, Key, Node, Value},
};

/// Sections that a site may set for itself; what the environment says wins over the site, too.
const PER_SITE: [&str; 3] = ["lifetimes", "second_factor", "passwords"];

/// The section that stands in policies.
const OF_POLICIES: &str = "elevation";

/// Puts the environment's settings into the tree of the configuration. Entries of lists are counted from 0:
/// `PANELGATE_SITES__0__UPSTREAM`; the number after the last adds one. An empty value takes the key out.
pub(super) fn over_config(root: &mut Node, environment: &Environment, found: &mut Findings) {
    for setting in settings(environment, found) {
        if setting.is_of_policies() {
            continue;
        }
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
    // What is no setting has been said when the configuration was read.
    for setting in settings(environment, &mut Findings::default()) {
        if setting.is_of_policies() {
            setting.put(root, found);
        }
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
        let Some(value) = self.value(found) else { return };
        if !put(root, &self.path, &self.at, value) {
            let what = format!("there is no place for `{}`", self.path.join("."));
            let help = "sections are mappings; an entry of a list is named by its number, from 0, and only the next \
                        one can be added";
            found.error("C007", &self.at, what, help);
        }
    }

    /// `[a, b]` is a list as YAML has it; anything else is text, and a list where one is wanted if it has commas.
    fn value(&self, found: &mut Findings) -> Option<Value> {
        let text = self.value.trim();
        if text.is_empty() {
            return Some(Value::Null);
        }
        if !(text.starts_with('[') && text.ends_with(']')) {
            return Some(Value::Scalar(self.value.to_owned()));
        }
        let mut node = yaml::parse(&Arc::clone(&self.at.source), text, found)?;
        settle(&mut node, &self.at);
        Some(node.value)
    }
}

/// Everything in a variable has one place: the variable.
fn settle(node: &mut Node, at: &At) {
    node.at = at.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| settle(item, at)),
        Value::Map(entries) => {
            for (key, value) in entries {
                key.at = at.clone();
                settle(value, at);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

/// The settings in the environment, entries of lists in their order. A variable that looks like one and is none is an
/// error: whoever wrote it counts on it.
fn settings<'e>(environment: &'e Environment, found: &mut Findings) -> Vec<Setting<'e>> {
    let mut settings = Vec::new();
    for (name, value) in environment {
        let at = At::source(&format!("environment {name}"));
        match names::read(name) {
            names::Name::Setting(path) => settings.push(Setting { at, path, value }),
            names::Name::Foreign => {}
            names::Name::Unknown { help } => {
                found.error("C008", &at, format!("`{name}` sets nothing"), help);
            }
        }
    }
    let number = |part: &String| part.parse::<u32>().ok();
    let order = |path: &[String]| path.iter().map(|part| (number(part), part.clone())).collect::<Vec<_>>();
    settings.sort_by_key(|setting| order(&setting.path));
    settings
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
fn put(node: &mut Node, path: &[String], at: &At, value: Value) -> bool {
    let Some((first, rest)) = path.split_first() else {
        *node = Node { at: at.clone(), value };
        return true;
    };
    let fresh = || Node { at: at.clone(), value: Value::Null };
    let index = first.parse::<usize>().ok();
    if node.value == Value::Null {
        let value = if index == Some(0) { Value::List(Vec::new()) } else { Value::Map(Vec::new()) };
        *node = Node { at: at.clone(), value };
    }
    match &mut node.value {
        Value::Map(entries) => {
            let place = entries.iter().position(|(key, _)| key.text == *first).unwrap_or(entries.len());
            if place == entries.len() {
                entries.push((Key { at: at.clone(), text: first.clone() }, fresh()));
            }
            entries.get_mut(place).is_some_and(|(_, below)| put(below, rest, at, value))
        }
        Value::List(items) => {
            if index == Some(items.len()) {
                items.push(fresh());
            }
            let item = index.and_then(|index| items.get_mut(index));
            item.is_some_and(|below| put(below, rest, at, value))
        }
        Value::Null | Value::Scalar(_) => false,
    }
}
