//! Open Cybersecurity Schema Framework, version 1.6.0.

use serde_json::{Map, Value, json};

use super::{Source, actor, text, whom};
use crate::rules::trail::{
    Record,
    events::{Class, known, outcome_of},
};

const VERSION: &str = "1.6.0";
const OTHER: u8 = 99;

/// One event.
pub(super) fn event(record: &Record, source: &Source) -> Value {
    let event = known(&record.event);
    let class = event.map_or(Class::Entity(OTHER, "other"), |event| event.class);
    let (uid, activity) = numbers(class, record);
    let outcome = outcome_of(record);
    let good = outcome == "done";
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("category_uid", (uid / 1000).into());
    put("class_uid", uid.into());
    put("activity_id", activity.into());
    put("type_uid", (uid * 100 + u32::from(activity)).into());
    if activity == OTHER {
        put("activity_name", record.event.clone().into());
    }
    put("severity_id", if good { 1 } else { 3 }.into());
    put("status_id", if good { 1 } else { 2 }.into());
    put("time", record.millis().into());
    put("message", event.map_or(record.event.as_str(), |event| event.says).into());
    put(
        "metadata",
        json!({
            "version": VERSION,
            "uid": data_encoding::HEXLOWER.encode(&record.hash),
            "sequence": record.seq,
            "event_code": record.event,
            "product": { "name": "Panelgate", "vendor_name": "Panelgate", "version": source.version },
        }),
    );
    if let Some(why) = text(record, "why").or_else(|| text(record, "reason")) {
        put("status_detail", why.into());
    }
    about(class, record, &mut put);
    put("unmapped", Value::Object(record.fields.clone()));
    Value::Object(all)
}

/// A switch by an operator is an update whichever way it goes; what failed to be made was not made.
fn numbers(class: Class, record: &Record) -> (u32, u8) {
    match class {
        Class::Authentication(activity) => (3002, activity),
        Class::Account(activity) => (3001, activity),
        Class::Entity(activity, _) => (3004, activity),
        Class::Api(_) if text(record, "method").as_deref() == Some("DELETE") => (6003, 4),
        Class::Api(activity) => (6003, activity),
    }
}

/// Who, on whom, from where.
fn about(class: Class, record: &Record, put: &mut dyn FnMut(&str, Value)) {
    let named = |name: Option<String>| json!({ "name": name.unwrap_or_else(|| "unknown".to_owned()) });
    let session = text(record, "session").map(|uid| json!({ "uid": uid }));
    let from = text(record, "client").map(|ip| {
        let mut endpoint = json!({ "ip": ip });
        if let (Some(country), Some(members)) = (text(record, "country"), endpoint.as_object_mut()) {
            members.insert("location".into(), json!({ "country": country }));
        }
        endpoint
    });
    let by = actor(record).map(|name| json!({ "user": named(Some(name)) }));
    match class {
        Class::Authentication(activity) => {
            put("user", named(whom(record)));
            put("service", json!({ "name": "panelgate" }));
            if activity == 7 {
                put("account_switch_type_id", 2.into());
            }
            if let Some(session) = session {
                put("session", session);
            }
        }
        Class::Account(_) => put("user", named(whom(record))),
        Class::Entity(_, kind) => {
            let name =
                ["network", "key", "id", "folder", "marker"].iter().find_map(|name| text(record, name));
            put("entity", json!({ "name": name.unwrap_or_else(|| kind.to_owned()), "type": kind }));
        }
        Class::Api(_) => {
            let operation = ["method", "path"].map(|name| text(record, name).unwrap_or_default()).join(" ");
            put("api", json!({ "operation": operation, "service": { "name": "panel" } }));
            put(
                "resources",
                json!([{ "type": "account", "name": whom(record).unwrap_or_else(|| "unknown".to_owned()) }]),
            );
        }
    }
    let needs_both = matches!(class, Class::Api(_));
    if let Some(by) = by.or_else(|| needs_both.then(|| json!({ "user": named(whom(record)) }))) {
        put("actor", by);
    }
    if let Some(from) = from.or_else(|| needs_both.then(|| json!({ "name": "unknown" }))) {
        put("src_endpoint", from);
    }
}
