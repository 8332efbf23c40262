//! Keys, one after the other, as a keyboard sends them.

use serde_json::json;

use super::{node::Node, tab::Tab};

impl Tab {
    /// Types text where the focus is.
    pub(crate) async fn types(&self, text: &str) {
        for letter in text.chars() {
            let letter = letter.to_string();
            self.key_event("keyDown", &letter, 0, Some(&letter)).await;
            self.key_event("keyUp", &letter, 0, None).await;
        }
    }

    /// Presses a key with a name: Enter, Tab, Space, Escape.
    pub(crate) async fn key(&self, key: &str) {
        let (name, code, text) = match key {
            "Enter" => ("Enter", 13, Some("\r")),
            "Tab" => ("Tab", 9, None),
            "Space" => (" ", 32, Some(" ")),
            "Escape" => ("Escape", 27, None),
            "Delete" => ("Delete", 46, None),
            other => panic!("which key is {other}?"),
        };
        self.key_event("keyDown", name, code, text).await;
        self.key_event("keyUp", name, code, None).await;
    }

    /// Moves the focus to an element with the Tab key alone.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub(crate) async fn tab_to(&self, role: &str, name: &str) -> Node {
        let node = self.find(role, name).await;
        for _ in 0..60 {
            if self.is_focused(node).await {
                return node;
            }
            self.key("Tab").await;
        }
        panic!("the keyboard does not reach {role} {name:?}; {}", self.saw().await)
    }

    async fn is_focused(&self, node: Node) -> bool {
        let params = json!({ "backendNodeId": node.0, "fetchRelatives": false });
        let Ok(answer) = self.ask("Accessibility.getPartialAXTree", params).await else { return false };
        let properties = answer["nodes"][0]["properties"].as_array().cloned().unwrap_or_default();
        properties.iter().any(|each| each["name"] == "focused" && each["value"]["value"] == true)
    }

    async fn key_event(&self, kind: &str, key: &str, code: u32, text: Option<&str>) {
        let code_name = if key == " " { "Space" } else { key };
        let mut params = json!({
            "type": kind, "key": key, "code": code_name, "windowsVirtualKeyCode": code,
        });
        if let Some(text) = text {
            params["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", params).await;
    }
}
