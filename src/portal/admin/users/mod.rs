//! `/_gate/admin/users`: accounts, and what can be done to them.

mod call;
mod change;
mod page;

pub(super) use self::{
    call::{call_change, call_list, call_remove_factor, call_show, call_sign_out},
    page::{act, ask, list, show},
};
