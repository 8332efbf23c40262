//! An access token that has run out under a living session: nobody has to sign in again.

use std::time::Duration;

use crate::demo::tour::{
    Chapter, Held, Step,
    answer::ensure,
    story::{ACCESS, Story},
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Running out",
    steps: &[
        Step { name: "a script is told where to renew, and goes on", run: |story| Box::pin(script(story)) },
        Step {
            name: "a page is sent through the renewal and back, and never to the sign-in page",
            run: |story| Box::pin(page(story)),
        },
    ],
};

async fn script(story: &mut Story) -> Held {
    let alice = story.sign_in("late alice", "alice").await?;
    run_out().await;
    alice.fetch("/").await?.refuses_with("refresh_url", "refresh")?;
    alice.renew().await?.is(&[200])?;
    alice.fetch("/").await?.is(&[200])
}

async fn page(story: &mut Story) -> Held {
    run_out().await;
    let site = story.wire.site();
    let alice = story.browser("late alice");
    let there = alice.open("/domains").await?;
    there.redirects_to("refresh", &format!("{site}/domains"))?;
    let renewal = there.header("location").trim_start_matches(&site).to_owned();
    let back = alice.open(&renewal).await?;
    back.is(&[302, 303])?;
    let to = back.header("location");
    ensure(to == format!("{site}/domains"), || format!("the renewal leads to {to}"))?;
    alice.open("/domains").await?.is(&[200])
}

async fn run_out() {
    tokio::time::sleep(ACCESS + Duration::from_millis(500)).await;
}
