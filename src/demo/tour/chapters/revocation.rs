//! Being cut off: at the next request, and on connections that are open.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    clock::Clock as _,
    demo::tour::{
        Broken, Chapter, Held, Step,
        answer::ensure,
        open::{Events, Socket},
        story::Story,
    },
};

/// How long an open connection may outlive its session.
const CUT_WITHIN: Duration = Duration::from_secs(1);

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Revoking",
    steps: &[
        Step {
            name: "alice's other device is cut off at its next request, and within a second where it is connected",
            run: |story| Box::pin(revoke(story)),
        },
        Step { name: "signing out ends the session at both doors", run: |story| Box::pin(sign_out(story)) },
    ],
};

async fn revoke(story: &mut Story) -> Held {
    story.sign_in("phone", "alice").await?;
    story.sign_in("laptop", "alice").await?;
    let (wire, phone) = (story.wire.clone(), story.browser("phone").clone());
    let socket = Socket::open(&wire, &phone).await?;
    let events = Events::open(&wire, &phone).await?;

    let other = other_session(story, "laptop").await?;
    let answer = story.browser("laptop").call("DELETE", &format!("sessions/{other}"), &json!({})).await?;
    ensure((200..300).contains(&answer.status), || answer.short())?;
    let revoked = story.clock.moment().mono;
    let clock = &story.clock;
    let after = async |ended: Result<(), Broken>| ended.map(|()| clock.moment().mono.saturating_sub(revoked));
    let (socket, events) = tokio::join!(async { after(socket.ended().await).await }, async {
        after(events.ended().await).await
    },);
    for (what, took) in [("WebSocket", socket?), ("event stream", events?)] {
        story.wire.tell(format!("the {what} ended after {} ms", took.as_millis()));
        ensure(took <= CUT_WITHIN, || format!("the {what} went on for {} ms", took.as_millis()))?;
    }
    story.browser("phone").is_signed_out().await?;
    story.browser("laptop").fetch("/").await?.is(&[200])
}

async fn sign_out(story: &mut Story) -> Held {
    let laptop = story.browser("laptop");
    let cookies = laptop.cookies.clone();
    laptop.call("POST", "sign-out", &json!({})).await?.is(&[200, 204])?;
    ensure(laptop.cookies.is_empty(), || format!("cookies are left: {:?}", laptop.cookies.keys()))?;
    // Whoever has copied the cookies gets nowhere with them.
    laptop.cookies = cookies;
    laptop.is_signed_out().await?;
    laptop.renew().await?.is(&[401])
}

/// The public id of the session of the same account that is not the one asking.
pub(super) async fn other_session(story: &mut Story, browser: &'static str) -> Result<String, Broken> {
    let answer = story.browser(browser).call("GET", "sessions", &Value::Null).await?;
    answer.is(&[200])?;
    let json = answer.json();
    let mut sessions = json.get("sessions").and_then(Value::as_array).into_iter().flatten();
    let other = sessions.find(|session| session.get("current") != Some(&Value::Bool(true)));
    let id = other.and_then(|session| session.get("id")?.as_str());
    id.map(str::to_owned).ok_or_else(|| Broken(format!("no other session in {}", answer.short())))
}
