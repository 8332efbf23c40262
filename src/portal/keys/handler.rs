//! `/_gate/account/keys`

use axum::{body::Body, extract::Path, response::Response};
use http::StatusCode;
use url::form_urlencoded;

use super::{
    flow::{self, Draft, Expiry, Mistakes, Offer},
    make,
    view::{self, Around, Delete, Line, List, Made, New},
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Tab},
        redirect::portal_page,
        words::fill,
    },
    rules::api_key::ApiKey,
};

const LIST: &str = "/_gate/account/keys";

/// `GET /_gate/account/keys`
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::member(&cx).await?;
    let keys = make::keys(&cx, &member);
    let offered = !make::offers(&cx, &member).is_empty();
    let empty = if offered { cx.words.keys.empty } else { cx.words.keys.nothing_to_open };
    let page = List {
        empty: fill(empty, &[("title", &cx.site().title)]),
        keys: keys.iter().map(|key| line(&cx, key)).collect(),
        may: offered && !guard::is_acting(&member),
        deleted: cx.query("deleted").is_some(),
        me: me(&cx, &member),
        frame: cx.frame(),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/account/keys/new`, filled in by whoever comes back from the second factor.
pub(super) async fn show_new(cx: Cx) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let asked = |name| cx.query(name).unwrap_or_default();
    let draft = Draft {
        name: asked("name").chars().take(flow::LONGEST_NAME).collect(),
        scopes: asked("scopes").split(' ').map(str::to_owned).collect(),
        expiry: Expiry::parse(asked("expires"), asked("date")).unwrap_or_default(),
    };
    let offers = make::offers(&cx, &member);
    Ok(pages::html(StatusCode::OK, &New::of(around(&cx, &member), draft, &offers, Mistakes::default())))
}

/// `POST /_gate/account/keys/new`
pub(super) async fn make(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let offers = make::offers(&cx, &member);
    let (form, draft) = match read(&cx, body, &offers).await {
        Ok(read) => read,
        Err(fault) => return Ok(fault.page(&cx)),
    };
    let again = |status, draft: Draft, mistakes, error| {
        let page = New::of(around(&cx, &member), draft, &offers, mistakes);
        pages::html(status, &New { error, ..page })
    };
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), &form) {
        return Ok(again(fault.status(), draft, Mistakes::default(), Some(fault.text(cx.words, cx.now()))));
    }
    let plan = match flow::plan(&draft, &offers, &make::names(&cx, &member), cx.now()) {
        Ok(plan) => plan,
        Err(mistakes) => return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, draft, mistakes, None)),
    };
    match make::missing(&member, &plan) {
        Some(Fault::StepUp) => {
            return Ok(pages::see_other(&portal_page(cx.site(), "step-up", &filled_in(&cx, &draft))));
        }
        Some(fault) => return Ok(guard::refuse(&cx, fault)),
        None => {}
    }
    Ok(match make::make(&cx, &member, plan).await {
        Ok(Some((text, key))) => {
            let line = line(&cx, &key);
            let text = text.expose().to_owned();
            pages::html(StatusCode::OK, &Made { frame: cx.frame(), me: me(&cx, &member), text, line })
        }
        Ok(None) => again(StatusCode::CONFLICT, draft, Mistakes::default(), Some(view::too_many(cx.words))),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `GET /_gate/account/keys/{id}/delete`
pub(super) async fn show_delete(cx: Cx, Path(id): Path<String>) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    Ok(match make::key(&cx, &member, &id) {
        Some(key) => confirm(&cx, &member, line(&cx, &key), StatusCode::OK, None),
        None => guard::refuse(&cx, Fault::NotFound),
    })
}

/// `POST /_gate/account/keys/{id}/delete`
pub(super) async fn delete(cx: Cx, Path(id): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let fields = match Form::read(&cx.headers, body, &["form"]).await {
        Ok(fields) => fields,
        Err(fault) => return Ok(fault.page(&cx)),
    };
    let Some(key) = make::key(&cx, &member, &id) else { return Ok(guard::refuse(&cx, Fault::NotFound)) };
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        let line = line(&cx, &key);
        return Ok(confirm(&cx, &member, line, fault.status(), Some(fault.text(cx.words, cx.now()))));
    }
    Ok(match make::delete(&cx, &member, &key).await {
        Ok(_) => pages::see_other(&format!("{LIST}?deleted=1")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn confirm(cx: &Cx, member: &SignedIn, line: Line, status: StatusCode, error: Option<String>) -> Response {
    let form = csrf::token(cx, Binding::Session(&member.sid));
    pages::html(status, &Delete { frame: cx.frame(), me: me(cx, member), form, line, error })
}

/// The form's token, and what it asks for.
async fn read(cx: &Cx, body: Body, offers: &[Offer]) -> Result<(String, Draft), Fault> {
    let ticks: Vec<String> = offers.iter().map(|offer| view::field(&offer.scope)).collect();
    let known: Vec<&str> =
        ["form", "name", "expires", "date"].into_iter().chain(ticks.iter().map(String::as_str)).collect();
    let fields = Form::read(&cx.headers, body, &known).await?;
    let ticked = offers.iter().filter(|offer| fields.has(&view::field(&offer.scope)));
    let draft = Draft {
        name: fields.get("name").to_owned(),
        scopes: ticked.map(|offer| offer.scope.to_string()).collect(),
        expiry: Expiry::parse(fields.get("expires"), fields.get("date")).unwrap_or_default(),
    };
    Ok((fields.get("form").to_owned(), draft))
}

/// The form with what was filled in, for coming back to. None of it is secret.
fn filled_in(cx: &Cx, draft: &Draft) -> String {
    let fields = [
        ("name", &*draft.name),
        ("scopes", &draft.scopes.join(" ")),
        ("expires", draft.expiry.choice()),
        ("date", draft.expiry.date()),
    ];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("{}{LIST}/new?{query}", cx.site().portal.text)
}

fn around(cx: &Cx, member: &SignedIn) -> Around {
    Around {
        frame: cx.frame(),
        me: me(cx, member),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        elevated: member.elevated_until.is_some(),
    }
}

fn line(cx: &Cx, key: &ApiKey) -> Line {
    Line::new(cx.words, key, &cx.site().id, cx.now())
}

fn me(cx: &Cx, member: &SignedIn) -> AccountFrame {
    AccountFrame::new(cx, member, Tab::Keys)
}
