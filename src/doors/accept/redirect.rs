//! The plain listener: it only sends browsers to https.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pingora_core::server::ShutdownWatch;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

/// Nobody needs longer to be told to go elsewhere.
const WHOLE_CONNECTION: Duration = Duration::from_secs(10);
/// Connections at one time.
const CONNECTIONS: usize = 512;

/// Finds the https origin (`https://panel.example.com:8443`) for a host name without port; `None` for a stranger's.
pub(crate) type OriginOf = Arc<dyn Fn(&str) -> Option<Arc<str>> + Send + Sync>;

/// Answers every request with 308 until the edge stops.
pub(crate) async fn redirect(
    listener: TcpListener,
    origin_of: OriginOf,
    tracker: TaskTracker,
    mut stop: ShutdownWatch,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stopping| *stopping) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let origin_of = Arc::clone(&origin_of);
            tracker.spawn(async move {
                let _place = place;
                // A client that is slow or gone is no concern of ours.
                let _ = timeout(WHOLE_CONNECTION, serve(socket, origin_of)).await;
            });
        }
    }
}

async fn serve(socket: TcpStream, origin_of: OriginOf) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer(&request, &origin_of);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(5))
        .max_buf_size(16 * 1024)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

fn answer<B>(request: &Request<B>, origin_of: &OriginOf) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let location = origin_of(&without_port(host))
        .filter(|_| target.starts_with('/'))
        .and_then(|origin| header::HeaderValue::try_from(format!("{origin}{target}")).ok());
    if let Some(location) = location {
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn without_port(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}
