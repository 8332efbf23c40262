//! Document → rule set, or every problem at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Conditions, Levels, Page, RoleAccess, RuleSet,
    amendment::Amendment,
    document::{self, Document, WrittenAccess, WrittenPage},
    lint,
    pattern::Pattern,
    reach::{both, meets, places},
    trie::Trie,
};
use crate::rules::{
    facts::Ambiguity,
    identity::Role,
    outcome::Access,
    written::{Findings, Node, Written, hint, spell_duration},
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

struct Compiler<'d> {
    roles: Vec<Role>,
    trie: Trie,
    pages: Vec<Page>,
    names: BTreeMap<&'d str, u32>,
    lines: Vec<Lines<'d>>,
}

/// The lines of a page that turn out to be good only when all pages are known.
#[derive(Default)]
struct Lines<'d> {
    paths: Vec<(&'d Written<&'d str>, Pattern)>,
    amendments: Vec<(&'d Written<&'d str>, Amendment)>,
}

impl<'d> Compiler<'d> {
    fn new(document: &Document<'_>) -> Self {
        let roles = document.roles.iter().map(|role| Role::from(role.value)).collect();
        let (trie, pages, names, lines) = Default::default();
        Self { roles, trie, pages, names, lines }
    }

    fn run(mut self, document: &'d Document<'d>, found: &mut Findings) -> RuleSet {
        check_roles(&document.roles, found);
        for page in &document.pages {
            self.page(page, document, found);
        }
        let require_2fa = document.require_2fa.iter().filter_map(|role| self.role(role, found)).collect();
        let administer = self.administrators(document, found);
        // What is wrong already would only be said again in other words.
        if !found.any_errors() {
            self.check_reach(found);
            lint::look(document, &self.pages, &self.roles, &administer, found);
        }
        let Self { roles, trie, pages, lines, .. } = self;
        let amendments = lines
            .into_iter()
            .map(|lines| lines.amendments.into_iter().map(|(_, amendment)| amendment).collect())
            .collect();
        let (default, lasts, methods) =
            (Some(document.default), document.lasts.value, document.methods.clone());
        let names = pages.iter().enumerate().map(|(index, page)| (Arc::clone(&page.name), index)).collect();
        RuleSet {
            roles,
            pages,
            names,
            trie,
            amendments,
            default,
            lasts,
            methods,
            require_2fa,
            administer,
            version: Arc::from(""),
        }
    }

    fn page(&mut self, page: &'d WrittenPage<'d>, document: &Document<'_>, found: &mut Findings) {
        self.name(page, found);
        let allow_in_path = opened(page, found);
        let mut lines = Lines::default();
        for path in &page.paths {
            let pattern = self.path(path, &allow_in_path, found);
            lines.paths.extend(pattern.map(|pattern| (path, pattern)));
        }
        for (written, needs) in [(&page.writes, Access::Full), (&page.reads, Access::Read)] {
            for line in written {
                let amendment = Amendment::parse(line, needs, found);
                lines.amendments.extend(amendment.map(|amendment| (line, amendment)));
            }
        }
        self.lines.push(lines);
        let lasts = shorter(page.terms.lasts.as_ref(), &document.lasts, found);
        let access = self.access(page, &lasts, found);
        self.pages.push(Page {
            name: page.name.value.into(),
            file: Arc::clone(&page.at.source),
            line: page.at.line,
            anonymous: page.anonymous.as_ref().map_or(Access::None, |access| access.value),
            when: page.terms.when.clone(),
            lasts: lasts.value,
            quotas: page.terms.quotas.clone(),
            allow_in_path,
            bar: page.bar,
            access,
            scope_read: page.scope_read.as_ref().map(|scope| scope.value.into()),
            scope_write: page.scope_write.as_ref().map(|scope| scope.value.into()),
        });
    }

