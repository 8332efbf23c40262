//! Reading a mapping field by field, going on after every mistake.

use super::{At, Findings, Node, Value};

/// The fields of one mapping. Every key that is asked for is known; [`Fields::finish`] reports the others.
pub struct Fields<'n> {
    /// Where the mapping starts.
    pub at: At,
    what: &'static str,
    codes: Codes,
    entries: Vec<(&'n super::Key, &'n Node)>,
    known: Vec<&'static str>,
}

/// Under which codes the mistakes of this kind of file are reported.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// A value of the wrong kind.
    pub kind: &'static str,
    /// A key that does not exist.
    pub unknown: &'static str,
    /// A key that stands twice.
    pub duplicate: &'static str,
    /// A key that must be there.
    pub missing: &'static str,
    /// A value that cannot be read.
    pub value: &'static str,
}

impl<'n> Fields<'n> {
    /// Starts reading a mapping called `what` in messages; `None`, with a problem, if the node is something else.
    pub fn of(node: &'n Node, what: &'static str, codes: Codes, found: &mut Findings) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            found.error(codes.kind, &node.at, format!("{what} must be a mapping, not {}", node.kind()), "");
            return None;
        };
        Some(Self {
            at: node.at.clone(),
            what,
            codes,
            entries: entries.iter().map(|(k, n)| (k, n)).collect(),
            known: Vec::new(),
        })
    }
}
