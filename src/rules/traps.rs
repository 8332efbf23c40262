//! Paths that only scanners ask for.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{facts::Target, policy::Pattern};

/// What no panel serves, and every scanner asks for first.
const USUAL: [&str; 15] = [
    "/**/.env",
    "/**/.env*",
    "/**/.git/**",
    "/**/.svn/**",
    "/**/.hg/**",
    "/**/.aws/**",
    "/**/.ssh/**",
    "/**/.htpasswd",
    "/**/wp-login.php",
    "/**/wp-config.php*",
    "/**/wp-includes/**",
    "/**/xmlrpc.php",
    "/**/phpunit/**",
    "/boaform/**",
    "/hnap1/**",
];

/// So much of a part has to be written out before its `*`.
const LEAST: usize = 4;

/// What is wrong, and how to mend it.
type Fault = (&'static str, &'static str);

/// Where a trap stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Where the path says.
    Path(Pattern),
    /// In any folder.
    Anywhere(Part),
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// It only begins so.
    open: bool,
    /// There may be more behind it.
    deep: bool,
}

/// Traps, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traps {
    set: Vec<(String, Shape)>,
    /// How long whoever steps into one is banned.
    pub lasts: Duration,
}

impl Default for Traps {
    fn default() -> Self {
        let mut traps = Self::none(Duration::from_secs(3600));
        // None of these can be wrong; a test sees to it.
        let _ = USUAL.iter().try_for_each(|text| traps.set(text));
        traps
    }
}

impl Traps {
    /// Without any.
    pub const fn none(lasts: Duration) -> Self {
        Self { set: Vec::new(), lasts }
    }

    /// The same, with longer or shorter bans.
    pub fn lasting(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    /// Adds one, written like a path of the policy, or as `/**/NAME`, `/**/NAME*` or `/**/NAME/**`: a part in any
    /// folder. Upper and lower case are the same here.
    ///
    /// # Errors
    /// With what is wrong, and how to mend it.
    pub fn set(&mut self, text: &str) -> Result<(), Fault> {
        let lower = text.to_ascii_lowercase();
        let shape = match lower.strip_prefix("/**/") {
            Some(part) => Shape::Anywhere(Part::parse(part)?),
            None => Shape::Path(path(&lower)?),
        };
        self.set.push((text.to_owned(), shape));
        Ok(())
    }

    /// The trap that a request steps into, as it is written. The gate's own pages have none.
    pub fn find(&self, target: &Target) -> Option<&str> {
        if target.is_ours() {
            return None;
        }
        let segments: Vec<String> = target.segments.iter().map(|part| part.to_ascii_lowercase()).collect();
        self.set.iter().find(|(_, shape)| shape.covers(&segments)).map(|(text, _)| text.as_str())
    }
}

impl Shape {
    fn covers(&self, path: &[String]) -> bool {
        match self {
            Self::Path(pattern) => pattern.covers(path),
            Self::Anywhere(part) if part.deep => path.iter().any(|own| part.is(own)),
            Self::Anywhere(part) => path.last().is_some_and(|own| part.is(own)),
        }
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, Fault> {
        let (text, deep) = text.strip_suffix("/**").map_or((text, false), |text| (text, true));
        let (name, open) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
        if name.contains('/') {
            return Err((
                "`/**/` is followed by one part of a path",
                "write `/**/wp-login.php` or `/**/.git/**`",
            ));
        }
        path(&format!("/{name}"))?;
        if open && name.len() < LEAST {
            return Err(EVERY_PAGE);
        }
        Ok(Self { name: name.to_owned(), open, deep })
    }

    fn is(&self, part: &str) -> bool {
        if self.open { part.starts_with(&self.name) } else { part == self.name }
    }
}

const EVERY_PAGE: Fault =
    ("this is every page, or nearly", "begin with a part that no page of the panel begins with");

fn path(text: &str) -> Result<Pattern, Fault> {
    let pattern = Pattern::parse(text)?;
    if pattern.is_ours() {
        return Err(("the gate serves `/_gate/` itself", "remove the path"));
    }
    if pattern.is_pointed() { Ok(pattern) } else { Err(EVERY_PAGE) }
}
