//! Refresh tokens: one successor, and the end of the family when an old one turns up late.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;

use crate::demo::tour::{
    Broken, Chapter, Held, Step,
    answer::ensure,
    browser::{ACCESS, REFRESH},
    story::{GRACE, Story},
};

/// Browsers that renew at once.
const CLIENTS: usize = 20;

pub(super) const CHAPTER: Chapter = Chapter {
    name: "Renewing",
    steps: &[
        Step { name: "a renewal changes both tokens", run: |story| Box::pin(rotates(story)) },
        Step {
            name: "a lost answer signs nobody out: the token before gets the same successor",
            run: |story| Box::pin(same_successor(story)),
        },
        Step {
            name: "twenty clients that renew at once get one successor",
            run: |story| Box::pin(twenty_at_once(story)),
        },
        Step {
            name: "an old token after its time ends the whole family",
            run: |story| Box::pin(reuse_ends_the_family(story)),
        },
    ],
};

async fn rotates(story: &mut Story) -> Held {
    let reseller = story.sign_in("reseller", "reseller").await?;
    let before = reseller.cookies.clone();
    reseller.renew().await?.is(&[200])?;
    for name in [ACCESS, REFRESH] {
        ensure(before.get(name) != reseller.cookies.get(name), || format!("{name} is still the same"))?;
    }
    let mut earlier = story.browser("reseller").clone();
    earlier.cookies = before;
    *story.new_browser("reseller before", "reseller") = earlier;
    Ok(())
}

async fn same_successor(story: &mut Story) -> Held {
    let successor = story.browser("reseller").cookie(REFRESH);
    let mut earlier = story.browser("reseller before").clone();
    earlier.renew().await?.is(&[200])?;
    ensure(earlier.cookie(REFRESH) == successor, || "it got a second successor".into())
}

async fn twenty_at_once(story: &mut Story) -> Held {
    let browser = story.browser("reseller").clone();
    let before = browser.cookie(REFRESH);
    let renewals = (0..CLIENTS).map(|_| {
        let mut tab = browser.clone();
        async move {
            tab.renew().await?.is(&[200])?;
            Ok::<_, Broken>(tab)
        }
    });
    let tabs = join_all(renewals).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let lines = story.wire.transcript();
    story.wire.tell(format!("{} times: {}", lines.len(), lines.first().cloned().unwrap_or_default()));
    let successors: BTreeSet<_> = tabs.iter().map(|tab| tab.cookie(REFRESH)).collect();
    ensure(successors.len() == 1, || format!("{} successors", successors.len()))?;
    ensure(!successors.contains(&before), || "nothing was rotated".into())?;
    if let Some(tab) = tabs.into_iter().next() {
        *story.browser("reseller") = tab;
    }
    Ok(())
}

async fn reuse_ends_the_family(story: &mut Story) -> Held {
    // Using the new access token is how the gate learns that the successor has arrived.
    story.browser("reseller").fetch("/").await?.is(&[200])?;
    tokio::time::sleep(GRACE + Duration::from_secs(1)).await;
    let newest = story.browser("reseller").clone();
    *story.new_browser("reseller's thief", "reseller") = newest;
    story.browser("reseller before").renew().await?.is(&[401])?;
    let reseller = story.browser("reseller");
    reseller.is_signed_out().await?;
    reseller.renew().await?.is(&[401])
}
