//! What failed, as log lines and metrics name it.

use super::Kind;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A wrong password.
    Password,
    /// A wrong code of the second factor.
    Code,
    /// A refresh token that nobody was given.
    Refresh,
    /// An API key that nobody has.
    Key,
    /// A request for what only scanners ask for.
    Trap,
}

impl From<Kind> for What {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Password => Self::Password,
            Kind::Factor => Self::Code,
        }
    }
}

impl What {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Password, Self::Code, Self::Refresh, Self::Key, Self::Trap];

    /// What the audit trail calls what was presented, unless it has another record of it.
    pub const fn credential(self) -> Option<&'static str> {
        match self {
            Self::Refresh => Some("refresh-token"),
            Self::Key => Some("api-key"),
            Self::Password | Self::Code | Self::Trap => None,
        }
    }

    /// As the log line has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Key => "key",
            Self::Trap => "trap",
        }
    }

    /// As the metrics have it.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Code => Kind::Factor.word(),
            Self::Password | Self::Refresh | Self::Key | Self::Trap => self.as_str(),
        }
    }
}
