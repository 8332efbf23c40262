//! `panelgate doctor`: tests a deployed chain (client → proxy → sidecar → panel, or the edge) with real requests.
//!
//! Three views of each request are laid beside each other: what the client got, how the gate judged it, and what
//! reached the panel. [`probes`] says what is sent, `run` sends it, [`observed`] is what was seen, [`checks`] conclude
//! from it, and [`advice`] mends it in the proxy's own language.

pub mod advice;
pub mod checks;
mod guest;
pub mod observed;
mod plan;
mod probes;
mod report;
mod run;
mod stand_in;
mod tls;
mod wire;

pub use self::{
    advice::Proxy,
    plan::{Also, Plan, SiteFacts, View},
    report::{Painted, Report},
    run::run,
    tls::Trust,
};
use crate::app::admin::{AdminAnswer, AdminRequest};

/// The gate, asked from inside.
pub trait Inside {
    /// Asks the running daemon.
    ///
    /// # Errors
    /// With why it did not do what it was asked.
    fn ask(&self, request: AdminRequest) -> Result<AdminAnswer, String>;
}