    fn name(&mut self, page: &WrittenPage<'d>, found: &mut Findings) {
        let name = &page.name;
        if !is_word(name.value) {
            let what = format!("`{}` is not a page name", name.value);
            found.error("P005", &name.at, what, "use letters, digits, - and _, at most 64");
        }
        if let Some(line) = self.names.insert(name.value, name.at.line) {
            let what = format!("two pages are called `{}`", name.value);
            found.error("P012", &name.at, what, format!("the other is on line {line}"));
        }
    }

    fn path(
        &mut self,
        path: &Written<&str>,
        opened: &BTreeSet<Ambiguity>,
        found: &mut Findings,
    ) -> Option<Pattern> {
        let pattern = match Pattern::parse(path.value) {
            Ok(pattern) => pattern,
            Err((what, help)) => {
                found.error("P013", &path.at, format!("`{}`: {what}", path.value), help);
                return None;
            }
        };
        if let Some(part) = pattern.foreign() {
            let what = format!("`{part}` stands for exactly these characters");
            found.warning(
                "P033",
                &path.at,
                what,
                "write `*` for any one part, `**` at the end for everything below",
            );
        }
        if let Some((what, help)) = pattern.unreachable(opened) {
            found.error("P014", &path.at, format!("no request can reach `{}`: {what}", path.value), help);
            return None;
        }
        let Some(other) = self.trie.insert(&pattern, self.pages.len()) else { return Some(pattern) };
        if let Some(other) = self.pages.get(other) {
            let what = format!("`{}` is just as specific in the page `{}`", path.value, other.name);
            let help = format!("that page is on line {}; keep the path in one of them", other.line);
            found.error("P015", &path.at, what, help);
        } else {
            found.error(
                "P015",
                &path.at,
                format!("`{}` stands twice in this page", path.value),
                "remove one",
            );
        }
        None
    }

    fn access(
        &self,
        page: &WrittenPage<'_>,
        lasts: &Written<Duration>,
        found: &mut Findings,
    ) -> Vec<RoleAccess> {
        let nothing = RoleAccess {
            levels: Levels::nothing(),
            when: Conditions::default(),
            lasts: lasts.value,
            quotas: Vec::new(),
        };
        let mut all = vec![nothing; self.roles.len()];
        for written in &page.access {
            if written.unelevated > written.elevated {
                let what =
                    format!("`{}` may do more before the second factor than after it", written.role.value);
                found.error("P016", &written.at, what, "swap the two, or write one word for both");
            }
            let access = role_access(written, lasts, found);
            let Some(role) = self.role(&written.role, found) else { continue };
            let rank = self.roles.iter().position(|known| *known == role);
            if let Some(place) = rank.and_then(|rank| all.get_mut(rank)) {
                *place = access;
            }
        }
        all
    }

    fn role(&self, role: &Written<&str>, found: &mut Findings) -> Option<Role> {
        let known = self.roles.iter().find(|known| ***known == *role.value);
        if known.is_none() {
            let names: Vec<&str> = self.roles.iter().map(|role| &**role).collect();
            found.error("P017", &role.at, format!("unknown role `{}`", role.value), hint(role.value, &names));
        }
        known.cloned()
    }

    /// As `administer` says; otherwise the mightiest role, and `admin` if there is such a role.
    fn administrators(&self, document: &Document<'_>, found: &mut Findings) -> BTreeSet<Role> {
        if let Some(named) = &document.administer {
            return named.iter().filter_map(|role| self.role(role, found)).collect();
        }
        let admin = self.roles.iter().find(|role| &***role == "admin");
        self.roles.first().into_iter().chain(admin).cloned().collect()
    }

