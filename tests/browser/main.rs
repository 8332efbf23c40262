//! The browser tests: a real Chromium, a person's clicks and keys, and the demo. `target/screenshots/` has every page.

#![cfg(test)]

mod acting;
mod administration;
mod cdp;
mod chromium;
mod device;
mod devices;
mod keyboard;
mod keys;
mod look;
mod node;
mod password;
#[path = "../it/support/process.rs"]
#[expect(dead_code, reason = "shared with the other integration tests, which use more of it")]
mod process;
mod protected;
mod renewal;
mod second_factor;
mod signing_in;
mod tab;
mod totp;
mod two_factor;
#[path = "../it/support/workspace.rs"]
mod workspace;
mod world;
