//! The browser tests: a real Chromium, a person's clicks and keys, and the demo. `target/screenshots/` has every page.

#![cfg(test)]
#![expect(dead_code, reason = "some of what a person can do waits for the pages that need it")]

mod cdp;
mod chromium;
mod device;
mod keyboard;
mod look;
mod node;
#[path = "../it/support/process.rs"]
#[expect(dead_code, reason = "shared with the other integration tests, which use more of it")]
mod process;
mod protected;
mod renewal;
mod second_factor;
mod signing_in;
mod tab;
mod totp;
#[path = "../it/support/workspace.rs"]
mod workspace;
mod world;
