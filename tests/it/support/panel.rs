//! The sample panel, in this process.

use std::{net::Ipv4Addr, sync::Arc, thread};

use axum::{extract::Path, http::StatusCode, routing::any};
use panelgate::{clock::SystemClock, demo};
use tokio::net::TcpListener;

/// Starts the sample panel on a loopback port, with one more page: `/own/403` answers 403 by itself.
pub(crate) fn start() -> u16 {
    let (bound, port) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
            bound.send(listener.local_addr().expect("it is bound").port()).expect("the test waits");
            let router = demo::panel::router(Arc::new(SystemClock::new())).route("/own/{status}", any(own));
            axum::serve(listener, router).await.expect("the panel serves");
        });
    });
    port.recv().expect("the panel starts")
}

async fn own(Path(status): Path<u16>) -> (StatusCode, &'static str) {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), "the panel's own answer")
}
