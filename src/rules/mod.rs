//! Every decision, and nothing else: values in, values out.
//!
//! Absent here on purpose: `async`, I/O, clocks, randomness, logging, header names. Time and random bytes come in as
//! arguments, so that both doors decide alike and every decision can be repeated from what was recorded.

pub mod address;
pub mod api_key;
pub mod ban;
pub mod device;
pub mod factor;
pub mod facts;
pub mod failures;
pub mod identity;
pub mod judge;
pub mod known;
pub mod limit;
pub mod login;
pub mod outcome;
pub mod place;
pub mod policy;
pub mod reason;
pub mod record;
pub mod seal;
pub mod session;
pub mod site;
pub mod token;
pub mod trail;
pub mod traps;
pub mod written;
