//! Paths that only scanners ask for.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{facts::Target, policy::Pattern};

/// What no panel serves, and every scanner asks for first.
const USUAL: [&str; 14] = [
    "/.env",
    "/.git/**",
    "/.svn/**",
    "/.hg/**",
    "/.aws/**",
    "/.ssh/**",
    "/.htpasswd",
    "/wp-login.php",
    "/wp-config.php",
    "/wp-includes/**",
    "/xmlrpc.php",
    "/vendor/phpunit/**",
    "/boaform/**",
    "/hnap1/**",
];

/// Traps, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traps {
    set: Vec<(String, Pattern)>,
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

    /// Adds one, written like a path of the policy. Upper and lower case are the same here.
    ///
    /// # Errors
    /// With what is wrong, and how to mend it.
    pub fn set(&mut self, text: &str) -> Result<(), (&'static str, &'static str)> {
        let pattern = Pattern::parse(&text.to_ascii_lowercase())?;
        if !pattern.is_pointed() {
            return Err((
                "this is every page, or nearly",
                "begin with a part that no page of the panel begins with",
            ));
        }
        self.set.push((text.to_owned(), pattern));
        Ok(())
    }

    /// The trap that a request steps into, as it is written.
    pub fn find(&self, target: &Target) -> Option<&str> {
        let segments: Vec<String> = target.segments.iter().map(|part| part.to_ascii_lowercase()).collect();
        self.set.iter().find(|(_, pattern)| pattern.covers(&segments)).map(|(text, _)| text.as_str())
    }
}
