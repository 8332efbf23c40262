//! The `issuers` section.

use super::{
    ClaimNames, IssuerSettings, KeySource,
    read::{Base, CODES},
    secrets::{self, SECRET},
    sources::Sources,
};
use crate::{
    feeds::jwks::Source,
    rules::written::{At, Fields, Findings, Key, Node, Written, hint, scalar},
    secret::SecretBytes,
};

/// Reads every issuer.
pub(super) fn read(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Vec<IssuerSettings> {
    let nodes = fields.nodes("issuers", &mut sources.found);
    let mut issuers: Vec<IssuerSettings> = Vec::new();
    for node in nodes {
        let Some(issuer) = issuer(node, base, sources) else { continue };
        if issuers.iter().any(|other| other.name == issuer.name) {
            let what = format!("two issuers are called `{}`", issuer.name);
            sources.found.error("C033", &node.at, what, "sites refer to the name: choose another");
        }
        issuers.push(issuer);
    }
    issuers
}

fn issuer(node: &Node, base: Base<'_>, sources: &mut Sources<'_>) -> Option<IssuerSettings> {
    let mut fields = Fields::of(node, "an issuer", CODES, &mut sources.found)?;
    for (key, help) in [
        ("name", "sites refer to it by its name"),
        ("issuer", "write the exact `iss` of its tokens"),
        ("audience", "write what `aud` of its tokens must be or contain"),
    ] {
        fields.require(key, help, &mut sources.found);
    }
    let name = fields.text("name", &mut sources.found);
    let issuer = fields.text("issuer", &mut sources.found);
    let audience = fields.text("audience", &mut sources.found);
    let keys = key_source(&mut fields, base, sources);
    let shared = matches!(keys, Some(KeySource::Secret(_)));
    let algorithms = algorithms(&mut fields, shared, sources);
    let cookies = fields.texts("cookies", &mut sources.found);
    let headers = fields.texts("headers", &mut sources.found);
    if cookies.is_empty() && headers.is_empty() {
        let help = "write `cookies: [panel_jwt]` or `headers: [authorization]`";
        sources.found.error("C031", &fields.at, "nothing says where this issuer's tokens are found", help);
    }
    let claims = claims(&mut fields, sources);
    let roles = roles(&mut fields, sources);
    fields.finish(&mut sources.found);
    check_places(&cookies, &headers, &mut sources.found);
    Some(IssuerSettings {
        at: node.at.clone(),
        name: name?.value.to_owned(),
        issuer: issuer?.value.to_owned(),
        audience: audience?.value.to_owned(),
        keys: keys?,
        algorithms,
        cookies: owned(&cookies),
        headers: owned(&headers).into_iter().map(|name| name.to_ascii_lowercase()).collect(),
        claims,
        roles: roles.iter().map(|(theirs, ours)| (theirs.clone(), ours.value.clone())).collect(),
        role_places: roles.into_iter().map(|(_, ours)| ours).collect(),
    })
}

/// Cookies and header fields have names that somebody can send.
fn check_places(cookies: &[Written<&str>], headers: &[Written<&str>], found: &mut Findings) {
    for name in cookies.iter().chain(headers) {
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let what = format!("`{}` is not a name that a cookie or a header field can have", name.value);
            found.error(CODES.value, &name.at, what, "write the bare name: `panel_jwt`, `authorization`");
        }
    }
}

fn owned(texts: &[Written<&str>]) -> Vec<String> {
    texts.iter().map(|text| text.value.to_owned()).collect()
}

fn key_source(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<KeySource> {
    let [file, url] = ["jwks_file", "jwks_url"].map(|key| fields.text(key, &mut sources.found));
    let secret = secrets::read(fields, SECRET, base, sources);
    let places = [file.as_ref().map(|file| &file.at), url.as_ref().map(|url| &url.at)];
    let places = places.into_iter().chain([secret.as_ref().map(|secret| &secret.at)]);
    let ways: Vec<At> = places.flatten().cloned().collect();
    if let [_, second, ..] = ways.as_slice() {
        let what = "only one of `jwks_file`, `jwks_url` and `secret_file` can be there";
        sources.found.error("C032", second, what, "keep one of them");
        return None;
    }
    if let Some(file) = file {
        return Some(KeySource::File(sources.key_set(base.path(&file), &file.at)));
    }
    if let Some(secret) = secret {
        // One that cannot be used has been said and stops the loading; the algorithms are still those of a secret.
        let secret = secret.secret.map(|text| SecretBytes::new(text.expose().as_bytes()));
        return Some(KeySource::Secret(secret.unwrap_or_else(|| SecretBytes::new([0; 32]))));
    }
    let Some(url) = url else {
        let what = "nothing says where this issuer's keys come from";
        let help = "write `jwks_file: …`, `jwks_url: …` or, for HS256, `secret_file: …`";
        sources.found.error("C005", &fields.at, what, help);
        return None;
    };
    if let Err(error) = Source::url(url.value) {
        sources.found.error("C006", &url.at, error.to_string(), "write an https address");
        return None;
    }
    Some(KeySource::Url(url.value.to_owned()))
}

/// HS256 goes with a shared secret and nothing else, every other algorithm with public keys (R10).
fn algorithms(fields: &mut Fields<'_>, shared: bool, sources: &mut Sources<'_>) -> Vec<String> {
    const PUBLIC: [&str; 9] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    const SHARED: [&str; 1] = ["HS256"];
    let known: &[&str] = if shared { &SHARED } else { &PUBLIC };
    fields.require("algorithms", "list what it signs with: `algorithms: [RS256]`", &mut sources.found);
    let mut chosen = Vec::new();
    for text in fields.texts("algorithms", &mut sources.found) {
        if known.contains(&text.value) {
            chosen.push(text.value.to_owned());
        } else {
            let what = format!("`{}` is not an algorithm that this issuer may sign with", text.value);
            let help = if SHARED.contains(&text.value) {
                "a shared secret is named by `secret_file:`, not by a key set".to_owned()
            } else {
                hint(text.value, known)
            };
            sources.found.error("C006", &text.at, what, help);
        }
    }
    chosen
}

fn claims(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> ClaimNames {
    let mut names = ClaimNames { user: "sub".into(), session: "sid".into(), role: None, email: None };
    let Some(mut section) = fields.sub("claims", &mut sources.found) else { return names };
    if let Some(user) = section.text("user", &mut sources.found) {
        names.user = user.value.into();
    }
    if let Some(session) = section.text("session", &mut sources.found) {
        names.session = session.value.into();
    }
    names.role = section.text("role", &mut sources.found).map(|text| text.value.to_owned());
    names.email = section.text("email", &mut sources.found).map(|text| text.value.to_owned());
    section.finish(&mut sources.found);
    names
}

/// The issuer's role and ours, as written.
fn roles(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Vec<(String, Written<String>)> {
    let Some(section) = fields.sub("roles", &mut sources.found) else { return Vec::new() };
    let ours = |(key, node): &(&Key, &Node)| {
        let ours = scalar(node, "roles", CODES, &mut sources.found)?;
        Some((key.text.clone(), Written { at: ours.at, value: ours.value.to_owned() }))
    };
    section.entries().iter().filter_map(ours).collect()
}
