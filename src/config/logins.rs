//! The `logins` section: login endpoints of panels that keep their users.

use std::{collections::BTreeMap, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    read::{Base, CODES},
    sites::is_loopback,
    sources::Sources,
};
use crate::rules::{
    identity::Role,
    login::{Before, Claims, PassOn, Piece, Recipe, SignedOut, Success, Template, Token, Wanted},
    written::{At, Fields, Findings, Key, Node, Written, scalar},
};

/// A login with the places of the roles that it names.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) at: At,
    pub(super) recipe: Recipe,
    /// Our roles, which the policy of every site that uses it must know.
    pub(super) roles: Vec<Written<String>>,
}

/// Reads every login.
pub(super) fn read(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Vec<Login> {
    let nodes = fields.nodes("logins", &mut sources.found);
    let mut logins: Vec<Login> = Vec::new();
    for node in nodes {
        let Some(login) = login(node, base, sources) else { continue };
        if logins.iter().any(|other| other.recipe.name == login.recipe.name) {
            let what = format!("two logins are called `{}`", login.recipe.name);
            sources.found.error(
                "C083",
                &node.at,
                what,
                "sites and accounts refer to the name: choose another",
            );
        }
        logins.push(login);
    }
    logins
}

fn login(node: &Node, base: Base<'_>, sources: &mut Sources<'_>) -> Option<Login> {
    let mut fields = Fields::of(node, "a login", CODES, &mut sources.found)?;
    fields.require(
        "name",
        "sites refer to it by its name, and its accounts are marked with it",
        &mut sources.found,
    );
    fields.require("url", "write where the panel's own login form is sent to", &mut sources.found);
    let name = fields.text("name", &mut sources.found);
    check_name(name.as_ref(), &mut sources.found);
    let url = fields.text("url", &mut sources.found).and_then(|text| url(&text, &mut sources.found));
    fields.one_of("method", &[("POST", ()), ("post", ())], &mut sources.found);
    let before = before(&mut fields, &mut sources.found);
    let body = body(&mut fields, before.is_some(), &mut sources.found);
    let success = success(&mut fields, &mut sources.found);
    let claims = claims(&mut fields, &mut sources.found);
    let (roles, mut places) = roles(&mut fields, &mut sources.found);
    let role = fields.text("role", &mut sources.found);
    if role.is_none() && claims.role.is_none() {
        let help = "write `role: user` for everybody, or `claims: { role: /user/role }`";
        sources.found.error("C084", &fields.at, "nothing says which role its accounts have", help);
    }
    places.extend(role.as_ref().map(|role| Written { at: role.at.clone(), value: role.value.to_owned() }));
    let least = Duration::from_millis(100);
    let timeout = fields.duration("timeout", least, &mut sources.found);
    let authorities = authorities(&mut fields, base, sources);
    let pass_on = pass_on(&mut fields, &mut sources.found);
    let signed_out = signed_out(&mut fields, &pass_on, &mut sources.found);
    let renew = renew(&mut fields, &pass_on, signed_out.as_ref(), &mut sources.found);
    fields.finish(&mut sources.found);
    let recipe = Recipe {
        name: name?.value.into(),
        url: url?,
        before,
        body: body?,
        success: success?,
        claims,
        roles,
        role: role.map(|role| Role::from(role.value)),
        timeout: timeout.map_or(Duration::from_secs(5), |timeout| timeout.value),
        authorities,
        pass_on,
        signed_out,
        renew,
    };
    Some(Login { at: node.at.clone(), recipe, roles: places })
}

fn check_name(name: Option<&Written<&str>>, found: &mut Findings) {
    if let Some(name) = name.filter(|name| name.value == EMBEDDED) {
        let what = format!("`{EMBEDDED}` means the accounts of the gate itself");
        found.error("C006", &name.at, what, "choose another name");
    }
}

/// What a site without a login of its panel's says, or need not say.
pub(super) const EMBEDDED: &str = "embedded";

/// https, or http on this machine: passwords are sent there.
fn url(text: &Written<&str>, found: &mut Findings) -> Option<url::Url> {
    let parsed = url::Url::parse(text.value).ok().filter(|url| {
        let here = url.host_str().is_some_and(|host| is_loopback(host.trim_matches(['[', ']'])));
        let safe = url.scheme() == "https" || url.scheme() == "http" && here;
        safe && url.username().is_empty() && url.password().is_none() && url.host_str().is_some()
    });
    if parsed.is_none() {
        let what = format!("`{}` is not an address that passwords can be sent to", text.value);
        found.error(
            "C006",
            &text.at,
            what,
            "write an `https://` address, or an `http://` one on this machine",
        );
    }
    parsed
}

fn before(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Before> {
    let mut section = fields.sub("before", found)?;
    section.require("url", "write the address of the page with the login form", found);
    section.require("field", "write the name of the hidden form field: `csrf_token`", found);
    let page = section.text("url", found).and_then(|text| url(&text, found));
    let field = section.text("field", found);
    section.finish(found);
    Some(Before { url: page?, field: field?.value.to_owned() })
}

fn body(fields: &mut Fields<'_>, fetches: bool, found: &mut Findings) -> Option<Template> {
    let json = fields.text("json", found);
    let form = fields.sub("form", found);
    let (at, template) = match (form, json) {
        (Some(form), None) => (form.at.clone(), Template::Form(form_fields(&form, found))),
        (None, Some(json)) => (json.at.clone(), Template::Json(Piece::split(json.value))),
        (Some(form), Some(_)) => {
            found.error("C072", &form.at, "only one of `form` and `json` can be there", "keep one of them");
            return None;
        }
        (None, None) => {
            let help = "write `form: { user: \"{username}\", pass: \"{password}\" }`, or `json: '…'`";
            found.error("C005", &fields.at, "nothing says what is sent to this login", help);
            return None;
        }
    };
    let wanted = [(Piece::Username, "{username}"), (Piece::Password, "{password}")];
    for (_, name) in wanted.iter().filter(|(piece, _)| !template.has(piece)) {
        let what = format!("`{name}` is nowhere in what is sent to this login");
        found.error("C073", &at, what, "write it where the panel expects the value");
    }
    if template.has(&Piece::Token) != fetches {
        let help = "`before: { url, field }` fetches what `{token}` stands for; each needs the other";
        found.error("C073", &at, "`{token}` and `before` do not go together", help);
    }
    if !template.is_sound() {
        let help = r#"places stand inside strings: '{"user":"{username}","pass":"{password}"}'"#;
        found.error("C074", &at, "`json` is not JSON once its places are filled", help);
    }
    Some(template)
}

fn form_fields(form: &Fields<'_>, found: &mut Findings) -> Vec<(String, Vec<Piece>)> {
    let field = |(key, node): &(&Key, &Node)| {
        let text = scalar(node, "form", CODES, found)?;
        Some((key.text.clone(), Piece::split(text.value)))
    };
    form.entries().iter().filter_map(field).collect()
}

fn success(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Success> {
    let help = "write how the panel's answer to a right password differs from the one to a wrong password: \
                `success: { status: [302], location_not: /login }`";
    fields.require("success", help, found);
    let mut section = fields.sub("success", found)?;
    let success = Success {
        status: statuses(&mut section, found),
        location: place(&mut section, "location", found),
        location_not: place(&mut section, "location_not", found),
        json: wanted(&mut section, found),
        cookie: section.text("cookie", found).map(|text| text.value.to_owned()),
    };
    if success == Success::default() {
        found.error("C075", &section.at, "`success` holds for every answer", help);
    } else if (Success { status: vec![], ..success.clone() }) == Success::default()
        && success.status.contains(&200)
    {
        let what = "status 200 alone counts as success";
        found.warning("C076", &section.at, what, "many panels answer 200 to a wrong password, too: name a cookie, a location or a JSON value as well");
    }
    section.finish(found);
    Some(success)
}

fn statuses(fields: &mut Fields<'_>, found: &mut Findings) -> Vec<u16> {
    let texts = fields.texts("status", found);
    let mut read = |text: &Written<&str>| {
        let status = text.value.parse::<u16>().ok().filter(|status| (200..500).contains(status));
        if status.is_none() {
            let what = format!("`{}` is not a status that a panel answers with", text.value);
            found.error("C006", &text.at, what, "write numbers from 200 to 499: `[200, 302]`");
        }
        status
    };
    texts.iter().filter_map(&mut read).collect()
}

/// A path, with a query if it matters.
fn place(fields: &mut Fields<'_>, key: &'static str, found: &mut Findings) -> Option<String> {
    let text = fields.text(key, found)?;
    if !text.value.starts_with('/') {
        let what = format!("`{}` is not a path", text.value);
        found.error("C006", &text.at, what, "write it from the root: `/login`");
    }
    Some(text.value.to_owned())
}

fn wanted(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Wanted> {
    let mut section = fields.sub("json", found)?;
    section.require("pointer", "write where to look: `/ok`", found);
    let pointer = pointer(&mut section, "pointer", found);
    let equals = section.text("equals", found).map(|text| text.value.to_owned());
    section.finish(found);
    Some(Wanted { pointer: pointer?, equals })
}

fn pointer(fields: &mut Fields<'_>, key: &'static str, found: &mut Findings) -> Option<String> {
    let text = fields.text(key, found)?;
    if !text.value.starts_with('/') {
        let what = format!("`{}` is not a JSON pointer", text.value);
        found.error("C006", &text.at, what, "write the keys from the outside in: `/user/name`");
    }
    Some(text.value.to_owned())
}

fn claims(fields: &mut Fields<'_>, found: &mut Findings) -> Claims {
    let Some(mut section) = fields.sub("claims", found) else { return Claims::default() };
    let claims = Claims {
        name: pointer(&mut section, "name", found),
        role: pointer(&mut section, "role", found),
        email: pointer(&mut section, "email", found),
        display: pointer(&mut section, "display", found),
    };
    section.finish(found);
    claims
}

fn roles(fields: &mut Fields<'_>, found: &mut Findings) -> (BTreeMap<String, Role>, Vec<Written<String>>) {
    let Some(section) = fields.sub("roles", found) else { return Default::default() };
    let mut places = Vec::new();
    let mut map = BTreeMap::new();
    for (key, node) in section.entries() {
        let Some(ours) = scalar(node, "roles", CODES, found) else { continue };
        map.insert(key.text.clone(), Role::from(ours.value));
        places.push(Written { at: ours.at, value: ours.value.to_owned() });
    }
    (map, places)
}

fn authorities(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Vec<Vec<u8>> {
    let Some(text) = fields.text("ca_file", &mut sources.found) else { return Vec::new() };
    let path = sources.certificates(base.path(&text), &text.at);
    // What cannot be read has been said.
    let Ok(found) = CertificateDer::pem_file_iter(path) else { return Vec::new() };
    found.filter_map(Result::ok).map(|der| der.to_vec()).collect()
}

fn pass_on(fields: &mut Fields<'_>, found: &mut Findings) -> PassOn {
    let Some(mut section) = fields.sub("pass_on", found) else { return PassOn::default() };
    let cookies = section.texts("cookies", found);
    for cookie in &cookies {
        field_name(cookie, found);
    }
    let token = token(&mut section, found);
    section.finish(found);
    PassOn { cookies: cookies.iter().map(|text| text.value.to_owned()).collect(), token }
}

fn token(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Token> {
    let mut section = fields.sub("token", found)?;
    section.require("pointer", "write where the answer has the token: `/token`", found);
    let pointer = pointer(&mut section, "pointer", found);
    let header = section.text("header", found);
    if let Some(header) = &header {
        field_name(header, found);
        let taken = ["cookie", "host", "content-length", "transfer-encoding", "connection"];
        let name = header.value.to_ascii_lowercase();
        if taken.contains(&name.as_str()) || name.starts_with("x-gate-") || name.starts_with("remote-") {
            let what = format!("`{}` cannot carry the panel's token", header.value);
            found.error("C006", &header.at, what, "write `Authorization`, or a field of the panel's own");
        }
    }
    let prefix = section.text("prefix", found).map(|text| text.value.to_owned());
    section.finish(found);
    let header = header.map_or_else(|| "authorization".to_owned(), |text| text.value.to_ascii_lowercase());
    let standard = if header == "authorization" { "Bearer " } else { "" };
    Some(Token { pointer: pointer?, header, prefix: prefix.unwrap_or_else(|| standard.to_owned()) })
}

fn field_name(text: &Written<&str>, found: &mut Findings) {
    if http::HeaderName::from_bytes(text.value.as_bytes()).is_err() {
        let what = format!("`{}` is not a name that a cookie or a header field can have", text.value);
        found.error("C006", &text.at, what, "write the bare name: `panel_session`, `Authorization`");
    }
}

fn signed_out(fields: &mut Fields<'_>, pass_on: &PassOn, found: &mut Findings) -> Option<SignedOut> {
    let mut section = fields.sub("signed_out", found)?;
    let status = statuses(&mut section, found);
    let location = place(&mut section, "location", found);
    let cookie = section.text("cookie", found);
    if let Some(cookie) =
        cookie.as_ref().filter(|cookie| !pass_on.cookies.iter().any(|name| name == cookie.value))
    {
        let what = format!("`{}` is not one of the cookies that are passed on", cookie.value);
        found.error("C006", &cookie.at, what, "name the panel's session cookie, which it takes back");
    }
    if status.is_empty() && location.is_none() && cookie.is_none() {
        let help = "write `signed_out: { status: [401] }` or `signed_out: { location: /login }`";
        found.error("C005", &section.at, "`signed_out` says nothing", help);
    }
    section.finish(found);
    Some(SignedOut { status, location, cookie: cookie.map(|cookie| cookie.value.to_owned()) })
}

fn renew(
    fields: &mut Fields<'_>,
    pass_on: &PassOn,
    signed_out: Option<&SignedOut>,
    found: &mut Findings,
) -> bool {
    let Some(renew) = fields.boolean("renew", found) else { return false };
    if renew.value && (pass_on.is_empty() || signed_out.is_none()) {
        let help = "without `pass_on` nobody is signed in to the panel, and without `signed_out` nobody notices its end";
        found.error("C077", &renew.at, "`renew` needs `pass_on` and `signed_out`", help);
    }
    renew.value
}
