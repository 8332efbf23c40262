//! Panelgate: a gate in front of a web control panel that exists already and is not going to be changed.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doors;
pub mod entropy;
pub mod feeds;
pub mod gate;
pub mod live;
pub mod portal;
pub mod rules;
pub mod secret;
pub mod store;
pub mod telemetry;
