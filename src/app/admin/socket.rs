//! The daemon's end of the socket.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{AdminAnswer, AdminRequest, Handler};
use crate::doors::each_peer;

/// A request has to be here within this time, and its answer taken.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest request. Answers may be longer.
const REQUEST_BYTES: u64 = 16 << 20;
/// Answers requests until told to stop.
pub(in crate::app) async fn serve(
    listener: UnixListener,
    handler: Arc<Handler>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    each_peer(listener, "admin.socket", &[], stop, |stream, uid| {
        let handler = Arc::clone(&handler);
        tasks.spawn(async move { converse(stream, &handler, uid).await });
    })
    .await;
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
