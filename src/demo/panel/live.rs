//! `/live/**`: connections that stay open, so that cutting them can be seen.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::{
        Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;

use super::book::Harbor;
use crate::clock::Wall;

const TICK: Duration = Duration::from_secs(1);

/// `/live/ws`: sends `{"now": …}` every second and echoes what it gets.
pub(crate) async fn socket(State(harbor): State<Arc<Harbor>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| talk(socket, harbor))
}

/// `/live/events`: an event every second with the load of a made-up machine.
pub(crate) async fn events(
    State(harbor): State<Arc<Harbor>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = stream::unfold(0_u32, |count| async move {
        if count > 0 {
            tokio::time::sleep(TICK).await;
        }
        Some((count, count + 1))
    });
    let events = ticks.map(move |count| Ok(Event::default().event("load").data(load(&harbor, count))));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn talk(mut socket: WebSocket, harbor: Arc<Harbor>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let answer = tokio::select! {
            _ = ticks.tick() => Message::text(json!({ "now": time_text(harbor.clock.wall()) }).to_string()),
            incoming = socket.recv() => match incoming {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}

fn load(harbor: &Harbor, count: u32) -> String {
    let wave = super::charts::series(40, 60);
    let at = usize::try_from(count % 60).unwrap_or(0);
    let cpu = wave.get(at).copied().unwrap_or(0);
    let memory = 52 + wave.get((at + 17) % 60).copied().unwrap_or(0) / 8;
    json!({ "now": time_text(harbor.clock.wall()), "cpu": cpu.min(100), "memory": memory.min(100) })
        .to_string()
}

/// RFC 3339, whole seconds, UTC.
pub(crate) fn time_text(at: Wall) -> String {
    let seconds = i64::try_from(at.secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}
