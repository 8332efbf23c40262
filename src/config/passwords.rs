//! The `passwords` section: what is asked of new passwords.

use super::read::CODES;
use crate::rules::{
    factor::{
        password::LONGEST,
        strength::{Rules, Strength},
    },
    policy::RuleSet,
    written::{At, Fields, Findings, Written, hint, scalar},
};

/// What was written, with the places of the roles: whether they exist depends on the site's policy.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    rules: Rules,
    roles: Vec<Written<String>>,
}

impl Wanted {
    /// Reports roles that the policy does not have.
    pub(super) fn check_roles(&self, policy: &RuleSet, found: &mut Findings) {
        let known: Vec<&str> = policy.roles().iter().map(|role| &**role).collect();
        for role in self.roles.iter().filter(|role| !known.contains(&role.value.as_str())) {
            let what = format!("the policy has no role `{}`", role.value);
            found.error("C049", &role.at, what, hint(&role.value, &known));
        }
    }

    /// What counts.
    pub(super) fn rules(self) -> Rules {
        self.rules
    }
}

/// Reads the section; what it does not say is as in `standard`.
pub(super) fn read(fields: &mut Fields<'_>, standard: &Wanted, found: &mut Findings) -> Wanted {
    let mut wanted = standard.clone();
    let Some(mut section) = fields.sub("passwords", found) else { return wanted };
    if let Some(length) = section.count("min_length", found) {
        wanted.rules.min_length = possible(length.value, "min_length", &length.at, found);
    }
    let grades = [Strength::Weak, Strength::Medium, Strength::Strong].map(|grade| (grade.as_str(), grade));
    if let Some(grade) = section.one_of("min_strength", &grades, found) {
        wanted.rules.min_strength = grade.value;
    }
    if let Some(node) = section.get("min_length_by_role") {
        (wanted.rules.min_length_by_role, wanted.roles) = (Vec::new(), Vec::new());
        if let Some(lengths) = Fields::of(node, "min_length_by_role", CODES, found) {
            by_role(&lengths, &mut wanted, found);
        }
    }
    section.finish(found);
    wanted
}

fn by_role(lengths: &Fields<'_>, wanted: &mut Wanted, found: &mut Findings) {
    for (role, node) in lengths.entries() {
        let Some(text) = scalar(node, &role.text, CODES, found) else { continue };
        let Some(length) = text.value.parse().ok().filter(|length| *length > 0) else {
            let what = format!("`{}` is not a number of characters", text.value);
            found.error("C006", &text.at, what, "write a whole number from 1");
            continue;
        };
        let length = possible(length, &role.text, &text.at, found);
        wanted.rules.min_length_by_role.push((role.text.as_str().into(), length));
        wanted.roles.push(Written { at: role.at.clone(), value: role.text.clone() });
    }
}

/// No password would be long enough and short enough for bcrypt.
fn possible(length: usize, key: &str, at: &At, found: &mut Findings) -> usize {
    if length > LONGEST {
        let what = format!("`{key}` asks for {length} characters, and bcrypt takes {LONGEST} bytes");
        found.error("C006", at, what, "12 to 16 is a good choice");
    }
    length
}
