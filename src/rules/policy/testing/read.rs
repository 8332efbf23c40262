//! `NAME.test.yaml` as written, beside the policy that it is about.

use std::collections::BTreeMap;

use super::{
    super::{
        RuleSet,
        spoken::{CODES, NOBODY, Spoken},
    },
    Expected, NOON, Suite, TestCase,
};
use crate::rules::{
    reason::Reason,
    written::{Fields, Findings, Node, Written, hint},
};

/// More requests than anybody writes by hand; what is run at every look at the page must end soon.
const MOST_REQUESTS: usize = 10_000;

/// The outcomes that there are, each with the reasons that it can have.
const OUTCOMES: [(&str, &[Reason]); 5] = [
    (
        "allow",
        &[
            Reason::RoleAllows,
            Reason::ElevatedAllows,
            Reason::RelaxedAllows,
            Reason::KeyAllows,
            Reason::Anonymous,
        ],
    ),
    ("sign-in", &[Reason::NoCredential]),
    ("step-up", &[Reason::NeedsElevation]),
    (
        "deny",
        &[
            Reason::RoleLacksAccess,
            Reason::NoPage,
            Reason::UnknownRole,
            Reason::NeedsEnrolment,
            Reason::KeyLacksScope,
            Reason::ImpersonationReadOnly,
            Reason::OutsideNetworks,
            Reason::OutsideCountries,
            Reason::OutsideHours,
            Reason::MethodNotAllowed,
        ],
    ),
    ("bad-request", &[Reason::AmbiguousTarget, Reason::Malformed]),
];

type Outcome = (&'static str, &'static [Reason]);

impl Suite {
    /// Reads the tests of a policy. `None` if anything makes them unusable; the findings say what.
    pub fn read(root: &Node, rules: &RuleSet, found: &mut Findings) -> Option<Self> {
        let mut own = Findings::default();
        let suite = Reader { rules, names: BTreeMap::new(), requests: 0 }.suite(root, &mut own);
        let usable = !own.any_errors();
        found.extend(own);
        suite.filter(|_| usable)
    }
}

struct Reader<'r> {
    rules: &'r RuleSet,
    /// Every name, with its line.
    names: BTreeMap<String, u32>,
    requests: usize,
}

