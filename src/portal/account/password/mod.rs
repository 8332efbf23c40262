//! Changing the password, and the meter beside it.

mod change;
mod strength;
pub(super) mod words;

pub(crate) use self::{
    change::{call as call_change, post as change, show},
    strength::call as call_strength,
};
