//! Spans on their way to a collector: OTLP over HTTP, in batches, by a task that nobody waits for.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::{InstrumentationScope, KeyValue, trace::SpanId};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Moment,
    config::TraceSettings,
    gate::trace::{QUEUE, Span, Tracer},
    live::Live,
};

/// So many spans are sent at once, and no span waits longer to be sent.
const BATCH: usize = 512;
const EVERY: Duration = Duration::from_secs(1);
/// For one batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the last one, while the process stops.
const LAST: Duration = Duration::from_secs(2);
/// A collector answers with next to nothing.
const LONGEST_ANSWER: usize = 64 << 10;

/// The queue's two ends.
pub(super) struct Traces {
    exporter: SpanExporter,
    queue: mpsc::Receiver<Span>,
}

/// Prepares what the configuration asks for; nothing is sent yet.
///
/// # Errors
/// With what cannot be used.
pub(super) fn prepare(settings: &TraceSettings) -> Result<(Tracer, Traces), String> {
    let headers: HashMap<String, String> = settings
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new(&settings.endpoint).map_err(|error| format!("traces: {error}"))?)
        .with_endpoint(settings.endpoint.to_string())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(PATIENCE)
        .with_retry_policy(RetryPolicy::disabled())
        .with_headers(headers)
        .build();
    let mut exporter = exporter.map_err(|error| format!("traces: {error}"))?;
    let named = [
        KeyValue::new("service.name", settings.service.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    exporter.set_resource(&Resource::builder_empty().with_attributes(named).build());
    let (spans, queue) = mpsc::channel(QUEUE);
    Ok((Tracer::new(spans, settings.share, settings.trust_parent), Traces { exporter, queue }))
}

impl Traces {
    /// Sends what comes until told to stop, and then what is left.
    pub(super) fn start(self, live: Arc<Live>, stop: CancellationToken, tasks: &TaskTracker) {
        tasks.spawn(self.run(live, stop));
    }

    async fn run(mut self, live: Arc<Live>, stop: CancellationToken) {
        let mut well = true;
        while !stop.is_cancelled() {
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = gather(&mut self.queue) => batch,
            };
            let sending = self.send(&live, batch);
            tokio::select! {
                () = stopped(&stop) => break,
                sent = sending => tell(&mut well, sent),
            }
        }
        let mut left = Vec::new();
        while let Ok(span) = self.queue.try_recv() {
            left.push(span);
        }
        if let Ok(sent) = tokio::time::timeout(LAST, self.send(&live, left)).await {
            tell(&mut well, sent);
        }
    }

    async fn send(&self, live: &Live, batch: Vec<Span>) -> Result<(), String> {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if count == 0 {
            return Ok(());
        }
        let sent = self.exporter.export(batch.into_iter().map(data).collect()).await;
        let meter = &live.meters.traces;
        if sent.is_ok() {
            meter.sent.add(count);
        } else {
            meter.failed.add(count);
        }
        sent.map_err(|error| error.to_string())
    }
}

/// A batch that is under way when the process stops has a moment left.
async fn stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST).await;
}

/// At least one span, and whatever comes shortly after.
async fn gather(queue: &mut mpsc::Receiver<Span>) -> Vec<Span> {
    let mut batch = Vec::new();
    if queue.recv_many(&mut batch, BATCH).await == 0 {
        // The gate is gone; the process ends.
        return std::future::pending().await;
    }
    let more = async {
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            if queue.recv_many(&mut batch, room).await == 0 {
                return;
            }
        }
    };
    // Fewer than a full batch are sent, too.
    let _ = tokio::time::timeout(EVERY, more).await;
    batch
}

/// A collector that is away is said once, and once that it is back.
fn tell(well: &mut bool, sent: Result<(), String>) {
    let was_well = std::mem::replace(well, sent.is_ok());
    match sent {
        Ok(()) if !was_well => tracing::info!("traces reach the collector again"),
        Err(error) if was_well => {
            tracing::warn!(%error, "traces do not reach the collector, and are dropped; requests are not held up");
        }
        Ok(()) | Err(_) => {}
    }
}

fn data(span: Span) -> SpanData {
    // Civil time is in milliseconds; within a span the other clock counts.
    let start = system_time(span.start);
    SpanData {
        span_context: span.context,
        parent_span_id: span.parent,
        parent_span_is_remote: span.parent_is_remote && span.parent != SpanId::INVALID,
        span_kind: span.kind,
        name: span.name.into(),
        start_time: start,
        end_time: start + span.end.mono.saturating_sub(span.start.mono),
        attributes: span.attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.status,
        instrumentation_scope: InstrumentationScope::builder("panelgate").build(),
    }
}

fn system_time(at: Moment) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.wall.millis())
}

/// The HTTP client that is in the program already.
#[derive(Debug)]
enum Client {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Secure(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    fn new(endpoint: &Uri) -> std::io::Result<Self> {
        let builder = legacy::Client::builder(TokioExecutor::new());
        if endpoint.scheme() == Some(&Scheme::HTTP) {
            return Ok(Self::Plain(builder.build_http()));
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        Ok(Self::Secure(builder.build(tls.https_only().enable_http1().build())))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answering = async {
            let request = request.map(Full::new);
            let answer = match self {
                Self::Plain(client) => client.request(request).await?,
                Self::Secure(client) => client.request(request).await?,
            };
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(PATIENCE, answering).await?
    }
}