impl Reader<'_> {
    fn suite(mut self, root: &Node, found: &mut Findings) -> Option<Suite> {
        let mut fields = Fields::of(root, "the test file", CODES, found)?;
        let mut defaults = Spoken::default();
        if let Some(mut section) = fields.sub("defaults", found) {
            defaults = Spoken::read(&mut section, found);
            section.finish(found);
            self.check_names(&defaults, found);
        }
        let help =
            "list what should hold: `- { name: nobody gets in, role: nobody, path: /, expect: sign-in }`";
        fields.require("cases", help, found);
        let cases = fields.nodes("cases", found).iter();
        let cases = cases.filter_map(|node| self.case(node, &defaults, found)).collect();
        fields.finish(found);
        if self.requests > MOST_REQUESTS {
            let what = format!("the cases make {} requests; at most {MOST_REQUESTS} are made", self.requests);
            found.error("T009", &root.at, what, "name fewer roles, methods and paths, or split the file");
        }
        Some(Suite { cases })
    }

    fn case(&mut self, node: &Node, defaults: &Spoken, found: &mut Findings) -> Option<TestCase> {
        let mut fields = Fields::of(node, "a case", CODES, found)?;
        fields.require("name", "say what the case shows", found);
        let name = fields.text("name", found);
        fields.require("expect", "write `allow`, `sign-in`, `step-up`, `deny` or `bad-request`", found);
        let words = OUTCOMES.map(|outcome| (outcome.0, outcome));
        let outcome = fields.one_of("expect", &words, found).map(|outcome| outcome.value);
        let reason = fields.text("reason", found).and_then(|text| reason(&text, outcome, found));
        let page = fields.text("page", found);
        if let Some(page) = &page {
            self.check_page(page, found);
        }
        let own = Spoken::read(&mut fields, found);
        if reason != Some(Reason::UnknownRole) {
            self.check_names(&own, found);
        }
        let written = ["role", "path"].map(|key| (key, fields.has(key)));
        let at = fields.at.clone();
        fields.finish(found);
        let facts = own.over(defaults, found);
        // One that is written and cannot be read has been spoken of.
        if let Some(key) = facts.missing().filter(|key| !written.contains(&(key, true))) {
            let what = format!("`{key}` is missing in a case");
            found.error(CODES.missing, &at, what, "write it here, or for all cases under `defaults`");
        }
        let name = name?;
        if let Some(line) = self.names.insert(name.value.to_owned(), name.at.line) {
            let what = format!("two cases are called `{}`", name.value);
            found.error("T010", &name.at, what, format!("the other is on line {line}; say how they differ"));
        }
        self.requests = self.requests.saturating_add(facts.count());
        let expected = Expected { outcome: outcome?.0, reason, page: page.map(|page| page.value.into()) };
        let probes = if self.requests > MOST_REQUESTS { Vec::new() } else { facts.probes(NOON) };
        Some(TestCase { name: name.value.into(), at, expected, probes })
    }

    /// A case about a role that is misspelt would show nothing, and hold.
    fn check_names(&self, spoken: &Spoken, found: &mut Findings) {
        let known: Vec<&str> = self.rules.roles().iter().map(|role| &**role).chain([NOBODY]).collect();
        for role in spoken.roles.iter().flatten() {
            if !known.contains(&&*role.value) {
                let what = format!("the policy has no role `{}`", role.value);
                let help = format!(
                    "{} (a case about a role that is not there says `reason: unknown-role`)",
                    hint(&role.value, &known)
                );
                found.error("T006", &role.at, what, help);
            }
        }
        if let Some(role) = &spoken.acting_as
            && !self.rules.roles().contains(&role.value)
        {
            let known: Vec<&str> = known.into_iter().filter(|known| *known != NOBODY).collect();
            let what = format!("the policy has no role `{}`", role.value);
            found.error("T006", &role.at, what, hint(&role.value, &known));
        }
        let scopes = self.rules.scopes();
        let known: Vec<&str> = scopes.iter().map(|scope| &**scope).collect();
        for scope in spoken.scopes.iter().flat_map(|scopes| &scopes.value) {
            if !known.contains(&&*scope.value) {
                let what = format!("no page of the policy names the scope `{}`", scope.value);
                found.error("T006", &scope.at, what, hint(&scope.value, &known));
            }
        }
    }

    fn check_page(&self, page: &Written<&str>, found: &mut Findings) {
        let known: Vec<&str> = self.rules.pages().iter().map(|page| &*page.name).chain(["none"]).collect();
        if !known.contains(&page.value) {
            let what = format!("the policy has no page `{}`", page.value);
            found.error("T006", &page.at, what, hint(page.value, &known));
        }
    }
}

fn reason(text: &Written<&str>, outcome: Option<Outcome>, found: &mut Findings) -> Option<Reason> {
    let all = OUTCOMES.iter().flat_map(|(_, reasons)| *reasons).copied();
    let Some(reason) = all.clone().find(|reason| reason.code() == text.value) else {
        let of = outcome.map_or_else(|| all.collect(), |(_, reasons)| reasons.to_vec());
        let known: Vec<&str> = of.iter().map(|reason| reason.code()).collect();
        let what = format!("`{}` is not a reason that the policy gives", text.value);
        found.error(CODES.value, &text.at, what, hint(text.value, &known));
        return None;
    };
    if let Some((word, reasons)) = outcome.filter(|(_, reasons)| !reasons.contains(&reason)) {
        let known: Vec<String> = reasons.iter().map(|reason| format!("`{}`", reason.code())).collect();
        let what = format!("`{}` is never the reason of `{word}`", text.value);
        found.error("T007", &text.at, what, format!("write {}, or another `expect`", known.join(", ")));
    }
    Some(reason)
}
