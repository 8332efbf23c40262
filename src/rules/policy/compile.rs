//! Document → rule set, or every problem at once.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Levels, Page, RuleSet,
    document::{self, Document, WrittenPage},
    pattern::Pattern,
    ruleset::{Amendment, WEBSOCKET},
    trie::Trie,
};
use crate::rules::{
    facts::Ambiguity,
    identity::Role,
    outcome::Access,
    written::{Findings, Node, Written, hint},
};

/// Compiles a policy. `None` if anything makes it unusable; the findings say what.
pub fn compile(node: &Node, found: &mut Findings) -> Option<RuleSet> {
    let mut own = Findings::default();
    let rules =
        document::read(node, &mut own).map(|document| Compiler::new(&document).run(&document, &mut own));
    let usable = !own.any_errors();
    found.extend(own);
    rules.filter(|_| usable)
}

struct Compiler {
    roles: Vec<Role>,
    trie: Trie,
    pages: Vec<Page>,
    amendments: Vec<Vec<Amendment>>,
}

impl Compiler {
    fn new(document: &Document<'_>) -> Self {
        let roles = document.roles.iter().map(|role| Role::from(role.value)).collect();
        Self { roles, trie: Trie::default(), pages: Vec::new(), amendments: Vec::new() }
    }

    fn run(mut self, document: &Document<'_>, found: &mut Findings) -> RuleSet {
        Self::check_roles(document, found);
        for page in &document.pages {
            self.page(page, document, found);
        }
        let require_2fa = document.require_2fa.iter().filter_map(|role| self.role(role, found)).collect();
        let Self { roles, trie, pages, amendments } = self;
        let (default, lasts) = (Some(document.default), document.lasts);
        RuleSet { roles, pages, trie, amendments, default, lasts, require_2fa }
    }

    fn check_roles(document: &Document<'_>, found: &mut Findings) {
        let mut seen = BTreeSet::new();
        for role in &document.roles {
            if role.value.is_empty()
                || !role.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            {
                found.error(
                    "P005",
                    &role.at,
                    format!("`{}` is not a role name", role.value),
                    "use a-z, 0-9, - and _",
                );
            }
            if !seen.insert(role.value) {
                found.error(
                    "P011",
                    &role.at,
                    format!("the role `{}` stands twice", role.value),
                    "remove one",
                );
            }
        }
    }

    fn page(&mut self, page: &WrittenPage<'_>, document: &Document<'_>, found: &mut Findings) {
        let index = self.pages.len();
        if let Some(other) = self.pages.iter().find(|other| *other.name == *page.name.value) {
            let what = format!("two pages are called `{}`", page.name.value);
            found.error("P012", &page.name.at, what, format!("the other is on line {}", other.line));
        }
        let allow_in_path = opened(page, found);
        for path in &page.paths {
            self.path(path, index, &allow_in_path, found);
        }
        let mut amendments = Vec::new();
        for (lines, needs) in [(&page.writes, Access::Full), (&page.reads, Access::Read)] {
            amendments.extend(lines.iter().filter_map(|line| amendment(line, needs, found)));
        }
        self.amendments.push(amendments);
        let levels = self.levels(page, found);
        self.pages.push(Page {
            name: page.name.value.into(),
            file: Arc::clone(&page.at.source),
            line: page.at.line,
            anonymous: page.anonymous.as_ref().map_or(Access::None, |access| access.value),
            lasts: page.lasts.unwrap_or(document.lasts),
            allow_in_path,
            levels,
            scope_read: page.scope_read.as_ref().map(|scope| scope.value.into()),
            scope_write: page.scope_write.as_ref().map(|scope| scope.value.into()),
        });
    }

