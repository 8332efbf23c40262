//! JSON Schemas (2020-12) of the files that people write, for editors. Tests hold them together with the readers.

#[cfg(test)]
mod tests;

use serde_json::Value;

/// Of `config.yaml`.
pub const CONFIG: &str = include_str!("../../deploy/schemas/config.schema.json");
/// Of a policy.
pub const POLICY: &str = include_str!("../../deploy/schemas/policy.schema.json");
/// Of the tests beside a policy, `NAME.test.yaml`.
pub const TESTS: &str = include_str!("../../deploy/schemas/test.schema.json");

/// What every setting is called in the environment, without the prefix: `SITES__0__UPSTREAM`.
pub(super) fn variables() -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(schema) = serde_json::from_str::<Value>(CONFIG) {
        below(&schema, &schema, &mut Vec::new(), &mut names);
    }
    names.extend(["ELEVATION__LASTS", "ELEVATION__METHODS"].map(str::to_owned));
    names
}

fn below(schema: &Value, node: &Value, path: &mut Vec<String>, names: &mut Vec<String>) {
    let Some(node) = resolved(schema, node) else { return };
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        for (key, value) in properties {
            path.push(key.to_ascii_uppercase());
            below(schema, value, path, names);
            path.pop();
        }
    } else {
        names.push(path.join("__"));
        if let Some(items) = node.get("items") {
            path.push("0".to_owned());
            below(schema, items, path, names);
            path.pop();
        }
    }
}

/// What a `$ref` stands for.
fn resolved<'s>(schema: &'s Value, node: &'s Value) -> Option<&'s Value> {
    match node.get("$ref").and_then(Value::as_str) {
        Some(place) => resolved(schema, schema.pointer(place.strip_prefix('#')?)?),
        None => Some(node),
    }
}
