//! What a client says about itself achieves nothing.

use crate::demo::tour::{
    Chapter, Held, Step,
    answer::ensure,
    browser::{Ask, BACKGROUND},
    story::Story,
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Forging",
    steps: &[
        Step {
            name: "identity headers of a client never reach the panel, in no spelling",
            run: |story| Box::pin(identity_headers(story)),
        },
        Step {
            name: "naming them in Connection removes none of the gate's",
            run: |story| Box::pin(connection(story)),
        },
        Step {
            name: "forged forwarding headers do not change which page is judged",
            run: |story| Box::pin(other_page(story)),
        },
        Step {
            name: "a path that two programs could read differently is refused",
            run: |story| Box::pin(ambiguous_paths(story)),
        },
        Step {
            name: "the sidecar answers with its own identity headers, whatever the client sent",
            run: |story| Box::pin(sidecar_identity(story)),
        },
    ],
};

const FORGED: [(&str, &str); 7] = [
    ("remote-user", "mallory"),
    ("Remote_User", "mallory"),
    ("remote.user", "mallory"),
    ("REMOTE-GROUPS", "mallory"),
    ("x-gate-role", "mallory"),
    ("X_Gate_Access", "mallory"),
    ("x-gate-assertion", "mallory"),
];

async fn identity_headers(story: &mut Story) -> Held {
    let alice = story.sign_in("alice", "alice").await?;
    let ask = Ask { method: "GET", target: "/echo", headers: &FORGED, body: None };
    let answer = alice.ask(&ask).await?;
    answer.is(&[200])?;
    ensure(!answer.body.contains("mallory"), || "the panel hears of mallory".into())?;
    ensure(answer.seen("remote-user") == ["alice"], || {
        format!("Remote-User is {:?}", answer.seen("remote-user"))
    })?;
    ensure(answer.seen("x-gate-role") == ["user"], || {
        format!("X-Gate-Role is {:?}", answer.seen("x-gate-role"))
    })
}

async fn connection(story: &mut Story) -> Held {
    let headers = [("connection", "Remote-User"), ("remote-user", "mallory")];
    let ask = Ask { method: "GET", target: "/echo", headers: &headers, body: None };
    let answer = story.browser("alice").ask(&ask).await?;
    let told = answer.status == 200 && answer.seen("remote-user") == ["alice"];
    ensure(told || answer.status == 400, || answer.short())
}

async fn other_page(story: &mut Story) -> Held {
    let elsewhere = format!("{}/", story.wire.site());
    let headers = [
        ("x-original-url", elsewhere.as_str()),
        ("x-original-uri", "/"),
        ("x-forwarded-uri", "/"),
        ("x-forwarded-path", "/"),
        ("x-rewrite-url", "/"),
    ];
    let alice = story.browser("alice");
    let ask = Ask { method: "GET", target: "/users", headers: &headers, body: None };
    alice.ask(&ask).await?.is(&[403])?;
    // Each dialect reads its own fields: those of the others are only noise, or a reason to refuse.
    alice.forward_auth("GET", "/users", &[headers[0], headers[1]]).await?.is(&[400, 403])?;
    alice.auth_request("GET", "/users", &[headers[2], headers[4]]).await?.is(&[403])
}

async fn ambiguous_paths(story: &mut Story) -> Held {
    let alice = story.browser("alice");
    for target in ["/echo/../users", "/echo/%2e%2e/users", "//users", "/echo%2f..%2fusers", "/echo/..;/users"]
    {
        alice.fetch(target).await?.is(&[400])?;
        let sidecar = alice.forward_auth("GET", target, &BACKGROUND).await?;
        ensure((400..500).contains(&sidecar.status), || sidecar.short())?;
    }
    Ok(())
}

async fn sidecar_identity(story: &mut Story) -> Held {
    let alice = story.browser("alice");
    let answer = alice.forward_auth("GET", "/echo", &FORGED).await?;
    answer.is(&[200])?;
    let values: Vec<_> = answer.headers.values().filter_map(|value| value.to_str().ok()).collect();
    ensure(!values.contains(&"mallory"), || "the answer repeats mallory".into())?;
    ensure(answer.header("remote-user") == "alice", || {
        format!("Remote-User is {:?}", answer.header("remote-user"))
    })
}