    fn path(
        &mut self,
        path: &Written<&str>,
        index: usize,
        opened: &BTreeSet<Ambiguity>,
        found: &mut Findings,
    ) {
        let pattern = match Pattern::parse(path.value) {
            Ok(pattern) => pattern,
            Err((what, help)) => {
                return found.error("P013", &path.at, format!("`{}`: {what}", path.value), help);
            }
        };
        if let Some((what, help)) = unreachable(&pattern, opened) {
            found.error("P014", &path.at, format!("no request can reach `{}`: {what}", path.value), help);
        }
        if pattern.segments.first().is_some_and(|first| first.as_deref() == Some("_gate")) {
            let help = "the gate serves `/_gate/` itself; remove the path";
            found.error("P014", &path.at, format!("no request can reach `{}`", path.value), help);
        }
        if let Some(other) = self.trie.insert(&pattern, index) {
            let name = self.pages.get(other).map_or("this page itself", |page| &*page.name);
            let line = self.pages.get(other).map_or(0, |page| page.line);
            let what = format!("`{}` is as specific here as in `{name}`", path.value);
            found.error(
                "P015",
                &path.at,
                what,
                format!("the other stands in the page on line {line}; remove one"),
            );
        }
    }

    fn levels(&self, page: &WrittenPage<'_>, found: &mut Findings) -> Vec<Levels> {
        let nothing = Levels { unelevated: Access::None, elevated: Access::None };
        let mut levels = vec![nothing; self.roles.len()];
        for written in &page.access {
            if written.unelevated > written.elevated {
                let what =
                    format!("`{}` may do more before the second factor than after it", written.role.value);
                found.error("P016", &written.at, what, "swap the two, or write one word for both");
            }
            let Some(role) = self.role(&written.role, found) else { continue };
            let place =
                self.roles.iter().position(|known| *known == role).and_then(|rank| levels.get_mut(rank));
            if let Some(place) = place {
                *place = Levels { unelevated: written.unelevated, elevated: written.elevated };
            }
        }
        levels
    }

    fn role(&self, role: &Written<&str>, found: &mut Findings) -> Option<Role> {
        let known = self.roles.iter().find(|known| ***known == *role.value);
        if known.is_none() {
            let names: Vec<&str> = self.roles.iter().map(|role| &**role).collect();
            found.error("P017", &role.at, format!("unknown role `{}`", role.value), hint(role.value, &names));
        }
        known.cloned()
    }
}

/// `METHOD /path`.
fn amendment(line: &Written<&str>, needs: Access, found: &mut Findings) -> Option<Amendment> {
    let help = "write a method and a path: `POST /api/users/search`, or `WEBSOCKET /live/ws`";
    let Some((method, path)) = line.value.split_once(' ') else {
        found.error("P018", &line.at, format!("`{}` is not a method and a path", line.value), help);
        return None;
    };
    let known = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", WEBSOCKET];
    if !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') || method.is_empty() {
        found.error(
            "P018",
            &line.at,
            format!("`{method}` is not a method"),
            hint(&method.to_ascii_uppercase(), &known),
        );
        return None;
    }
    match Pattern::parse(path.trim()) {
        Ok(pattern) => Some(Amendment { method: method.into(), pattern, needs }),
        Err((what, help)) => {
            found.error("P013", &line.at, format!("`{path}`: {what}"), help);
            None
        }
    }
}

fn opened(page: &WrittenPage<'_>, found: &mut Findings) -> BTreeSet<Ambiguity> {
    let mut opened = BTreeSet::new();
    for class in &page.allow_in_path {
        if let Some(known) = Ambiguity::ALL.into_iter().find(|known| known.as_str() == class.value) {
            let help = "make sure that the panel reads such paths as it is written in this policy";
            found.warning("P019", &class.at, format!("this page opens `{}` in paths", class.value), help);
            opened.insert(known);
        } else {
            let known: Vec<&str> = Ambiguity::ALL.into_iter().map(Ambiguity::as_str).collect();
            let what = format!("`{}` is nothing that can be opened", class.value);
            found.error("P005", &class.at, what, hint(class.value, &known));
        }
    }
    opened
}

/// Parts that no canonical path has.
fn unreachable(pattern: &Pattern, opened: &BTreeSet<Ambiguity>) -> Option<(&'static str, &'static str)> {
    for part in pattern.segments.iter().flatten() {
        if part.is_empty() && !opened.contains(&Ambiguity::EmptySegment) {
            return Some(("`//` is refused before the policy is asked", "remove one slash"));
        }
        if part.contains('%') && !Ambiguity::ALL.iter().any(|class| opened.contains(class)) {
            return Some(("paths are decoded before they are matched", "write the character itself"));
        }
        if part.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\') {
            return Some(("it has a character that is always refused", "remove it"));
        }
    }
    None
}
