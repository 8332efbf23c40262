//! What systemd passes in (listening sockets) and wants to hear (readiness).

use std::{io, net::TcpListener, os::unix::net::UnixListener};

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::doors::{Place, Socket};

/// The sockets that systemd listens on for us (`panelgate.socket`), if it does. Call it before other threads run: it
/// takes the variables out of the environment.
///
/// # Errors
/// When something else than a listening TCP or Unix socket was passed.
pub fn passed_sockets() -> io::Result<Vec<Socket>> {
    let mut passed = ListenFd::from_env();
    (0..passed.len()).map(|index| socket(&mut passed, index)).collect()
}

fn socket(passed: &mut ListenFd, index: usize) -> io::Result<Socket> {
    let unusable = |why: String| {
        let number = index + 3;
        io::Error::other(format!(
            "descriptor {number}, which systemd passed, {why}: panelgate.socket may have ListenStream= lines only, and Accept=no"
        ))
    };
    let tcp = passed.take_tcp_listener(index).ok().flatten().map(from_tcp);
    let found = tcp.or_else(|| passed.take_unix_listener(index).ok().flatten().map(from_unix));
    let socket = found.ok_or_else(|| unusable("is neither a TCP nor a Unix stream socket".into()))??;
    if rustix::net::sockopt::socket_acceptconn(&socket.socket)? {
        Ok(socket)
    } else {
        Err(unusable(format!("({}) does not listen", socket.place)))
    }
}

fn from_tcp(listener: TcpListener) -> io::Result<Socket> {
    let place = Place::Tcp(listener.local_addr()?);
    Ok(Socket { place, socket: listener.into(), own_file: false })
}

fn from_unix(listener: UnixListener) -> io::Result<Socket> {
    let address = listener.local_addr()?;
    let path =
        address.as_pathname().ok_or_else(|| io::Error::other("a Unix socket without a path was passed"))?;
    let place = Place::Unix(path.to_owned());
    Ok(Socket { place, socket: listener.into(), own_file: false })
}

/// It serves.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// It reads its configuration again.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// It stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Another process is the service from now on.
pub(super) fn handed_over(pid: u32) {
    notify(&[NotifyState::MainPid(pid), NotifyState::Ready]);
}

fn notify(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell, and that is no error.
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
