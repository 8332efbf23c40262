//! What is allowed and probably not meant.

use std::collections::BTreeSet;

use super::{Page, document::Document};
use crate::rules::{identity::Role, outcome::Access, written::Findings};

/// Looks at a policy without mistakes.
pub(super) fn look(
    document: &Document<'_>,
    pages: &[Page],
    roles: &[Role],
    administer: &BTreeSet<Role>,
    found: &mut Findings,
) {
    idle_roles(document, pages, roles, administer, found);
    for (written, page) in document.pages.iter().zip(pages) {
        if page.anonymous > Access::None {
            let what = format!("everybody may look at `{}`, signed in or not", page.name);
            let help = "right for static files and health checks; no identity is told to the panel there";
            found.note("P032", &written.name.at, what, help);
        }
        let most = page.access.iter().map(|access| access.levels.elevated).max().unwrap_or(Access::None);
        for (scope, needs, verb) in
            [(&written.scope_read, Access::Read, "look at"), (&written.scope_write, Access::Full, "change")]
        {
            let Some(scope) = scope.as_ref().filter(|_| most < needs) else { continue };
            let what =
                format!("no key can use the scope `{}`: no role may {verb} `{}`", scope.value, page.name);
            found.warning(
                "P031",
                &scope.at,
                what,
                format!("remove it, or give a role `{}` here", needs.as_str()),
            );
        }
    }
}

/// Roles whose accounts could sign in and do nothing.
fn idle_roles(
    document: &Document<'_>,
    pages: &[Page],
    roles: &[Role],
    administer: &BTreeSet<Role>,
    found: &mut Findings,
) {
    if document.default > Access::None {
        return;
    }
    for (rank, (written, role)) in document.roles.iter().zip(roles).enumerate() {
        let levels =
            |page: &Page| page.access.get(rank).map_or(Access::None, |access| access.levels.elevated);
        if administer.contains(role) || pages.iter().any(|page| levels(page) > Access::None) {
            continue;
        }
        let what = format!("the role `{role}` can do nothing: no page gives it more than `none`");
        found.warning(
            "P030",
            &written.at,
            what,
            "name it under `access` of a page, or remove it from `roles`",
        );
    }
}
