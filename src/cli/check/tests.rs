//! What `check` finds beyond the files themselves, and the long texts of the codes.

pub(super) mod codes;
mod findings;
