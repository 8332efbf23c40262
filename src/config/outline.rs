//! What a configuration says, key by key, as digests: enough to tell what has changed without ever showing a secret.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    feeds,
    rules::written::{Node, Value},
};

/// Hex digits of a digest that people compare.
const DIGITS: usize = 12;

/// What the files hold that a configuration names: what counts of a key of such a name is not the name alone.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The folders that names are looked up in.
    folders: Vec<PathBuf>,
    digests: BTreeMap<PathBuf, Vec<u8>>,
}

impl Contents {
    /// Of files that names in these folders lead to.
    pub(super) fn read<'p>(folders: Vec<PathBuf>, files: impl Iterator<Item = &'p PathBuf>) -> Self {
        let digest = |path: &PathBuf| {
            let text = feeds::files::read(path).unwrap_or_default();
            (path.clone(), aws_lc_rs::digest::digest(&SHA256, &text).as_ref().to_vec())
        };
        Self { folders, digests: files.map(digest).collect() }
    }

    fn of(&self, name: &str) -> Option<&Vec<u8>> {
        self.folders.iter().find_map(|folder| self.digests.get(&folder.join(name)))
    }
}

/// What a configuration says, without what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The first 12 hex digits of the SHA-256 over the configuration and every policy, with the tests beside them.
    pub digest: Arc<str>,
    keys: BTreeMap<String, Vec<u8>>,
}

impl Outline {
    /// Of a tree that the environment was put into, and the texts of all files.
    pub(super) fn of(root: &Node, texts: &BTreeMap<Arc<str>, Arc<str>>, contents: &Contents) -> Self {
        let mut all = Context::new(&SHA256);
        for part in texts.iter().flat_map(|(name, text)| [name, text]) {
            all.update(&part.len().to_be_bytes());
            all.update(part.as_bytes());
        }
        let (mut keys, mut names) = (BTreeMap::new(), BTreeMap::new());
        lay_out(root, "", contents, &mut keys);
        // People see this digest: what secrets hold is not in it, not even as a digest.
        lay_out(root, "", &Contents::default(), &mut names);
        for (key, digest) in &names {
            all.update(key.as_bytes());
            all.update(digest);
        }
        let mut digest = data_encoding::HEXLOWER.encode(all.finish().as_ref());
        digest.truncate(DIGITS);
        Self { digest: digest.into(), keys }
    }

    /// The keys that another configuration adds, removes or changes, in order.
    pub fn changes(&self, to: &Self) -> Vec<String> {
        let gone_or_changed = self.keys.iter().filter(|(key, value)| to.keys.get(*key) != Some(value));
        let new = to.keys.keys().filter(|key| !self.keys.contains_key(*key));
        let mut changed: Vec<String> = gone_or_changed.map(|(key, _)| key).chain(new).cloned().collect();
        changed.sort();
        changed
    }
}

fn lay_out(node: &Node, path: &str, contents: &Contents, keys: &mut BTreeMap<String, Vec<u8>>) {
    match &node.value {
        Value::Map(entries) => {
            for (key, below) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                lay_out(below, &format!("{path}{dot}{}", key.text), contents, keys);
            }
        }
        Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Map(_))) => {
            for (index, item) in items.iter().enumerate() {
                let name = name(item).map_or_else(|| index.to_string(), str::to_owned);
                lay_out(item, &format!("{path}[{name}]"), contents, keys);
            }
        }
        Value::Null => {}
        Value::Scalar(_) | Value::List(_) => {
            keys.insert(path.to_owned(), digest(node, contents));
        }
    }
}

/// What an entry of a list is called, so that one that is moved has not changed.
fn name(item: &Node) -> Option<&str> {
    let Value::Map(entries) = &item.value else { return None };
    entries.iter().find_map(|(key, below)| match &below.value {
        Value::Scalar(text) if key.text == "name" => Some(text.as_str()),
        Value::Scalar(_) | Value::Null | Value::List(_) | Value::Map(_) => None,
    })
}

fn digest(node: &Node, contents: &Contents) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    fill(node, contents, &mut context);
    context.finish().as_ref().to_vec()
}

fn fill(node: &Node, contents: &Contents, context: &mut Context) {
    match &node.value {
        Value::Scalar(text) => {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
            if let Some(held) = contents.of(text) {
                context.update(held);
            }
        }
        Value::List(items) => items.iter().for_each(|item| fill(item, contents, context)),
        Value::Null | Value::Map(_) => {}
    }
}
