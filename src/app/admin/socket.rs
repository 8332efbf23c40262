//! The daemon's end of the socket.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{AdminAnswer, AdminRequest, Handler};

/// A request has to be here within this time, and its answer taken.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest request. Answers may be longer.
const REQUEST_BYTES: u64 = 16 << 20;
/// How long to wait when the process has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// A bound socket; its file goes away with it.
pub(in crate::app) struct Bound {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // A socket without a listener is refused by every client anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds the socket, for our own user alone. Whatever stands at `path` is left over: who holds the store is the daemon.
pub(in crate::app) fn bind(path: &Path) -> io::Result<Bound> {
    let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let bound = Bound { listener: UnixListener::bind(&draft)?, path: draft.clone() };
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&draft, path)?;
    let mut bound = bound;
    path.clone_into(&mut bound.path);
    Ok(bound)
}

/// Answers requests until told to stop.
pub(in crate::app) async fn serve(
    bound: Bound,
    handler: Arc<Handler>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = bound.listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(EXHAUSTED).await;
            continue;
        };
        match stream.peer_cred().map(|peer| peer.uid()) {
            Ok(uid) if may_ask(uid, own) => {
                let handler = Arc::clone(&handler);
                tasks.spawn(async move { converse(stream, &handler, uid).await });
            }
            uid => tracing::warn!(?uid, "a stranger connected to the admin socket and was turned away"),
        }
    }
}

/// Root, and the user that the daemon runs as.
pub(super) fn may_ask(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

async fn converse(mut stream: UnixStream, handler: &Handler, uid: u32) {
    let (read, mut write) = stream.split();
    let mut line = Vec::new();
    let mut lines = BufReader::new(read.take(REQUEST_BYTES));
    let asked = tokio::time::timeout(DEADLINE, lines.read_until(b'\n', &mut line)).await;
    let Ok(Ok(_)) = asked else { return };
    let answer = match serde_json::from_slice::<AdminRequest>(&line) {
        Ok(request) => handler.handle(request, uid).await,
        Err(error) => AdminAnswer::Failed {
            why: format!("the request cannot be read ({error}); is this the panelgate that the daemon runs?"),
        },
    };
    let Ok(mut text) = serde_json::to_vec(&answer) else { return };
    text.push(b'\n');
    // Whoever asked and went away has its reasons.
    let _ = tokio::time::timeout(DEADLINE, write.write_all(&text)).await;
}
