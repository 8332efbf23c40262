//! A file as its author wrote it: a tree with positions, and the problems found in it.
//!
//! Text becomes a tree in `config::yaml`; policies and settings are read from trees with [`Fields`], which goes on after
//! a mistake, so that one look shows all of them.

mod duration;
mod fields;
mod problem;
mod shape;
mod suggest;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::{
    duration::{parse_duration, spell_duration},
    fields::{Codes, Fields, Written, choose, duration, hint, scalar, scalars},
    problem::{Findings, Problem, Severity},
    suggest::nearest,
};

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct At {
    /// The file's name as it should be shown, or `environment PANELGATE_…`.
    pub source: Arc<str>,
    /// From 1; 0 when the source has no lines.
    pub line: u32,
    /// In characters, from 1; 0 when the source has no columns.
    pub column: u32,
    /// How many characters of that line are meant; 0 when only the start is known.
    pub width: u32,
}

impl At {
    /// A source as a whole.
    pub fn source(source: &str) -> Self {
        Self { source: source.into(), line: 0, column: 0, width: 0 }
    }
}

/// A value with its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub at: At,
    /// What it is.
    pub value: Value,
}

/// What a value is. Scalars are kept as text: their reader knows what they should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`: the same as not written.
    Null,
    /// Anything that is one word or one line.
    Scalar(String),
    /// `- a`, `[a, b]`.
    List(Vec<Node>),
    /// `key: value`, in the order of the file, repeated keys included.
    Map(Vec<(Key, Node)>),
}

/// A key with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it starts.
    pub at: At,
    /// As written.
    pub text: String,
}

impl Node {
    /// What to call this kind of value in a message.
    pub const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

#[cfg(test)]
impl Node {
    /// A document as the YAML reader would give it.
    pub(crate) fn of_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let at = || At::source("test");
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(scalar) => Value::Scalar(scalar.to_string()),
            Json::Number(scalar) => Value::Scalar(scalar.to_string()),
            Json::String(scalar) => Value::Scalar(scalar.clone()),
            Json::Array(items) => Value::List(items.iter().map(Self::of_json).collect()),
            Json::Object(fields) => {
                let key = |text: &String| Key { at: at(), text: text.clone() };
                Value::Map(fields.iter().map(|(name, value)| (key(name), Self::of_json(value))).collect())
            }
        };
        Self { at: at(), value }
    }
}
