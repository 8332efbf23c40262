//! Reasons in words, for operators.

use crate::rules::reason::Reason;

impl Reason {
    /// One sentence in English, without what is special to the request.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::RoleAllows => "The role has the access that the request needs.",
            Self::ElevatedAllows => {
                "The role has the access because the session has proved its second factor."
            }
            Self::RelaxedAllows => "The role has the access at once because High Security Mode is off.",
            Self::KeyAllows => "The API key's scope and its owner's role allow it.",
            Self::Anonymous => "The page is open to everybody.",
            Self::Portal => "It is one of the gate's own pages, which has rules of its own.",
            Self::NoCredential => "Nobody was signed in: the request came without a credential.",
            Self::AccessExpired => "The access token had expired; the session could be renewed.",
            Self::BadCredential => "The credential that came with the request is not a valid one.",
            Self::ConflictingCredentials => "The request came with credentials that contradict each other.",
            Self::SessionEnded => "The session had been signed out or revoked, or is unknown.",
            Self::SessionExpired => "The session had not been used for too long, or had reached its end.",
            Self::SecondFactorPending => "The sign-in was not complete: its second step was missing.",
            Self::NeedsElevation => "The page opens, or can be changed, only after the second factor.",
            Self::NeedsEnrolment => "The role has to set up a second factor before anything opens.",
            Self::RoleLacksAccess => {
                "The role does not have this access, before the second factor or after it."
            }
            Self::NoPage => "No page of the policy covers the path, and the default gives too little.",
            Self::UnknownRole => "The policy does not know the role of the account.",
            Self::KeyLacksScope => "The API key does not have the scope that the page asks for.",
            Self::KeyExpired => "The API key had expired.",
            Self::ImpersonationReadOnly => "The impersonation was for looking only.",
            Self::ImpersonationOver => "The impersonation was over and had not been left.",
            Self::OutsideNetworks => "The page is only for networks that the client was not certainly in.",
            Self::OutsideCountries => "The page is only for countries that the client was not certainly in.",
            Self::OutsideHours => "The page is only for other hours.",
            Self::MethodNotAllowed => "The page is only for other methods.",
            Self::AccountDisabled => "The account is disabled.",
            Self::ForeignOrigin => "The WebSocket was opened by a page of another site.",
            Self::UnknownHost => "No site has this host.",
            Self::AmbiguousTarget => "The path can be read in two ways, and the page does not allow that.",
            Self::Malformed => "The request could not be understood.",
            Self::Banned => "The client's network is banned.",
            Self::RateLimited => "Too many requests came from the client's network.",
            Self::Trap => "Only programs that look for holes ask for this.",
            Self::PageLimit => "The quota of the page was used up.",
            Self::AuditUnavailable => {
                "It has to be accounted for, and the audit trail could not be written, so the gate stayed closed."
            }
            Self::StoreUnavailable => "The gate's store could not be asked, so the gate stayed closed.",
            Self::UpstreamUnreachable => "It was allowed, and the panel could not be reached.",
            Self::UpstreamTimeout => "It was allowed, and the panel did not answer in time.",
            Self::PageUnmarkable => {
                "The panel sent a page that could not carry the mark of an impersonation."
            }
        }
    }
}
