//! Looking, being asked for the second factor, changing, and lapsing.

use serde_json::Value;

use crate::demo::tour::{
    Chapter, Held, Step,
    answer::ensure,
    browser::BACKGROUND,
    story::{ELEVATION, Story},
};

const NEW_USER: &str = "name=Hugo+Holm&email=hugo%40holm.example&plan=Starter";

pub(super) const CHAPTER: Chapter = Chapter {
    name: "The second factor",
    steps: &[
        Step {
            name: "a protected page can be looked at before the second factor",
            run: |story| Box::pin(look(story)),
        },
        Step {
            name: "a change on it is refused by both doors, and the refusal names the step-up page",
            run: |story| Box::pin(change_is_refused(story)),
        },
        Step {
            name: "a blocked page is sent to the step-up page",
            run: |story| Box::pin(blocked_page(story)),
        },
        Step { name: "a wrong code is refused", run: |story| Box::pin(wrong_code(story)) },
        Step { name: "the right code is accepted", run: |story| Box::pin(right_code(story)) },
        Step { name: "the change passes now, at both doors", run: |story| Box::pin(change_passes(story)) },
        Step { name: "the same code does not count twice", run: |story| Box::pin(reused_code(story)) },
        Step {
            name: "when the elevation has lapsed, the page is read-only again",
            run: |story| Box::pin(lapsed(story)),
        },
    ],
};

async fn look(story: &mut Story) -> Held {
    let page = story.browser("root").open("/users").await?;
    page.is(&[200])?;
    ensure(page.body.contains("Ada Lindqvist"), || "the page is not the panel's list of users".into())
}

async fn change_is_refused(story: &mut Story) -> Held {
    let root = story.browser("root");
    root.post("/users", NEW_USER).await?.refuses_with("step_up_url", "step-up")?;
    root.forward_auth("POST", "/users", &BACKGROUND).await?.refuses_with("step_up_url", "step-up")?;
    root.auth_request("POST", "/users", &BACKGROUND).await?.is(&[401])?;
    let page = root.open("/users").await?;
    ensure(!page.body.contains("Hugo Holm"), || "the panel was changed all the same".into())
}

async fn blocked_page(story: &mut Story) -> Held {
    let site = story.wire.site();
    story.browser("root").open("/settings").await?.redirects_to("step-up", &format!("{site}/settings"))?;
    let admin = story.sign_in("admin", "admin").await?;
    admin.open("/users").await?.redirects_to("step-up", &format!("{site}/users"))
}

async fn wrong_code(story: &mut Story) -> Held {
    let code = story.wrong_code("root");
    let root = story.browser("root");
    let answer = root.prove(&code).await?;
    ensure((400..500).contains(&answer.status), || answer.short())?;
    root.post("/users", NEW_USER).await?.is(&[401, 403])
}

async fn right_code(story: &mut Story) -> Held {
    let code = story.code("root").await?;
    let now = story.now().secs();
    let answer = story.browser("root").prove(&code).await?;
    answer.is(&[200])?;
    let until = answer.json().get("elevated_until").and_then(Value::as_u64).unwrap_or(0);
    ensure((now..=now + ELEVATION.as_secs() + 1).contains(&until), || {
        format!("elevated until {until}, now {now}")
    })
}

async fn change_passes(story: &mut Story) -> Held {
    let root = story.browser("root");
    root.post("/users", NEW_USER).await?.is(&[303])?;
    let sidecar = root.forward_auth("POST", "/users", &BACKGROUND).await?;
    sidecar.is(&[200])?;
    ensure(sidecar.header("x-gate-access") == "full", || {
        format!("access {:?}", sidecar.header("x-gate-access"))
    })?;
    let page = root.open("/users").await?;
    ensure(page.body.contains("Hugo Holm"), || "the panel was not changed".into())
}

async fn reused_code(story: &mut Story) -> Held {
    let code = story.last_code.clone();
    let answer = story.browser("root").prove(&code).await?;
    ensure((400..500).contains(&answer.status), || answer.short())
}

async fn lapsed(story: &mut Story) -> Held {
    tokio::time::sleep(ELEVATION).await;
    let root = story.browser("root");
    root.post("/users", NEW_USER).await?.refuses_with("step_up_url", "step-up")?;
    root.forward_auth("POST", "/users", &BACKGROUND).await?.refuses_with("step_up_url", "step-up")?;
    root.open("/users").await?.is(&[200])
}
