//! Signing in: user name and password.

mod flow;
mod handler;

pub(crate) use self::handler::{call, post, show};
