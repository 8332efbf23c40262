//! What the tests stand on: processes that end with the test run, a client that keeps control of every byte, and a
//! gate with users.

pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod gate;
pub(crate) mod house;
pub(crate) mod panel;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod workspace;
