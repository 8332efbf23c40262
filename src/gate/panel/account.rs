//! The account of whoever the panel says it is: made at the first time, following the panel at the others.

use std::{net::IpAddr, sync::Arc};

use crate::{
    gate::Gate,
    rules::{
        identity::{User, UserId, UserSource},
        login::{Person, Recipe},
    },
    store::{StoreError, UserChange},
};

/// The account; `None` if it may not sign in: disabled, or of another source, which is never taken over.
pub(super) async fn of(
    gate: &Gate,
    recipe: &Recipe,
    person: Person,
    client: IpAddr,
) -> Result<Option<Arc<User>>, StoreError> {
    let source = UserSource::Login(recipe.name.to_string());
    let known = gate.live().records.user_by_name(&person.name);
    let Some(user) = known else { return make(gate, source, person).await };
    let name = &user.name;
    if user.source != source {
        tracing::warn!(
            target: "panelgate::audit", event = "sign-in-refused", %client, user = %name, login = %recipe.name,
            why = "an account of this name exists here that is not the panel's"
        );
        return Ok(None);
    }
    if user.disabled {
        tracing::info!(target: "panelgate::audit", event = "sign-in-refused", %client, user = %name, why = "disabled");
        return Ok(None);
    }
    follow(gate, user, &person).await.map(Some)
}

async fn make(gate: &Gate, source: UserSource, person: Person) -> Result<Option<Arc<User>>, StoreError> {
    let name = person.name.clone();
    let user = User {
        id: UserId(gate.entropy().array()),
        name: person.name,
        display: person.display,
        email: person.email,
        role: person.role,
        source,
        password: None,
        disabled: false,
        totp: None,
        backup_codes: vec![],
        created: gate.moment().wall,
        password_changed: None,
        high_security: true,
        known: vec![],
    };
    let (role, from) = (Arc::clone(&user.role), user.source.clone());
    let login = match &from {
        UserSource::Login(login) => login.as_str(),
        UserSource::Embedded | UserSource::Issuer(_) => "",
    };
    let written = gate.store().add_user(user.clone()).await?;
    if gate.settled(written).await {
        tracing::info!(target: "panelgate::audit", event = "user-added", user = %name, %role, login, by = "panel");
        return Ok(Some(Arc::new(user)));
    }
    // Two first sign-ins at once: the other one has made it.
    let user = gate.live().records.user_by_name(&name);
    Ok(user.filter(|user| user.source == from && !user.disabled))
}

/// Role, mail address and name are the panel's to say; what it does not say stays.
async fn follow(gate: &Gate, user: Arc<User>, person: &Person) -> Result<Arc<User>, StoreError> {
    let news =
        |theirs: &String, ours: &String| (!theirs.is_empty() && theirs != ours).then(|| theirs.clone());
    let role = (person.role != user.role).then(|| Arc::clone(&person.role));
    let (email, display) = (news(&person.email, &user.email), news(&person.display, &user.display));
    if role.is_none() && email.is_none() && display.is_none() {
        return Ok(user);
    }
    if let Some(role) = &role {
        let (before, name) = (&user.role, &user.name);
        tracing::info!(target: "panelgate::audit", event = "role-set", user = %name, %before, %role, by = "panel");
    }
    let change = UserChange { role, email, display, ..UserChange::default() };
    let written = gate.store().change_user(user.id, change, gate.moment().wall).await?;
    gate.settled(written).await;
    Ok(gate.live().records.user_by_name(&user.name).unwrap_or(user))
}
