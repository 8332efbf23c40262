//! Panels that keep their users: the built binary asks their own login, and carries their own sessions.

mod dokuwiki;
mod harbor;
