//! The authenticator app: set up in three steps (scan, enter a code, keep the backup codes), moved, removed.
//!
//! Until its first code, the secret lies sealed in the session that asked for it, for ten minutes.

mod confirm;
mod flow;
mod remove;
mod start;

pub(crate) use self::{
    confirm::{call as call_confirm, post as confirm, show as show_confirm},
    remove::{call as call_remove, post as remove, show as show_remove},
    start::{call as call_start, post as start, show},
};
pub(super) use self::{
    remove::{ask_for_code, read_code, respond},
    start::answer,
};
