//! One browser profile: what a person has in front of them, with cookies of its own.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{cdp::Cdp, tab::Tab};

/// A browser with a cookie jar of its own; it is gone when the connection is.
pub(crate) struct Device {
    cdp: Arc<Cdp>,
    context: String,
    site: String,
    scripts: bool,
}

impl Device {
    pub(super) async fn new(cdp: &Arc<Cdp>, site: &str, scripts: bool) -> Self {
        let made = cdp.call(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await;
        let context = made["browserContextId"].as_str().unwrap().to_owned();
        Self { cdp: Arc::clone(cdp), context, site: site.to_owned(), scripts }
    }

    /// A new window, still empty.
    pub(crate) async fn tab(&self) -> Tab {
        let params = json!({
            "url": "about:blank", "browserContextId": self.context, "newWindow": true, "width": 1280, "height": 800,
        });
        let made = self.cdp.call(None, "Target.createTarget", params).await;
        Tab::attach(&self.cdp, made["targetId"].as_str().unwrap(), &self.site, self.scripts).await
    }

    /// The cookies of the demo, as the developer tools show them.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        let params = json!({ "browserContextId": self.context });
        let answer = self.cdp.call(None, "Storage.getCookies", params).await;
        answer["cookies"].as_array().unwrap().clone()
    }

    /// One of them.
    pub(crate) async fn cookie(&self, name: &str) -> Option<Value> {
        self.cookies().await.into_iter().find(|cookie| cookie["name"] == name)
    }

    /// Lets pages use the clipboard, as somebody does who presses "allow".
    pub(crate) async fn allow_clipboard(&self) {
        let params = json!({
            "browserContextId": self.context, "origin": self.site,
            "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
        });
        self.cdp.call(None, "Browser.grantPermissions", params).await;
    }

    /// Downloads go to a folder from now on.
    pub(crate) async fn download_to(&self, folder: &std::path::Path) {
        let params = json!({
            "browserContextId": self.context, "behavior": "allow", "downloadPath": folder,
        });
        self.cdp.call(None, "Browser.setDownloadBehavior", params).await;
    }
}
