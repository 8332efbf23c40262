//! What a page looks like, and whether everybody can use it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{node::Node, tab::Tab, workspace::repository};

/// The budget of a page of ours: style and script together, and the page itself.
const ASSETS: u64 = 40 * 1024;
const PAGE: u64 = 30 * 1024;

const AXE: &str = include_str!("../data/axe/axe.min.js");

impl Tab {
    /// Looks at a page of ours: a picture in both schemes and both widths, axe in both schemes, no sideways scrolling
    /// down to 320 px, and the budget.
    ///
    /// # Panics
    /// With what is wrong.
    pub(crate) async fn looks(&self, name: &str) {
        let problems = self.look(name).await;
        assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
        self.keeps_the_budget(name).await;
    }

    /// Likewise for a page of the sample panel, which has a budget of its own.
    pub(crate) async fn looks_in_the_panel(&self, name: &str) {
        let problems = self.look(name).await;
        assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
    }

    /// How it comes out of the printer.
    pub(crate) async fn looks_on_paper(&self, name: &str) {
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
        self.picture(name).await;
        let shown =
            "[...document.querySelectorAll('button, .button')].filter((each) => each.offsetParent).length";
        assert_eq!(self.evaluate(shown).await, 0, "{name}: paper has no use for buttons");
        self.call("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
    }

    /// A picture of one element, pixel for pixel.
    pub(crate) async fn picture_of(&self, node: Node, name: &str) -> PathBuf {
        let box_of = "function() { const box = this.getBoundingClientRect(); \
                      return [box.x + scrollX, box.y + scrollY, box.width, box.height]; }";
        let at = self.on(node, box_of).await;
        let clip = json!({ "x": at[0], "y": at[1], "width": at[2], "height": at[3], "scale": 1 });
        self.take(name, json!({ "format": "png", "captureBeyondViewport": true, "clip": clip })).await
    }

    /// A picture of the window as it is.
    pub(crate) async fn picture(&self, name: &str) -> PathBuf {
        self.take(name, json!({ "format": "png", "captureBeyondViewport": true })).await
    }

    async fn take(&self, name: &str, params: Value) -> PathBuf {
        let answer = self.call("Page.captureScreenshot", params).await;
        let bytes = data_encoding::BASE64.decode(answer["data"].as_str().unwrap().as_bytes()).unwrap();
        let folder = repository("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, bytes).unwrap();
        file
    }

    async fn look(&self, name: &str) -> Vec<String> {
        let mut problems = Vec::new();
        for scheme in ["light", "dark"] {
            self.scheme(scheme).await;
            for width in [1280, 390] {
                self.full_height(width).await;
                self.picture(&format!("{name}-{scheme}-{width}")).await;
            }
            problems.extend(self.axe().await.into_iter().map(|problem| format!("{scheme}: {problem}")));
        }
        for width in [390, 320] {
            self.size(width, 800).await;
            let wide = self.evaluate("document.documentElement.scrollWidth - innerWidth").await;
            if wide.as_i64().is_some_and(|wide| wide > 0) {
                problems.push(format!("at {width} px it scrolls sideways by {wide} px"));
            }
        }
        self.scheme("").await;
        self.size(1280, 800).await;
        problems
    }

    /// Light or dark, as the system is set; neither with an empty name.
    async fn scheme(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // A colour on its way to another has neither's contrast.
            { "name": "prefers-reduced-motion", "value": if scheme.is_empty() { "" } else { "reduce" } },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// As high as the page, so that what is fixed to the bottom edge is at the bottom of the picture.
    async fn full_height(&self, width: u32) {
        self.size(width, 800).await;
        let high = self.evaluate("document.documentElement.scrollHeight").await;
        let high = high.as_u64().and_then(|high| u32::try_from(high).ok()).unwrap_or(800);
        self.size(width, high.clamp(800, 4000)).await;
    }

    /// The serious and critical findings of axe.
    async fn axe(&self) -> Vec<String> {
        self.call("Runtime.evaluate", json!({ "expression": AXE })).await;
        let run =
            "axe.run(document, { resultTypes: ['violations'] }).then((results) => results.violations.map(
            (found) => ({ impact: found.impact, id: found.id, help: found.help,
                          nodes: found.nodes.map((node) => node.html + ' ' + node.failureSummary) })))";
        let params = json!({ "expression": run, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params).await;
        let found = answer["result"]["value"].as_array().unwrap_or_else(|| panic!("axe: {answer}"));
        let serious = |found: &&Value| found["impact"] == "serious" || found["impact"] == "critical";
        let found = found.iter().filter(serious);
        found.map(|found| format!("{}: {} {}", found["id"], found["help"], found["nodes"])).collect()
    }

    async fn keeps_the_budget(&self, name: &str) {
        let sizes = self
            .evaluate(
                "(() => { const size = (type) => performance.getEntriesByType(type)
                   .filter((entry) => type === 'navigation' || /\\.(css|js)/.test(entry.name))
                   .reduce((sum, entry) => sum + entry.decodedBodySize, 0);
                 return [size('navigation'), size('resource')]; })()",
            )
            .await;
        let (page, assets) = (sizes[0].as_u64().unwrap(), sizes[1].as_u64().unwrap());
        assert!(page <= PAGE, "{name}: the page has {page} bytes, {PAGE} are allowed");
        assert!(assets <= ASSETS, "{name}: style and script have {assets} bytes, {ASSETS} are allowed");
        assert!(assets > 0, "{name}: neither style nor script was loaded");
    }
}
