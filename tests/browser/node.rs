//! Elements as assistive technology names them.

use serde_json::{Value, json};

use super::tab::Tab;

/// An element of the page that is shown at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node(pub(super) u64);

impl Tab {
    /// The element with this role and name; waits until there is one. A name that only one element *contains* does, too.
    ///
    /// # Panics
    /// With what the page says instead; also when more than one element fits.
    pub(crate) async fn find(&self, role: &str, name: &str) -> Node {
        let found = self.until(|| async { self.candidates(role, name).await.first().copied() }).await;
        match found {
            Some(node) => {
                let all = self.candidates(role, name).await;
                assert!(all.len() <= 1, "{} elements are {role} {name:?}; {}", all.len(), self.saw().await);
                node
            }
            None => panic!("no {role} {name:?}; {}", self.saw().await),
        }
    }

    /// Whether there is such an element now.
    pub(crate) async fn has(&self, role: &str, name: &str) -> bool {
        !self.candidates(role, name).await.is_empty()
    }

    /// The names of all elements of a role, in the order of the page.
    pub(crate) async fn names(&self, role: &str) -> Vec<String> {
        self.of_role(role).await.into_iter().map(|(_, name)| name).collect()
    }

    /// Every element that fits.
    pub(crate) async fn candidates(&self, role: &str, name: &str) -> Vec<Node> {
        let all = self.of_role(role).await;
        let exact: Vec<_> = all.iter().filter(|(_, own)| own == name).map(|(node, _)| *node).collect();
        if !exact.is_empty() {
            return exact;
        }
        all.iter().filter(|(_, own)| own.contains(name)).map(|(node, _)| *node).collect()
    }

    /// Runs a function on an element: `function() { return this.value; }`.
    pub(crate) async fn on(&self, node: Node, function: &str) -> Value {
        let resolved = self.call("DOM.resolveNode", json!({ "backendNodeId": node.0 })).await;
        let params = json!({
            "objectId": resolved["object"]["objectId"], "functionDeclaration": function, "returnByValue": true,
        });
        self.call("Runtime.callFunctionOn", params).await["result"]["value"].clone()
    }

    /// Where to click.
    pub(super) async fn middle(&self, node: Node) -> Result<(f64, f64), String> {
        let which = json!({ "backendNodeId": node.0 });
        self.ask("DOM.scrollIntoViewIfNeeded", which.clone()).await?;
        let quads = self.ask("DOM.getContentQuads", which).await?;
        let quad = quads["quads"][0].as_array().ok_or("it is not shown")?;
        let mean = |first: usize| {
            let ordinates = quad.iter().skip(first).step_by(2).filter_map(Value::as_f64);
            ordinates.sum::<f64>() / 4.0
        };
        Ok((mean(0), mean(1)))
    }

    async fn of_role(&self, role: &str) -> Vec<(Node, String)> {
        let document = self.ask("Runtime.evaluate", json!({ "expression": "document" })).await;
        let Ok(document) = document else { return Vec::new() };
        let params = json!({ "objectId": document["result"]["objectId"], "role": role });
        let Ok(answer) = self.ask("Accessibility.queryAXTree", params).await else { return Vec::new() };
        let shown = |node: &&Value| node["ignored"] != true;
        let nodes = answer["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter(shown).filter_map(named).collect()
    }
}

fn named(node: &Value) -> Option<(Node, String)> {
    let name = node["name"]["value"].as_str().unwrap_or_default();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((Node(node["backendDOMNodeId"].as_u64()?), name))
}
