//! The closed list of reasons. Codes are stable: they appear on pages, in problem documents, logs, metrics and tests.

use serde::{Deserialize, Serialize};

/// Why a request was answered as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The role has the access that the request needs.
    RoleAllows,
    /// The role has it because the session is elevated.
    ElevatedAllows,
    /// The role has it at once because High Security Mode is off.
    RelaxedAllows,
    /// The API key's scope and its owner's role allow it.
    KeyAllows,
    /// The page is open to everybody.
    Anonymous,
    /// One of the gate's own pages.
    Portal,
    /// No credential was presented.
    NoCredential,
    /// The access token has expired and the session may be renewed.
    AccessExpired,
    /// The credential does not verify.
    BadCredential,
    /// Two credentials that contradict each other, or one twice with different values (R19).
    ConflictingCredentials,
    /// The session was signed out or revoked.
    SessionEnded,
    /// The session was unused for too long or reached its absolute end.
    SessionExpired,
    /// Two-step sign-in is not complete.
    SecondFactorPending,
    /// The page opens, or can be changed, after the second factor.
    NeedsElevation,
    /// The role requires a second factor and none is enrolled.
    NeedsEnrolment,
    /// The role does not have the access, elevated or not.
    RoleLacksAccess,
    /// No page of the policy covers the path, and the default gives too little.
    NoPage,
    /// The policy does not know the account's role.
    UnknownRole,
    /// The API key does not have the scope that the page names, or the page names none.
    KeyLacksScope,
    /// The API key has expired.
    KeyExpired,
    /// The impersonation is for looking only.
    ImpersonationReadOnly,
    /// The impersonation is over and was not left; nothing is done in the operator's own name by mistake.
    ImpersonationOver,
    /// The page, or the role on it, is only for networks that the client is not certainly in (R17).
    OutsideNetworks,
    /// It is only for countries that the client is not certainly in (R17).
    OutsideCountries,
    /// It is only for other hours.
    OutsideHours,
    /// It is only for other methods.
    MethodNotAllowed,
    /// The account is disabled.
    AccountDisabled,
    /// A WebSocket handshake from an origin that is not the site's (R23).
    ForeignOrigin,
    /// The host belongs to no site (R6).
    UnknownHost,
    /// The target could be read in two ways (R4).
    AmbiguousTarget,
    /// The request is malformed.
    Malformed,
    /// The address, or the network that it is in, is banned.
    Banned,
    /// Too many requests from this network.
    RateLimited,
    /// The page's own quota is used up.
    PageLimit,
    /// The store cannot be asked.
    StoreUnavailable,
    /// The edge cannot reach the panel.
    UpstreamUnreachable,
    /// The panel did not answer the edge in time.
    UpstreamTimeout,
    /// The panel sent a page that cannot carry the mark of an impersonation.
    PageUnmarkable,
    /// Only scanners ask for this.
    Trap,
    /// It has to be accounted for, and the audit trail cannot be written.
    AuditUnavailable,
}

impl Reason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 40] = [
        Self::RoleAllows,
        Self::ElevatedAllows,
        Self::RelaxedAllows,
        Self::KeyAllows,
        Self::Anonymous,
        Self::Portal,
        Self::NoCredential,
        Self::AccessExpired,
        Self::BadCredential,
        Self::ConflictingCredentials,
        Self::SessionEnded,
        Self::SessionExpired,
        Self::SecondFactorPending,
        Self::NeedsElevation,
        Self::NeedsEnrolment,
        Self::RoleLacksAccess,
        Self::NoPage,
        Self::UnknownRole,
        Self::KeyLacksScope,
        Self::KeyExpired,
        Self::ImpersonationReadOnly,
        Self::ImpersonationOver,
        Self::OutsideNetworks,
        Self::OutsideCountries,
        Self::OutsideHours,
        Self::MethodNotAllowed,
        Self::AccountDisabled,
        Self::ForeignOrigin,
        Self::UnknownHost,
        Self::AmbiguousTarget,
        Self::Malformed,
        Self::Banned,
        Self::RateLimited,
        Self::PageLimit,
        Self::StoreUnavailable,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::PageUnmarkable,
        Self::Trap,
        Self::AuditUnavailable,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RoleAllows => "role-allows",
            Self::ElevatedAllows => "elevated-allows",
            Self::RelaxedAllows => "high-security-off",
            Self::KeyAllows => "key-allows",
            Self::Anonymous => "anonymous",
            Self::Portal => "portal",
            Self::NoCredential => "no-credential",
            Self::AccessExpired => "access-expired",
            Self::BadCredential => "bad-credential",
            Self::ConflictingCredentials => "conflicting-credentials",
            Self::SessionEnded => "session-ended",
            Self::SessionExpired => "session-expired",
            Self::SecondFactorPending => "second-factor-pending",
            Self::NeedsElevation => "needs-elevation",
            Self::NeedsEnrolment => "needs-enrolment",
            Self::RoleLacksAccess => "role-lacks-access",
            Self::NoPage => "no-page",
            Self::UnknownRole => "unknown-role",
            Self::KeyLacksScope => "key-lacks-scope",
            Self::KeyExpired => "key-expired",
            Self::ImpersonationReadOnly => "impersonation-read-only",
            Self::ImpersonationOver => "impersonation-over",
            Self::OutsideNetworks => "outside-networks",
            Self::OutsideCountries => "outside-countries",
            Self::OutsideHours => "outside-hours",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::AccountDisabled => "account-disabled",
            Self::ForeignOrigin => "foreign-origin",
            Self::UnknownHost => "unknown-host",
            Self::AmbiguousTarget => "ambiguous-target",
            Self::Malformed => "malformed",
            Self::Banned => "banned",
            Self::Trap => "trap",
            Self::RateLimited => "rate-limited",
            Self::PageLimit => "page-limit",
            Self::StoreUnavailable => "store-unavailable",
            Self::AuditUnavailable => "audit-unavailable",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::PageUnmarkable => "page-unmarkable",
        }
    }

    /// Whether a policy can say so. Everything else was found before it was asked, or after.
    pub const fn is_of_policy(self) -> bool {
        matches!(
            self,
            Self::RoleAllows
                | Self::ElevatedAllows
                | Self::RelaxedAllows
                | Self::KeyAllows
                | Self::Anonymous
                | Self::NoCredential
                | Self::NeedsElevation
                | Self::NeedsEnrolment
                | Self::RoleLacksAccess
                | Self::NoPage
                | Self::UnknownRole
                | Self::KeyLacksScope
                | Self::ImpersonationReadOnly
                | Self::ImpersonationOver
                | Self::OutsideNetworks
                | Self::OutsideCountries
                | Self::OutsideHours
                | Self::MethodNotAllowed
                | Self::AmbiguousTarget
        )
    }
}
