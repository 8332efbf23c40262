//! Letters by SMTP (RFC 5321).

use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::{NotTold, Told, Way};
use crate::{
    config::{SmtpSettings, SmtpTls},
    feeds::{chain, files},
    portal::NewSignIn,
};

/// For each step of the conversation.
const PATIENCE: Duration = Duration::from_secs(10);

/// A mail server.
pub(super) struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    language: &'static str,
}

impl Mail {
    pub(super) fn new(settings: &SmtpSettings, language: &'static str) -> Result<Self, String> {
        let host = settings.host.as_str();
        let tls = match settings.tls {
            SmtpTls::StartTls => Tls::Required(parameters(settings)?),
            SmtpTls::Implicit => Tls::Wrapper(parameters(settings)?),
            SmtpTls::None => Tls::None,
        };
        let hello = ClientId::Domain(settings.from.email.domain().to_owned());
        // "Dangerous" is about the default, which is no TLS; `tls` says which.
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .tls(tls)
            .hello_name(hello)
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = &settings.login {
            server = server.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { server: server.build(), from: settings.from.clone(), language })
    }

    /// The letter, as it is sent. No text of anybody else gets into its head but the checked address: the name is not
    /// there, and the device and the place are in the body.
    pub(super) fn write(&self, news: &NewSignIn) -> Result<Message, String> {
        let to: Address =
            news.email.parse().map_err(|error| format!("the account's mail address: {error}"))?;
        let letter = news.letter(self.language);
        let id = format!("<{}.{}@{}>", news.session, news.at.millis(), self.from.email.domain());
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(UNIX_EPOCH + Duration::from_secs(news.at.secs()))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text)
            .map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Way for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    async fn tell(&self, news: &NewSignIn) -> Result<Told, NotTold> {
        if news.email.is_empty() {
            return Ok(Told::Nobody);
        }
        let message = self.write(news).map_err(|why| NotTold { why, again: false })?;
        match self.server.send(message).await {
            Ok(_) => Ok(Told::Sent),
            Err(error) => Err(NotTold { again: !error.is_permanent(), why: chain(&error) }),
        }
    }
}

fn parameters(settings: &SmtpSettings) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca {
        let shown = path.display();
        let pem = files::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| format!("{shown}: {error}"))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build_rustls().map_err(|error| format!("notices.smtp: {error}"))
}
