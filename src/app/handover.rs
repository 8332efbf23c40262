//! The hand-over: a running gate lets a newly started one take its place, without a request lost.
//!
//! 1. The old process starts the new one, with one end of a socket pair as its standard input, and passes it the
//!    listening sockets.
//! 2. The new one reads configuration, policies, keys and certificates. Only if all of them are good it asks for more.
//! 3. The old one writes down what is queued and lets go of the store. It goes on deciding from memory, which cannot be
//!    out of date: nobody writes. Writes wait.
//! 4. The new one opens the store, accepts, and says so. What waits at the old one, and what still comes on its
//!    connections, is done in the new one's store.
//! 5. The old one takes no more connections and ends those that are open with their next answer. WebSockets and event
//!    streams stay until the drain's deadline; sessions, accounts, bans and policies that change in the new process
//!    count for them, because the new one tells every change. Once it does not, the old one believes nothing any more.
//!    What has to be accounted for goes into the new one's audit trail, and is answered when it says that it is there.
//!
//! Whatever goes wrong before step 4 is complete, the old one goes on as if nothing had been.

mod new;
mod old;
#[cfg(test)]
mod tests;
mod wire;

pub use self::{new::Predecessor, old::Program};
pub(super) use self::{
    new::{Outgoing, follow_up},
    old::{Records, Successor, begin, take_in},
};
