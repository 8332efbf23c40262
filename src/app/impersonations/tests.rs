use std::{
    io,
    sync::{Mutex, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{
    portal::tests::support::{Browser, World, id},
    store::UserChange,
};

/// What was written down meanwhile.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Written {
    fn ends(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().filter(|line| line.contains("impersonation-ended"));
        lines.map(|line| line.split("why=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()).collect()
    }
}

async fn begin(world: &World) -> Browser<'_> {
    let mut admin = Browser::new(world);
    admin.sign_in("admin").await;
    let body = r#"{"username":"alice","reason":"ticket 7"}"#;
    assert_eq!(admin.call("POST", "/_gate/api/v1/impersonation", body).await.status, 200);
    admin
}

fn note(journal: &mut Journal, world: &World) {
    for session in world.sessions("admin") {
        journal.note(&session, &world.gate);
    }
}

#[tokio::test]
async fn every_end_is_written_down_once_with_its_reason() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt().with_writer(written.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for (how, wanted) in [
        ("leave", "left"),
        ("sign-out", "signed-out"),
        ("time", "time"),
        ("disable", "account"),
        ("demote", "right"),
    ] {
        let world = World::new().await;
        let mut admin = begin(&world).await;
        let mut journal = Journal::default();
        note(&mut journal, &world);
        journal.look(&world.gate);
        assert_eq!(written.ends(), [""; 0], "{how}: it goes on");
        let change =
            |name, change| world.gate.store().change_user(id(name), change, world.gate.moment().wall);
        match how {
            "leave" => drop(admin.call("DELETE", "/_gate/api/v1/impersonation", "").await),
            "sign-out" => drop(admin.call("POST", "/_gate/api/v1/sign-out", "{}").await),
            "time" => world.clock.advance(Duration::from_secs(30 * 60)),
            "disable" => {
                let change = change("alice", UserChange { disabled: Some(true), ..UserChange::default() });
                world.gate.settled(change.await.unwrap()).await;
            }
            _ => {
                let change =
                    change("admin", UserChange { role: Some("alice".into()), ..UserChange::default() });
                world.gate.settled(change.await.unwrap()).await;
            }
        }
        for _ in 0..2 {
            note(&mut journal, &world);
            journal.look(&world.gate);
        }
        assert_eq!(written.ends(), [wanted], "{how}");
        admin.refresh().await;
        // Leaving what is over already is not a second end.
        admin.call("DELETE", "/_gate/api/v1/impersonation", "").await;
        note(&mut journal, &world);
        journal.look(&world.gate);
        assert_eq!(written.ends(), [""; 0], "{how}");
        assert!(journal.open.is_empty() || how == "sign-out", "{how}");
    }
}
