//! From nobody to somebody.

use serde_json::json;

use crate::demo::tour::{
    Chapter, Held, Step,
    answer::ensure,
    browser::{ACCESS, BACKGROUND, NAVIGATION, REFRESH},
    story::Story,
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Signing in",
    steps: &[
        Step {
            name: "a stranger's page is sent to the sign-in page, by both doors",
            run: |story| Box::pin(stranger_page(story)),
        },
        Step {
            name: "a stranger's script gets 401 and a problem document that names the sign-in page",
            run: |story| Box::pin(stranger_script(story)),
        },
        Step {
            name: "a wrong password and an unknown name are answered alike",
            run: |story| Box::pin(wrong_credentials(story)),
        },
        Step {
            name: "root signs in and gets cookies that no script and no plain connection can see",
            run: |story| Box::pin(root_signs_in(story)),
        },
        Step {
            name: "the panel is told who it is, once, and never sees the gate's cookies",
            run: |story| Box::pin(panel_is_told(story)),
        },
        Step {
            name: "the same session counts at the sidecar",
            run: |story| Box::pin(same_at_sidecar(story)),
        },
    ],
};

async fn stranger_page(story: &mut Story) -> Held {
    let back = format!("{}/users?page=2", story.wire.site());
    let stranger = story.new_browser("stranger", "nobody");
    stranger.open("/users?page=2").await?.redirects_to("sign-in", &back)?;
    stranger.forward_auth("GET", "/users?page=2", &NAVIGATION).await?.redirects_to("sign-in", &back)
}

async fn stranger_script(story: &mut Story) -> Held {
    let stranger = story.browser("stranger");
    stranger.fetch("/users").await?.refuses_with("sign_in_url", "sign-in")?;
    stranger.forward_auth("GET", "/users", &BACKGROUND).await?.refuses_with("sign_in_url", "sign-in")?;
    let nginx = stranger.auth_request("GET", "/users", &BACKGROUND).await?;
    nginx.is(&[401])?;
    ensure(!nginx.header("x-gate-outcome").is_empty(), || {
        "nginx gets nothing to render the refusal from".into()
    })
}

async fn wrong_credentials(story: &mut Story) -> Held {
    let stranger = story.browser("stranger");
    let wrong = stranger.call("POST", "sign-in", &json!({ "username": "root", "password": "guess" })).await?;
    let unknown =
        stranger.call("POST", "sign-in", &json!({ "username": "toor", "password": "guess" })).await?;
    wrong.is(&[401])?;
    ensure(wrong.status == unknown.status && wrong.body == unknown.body, || {
        format!("{} is not {}", wrong.short(), unknown.short())
    })?;
    ensure(stranger.cookies.is_empty(), || format!("cookies were set: {:?}", stranger.cookies))
}

async fn root_signs_in(story: &mut Story) -> Held {
    let password = story.password("root");
    let root = story.new_browser("root", "root");
    let answer = root.sign_in(&password).await?;
    for (name, path) in [(ACCESS, "Path=/;"), (REFRESH, "Path=/_gate/refresh;")] {
        let lines = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let line = lines.into_iter().find(|line| line.starts_with(name)).unwrap_or_default();
        let guarded = ["HttpOnly", "Secure", "SameSite=", path].iter().all(|part| line.contains(part));
        ensure(guarded && line.len() < 4096, || format!("{name} is set by {line:?}"))?;
    }
    Ok(())
}

async fn panel_is_told(story: &mut Story) -> Held {
    let answer = story.browser("root").fetch("/echo").await?;
    answer.is(&[200])?;
    for (name, wanted) in
        [("remote-user", "root"), ("x-gate-role", "root"), ("x-gate-access", "full"), ("x-gate-actor", "")]
    {
        ensure(answer.seen(name) == [wanted], || format!("{name} is {:?}", answer.seen(name)))?;
    }
    ensure(answer.seen("x-gate-assertion").concat().split('.').count() == 3, || {
        "there is no assertion".into()
    })?;
    ensure(!answer.body.contains("gate_access"), || "the panel sees the access cookie".into())
}

async fn same_at_sidecar(story: &mut Story) -> Held {
    let root = story.browser("root");
    for answer in [
        root.forward_auth("GET", "/users", &BACKGROUND).await?,
        root.auth_request("GET", "/users", &BACKGROUND).await?,
    ] {
        answer.is(&[200])?;
        ensure(answer.header("remote-user") == "root", || {
            format!("Remote-User is {:?}", answer.header("remote-user"))
        })?;
        ensure(answer.header("x-gate-access") == "read", || {
            format!("X-Gate-Access is {:?}", answer.header("x-gate-access"))
        })?;
    }
    Ok(())
}
