//! Signing out: ends the session wherever it lives. Works after the access token has expired, because its cookie is
//! still there.

mod handler;

pub(crate) use self::handler::{call, post, show};
