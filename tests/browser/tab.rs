//! One window: what is in it, and what a person does to it.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{cdp::Cdp, node::Node};

/// How long a page may take to show what is expected of it.
const PATIENCE: usize = 200;
const BEAT: Duration = Duration::from_millis(50);

/// A window of a device.
pub(crate) struct Tab {
    cdp: Arc<Cdp>,
    session: String,
    site: String,
}

impl Tab {
    pub(super) async fn attach(cdp: &Arc<Cdp>, target: &str, site: &str, scripts: bool) -> Self {
        let params = json!({ "targetId": target, "flatten": true });
        let attached = cdp.call(None, "Target.attachToTarget", params).await;
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let tab = Self { cdp: Arc::clone(cdp), session, site: site.to_owned() };
        for domain in ["Page", "Runtime", "Log", "Audits", "DOM", "Accessibility", "Network"] {
            tab.call(&format!("{domain}.enable"), json!({})).await;
        }
        tab.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        if !scripts {
            tab.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        }
        tab.size(1280, 800).await;
        tab
    }

    /// Enters an address (a path of the demo) and waits until the page is there.
    pub(crate) async fn goes_to(&self, path: &str) {
        self.mark().await;
        self.call("Page.navigate", json!({ "url": format!("{}{path}", self.site) })).await;
        self.arrived().await;
    }

    /// The browser's back button.
    pub(crate) async fn goes_back(&self) {
        let history = self.call("Page.getNavigationHistory", json!({})).await;
        let at = usize::try_from(history["currentIndex"].as_u64().unwrap()).unwrap();
        let before = at.checked_sub(1).expect("there is a page before");
        let entry = history["entries"][before]["id"].clone();
        self.mark().await;
        self.call("Page.navigateToHistoryEntry", json!({ "entryId": entry })).await;
        self.arrived().await;
    }

    /// The browser's reload button.
    pub(crate) async fn reloads(&self) {
        self.mark().await;
        self.call("Page.reload", json!({})).await;
        self.arrived().await;
    }

    /// Clicks an element.
    pub(crate) async fn clicks(&self, role: &str, name: &str) {
        let node = self.find(role, name).await;
        self.clicks_on(node).await;
    }

