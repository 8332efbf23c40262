//! kill -9: what was acknowledged stays.

use serde_json::json;

use crate::demo::tour::{Chapter, Held, Step, answer::ensure, browser::BACKGROUND, story::Story};

const NEW_USER: &str = "name=Jon+Jansson&email=jon%40jansson.example&plan=Starter";

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Killing the gate",
    steps: &[
        Step {
            name: "the gate is killed right after it acknowledged a session, an elevation and a revocation",
            run: |story| Box::pin(kill(story)),
        },
        Step { name: "the session is still there", run: |story| Box::pin(session_stays(story)) },
        Step { name: "the elevation is still there", run: |story| Box::pin(elevation_stays(story)) },
        Step { name: "the used code is still used", run: |story| Box::pin(code_stays_used(story)) },
        Step { name: "what was revoked is still revoked", run: |story| Box::pin(revocations_stay(story)) },
    ],
};

async fn kill(story: &mut Story) -> Held {
    story.sign_in("gone", "alice").await?;
    let code = story.code("admin").await?;
    story.sign_in("kept", "alice").await?;
    story.browser("admin").prove(&code).await?.is(&[200])?;
    let gone = story.browser("gone");
    let cookies = gone.cookies.clone();
    gone.call("POST", "sign-out", &json!({})).await?.is(&[200, 204])?;
    gone.cookies = cookies;
    let before = story.wire.site();
    let report = story.crash().await?;
    story.wire.tell(format!("it was {before} and is {} now", report.site));
    Ok(())
}

async fn session_stays(story: &mut Story) -> Held {
    let kept = story.browser("kept");
    kept.fetch("/").await?.is(&[200])?;
    kept.forward_auth("GET", "/", &BACKGROUND).await?.is(&[200])?;
    kept.renew().await?.is(&[200])
}

async fn elevation_stays(story: &mut Story) -> Held {
    let admin = story.browser("admin");
    admin.open("/users").await?.is(&[200])?;
    admin.post("/users", NEW_USER).await?.is(&[303])
}

async fn code_stays_used(story: &mut Story) -> Held {
    let code = story.last_code.clone();
    let answer = story.browser("admin").prove(&code).await?;
    ensure((400..500).contains(&answer.status), || answer.short())
}

async fn revocations_stay(story: &mut Story) -> Held {
    for name in ["gone", "phone", "panel", "reseller's thief"] {
        story.browser(name).is_signed_out().await?;
    }
    story.browser("gone").renew().await?.is(&[401])
}
