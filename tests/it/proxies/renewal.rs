//! Tokens that run out while people work. All proxies at once, as this takes its time.

use std::time::Duration;

use futures_util::future::join_all;

use super::{
    recipe::Proxy,
    stack::{self, Front, SHORT},
};
use crate::support::browser::{Browser, background};

/// How long the panel takes to answer, in seconds.
const SLOW: u64 = 20;

#[tokio::test]
async fn a_panel_that_answers_after_20_seconds_while_three_tabs_cross_the_renewal() {
    join_all(signed_in().await.into_iter().map(|(front, browser)| work_on(front, browser))).await;
}

#[tokio::test]
async fn a_page_with_an_expired_token_is_renewed_on_the_way() {
    join_all(signed_in().await.into_iter().map(|(front, browser)| come_back_to(front, browser))).await;
}

/// One after the other: few tries at one account may be under way at once.
async fn signed_in() -> Vec<(Front, Browser)> {
    let mut all = Vec::new();
    for proxy in Proxy::ALL {
        let front = stack::short_lived(proxy);
        let browser = front.signed_in("user").await;
        all.push((front, browser));
    }
    all
}

async fn work_on(front: Front, browser: Browser) {
    // The others took their time to sign in.
    assert_eq!(browser.refresh().await.status, 200);
    let slow = browser.copy();
    let slow = slow.background("GET", "/echo/slow?seconds=20");
    let tabs = async {
        // Well past the first expiry, and past the second.
        for _ in 0..2 {
            tokio::time::sleep(SHORT + Duration::from_millis(500)).await;
            cross_the_renewal(&front, &browser).await;
        }
    };
    let (answer, ()) = tokio::join!(slow, tabs);
    assert_eq!(answer.status, 200, "{}: what was allowed goes on: {answer:?}", front.proxy.name());
    assert!(answer.text().contains("some-user"), "{answer:?}");
    let after = browser.background("GET", "/echo/a").await;
    assert_eq!(after.status, 200, "{}: after {SLOW} s the session lives: {after:?}", front.proxy.name());
}

/// Three tabs find at the same moment that their token has run out, and renew with the same refresh token.
async fn cross_the_renewal(front: &Front, browser: &Browser) {
    let name = front.proxy.name();
    let expired = browser.background("GET", "/echo/a").await;
    assert_eq!(expired.status, 401, "{name}: {expired:?}");
    assert!(expired.text().contains("/_gate/refresh"), "{name}: it does not say where to renew: {expired:?}");
    let tabs = [browser.copy(), browser.copy(), browser.copy()];
    for answer in join_all(tabs.iter().map(Browser::refresh)).await {
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    for tab in &tabs {
        let answer = tab.background("GET", "/echo/a").await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    assert_eq!(browser.refresh().await.status, 200, "{name}: the jar's own renewal");
}

async fn come_back_to(front: Front, browser: Browser) {
    let name = front.proxy.name();
    tokio::time::sleep(SHORT + Duration::from_millis(500)).await;
    let mut target = "/echo/a?b=c".to_owned();
    for _ in 0..4 {
        let answer = browser.navigate(&target).await;
        if answer.status == 200 {
            assert_eq!(target, "/echo/a?b=c", "{name}: it did not come back to where it wanted to go");
            assert!(answer.text().contains("some-user"), "{name}: {answer:?}");
            return;
        }
        let location = answer.field("Location").unwrap_or_else(|| panic!("{name}: {answer:?}"));
        assert!(!location.contains("sign-in"), "{name}: somebody with a living session met the sign-in page");
        target = location.strip_prefix("https://panel.example.com").unwrap_or(location).to_owned();
    }
    panic!("{name}: round and round, last to {target}; a form: {:?}", background("GET", &target));
}
