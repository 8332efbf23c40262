//! Telling people about sign-ins from somewhere new.

use std::path::PathBuf;

use lettre::message::Mailbox;

use super::{
    read::{Base, CODES},
    secrets::{self, PASSWORD, SECRET},
    sources::Sources,
};
use crate::{
    feeds,
    rules::written::{Fields, Written},
    secret::{SecretBytes, SecretText},
};

/// How people are told. With neither way, the pages of the account are the only place where it shows.
#[derive(Clone, Debug, Default)]
pub struct NoticeSettings {
    /// The language of letters: `en` or `de`.
    pub language: &'static str,
    /// By mail.
    pub smtp: Option<SmtpSettings>,
    /// By a call to a program.
    pub webhook: Option<WebhookSettings>,
}

/// A mail server that takes our letters.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub tls: SmtpTls,
    /// User name and password, if the server wants them.
    pub login: Option<(String, SecretText)>,
    /// Whom letters come from.
    pub from: Mailbox,
    /// A PEM file with who else may sign the server's certificate, besides those that the machine trusts.
    pub ca: Option<PathBuf>,
}

/// How a connection to a mail server is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// By STARTTLS, which is insisted on (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

/// A program that is called.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Its address: https, or http on this machine.
    pub url: http::Uri,
    /// Signs what is sent; at least 32 bytes.
    pub secret: SecretBytes,
}

/// The ways of telling people.
pub(super) fn read(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> NoticeSettings {
    let none = NoticeSettings { language: "en", ..NoticeSettings::default() };
    let Some(mut section) = fields.sub("notices", &mut sources.found) else { return none };
    let languages = [("en", "en"), ("de", "de")];
    let language = section.one_of("language", &languages, &mut sources.found).map_or("en", |text| text.value);
    let smtp = section.sub("smtp", &mut sources.found).and_then(|fields| smtp(fields, base, sources));
    let webhook = section.sub("webhook", &mut sources.found);
    let webhook = webhook.and_then(|fields| self::webhook(fields, base, sources));
    section.finish(&mut sources.found);
    NoticeSettings { language, smtp, webhook }
}

fn smtp(mut fields: Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<SmtpSettings> {
    const WAYS: [(&str, SmtpTls); 3] =
        [("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::None)];
    fields.require("host", "write the mail server's name: `host: mail.example.com`", &mut sources.found);
    fields.require("from", "write whom letters come from: `from: panel@example.com`", &mut sources.found);
    let host = fields.text("host", &mut sources.found);
    let tls = fields.one_of("tls", &WAYS, &mut sources.found);
    let way = tls.as_ref().map_or(SmtpTls::StartTls, |tls| tls.value);
    let port = fields.count("port", &mut sources.found);
    let from = fields.text("from", &mut sources.found);
    let login = login(&mut fields, base, sources);
    let ca = fields.text("ca", &mut sources.found);
    let ca = ca.map(|text| sources.certificates(base.path(&text), &text.at));
    let at = tls.map_or_else(|| fields.at.clone(), |tls| tls.at);
    fields.finish(&mut sources.found);
    let port = self::port(port, way, sources);
    let from = from.and_then(|text| mailbox(&text, sources));
    let (host, port, from) = (host?.value.to_owned(), port?, from?);
    if login.is_some() && way == SmtpTls::None && !is_here(&host) {
        let help = "write `tls: starttls` or `tls: implicit`";
        sources.found.error("C071", &at, format!("the password for {host} could be read on its way"), help);
    }
    Some(SmtpSettings { host, port, tls: way, login, from, ca })
}

/// The usual ports: submission (587), submissions (465), smtp (25).
fn port(port: Option<Written<usize>>, tls: SmtpTls, sources: &mut Sources<'_>) -> Option<u16> {
    let Some(port) = port else {
        return Some(match tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        });
    };
    let number = u16::try_from(port.value).ok();
    if number.is_none() {
        let what = format!("`{}` is not a port", port.value);
        sources.found.error(CODES.value, &port.at, what, "write a number up to 65535");
    }
    number
}

fn login(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<(String, SecretText)> {
    let user = fields.text("user", &mut sources.found);
    let password = secrets::read(fields, PASSWORD, base, sources);
    let at = match (user, password) {
        (None, None) => return None,
        (Some(user), Some(password)) => return Some((user.value.to_owned(), password.secret?)),
        (Some(user), None) => user.at,
        (None, Some(password)) => password.at,
    };
    let what = "a mail server wants a user name and a password, or neither";
    sources.found.error("C070", &at, what, "write both `user` and `password_file`");
    None
}

fn mailbox(text: &Written<&str>, sources: &mut Sources<'_>) -> Option<Mailbox> {
    let mailbox = text.value.parse().ok();
    if mailbox.is_none() {
        let what = format!("`{}` is not a mail address", text.value.escape_debug());
        let help = "write `panel@example.com` or `Example panel <panel@example.com>`";
        sources.found.error(CODES.value, &text.at, what, help);
    }
    mailbox
}

fn webhook(mut fields: Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<WebhookSettings> {
    fields.require("url", "write the address that is called: `url: https://…`", &mut sources.found);
    let help = "make one with `openssl rand -hex 32`, and write `secret_file: …`";
    let url = fields.text("url", &mut sources.found);
    let secret = secrets::require(&mut fields, SECRET, base, help, sources);
    fields.finish(&mut sources.found);
    let url = url?;
    let Some(address) = feeds::jwks::https_or_local(url.value) else {
        let what =
            format!("`{}` is not an address that notices are sent to", shown(url.value).escape_debug());
        let help = "write `https://…`, or `http://` with a loopback address";
        sources.found.error(CODES.value, &url.at, what, help);
        return None;
    };
    Some(WebhookSettings { url: address, secret: SecretBytes::new(secret?.expose().as_bytes()) })
}

/// Scheme and host: programs are called with secrets in the rest.
fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return "(hidden)".to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/")
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
