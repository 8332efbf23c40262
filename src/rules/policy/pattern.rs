//! Path patterns: `/users/*/keys`, `/users/**`.

use crate::rules::facts::Target;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
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
    pub(super) fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
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
        let segments = parts.into_iter().map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, deep })
    }

    /// Whether the pattern covers a path.
    pub(super) fn covers(&self, target: &Target) -> bool {
        let (own, path) = (&self.segments, &target.segments);
        let long_enough = if self.deep { path.len() >= own.len() } else { path.len() == own.len() };
        long_enough && own.iter().zip(path).all(|(own, part)| own.as_ref().is_none_or(|own| own == part))
    }
}

fn segment(text: &str) -> Result<Option<String>, (&'static str, &'static str)> {
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
