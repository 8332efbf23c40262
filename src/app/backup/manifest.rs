//! What a backup says about itself.

use serde::{Deserialize, Serialize};

use crate::{rules::trail::Link, store::Copied};

/// The form of the archive. What an older program would misread counts it up.
pub(super) const FORMAT: u32 = 1;

/// What a backup is, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the archive.
    pub format: u32,
    /// The version that made it.
    pub panelgate: String,
    /// When, in Unix seconds.
    pub made: u64,
    /// The store.
    pub store: Counts,
    /// Where the audit trail ends.
    pub trail: TrailEnd,
    /// Whether the files of the configuration are those that were in force; a file that was changed and not loaded is not.
    pub configuration_in_force: bool,
    /// Where the master key comes from, if it is not in the backup.
    pub master_key_from: Option<String>,
    /// What belongs to the gate and is not in the backup.
    pub left_out: Vec<String>,
    /// Every member but this manifest, in the order of the archive.
    pub members: Vec<Member>,
}

/// What is in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The layout of its tables.
    pub schema: u32,
    /// Its position in the change stream.
    pub cursor: u64,
    /// Accounts.
    pub users: u64,
    /// Sessions, those that are over included.
    pub sessions: u64,
    /// API keys.
    pub keys: u64,
    /// Bans.
    pub bans: u64,
}

/// The last record of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailEnd {
    /// Its number; 0 if there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// A file in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// Where it was, if that is not the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A backup that was made, or looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The digest of the file: its name for the audit trail.
    pub id: String,
    /// Its length.
    pub bytes: u64,
    /// What it says about itself.
    pub manifest: Manifest,
}

impl From<Copied> for Counts {
    fn from(copied: Copied) -> Self {
        let Copied { schema, cursor, users, sessions, keys, bans } = copied;
        Self { schema, cursor: cursor.0, users, sessions, keys, bans }
    }
}

impl From<Link> for TrailEnd {
    fn from(link: Link) -> Self {
        Self { seq: link.seq, hash: data_encoding::HEXLOWER.encode(&link.hash) }
    }
}
