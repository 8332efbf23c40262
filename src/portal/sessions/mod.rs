//! The session of this browser, and the list of all of its account.

mod handler;
mod here;

pub(crate) use self::{
    handler::{list, revoke, revoke_others},
    here::here,
};
