//! Accepting on Unix sockets, where the peer's user id says who it is.

use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// How long to wait when the process has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// Gives every connection of somebody who may connect to `received`, until told to stop. Root and our own user always
/// may; `others` are user ids that may as well. `name` is what logs call the socket.
pub(crate) async fn each_peer(
    listener: UnixListener,
    name: &'static str,
    others: &[u32],
    stop: CancellationToken,
    received: impl Fn(UnixStream, u32),
) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(EXHAUSTED).await;
            continue;
        };
        match stream.peer_cred().map(|peer| peer.uid()) {
            Ok(uid) if may_connect(uid, own, others) => received(stream, uid),
            uid => {
                tracing::warn!(?uid, socket = name, "a stranger connected to a socket and was turned away");
            }
        }
    }
}

/// Root, the user that the daemon runs as, and who is listed.
fn may_connect(uid: u32, own: u32, others: &[u32]) -> bool {
    uid == 0 || uid == own || others.contains(&uid)
}

#[cfg(test)]
mod tests {
    use super::may_connect;

    #[test]
    fn only_root_our_own_user_and_who_is_listed_may_connect() {
        for (uid, may) in [(0, true), (1000, true), (33, true), (1001, false), (u32::MAX, false)] {
            assert_eq!(may_connect(uid, 1000, &[33]), may, "uid {uid}");
        }
    }
}
