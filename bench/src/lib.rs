//! Measures Panelgate beside its floors. Every figure is a ratio of two that were taken in turns in one run: an absolute
//! figure of a small shared machine says nothing.

pub mod allocations;
pub mod floors;
pub mod load;
pub mod machine;
pub mod nginx;
pub mod parts;
pub mod place;
pub mod plot;
pub mod probe;
pub mod process;
pub mod profile;
pub mod report;
pub mod rounds;
pub mod through;

/// What a measurement ends with; the error is for the person at the terminal.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
