//! Path patterns: `/users/*/keys`, `/users/**`.

use std::collections::BTreeSet;

use crate::rules::facts::Ambiguity;

/// Longer patterns are refused; no panel has them.
const MAX_SEGMENTS: usize = 64;

/// What is wrong, and how to mend it.
type Fault = (&'static str, &'static str);

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules) struct Pattern {
    /// Segment by segment; `None` is `*`.
    pub(super) segments: Vec<Option<String>>,
    /// Ends in `**`: anything below, and the place itself.
    pub(super) deep: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// With what is wrong, and how to mend it.
    pub(in crate::rules) fn parse(text: &str) -> Result<Self, Fault> {
        if text.contains("://") {
            return Err(("a path has no scheme and no host", "write what comes after the host: `/users/**`"));
        }
        if text.starts_with(['“', '”', '„', '‘', '’']) {
            return Err(("these are the quotes of a letter", "write straight quotes: `\"/users/**\"`"));
        }
        let rest = text.strip_prefix('/').ok_or(("a path must start with `/`", "write `/users/**`"))?;
        if text.contains('?') || text.contains('#') {
            return Err((
                "a path has no query or fragment",
                "rules never see the query; name the path alone",
            ));
        }
        let mut parts: Vec<&str> = rest.split('/').collect();
        if parts.last() == Some(&"") {
            parts.pop();
        }
        let deep = parts.last() == Some(&"**");
        if deep {
            parts.pop();
        }
        if parts.len() > MAX_SEGMENTS {
            return Err(("it has more than 64 parts", "name a place above it, with `**`"));
        }
        let segments = parts.into_iter().map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, deep })
    }

    /// Why no request can have such a path, though it is well-formed: R4 refuses it, or the gate serves it itself.
    pub(super) fn unreachable(&self, opened: &BTreeSet<Ambiguity>) -> Option<Fault> {
        if self.is_ours() {
            return Some(("the gate serves `/_gate/` itself", "remove the path"));
        }
        self.segments.iter().flatten().find_map(|part| undecoded(part, opened))
    }

    /// Whether it is a place of the gate's own pages.
    pub(in crate::rules) fn is_ours(&self) -> bool {
        self.segments.first().is_some_and(|first| first.as_deref() == Some("_gate"))
    }

    /// Whether it begins with a part that is written out.
    pub(in crate::rules) fn is_pointed(&self) -> bool {
        self.segments.first().is_some_and(Option::is_some)
    }

    /// A part that looks like a pattern of another language, and stands for itself in this one.
    pub(super) fn foreign(&self) -> Option<&str> {
        let looks = |part: &str| {
            let first = part.starts_with([':', '{', '<', '^', '(']);
            first || part.ends_with('$') || part.contains(['[', ']', '+', '|']) || part.contains("\\d")
        };
        self.segments.iter().flatten().map(String::as_str).find(|part| looks(part))
    }

    /// Whether the pattern covers a path.
    pub(in crate::rules) fn covers(&self, path: &[impl AsRef<str>]) -> bool {
        let own = &self.segments;
        let long_enough = if self.deep { path.len() >= own.len() } else { path.len() == own.len() };
        long_enough
            && own.iter().zip(path).all(|(own, part)| own.as_ref().is_none_or(|own| own == part.as_ref()))
    }
}

fn segment(text: &str) -> Result<Option<String>, Fault> {
    match text {
        "*" => Ok(None),
        "**" => Err(("`**` can only be the last part of a path", "use `*` for one part in the middle")),
        "." | ".." => Err(("no request can reach `.` or `..`", "write the path that is really meant")),
        _ if text.contains('*') => {
            Err(("`*` stands for a whole part of a path", "write `/files/*`, not `/files/a*`"))
        }
        _ => Ok(Some(text.to_owned())),
    }
}

/// Requests are matched decoded; only what R4 calls ambiguous stays encoded, in upper case, and must be opened.
fn undecoded(part: &str, opened: &BTreeSet<Ambiguity>) -> Option<Fault> {
    const CLOSED: Fault =
        ("such paths are refused", "open it for this page with `allow_in_path`, if the panel needs it");
    if part.is_empty() {
        return (!opened.contains(&Ambiguity::EmptySegment))
            .then_some(("`//` is refused", "remove one slash"));
    }
    if part.contains('\\') {
        return Some(("a backslash is always refused", "remove it"));
    }
    if part.contains(';') && !opened.contains(&Ambiguity::Semicolon) {
        return Some(CLOSED);
    }
    part.split('%').skip(1).find_map(|code| {
        let code = code.get(..2).unwrap_or_default();
        let own = |class: &Ambiguity| class.as_str().strip_prefix('%') == Some(&*code.to_ascii_uppercase());
        match Ambiguity::ALL.into_iter().find(own) {
            None => Some(("paths are decoded before they are matched", "write the character itself")),
            Some(_) if code.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                Some(("such codes are matched in upper case", "write `%2F`, not `%2f`"))
            }
            Some(class) if opened.contains(&class) => None,
            Some(_) => Some(CLOSED),
        }
    })
}
