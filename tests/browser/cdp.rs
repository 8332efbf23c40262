//! The Chrome DevTools Protocol over one WebSocket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// No call may take longer; a browser that hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the browser. What it made in the browser goes away with it.
pub(crate) struct Cdp {
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
}

struct Shared {
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    complaints: Vec<String>,
    dialogs: Vec<String>,
    /// The session and the address of everything that was asked for.
    requests: Vec<(String, String)>,
}

impl Cdp {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = timeout(PATIENCE, connect_async(url)).await.expect("no answer").expect(url);
        let (sink, stream) = socket.split();
        let shared = Arc::new(Shared { sink: tokio::sync::Mutex::new(sink), state: Mutex::default() });
        let reader = tokio::spawn(read(stream, Arc::clone(&shared)));
        Self { shared, reader }
    }

    /// Calls a method of a session (of the browser itself without one).
    pub(crate) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.ask(session, method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Likewise, for calls that may fail: a page that goes away takes its execution context with it.
    pub(crate) async fn ask(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self.shared.state();
            state.calls += 1;
            let id = state.calls;
            state.waiting.insert(id, answer);
            id
        };
        self.shared.send(id, session, method, params).await?;
        let answer = timeout(PATIENCE, answered).await.map_err(|_| "no answer".to_owned())?;
        let answer = answer.map_err(|_| "the browser is gone".to_owned())?;
        match answer.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Errors of scripts and violations of a page's policy, so far.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.shared.state().complaints.clone()
    }

    /// The addresses that a session's page asked for, so far.
    pub(crate) fn requests(&self, session: &str) -> Vec<String> {
        let state = self.shared.state();
        let own = state.requests.iter().filter(|(by, _)| by == session);
        own.map(|(_, url)| url.clone()).collect()
    }

    /// What pages asked in dialogs, so far; each was answered with yes.
    pub(crate) fn dialogs(&self) -> Vec<String> {
        self.shared.state().dialogs.clone()
    }
}

impl Drop for Cdp {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, id: u64, session: Option<&str>, method: &str, params: Value) -> Result<(), String> {
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let text = Message::text(message.to_string());
        self.sink.lock().await.send(text).await.map_err(|error| error.to_string())
    }
}

async fn read(mut stream: SplitStream<Socket>, shared: Arc<Shared>) {
    while let Some(Ok(message)) = stream.next().await {
        let Ok(text) = message.to_text() else { continue };
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        if let Some(id) = value["id"].as_u64() {
            let waiting = shared.state().waiting.remove(&id);
            if let Some(waiting) = waiting {
                let _ = waiting.send(value);
            }
        } else if value["method"] == "Network.requestWillBeSent" {
            let (by, url) = (&value["sessionId"], &value["params"]["request"]["url"]);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            shared.state().requests.push((text(by), text(url)));
        } else if value["method"] == "Page.javascriptDialogOpening" {
            answer_yes(&shared, &value).await;
        } else if let Some(complaint) = complaint(&value) {
            shared.state().complaints.push(complaint);
        }
    }
    shared.state().waiting.clear();
}

async fn answer_yes(shared: &Shared, event: &Value) {
    let asked = format!("{}: {}", event["params"]["type"], event["params"]["message"]);
    shared.state().dialogs.push(asked);
    let session = event["sessionId"].as_str();
    let params = json!({ "accept": true });
    // Nobody waits for the answer to call 0.
    let _ = shared.send(0, session, "Page.handleJavaScriptDialog", params).await;
}

/// What no page of ours may ever cause.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(format!("exception: {}", params["exceptionDetails"])),
        "Runtime.consoleAPICalled" if params["type"] == "error" => {
            Some(format!("console: {}", params["args"]))
        }
        "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue" => {
            Some(format!("policy: {}", params["issue"]["details"]))
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let entry = &params["entry"];
            let text = entry["text"].as_str().unwrap_or_default();
            // Streams are cut on purpose when their session ends.
            let stream = entry["url"].as_str().is_some_and(|url| url.contains("/live/"));
            // Refusals are answers here; what is missing or broken is not.
            let expected = entry["source"] == "network"
                && (stream || !["404", "status of 5", "ERR_"].iter().any(|sign| text.contains(sign)));
            (!expected).then(|| format!("log: {} {}", text, entry["url"]))
        }
        _ => None,
    }
}
