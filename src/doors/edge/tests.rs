//! The edge as its clients and its panel see it, over real sockets.

mod client;
mod panel;
mod rig;

mod forwarding;
mod framing;
mod http;
mod listeners;
mod live;
mod pages;
mod panel_login;
