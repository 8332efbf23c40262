//! API keys on the command line: an operator may give a key whatever the policy names; what its owner's role does not
//! have it opens all the same to nobody.

use std::{collections::BTreeMap, sync::Arc};

use super::{Handler, Outcome, Refusal, no};
use crate::{
    app::admin::{AdminAnswer, KeyLine, WantedKey},
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyText, Scope},
        identity::{UserId, UserName},
        session::{PublicId, SiteId},
    },
    store::{Everything, MOST_KEYS},
};

impl Handler {
    pub(super) async fn list_keys(&self, user: Option<UserName>) -> Outcome {
        let of = match &user {
            Some(name) => Some(self.user(name).await?.id),
            None => None,
        };
        let Everything { users, mut keys, .. } = self.store.rest().await?;
        let names: BTreeMap<UserId, String> =
            users.iter().map(|user| (user.id, user.name.to_string())).collect();
        keys.retain(|key| of.is_none_or(|user| key.user == user));
        keys.sort_by_key(|key| (std::cmp::Reverse(key.created), key.id));
        let now = self.clock.wall();
        Ok(AdminAnswer::Keys { keys: keys.iter().map(|key| line(key, names.get(&key.user), now)).collect() })
    }

    /// The text of the key is in the answer and nowhere else.
    pub(super) async fn make_key(&self, wanted: WantedKey, by: u32) -> Outcome {
        let owner = self.user(&wanted.user).await?;
        let (site, scopes) = self.checked(&wanted)?;
        let name = wanted.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return no("give the key a name of 1 to 64 printable characters, which says what it is for");
        }
        let now = self.clock.wall();
        if wanted.expires.is_some_and(|at| at <= now.secs()) {
            return no("the key would have expired already: choose a later time");
        }
        let taken = self.store.rest().await?.keys;
        if taken.iter().any(|key| key.user == owner.id && key.name == name) {
            return no(format!("`{}` has a key named {name:?} already", owner.name));
        }
        let text = KeyText::generate(self.entropy.array());
        let expires = wanted.expires.map(Wall::from_secs);
        let key =
            ApiKey { id: text.id(), user: owner.id, site, name, scopes, created: now, expires, used: None };
        let shown = line(&key, Some(&owner.name.to_string()), now);
        if !self.settled(self.store.add_key(key).await?).await {
            return no(format!("`{}` has {MOST_KEYS} keys already: revoke one first", owner.name));
        }
        let (id, scopes) = (&shown.id, shown.scopes.join(" "));
        tracing::info!(
            target: "panelgate::audit", event = "api-key-made", user = %owner.name, site = shown.site, key = %id, scopes,
            expires = shown.expires, by, name = ?shown.name
        );
        Ok(AdminAnswer::KeyMade { text: text.expose().to_owned(), key: shown })
    }

    pub(super) async fn revoke_key(&self, id: &PublicId, by: u32) -> Outcome {
        let Everything { keys, users, .. } = self.store.rest().await?;
        let Some(key) = keys.into_iter().find(|key| key.id.public() == *id) else {
            return no(format!("there is no API key `{id}`: `panelgate key list` shows those there are"));
        };
        self.settled(self.store.remove_key(key.user, key.id).await?).await;
        let owner = users.iter().find(|user| user.id == key.user).map(|user| user.name.to_string());
        let gone = line(&key, owner.as_ref(), self.clock.wall());
        let scopes = gone.scopes.join(" ");
        tracing::info!(
            target: "panelgate::audit", event = "api-key-deleted", user = gone.user, site = gone.site, key = %id, scopes,
            expires = gone.expires, by, name = ?key.name
        );
        Ok(AdminAnswer::Done)
    }

    /// The site, and the scopes as its policy spells them.
    fn checked(&self, wanted: &WantedKey) -> Result<(SiteId, Vec<Scope>), Refusal> {
        let sites = self.scopes();
        let named = |name: &str| sites.iter().find(|(site, _)| &***site == name);
        let found = match &wanted.site {
            Some(name) => named(name),
            None => sites.iter().next().filter(|_| sites.len() == 1),
        };
        let Some((site, known)) = found else {
            let names: Vec<_> = sites.keys().map(|site| format!("`{site}`")).collect();
            return Err(Refusal::No(format!(
                "say for which site with --site; there are {}",
                names.join(", ")
            )));
        };
        let unknown = wanted.scopes.iter().find(|scope| !known.contains(&***scope));
        if let Some(unknown) = unknown {
            let known: Vec<_> = known.iter().map(|scope| format!("`{scope}`")).collect();
            return Err(Refusal::No(format!(
                "no page of `{site}` names the scope `{unknown}`; there are {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        let chosen = known.iter().filter(|scope| wanted.scopes.iter().any(|wanted| **wanted == ***scope));
        let chosen: Vec<Scope> = chosen.map(Arc::clone).collect();
        if chosen.is_empty() {
            Err(Refusal::No("say what the key may do with --scope".into()))
        } else {
            Ok((Arc::clone(site), chosen))
        }
    }
}

fn line(key: &ApiKey, owner: Option<&String>, now: Wall) -> KeyLine {
    KeyLine {
        id: key.id.public().to_string(),
        user: owner.cloned().unwrap_or_else(|| key.user.to_string()),
        site: key.site.to_string(),
        name: key.name.clone(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        created: key.created.secs(),
        expires: key.expires.map(Wall::secs),
        expired: key.has_expired(now),
        used: key.used.map(|used| used.at.secs()),
        used_from: key.used.map(|used| used.address.to_string()),
    }
}