    /// Clicks an element that was found before.
    pub(crate) async fn clicks_on(&self, node: Node) {
        let place = self.until(|| async { self.middle(node).await.ok() }).await;
        let (x, y) = place.unwrap_or_else(|| panic!("{node:?} cannot be clicked"));
        for (kind, count) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 1)] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": count });
            self.call("Input.dispatchMouseEvent", params).await;
        }
    }

    /// Clicks something that leads to another page, and waits for that.
    pub(crate) async fn follows(&self, role: &str, name: &str) {
        self.mark().await;
        self.clicks(role, name).await;
        self.arrived().await;
    }

    /// Clicks into a field and types over what it holds.
    pub(crate) async fn fills(&self, label: &str, text: &str) {
        let node = self.field(label).await;
        self.clicks_on(node).await;
        self.on(node, "function() { this.select(); }").await;
        self.key("Delete").await;
        self.types(text).await;
    }

    /// A field to type into; assistive technology tells one that suggests something, and one to search with, from others.
    async fn field(&self, label: &str) -> Node {
        let known = self.until(async || {
            for role in ["combobox", "searchbox", "textbox"] {
                if self.has(role, label).await {
                    return Some(role);
                }
            }
            None
        });
        let role = known.await.unwrap_or("textbox");
        self.find(role, label).await
    }

    /// What a field holds.
    pub(crate) async fn value(&self, label: &str) -> String {
        let node = self.field(label).await;
        self.on(node, "function() { return this.value; }").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    ///
    /// # Panics
    /// With what it says instead.
    pub(crate) async fn reads(&self, text: &str) {
        let said = self.until(|| async { self.text().await.contains(text).then_some(()) }).await;
        assert!(said.is_some(), "the page does not say {text:?}; {}", self.saw().await);
    }

    /// Everything that the page shows, as one line; also what is in shadow roots.
    pub(crate) async fn text(&self) -> String {
        let own = self.evaluate("document.body ? document.body.innerText : ''").await;
        let own = own.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let bars = self.names("status").await.join(" ");
        let spoken = self.names("StaticText").await.join(" ");
        format!("{own} {bars} {spoken}")
    }

    /// Waits until the address is this path (with or without a query).
    ///
    /// # Panics
    /// When it stays elsewhere.
    pub(crate) async fn is_at(&self, path: &str) {
        let there = self
            .until(|| async {
                let here = self.path().await;
                (here == path || here.split('?').next() == Some(path)).then_some(())
            })
            .await;
        assert!(there.is_some(), "the address is not {path}; {}", self.saw().await);
        self.settled().await;
    }

    /// Path and query of the address.
    pub(crate) async fn path(&self) -> String {
        let path = self.evaluate("location.pathname + location.search").await;
        path.as_str().unwrap_or_default().to_owned()
    }

    /// A value of the page's script world.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        match self.ask("Runtime.evaluate", params).await {
            Ok(answer) => answer["result"]["value"].clone(),
            // The page is just being replaced.
            Err(_) => Value::Null,
        }
    }

    /// Asks until there is an answer; `None` when patience is at its end.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(&self, ask: impl Fn() -> F) -> Option<T> {
        for _ in 0..PATIENCE {
            if let Some(answer) = ask().await {
                return Some(answer);
            }
            tokio::time::sleep(BEAT).await;
        }
        None
    }

    /// For messages: where we are and what is there.
    pub(crate) async fn saw(&self) -> String {
        let text: String = self.text().await.chars().take(1500).collect();
        format!("at {} it says: {text}", self.path().await)
    }

    /// Another browser than the one it is, as far as servers can tell.
    pub(crate) async fn is_a(&self, user_agent: &str) {
        self.call("Emulation.setUserAgentOverride", json!({ "userAgent": user_agent })).await;
    }

    /// From elsewhere: what a proxy in front of the edge would say.
    pub(crate) async fn comes_from(&self, address: &str) {
        let headers = json!({ "headers": { "X-Forwarded-For": address } });
        self.call("Network.setExtraHTTPHeaders", headers).await;
    }

    /// The size of the window.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let params =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", params).await;
    }

    /// A call to this window's session.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        self.cdp.call(Some(&self.session), method, params).await
    }

    /// A call that may fail.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.cdp.ask(Some(&self.session), method, params).await
    }

    /// The computer's clock goes on while nothing else did, as after a sleep; then the window is looked at again.
    pub(crate) async fn wakes_after(&self, seconds: u32) {
        let expression = format!(
            "{{ const real = Date.now; Date.now = () => real() + {seconds} * 1000; \
               document.dispatchEvent(new Event('visibilitychange')); }}"
        );
        self.evaluate(&expression).await;
    }

    /// The computer sleeps: no script of this window runs. (A page that is seen cannot be frozen, so the debugger holds it.)
    pub(crate) async fn sleeps_for(&self, time: Duration) {
        self.call("Debugger.enable", json!({})).await;
        self.call("Debugger.pause", json!({})).await;
        tokio::time::sleep(time).await;
        let _ = self.ask("Debugger.resume", json!({})).await;
        self.call("Debugger.disable", json!({})).await;
    }

    /// How often this window has asked for an address.
    pub(crate) fn requests(&self, path: &str) -> usize {
        let address = format!("{}{path}", self.site);
        let all = self.cdp.requests(&self.session);
        all.iter().filter(|url| url.split('?').next() == Some(address.as_str())).count()
    }

    /// Leaves a mark on the present page, so that the next one is told from it.
    pub(crate) async fn mark(&self) {
        self.evaluate("window.leaving = true").await;
    }

    /// Waits for a complete page without the mark.
    pub(crate) async fn arrived(&self) {
        let arrived = self
            .until(|| async {
                let state = self.evaluate("!window.leaving && document.readyState").await;
                (state == "complete").then_some(())
            })
            .await;
        assert!(arrived.is_some(), "no other page came; {}", self.saw().await);
    }

    async fn settled(&self) {
        self.until(|| async { (self.evaluate("document.readyState").await == "complete").then_some(()) })
            .await;
    }
}
