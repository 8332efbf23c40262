//! Panelgate: a gate in front of a web control panel that exists already and is not going to be changed.
//!
//! # The map
//!
//! ```text
//! main → cli → app (the only composer) → doors, portal, feeds, store adapters → gate → live → rules → clock, secret
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`rules`] | every decision, pure: facts, addresses, policy, tokens, factors, the session machine, `judge` |
//! | [`live`] | the memory the request path reads: one snapshot swapped as one value, sessions and accounts, counters |
//! | [`gate`] | the order of one request: limit → credential → session → policy → grant |
//! | [`doors`] | where requests arrive: `sidecar` (forward auth; hyper for all but plain questions) and `edge` (pingora, TLS, proxying); `dialect` |
//! | [`portal`] | the gate's own pages and API under `/_gate/`, served by both doors |
//! | [`store`] | everything durable, behind one trait with a conformance suite; memory and redb |
//! | [`feeds`] | what changes from outside: key files, issuers' keys, certificates, policy and configuration files |
//! | [`config`] | `config.yaml` as written → checked → the settings of each part |
//! | [`app`] | composition, reload, background tasks, shutdown, the admin socket, health and metrics |
//! | [`telemetry`] | how logs are written |
//! | [`cli`] | the verbs |
//! | [`doctor`] | examines a deployed chain: probes, what was seen, checks, mends in the proxy's language |
//! | [`demo`] | the sample panel, `panelgate demo` and the tour |
//! | [`meter`] | counters and histograms of atomics, for whatever is counted on the way of a request |
//! | [`frames`] | how two processes of this program talk over a stream |
//! | [`clock`], [`entropy`], [`secret`] | the only doors to time, randomness and secret bytes |
//!
//! The way of a request: socket → dialect → [`Facts`](rules::facts::Facts) (one constructor for both doors; ambiguity is
//! an error) → client address → limits → session → policy → [`Outcome`](rules::outcome::Outcome) → the dialect renders
//! it, or the edge strips, stamps and forwards exactly the bytes that were judged.
//!
//! # What holds everywhere
//!
//! * **There is one judge.** Both doors call the same [`rules::judge::judge`]; only it can make a
//!   [`Grant`](rules::outcome::Grant), and whatever answers 200, stamps identity headers or opens an upstream asks for
//!   one. There is no `Default` for an outcome, and every error ends closed (R3).
//! * **`rules` has no `async`, no I/O, no clock, no randomness and no logging.** Time and random bytes are arguments.
//! * **One snapshot per request.** Sites, policies, keys and trusted proxies are swapped as one value.
//! * **Every decision re-reads the session.** The access token is a signed pointer; what it points to counts (R12).
//! * **`live` is fed only by the store's change stream**, and what was there before by reads that undo no change of it
//!   ([`live`]); a write is acknowledged only when it is durable (R33).
//! * **Forwarding headers have names only in `doors::dialect`**, and each dialect reads exactly its own (R2).
//! * **Refusal is a value with a reason code; an error is a fault.** Nothing is refused without a decision id.
//!
//! These are kept by lints and by `tests/tidy.rs`, not by memory.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;

pub mod demo;
pub mod doctor;
pub mod doors;
pub mod entropy;
pub mod feeds;
pub mod frames;
pub mod gate;
pub mod live;
pub mod meter;
pub mod portal;
pub mod rules;
pub mod secret;
pub mod store;
pub mod telemetry;
