//! A panel for tests.

use std::{
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;

use super::{AskPanel, NotSignedIn};
use crate::{
    rules::{
        identity::{Role, UserName},
        login::{Credentials, Jar, Person, Recipe, SetCookie},
    },
    secret::{SecretBytes, SecretText},
};

/// Knows everybody by the password `right`, and gives each sign-in the next session `sid=1`, `sid=2`, …
#[derive(Default)]
pub(crate) struct FakePanel {
    pub(crate) asked: AtomicUsize,
    /// Whether it answers at all.
    pub(crate) down: Mutex<bool>,
    /// The role that everybody has there, if not the one of the recipe.
    pub(crate) role: Mutex<Option<Role>>,
}

#[async_trait]
impl AskPanel for FakePanel {
    async fn sign_in(
        &self,
        recipe: &Recipe,
        name: &UserName,
        password: &SecretText,
        _client: IpAddr,
    ) -> Result<Person, NotSignedIn> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        // Long enough for others to come in between.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if *self.down.lock().unwrap() {
            return Err(NotSignedIn::Unavailable);
        }
        if password.expose() != "right" {
            return Err(NotSignedIn::NoMatch);
        }
        let mut jar = Jar::default();
        jar.take(
            &[SetCookie::parse(format!("sid={number}; Path=/app").as_bytes()).unwrap()],
            &recipe.pass_on.cookies,
        );
        if recipe.renew {
            let password = SecretBytes::new(password.expose().as_bytes());
            jar.again = Some(Credentials { name: name.clone(), password });
        }
        let role = self.role.lock().unwrap().clone().or_else(|| recipe.role.clone()).unwrap();
        let (email, display) = (format!("{name}@panel.test"), String::new());
        Ok(Person { name: name.clone(), role, email, display, jar })
    }
}
