//! The demo: a gate in front of a sample panel, in one process, with everything made up on the spot.

pub mod panel;
