//! What an administrator may do to whom. No I/O.

#[cfg(test)]
mod tests;

use crate::rules::{
    identity::{Role, User, UserId},
    policy::RuleSet,
};

/// What is done to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Ends every session and refuses new ones.
    Disable,
    /// Lets it sign in again.
    Enable,
    /// For somebody who has lost the app and the backup codes.
    RemoveFactor,
    /// Forgets wrong passwords and codes.
    Unlock,
    /// Ends every session.
    SignOut,
    /// Gives it another role.
    Role(Role),
}

/// Why it is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// One's own account has its own pages, and nobody locks himself out.
    Oneself,
    /// The role is not below one's own, or there is no such role.
    RoleTooHigh,
    /// It is so already.
    Nothing,
}

/// Who administers.
#[derive(Clone, Copy)]
pub(crate) struct Administrator<'a> {
    pub(crate) id: UserId,
    pub(crate) role: &'a Role,
    /// The policy of the site where this happens.
    pub(crate) policy: &'a RuleSet,
    /// Those of the other sites: accounts are shared, and their roles may be ranked differently there.
    pub(crate) others: &'a [&'a RuleSet],
}

impl Administrator<'_> {
    /// Whether an account is there for this administrator at all (R32): those of lower roles, and for the mightiest role
    /// everybody. It must be so in every policy that knows the account's role.
    pub(crate) fn sees(&self, user: &User) -> bool {
        let over = |policy: &RuleSet| policy.is_first(self.role) || policy.outranks(self.role, &user.role);
        let elsewhere = self.others.iter().filter(|policy| policy.roles().contains(&user.role));
        over(self.policy) && elsewhere.into_iter().all(|policy| over(policy))
    }

    /// Whether something may be done to an account that is [seen](Self::sees).
    pub(crate) fn may(&self, user: &User, act: &Act) -> Result<(), No> {
        if user.id == self.id {
            return Err(No::Oneself);
        }
        let idle = match act {
            Act::Disable => user.disabled,
            Act::Enable => !user.disabled,
            Act::RemoveFactor => user.totp.is_none() && user.backup_codes.is_empty(),
            // Whether there is anything to forget, the store says.
            Act::SignOut | Act::Unlock => false,
            Act::Role(role) if !self.roles().contains(role) => return Err(No::RoleTooHigh),
            Act::Role(role) => user.role == *role,
        };
        if idle { Err(No::Nothing) } else { Ok(()) }
    }

    /// The roles that can be given: those strictly below one's own, here and wherever else they are known.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let below = |policy: &RuleSet, role: &Role| policy.outranks(self.role, role);
        let elsewhere = |role: &Role| {
            self.others
                .iter()
                .filter(|policy| policy.roles().contains(role))
                .all(|policy| below(policy, role))
        };
        let roles = self.policy.roles().iter();
        roles.filter(|role| below(self.policy, role) && elsewhere(role)).cloned().collect()
    }
}
