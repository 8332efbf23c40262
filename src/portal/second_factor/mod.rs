//! The second factor: it completes a sign-in, or steps a live session up.

mod call;
mod complete;
mod flow;
mod form;
mod prove;
mod step_up;

pub(crate) use self::{
    call::{call, unproved_document},
    complete::{post as complete, show as show_complete},
    flow::{Checked, Proof, check},
    prove::{Unproved, begin, prove, wrong},
    step_up::{post as step_up, show as show_step_up},
};
