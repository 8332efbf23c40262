//! People who sign in on the panel's own page: its tokens open sessions here, which can be elevated and revoked.

use serde_json::json;

use super::revocation::other_session;
use crate::demo::{
    issuer::COOKIE,
    tour::{Chapter, Held, Step, answer::ensure, browser::BACKGROUND, story::Story},
};

const NEW_USER: &str = "name=Ida+Ivarsson&email=ida%40ivarsson.example&plan=Starter";

pub(super) const CHAPTER: Chapter = Chapter {
    name: "The panel's own tokens",
    steps: &[
        Step {
            name: "a token of the panel's issuer opens a session at first sight",
            run: |story| Box::pin(first_sight(story)),
        },
        Step {
            name: "its elevation stays when the panel renews the token",
            run: |story| Box::pin(elevation_stays(story)),
        },
        Step {
            name: "once revoked it stays dead, and so does every renewal of it",
            run: |story| Box::pin(revoked_stays_dead(story)),
        },
        Step {
            name: "a forged, a foreign and an altered token open nothing",
            run: |story| Box::pin(forged_tokens(story)),
        },
    ],
};

async fn first_sight(story: &mut Story) -> Held {
    let token = story.panel_token("root", "panel-session-1")?;
    let panel = story.new_browser("panel", "root");
    panel.cookies.insert(COOKIE.to_owned(), token);
    let answer = panel.fetch("/echo").await?;
    answer.is(&[200])?;
    ensure(answer.seen("remote-user") == ["root"], || {
        format!("Remote-User is {:?}", answer.seen("remote-user"))
    })?;
    panel.forward_auth("GET", "/users", &BACKGROUND).await?.is(&[200])?;
    panel.post("/users", NEW_USER).await?.refuses_with("step_up_url", "step-up")
}

async fn elevation_stays(story: &mut Story) -> Held {
    let code = story.code("root").await?;
    let renewed = story.panel_token("root", "panel-session-1")?;
    let panel = story.browser("panel");
    panel.prove(&code).await?.is(&[200])?;
    panel.cookies.insert(COOKIE.to_owned(), renewed);
    panel.post("/users", NEW_USER).await?.is(&[303])
}

async fn revoked_stays_dead(story: &mut Story) -> Held {
    // The story's own session of root is the other one.
    let id = other_session(story, "root").await?;
    let answer = story.browser("root").call("DELETE", &format!("sessions/{id}"), &json!({})).await?;
    ensure((200..300).contains(&answer.status), || answer.short())?;
    story.browser("panel").is_signed_out().await?;
    let renewed = story.panel_token("root", "panel-session-1")?;
    let panel = story.browser("panel");
    panel.cookies.insert(COOKIE.to_owned(), renewed);
    panel.is_signed_out().await?;
    // Another session of the panel is another matter.
    let other = story.panel_token("root", "panel-session-2")?;
    let fresh = story.new_browser("panel again", "root");
    fresh.cookies.insert(COOKIE.to_owned(), other);
    fresh.fetch("/").await?.is(&[200])
}

async fn forged_tokens(story: &mut Story) -> Held {
    let token = story.panel_token("root", "panel-session-3")?;
    let parts: Vec<_> = token.split('.').collect();
    let encode = |json: serde_json::Value| data_encoding::BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let [header, claims, signature] = parts.as_slice() else { return Ok(()) };
    let unsigned = encode(json!({ "alg": "none", "typ": "JWT" }));
    let mallory =
        encode(json!({ "iss": "https://harbor.example", "aud": "harbor", "sub": "root", "sid": "x",
        "exp": story.now().secs() + 600 }));
    let forgeries = [
        format!("{unsigned}.{claims}."),
        format!("{header}.{mallory}.{signature}"),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
    ];
    for forgery in forgeries {
        let mallory = story.new_browser("mallory", "mallory");
        mallory.cookies.insert(COOKIE.to_owned(), forgery);
        mallory.is_signed_out().await?;
    }
    Ok(())
}
