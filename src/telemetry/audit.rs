//! Takes what is said to `panelgate::audit` into the trail.

use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;
use tokio::sync::watch;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::trail::Trail;
use crate::{
    clock::{Clock, SystemClock, Wall},
    rules::trail::{Fields, events::outcome},
};

/// The log target of what has to be accounted for.
const TARGET: &str = "panelgate::audit";

/// Where records go; there is one log in a process, and so there is one trail.
static TRAIL: RwLock<Option<Arc<dyn Recorder>>> = RwLock::new(None);

/// What the task that says something is at.
static TASK: OnceLock<Task> = OnceLock::new();

/// Takes records: the trail on the disk, or another process that has it.
pub trait Recorder: Send + Sync + 'static {
    /// Writes a record down soon, and gives a ticket for it. Never waits.
    fn write(&self, at: Wall, event: String, fields: Fields) -> u64;

    /// Waits until the record with this ticket is on the disk; `false` if that takes too long.
    fn durable(&self, ticket: u64, patience: Duration) -> BoxFuture<'_, bool>;

    /// Why records cannot be taken now, if so, and when that changes.
    fn problem(&self) -> watch::Receiver<Option<Arc<str>>>;

    /// Waits until everything is on the disk; `false` if that takes too long. Blocks.
    fn flush(&self) -> bool;

    /// Takes nothing more and lets go of the files. Blocks.
    fn close(&self);

    /// Whether records can be taken now.
    fn is_open(&self) -> bool {
        self.problem().borrow().is_none()
    }
}

impl Recorder for Trail {
    fn write(&self, at: Wall, event: String, fields: Fields) -> u64 {
        Self::write(self, at, event, fields)
    }

    fn durable(&self, ticket: u64, patience: Duration) -> BoxFuture<'_, bool> {
        Self::durable(self, ticket, patience).boxed()
    }

    fn problem(&self) -> watch::Receiver<Option<Arc<str>>> {
        Self::problem(self)
    }

    fn flush(&self) -> bool {
        Self::flush(self)
    }

    fn close(&self) {
        Self::close(self);
    }
}

/// How a record hears of the request that it belongs to, and the request of its record. Both are called where the event
/// is emitted, on its thread.
#[derive(Clone, Copy)]
pub struct Task {
    /// Tells members that every event of the request has.
    pub about: fn(&mut dyn FnMut(&'static str, String)),
    /// Hears in which trail the record is, and its ticket.
    pub noted: fn(&Arc<dyn Recorder>, u64),
}

/// As long as it is there, what is audited is written down; dropping it waits until everything is.
pub struct Attached(Arc<dyn Recorder>);

/// Writes there from now on.
pub fn attach(recorder: Arc<dyn Recorder>, task: Task) -> Attached {
    TASK.get_or_init(|| task);
    *TRAIL.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&recorder));
    Attached(recorder)
}

/// Waits until everything that happened so far is on the disk; `false` if that takes too long. Blocks.
pub fn flush() -> bool {
    current().is_none_or(|recorder| recorder.flush())
}

/// Takes in a record that another process has made; where, and the ticket there.
pub fn take_in(at: Wall, event: String, fields: Fields) -> Option<(Arc<dyn Recorder>, u64)> {
    let recorder = current()?;
    let ticket = recorder.write(at, event, fields);
    Some((recorder, ticket))
}

/// Why the trail takes nothing, as that changes; `None` without a trail.
pub fn problem() -> Option<watch::Receiver<Option<Arc<str>>>> {
    Some(current()?.problem())
}

fn current() -> Option<Arc<dyn Recorder>> {
    TRAIL.read().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Attached {
    /// Where it goes.
    pub fn recorder(&self) -> &Arc<dyn Recorder> {
        &self.0
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut current = TRAIL.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &self.0)) {
            *current = None;
        }
        drop(current);
        // What cannot be written now is left for the next writer when it closes.
        if self.0.is_open() && !self.0.flush() {
            tracing::error!("the last records of the audit trail could not be written in time");
        }
        // A request that waits for its record holds it, too.
        self.0.close();
    }
}

/// The part of the log that accounts.
pub(super) struct AuditLayer;

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for AuditLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let Some(trail) = current() else { return };
        let mut said = Said::default();
        event.record(&mut said);
        let Said { event, mut fields } = said;
        if let Some(task) = TASK.get() {
            (task.about)(&mut |name, text| {
                fields.entry(name).or_insert(text.into());
            });
        }
        let proved = fields.get("proved").and_then(Value::as_str);
        let outcome = outcome(&event, proved);
        fields.entry("outcome").or_insert(outcome.into());
        let ticket = trail.write(SystemClock::new().wall(), event, fields);
        if let Some(task) = TASK.get() {
            (task.noted)(&trail, ticket);
        }
    }
}

#[derive(Default)]
struct Said {
    event: String,
    fields: Fields,
}

impl Said {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("event", Value::String(event)) => self.event = event,
            // The user id of whoever used the command line.
            ("by", Value::Number(uid)) => {
                self.fields.insert("by".to_owned(), format!("uid {uid}").into());
            }
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    /// What is `Display` comes here as it is, and text that was given as `Debug` in its quotes, which JSON does not need.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.put(field, unquoted(&text).unwrap_or(text).into());
    }
}

/// What Rust writes in quotes, without them; `None` if it is something else.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(next) = rest.next() {
        match next {
            '"' => return None,
            '\\' => plain.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let code: String = rest.by_ref().skip(1).take_while(|next| *next != '}').collect();
                    char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
                }
                itself => itself,
            }),
            plainly => plain.push(plainly),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::unquoted;

    #[test]
    fn a_reason_with_a_character_that_turns_the_line_is_recorded_as_it_was_given() {
        for said in ["plain", "a \u{202e}b", "\"quoted\"", "back\\slash", "line\nend\r\t\0", "\u{1f600} é"] {
            assert_eq!(unquoted(&format!("{said:?}")).as_deref(), Some(said));
        }
        assert_eq!(unquoted("Some(\"x\")"), None);
        assert_eq!(unquoted("\"a\" and \"b\""), None);
    }
}