    /// Whether a request can meet every path and every amendment.
    fn check_reach(&self, found: &mut Findings) {
        let all: Vec<_> = self.lines.iter().flat_map(|lines| &lines.paths).collect();
        let longest = all.iter().map(|(_, pattern)| pattern.segments.len()).max().unwrap_or(0);
        let mut singly = Trie::default();
        for (number, (_, pattern)) in all.iter().enumerate() {
            singly.insert(pattern, number);
        }
        for (number, (path, pattern)) in all.iter().enumerate() {
            let places = places(&singly, pattern, longest);
            if !places.contains(&number) {
                let others = places.iter().filter_map(|place| all.get(*place));
                let others: Vec<String> =
                    others.map(|(other, _)| format!("`{}` (line {})", other.value, other.at.line)).collect();
                let verb = if others.len() == 1 { "is" } else { "are" };
                let others = others.join(" and ");
                let what = format!(
                    "no request can reach `{}`: {others} {verb} more specific everywhere",
                    path.value
                );
                found.error("P014", &path.at, what, "remove it, or what was not meant to take its place");
            }
        }
        for (page, lines) in self.lines.iter().enumerate() {
            for (line, amendment) in &lines.amendments {
                let mut shared =
                    lines.paths.iter().filter_map(|(_, pattern)| both(pattern, &amendment.pattern));
                if !shared.any(|pattern| meets(&self.trie, &pattern, page, longest)) {
                    let what = format!("`{}` is never a request to this page", line.value);
                    found.error("P021", &line.at, what, self.belongs(&amendment.pattern, longest));
                }
            }
        }
    }
}

impl Compiler<'_> {
    /// Where a line belongs that never meets a request of its page.
    fn belongs(&self, pattern: &Pattern, longest: usize) -> String {
        let places = places(&self.trie, pattern, longest);
        match places.first().and_then(|place| self.pages.get(*place)) {
            Some(page) => {
                format!("that path belongs to the page `{}` (line {}): write it there", page.name, page.line)
            }
            None => {
                "no page covers that path: add it to the `paths` of this one, or remove the line".to_owned()
            }
        }
    }
}

fn check_roles(roles: &[Written<&str>], found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for role in roles {
        if !is_word(role.value) {
            let what = format!("`{}` is not a role name", role.value);
            found.error("P005", &role.at, what, "use letters, digits, - and _, at most 64");
        }
        if !seen.insert(role.value) {
            found.error("P011", &role.at, format!("the role `{}` stands twice", role.value), "remove one");
        }
    }
}

/// Names travel in headers, logs and metrics.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn role_access(written: &WrittenAccess<'_>, page: &Written<Duration>, found: &mut Findings) -> RoleAccess {
    let levels = Levels { unelevated: written.unelevated, elevated: written.elevated };
    let Some(terms) = &written.terms else {
        return RoleAccess { levels, when: Conditions::default(), lasts: page.value, quotas: Vec::new() };
    };
    let lasts = shorter(terms.lasts.as_ref(), page, found).value;
    RoleAccess { levels, when: terms.when.clone(), lasts, quotas: terms.quotas.clone() }
}

/// What is said closer to a page can only shorten what is said further away. A value from the environment shortens all
/// that stand below it.
fn shorter(
    own: Option<&Written<Duration>>,
    outer: &Written<Duration>,
    found: &mut Findings,
) -> Written<Duration> {
    let Some(own) = own else { return outer.clone() };
    if own.value > outer.value && outer.at.line > 0 {
        let what = "a second factor would count longer here than around it";
        let help = format!(
            "line {} says {}: shorten this, or make that longer",
            outer.at.line,
            spell_duration(outer.value)
        );
        found.error("P022", &own.at, what, help);
    }
    let at = if outer.at.line > 0 { own.at.clone() } else { outer.at.clone() };
    Written { at, value: own.value.min(outer.value) }
}

fn opened(page: &WrittenPage<'_>, found: &mut Findings) -> BTreeSet<Ambiguity> {
    let mut opened = BTreeSet::new();
    for class in &page.allow_in_path {
        let Some(known) = Ambiguity::ALL.into_iter().find(|known| known.as_str() == class.value) else {
            let known: Vec<&str> = Ambiguity::ALL.into_iter().map(Ambiguity::as_str).collect();
            let what = format!("`{}` is nothing that can be opened", class.value);
            found.error("P005", &class.at, what, hint(class.value, &known));
            continue;
        };
        let help = "make sure that the panel reads such paths as it is written in this policy";
        found.warning("P019", &class.at, format!("this page opens `{}` in paths", class.value), help);
        opened.insert(known);
    }
    opened
}
