//! The daemon's end of the socket.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    AdminAnswer, AdminRequest, Handler,
    stream::{StreamRequest, answer_apart},
};
use crate::{app::backup::Desk, doors::each_peer};

/// A request has to be here within this time, and its answer taken.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest request, such as a list of bans with its reasons. Answers may be longer.
const REQUEST_BYTES: u64 = 64 << 20;
/// Answers requests until told to stop.
pub(in crate::app) async fn serve(
    listener: UnixListener,
    handler: Arc<Handler>,
    desk: Arc<Desk>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    each_peer(listener, "admin.socket", &[], stop.clone(), |stream, uid| {
        let (handler, desk, stop) = (Arc::clone(&handler), Arc::clone(&desk), stop.clone());
        tasks.spawn(async move { converse(stream, &handler, desk, uid, stop).await });
    })
    .await;
}

async fn converse(
    mut stream: UnixStream,
    handler: &Handler,
    desk: Arc<Desk>,
    uid: u32,
    stop: CancellationToken,
) {
    let mut line = Vec::new();
    let mut lines = BufReader::new((&mut stream).take(REQUEST_BYTES));
    let asked = tokio::time::timeout(DEADLINE, lines.read_until(b'\n', &mut line)).await;
    let Ok(Ok(_)) = asked else { return };
    if let Ok(request) = serde_json::from_slice::<StreamRequest>(&line) {
        return answer_apart(request, desk, uid, stream, stop).await;
    }
    let answer = match serde_json::from_slice::<AdminRequest>(&line) {
        Ok(request) => handler.handle(request, uid).await,
        Err(error) => AdminAnswer::Failed {
            why: format!("the request cannot be read ({error}); is this the panelgate that the daemon runs?"),
        },
    };
    let Ok(mut text) = serde_json::to_vec(&answer) else { return };
    text.push(b'\n');
    // Whoever asked and went away has its reasons.
    let _ = tokio::time::timeout(DEADLINE, stream.write_all(&text)).await;
}
