//! Listening sockets by address: what was passed to us is used before anything is bound, and a copy of each is kept, so
//! that it can be passed on.

#[cfg(test)]
mod tests;

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileTypeExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that the system keeps until they are accepted; it has a limit of its own (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Socket {
    /// Where it was asked to listen: the port may be 0.
    pub place: Place,
    /// The socket.
    pub socket: OwnedFd,
    /// Whether its file, if it has one, is ours to remove.
    pub own_file: bool,
}

/// Listening sockets by address.
#[derive(Default)]
pub struct Sockets {
    inherited: Mutex<Vec<Socket>>,
    used: Mutex<Vec<Socket>>,
}

impl Sockets {
    /// With sockets that were passed to us.
    pub fn inheriting(inherited: Vec<Socket>) -> Self {
        Self { inherited: Mutex::new(inherited), used: Mutex::default() }
    }

    /// Listens on TCP.
    ///
    /// # Errors
    /// When the address cannot be bound; the text says so if a socket of the same port was passed to us.
    pub fn tcp(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let place = Place::Tcp(address);
        let listener = if let Some(socket) = self.take(&place) {
            std::net::TcpListener::from(self.keep(socket)?)
        } else {
            let bound = bind(address).map_err(|error| self.explain(address, error))?;
            std::net::TcpListener::from(self.keep(Socket { place, socket: bound.into(), own_file: false })?)
        };
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Listens on a Unix socket. A socket that stands at `path` is left over and is replaced; a socket that was passed to us
    /// keeps the mode that its maker gave it.
    ///
    /// # Errors
    /// When the path cannot be bound.
    pub fn unix(&self, path: &Path, mode: u32) -> io::Result<UnixListener> {
        let place = Place::Unix(path.to_owned());
        let listener = if let Some(socket) = self.take(&place) {
            std::os::unix::net::UnixListener::from(self.keep(socket)?)
        } else {
            let bound = bind_unix(path, mode)?;
            std::os::unix::net::UnixListener::from(self.keep(Socket {
                place,
                socket: bound.into(),
                own_file: true,
            })?)
        };
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    }

    /// Listens already, unless a socket of this place was passed to us. Whoever asks for it later gets it, and cannot fail.
    ///
    /// # Errors
    /// Those of [`Sockets::tcp`] and [`Sockets::unix`].
    pub fn bind_ahead(&self, place: Place, mode: u32) -> io::Result<()> {
        if self.inherited().iter().any(|socket| socket.place == place) {
            return Ok(());
        }
        let (socket, own_file) = match &place {
            Place::Tcp(address) => {
                (bind(*address).map_err(|error| self.explain(*address, error))?.into(), false)
            }
            Place::Unix(path) => (bind_unix(path, mode)?.into(), true),
        };
        self.inherited().push(Socket { place, socket, own_file });
        Ok(())
    }

    /// Sockets that were passed to us and that nobody asked for; they are closed.
    pub fn take_unused(&self) -> Vec<Place> {
        self.inherited().drain(..).map(|socket| socket.place).collect()
    }

    /// Copies of all sockets in use.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn copies(&self) -> io::Result<Vec<Socket>> {
        self.used().iter().map(copy).collect()
    }

    /// Removes the files of sockets that are ours: nobody listens there any more.
    pub fn remove_files(&self) {
        for socket in self.used().drain(..) {
            if let (Place::Unix(path), true) = (&socket.place, socket.own_file) {
                // A socket without a listener is refused by every client anyway.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Closes the copies of TCP sockets: nobody else will listen there, and the kernel would go on taking connections that
    /// nobody accepts.
    pub fn forget_tcp(&self) {
        self.used().retain(|socket| matches!(socket.place, Place::Unix(_)));
    }

    /// Closes the copies: another process listens there now.
    pub fn forget(&self) {
        self.used().clear();
    }

    fn take(&self, place: &Place) -> Option<Socket> {
        let mut inherited = self.inherited();
        let index = inherited.iter().position(|socket| socket.place == *place)?;
        Some(inherited.swap_remove(index))
    }

    /// Keeps a copy, and gives the socket back.
    fn keep(&self, socket: Socket) -> io::Result<OwnedFd> {
        let copied = copy(&socket)?;
        self.used().push(copied);
        Ok(socket.socket)
    }

    fn explain(&self, wanted: SocketAddr, error: io::Error) -> io::Error {
        let same_port = |socket: &Socket| match &socket.place {
            Place::Tcp(address) if address.port() == wanted.port() => Some(*address),
            Place::Tcp(_) | Place::Unix(_) => None,
        };
        let Some(passed) = self.inherited().iter().find_map(same_port) else { return error };
        let text = format!(
            "{error}; a socket of {passed} was passed to us, but the configuration says {wanted}: make them the same"
        );
        io::Error::new(error.kind(), text)
    }

    fn inherited(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.inherited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(socket: &Socket) -> io::Result<Socket> {
    Ok(Socket {
        place: socket.place.clone(),
        socket: socket.socket.as_fd().try_clone_to_owned()?,
        own_file: socket.own_file,
    })
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // `0.0.0.0` and `[::]` may stand beside each other, whatever the machine's default is.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Under another name first, so that nobody can connect before the mode is right.
fn bind_unix(path: &Path, mode: u32) -> io::Result<std::os::unix::net::UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket stands there"));
    }
    let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(&draft)?;
    let placed =
        fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).and_then(|()| fs::rename(&draft, path));
    if let Err(error) = placed {
        // The first error is the one to tell.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(listener)
}
