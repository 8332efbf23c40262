//! Renewing a session: the one place where tokens rotate (R13).

mod flow;
mod handler;
mod rotate;

pub(crate) use self::handler::{post, show};
