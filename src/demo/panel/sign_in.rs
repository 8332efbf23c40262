//! Harbor's own sign-in, for a gate in front of a panel that keeps its users: a form, a session cookie, and no ear for
//! what the identity headers say about who somebody is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use askama::Template;
use axum::{
    Json, Router,
    extract::{Form, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::{
    clock::{Clock, Wall},
    entropy::{Entropy, SystemEntropy},
    secret::{SecretText, same},
};

/// The cookie of a session.
pub const COOKIE: &str = "harbor_session";
/// How long a session lasts: short, so that its renewal can be watched.
pub const LASTS: Duration = Duration::from_secs(15);

/// Somebody whom the panel knows.
#[derive(Clone, Debug)]
pub struct Member {
    /// The account name.
    pub name: String,
    /// The password.
    pub password: SecretText,
    /// The role, as the panel calls it.
    pub role: String,
}

/// Who is signed in.
struct Desk {
    members: Vec<Member>,
    clock: Arc<dyn Clock>,
    sessions: Mutex<HashMap<String, (String, Wall)>>,
}

/// The panel with a sign-in of its own in front of every page.
pub fn router(members: Vec<Member>, clock: Arc<dyn Clock>) -> Router {
    let desk = Arc::new(Desk { members, clock: Arc::clone(&clock), sessions: Mutex::default() });
    let sign_in = Router::new().route("/login", get(form).post(sign_in)).with_state(Arc::clone(&desk));
    super::router(clock).layer(from_fn_with_state(desk, require)).merge(sign_in)
}

#[derive(Template)]
#[template(path = "demo/panel/pages/login.html")]
struct LoginPage {
    wrong: bool,
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    pass: SecretText,
}

/// `GET /login`
async fn form() -> Response {
    page(false)
}

/// `POST /login`: a page for browsers, a document for whoever asks for one.
async fn sign_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Response {
    let accept = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let wants_json = accept.starts_with(b"application/json");
    let right = |member: &&Member| {
        member.name == given.user && same(member.password.expose().as_bytes(), given.pass.expose().as_bytes())
    };
    let Some(member) = desk.members.iter().find(right) else {
        let no = (StatusCode::UNAUTHORIZED, Json(json!({ "ok": false }))).into_response();
        return if wants_json { no } else { page(true) };
    };
    let entropy: &dyn Entropy = &SystemEntropy;
    let id = data_encoding::HEXLOWER.encode(&entropy.array::<16>());
    let until = desk.clock.wall().plus(LASTS);
    desk.sessions().insert(id.clone(), (member.name.clone(), until));
    let user = json!({ "name": member.name, "role": member.role });
    let mut response = if wants_json {
        Json(json!({ "ok": true, "user": user })).into_response()
    } else {
        Redirect::to("/").into_response()
    };
    if let Ok(cookie) = HeaderValue::try_from(format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whoever has no session is sent to the form; whoever has one is who it says, whatever the gate says.
async fn require(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/assets/") {
        return next.run(request).await;
    }
    let user = desk.user(request.headers()).and_then(|user| HeaderValue::try_from(user).ok());
    let Some(user) = user else { return Redirect::to("/login").into_response() };
    request.headers_mut().insert("remote-user", user);
    next.run(request).await
}

impl Desk {
    fn user(&self, headers: &HeaderMap) -> Option<String> {
        let fields = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, id) = pairs.find(|(name, _)| *name == COOKIE)?;
        let now = self.clock.wall();
        let mut sessions = self.sessions();
        sessions.retain(|_, (_, until)| now < *until);
        sessions.get(id).map(|(user, _)| user.clone())
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, Wall)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page(wrong: bool) -> Response {
    match (LoginPage { wrong }).render() {
        Ok(text) => Html(text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
