//! Remembering where an account signs in from, and telling its owner about somewhere new.

use tokio::sync::mpsc::error::TrySendError;

use super::{link, page};
use crate::{
    portal::{context::Cx, fault::Fault, notice::NewSignIn},
    rules::{
        identity::{Known, User},
        known::{self, Sighting},
        session::Session,
    },
    store::UserChange,
};

/// Looks at a session that was just opened. The page of the account shows news until it is answered; letters and calls
/// wait in a queue that never keeps anybody waiting.
pub(crate) async fn look(cx: &Cx, user: &User, session: &Session) -> Result<(), Fault> {
    let country = cx.visit.snapshot.places.country(session.address);
    let public = session.sid.public();
    match known::sighting(&user.known, &session.device, &country, &public, cx.now()) {
        Sighting::Familiar => Ok(()),
        Sighting::Learned(known) => remember(cx, user, known).await,
        Sighting::News(known) => {
            remember(cx, user, known).await?;
            let (client, device) = (session.address, &session.device);
            tracing::info!(target: "panelgate::audit", event = "new-sign-in", %client, user = %user.name, session = %public, device, country);
            if known::is_flood(&user.known, cx.now()) {
                tracing::warn!(user = %user.name, "so many new sign-ins that no more notices are sent for an hour");
            } else {
                tell(cx, user, session);
            }
            Ok(())
        }
    }
}

async fn remember(cx: &Cx, user: &User, known: Known) -> Result<(), Fault> {
    let change = UserChange { known: Some(known), ..UserChange::default() };
    let written = cx.gate().store().change_user(user.id, change, cx.now()).await?;
    cx.gate().settled(written).await;
    Ok(())
}

fn tell(cx: &Cx, user: &User, session: &Session) {
    let site = cx.site();
    let news = NewSignIn {
        site: std::sync::Arc::clone(&site.id),
        title: site.title.clone(),
        user: user.name.clone(),
        email: user.email.clone(),
        session: session.sid.public(),
        device: session.device.clone(),
        address: session.address,
        places: cx.visit.snapshot.places.clone(),
        at: cx.now(),
        revoke: link::address(cx, user.id, session.sid.public()),
        sessions: format!("{}{}", site.portal.text, page::LIST),
    };
    // Closed: nobody is to be told.
    if let Err(TrySendError::Full(news)) = cx.portal.notices.try_send(news) {
        tracing::error!(user = %news.user, session = %news.session, "too many notices wait; this one is not sent");
    }
}
