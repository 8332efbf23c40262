//! The gate asks panels through the feed that knows how.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::{
    doors::dialect,
    feeds::panel_login::{Failure, PanelLogins, Question},
    gate::panel::{AskPanel, NotSignedIn},
    rules::{
        identity::UserName,
        login::{Person, Recipe},
    },
    secret::SecretText,
};

/// Login endpoints, for the gate.
pub(super) struct Logins(pub(super) PanelLogins);

#[async_trait]
impl AskPanel for Logins {
    async fn sign_in(
        &self,
        recipe: &Recipe,
        name: &UserName,
        password: &SecretText,
        client: IpAddr,
    ) -> Result<Person, NotSignedIn> {
        let on_behalf_of = dialect::on_behalf_of(client);
        self.0.ask(recipe, Question { name, password, on_behalf_of: &on_behalf_of }).await.map_err(
            |failure| match failure {
                Failure::NoMatch => NotSignedIn::NoMatch,
                Failure::Unavailable => NotSignedIn::Unavailable,
            },
        )
    }
}
