//! An answer in the bytes of HTTP/1.1.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use httpdate::HttpDate;
use smol_str::ToSmolStr as _;

use crate::{
    clock::Wall,
    doors::{
        dialect::{Answer, Dialect, UNCACHED},
        identity_headers,
    },
    rules::outcome::Grant,
};

/// What most answers need.
const USUAL: usize = 1 << 10;

/// An answer to a question.
pub(super) enum Reply {
    /// Go on, with everything that the panel is told.
    Yes(Yes),
    /// Everything else.
    Whole(Response<Bytes>),
    /// The same to somebody whom nobody vouches for. He is to leave: places are for proxies (R1, R25).
    Leave(Response<Bytes>),
}

/// What goes with a yes.
pub(super) struct Yes {
    /// What is allowed.
    pub(super) grant: Grant,
    /// The signed assertion.
    pub(super) assertion: HeaderValue,
    /// What is left of the client's credentials.
    pub(super) credentials: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// As the HTTP engine wants it.
    pub(super) fn into_response(self, dialect: Dialect) -> Response<Bytes> {
        match self {
            Self::Whole(response) | Self::Leave(response) => response,
            Self::Yes(Yes { grant, assertion, credentials }) => {
                let identity = identity_headers::all(&grant, assertion).chain(credentials).collect();
                dialect.render(Answer::Allow { identity })
            }
        }
    }
}

/// Writes answers; it remembers how the present second is spelt.
#[derive(Default)]
pub(super) struct Replies {
    second: Option<u64>,
    date: String,
}

impl Replies {
    /// The whole answer. `to_head`: the question was a HEAD, whose answer has a length and no body. `last`: the
    /// connection ends with it.
    pub(super) fn write(&mut self, reply: &Reply, at: Wall, to_head: bool, last: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL);
        let body = match reply {
            // The same as it would be as a response, without building one: most answers are this one.
            Reply::Yes(yes) => {
                out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                identity_headers::each(&yes.grant, &yes.assertion, |name, value| {
                    field(&mut out, name, value);
                });
                for (name, value) in yes.credentials.iter().chain(&UNCACHED) {
                    field(&mut out, name, value.as_bytes());
                }
                &[]
            }
            Reply::Whole(response) | Reply::Leave(response) => whole(&mut out, response),
        };
        // As the engine has it.
        if !(to_head && body.is_empty()) {
            field(&mut out, &CONTENT_LENGTH, body.len().to_smolstr().as_bytes());
        }
        field(&mut out, &DATE, self.date(at).as_bytes());
        if last {
            field(&mut out, &CONNECTION, b"close");
        }
        out.extend_from_slice(b"\r\n");
        if !to_head {
            out.extend_from_slice(body);
        }
        out
    }

    fn date(&mut self, at: Wall) -> &str {
        if self.second != Some(at.secs()) {
            self.second = Some(at.secs());
            self.date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(at.secs())).to_string();
        }
        &self.date
    }
}

/// Writes what a response has, but for what is about the connection and the length; its body.
fn whole<'a>(out: &mut Vec<u8>, response: &'a Response<Bytes>) -> &'a [u8] {
    let status = response.status();
    for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in response.headers() {
        if ![CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING].contains(name) {
            field(out, name, value.as_bytes());
        }
    }
    response.body()
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderValue, Response, StatusCode, header};

    use super::{Replies, Reply};
    use crate::clock::Wall;

    /// RFC 9110, section 5.6.7, has this very example.
    const EXAMPLE: Wall = Wall::from_secs(784_111_777);

    fn refusal() -> Reply {
        let mut answer = Response::new(Bytes::from_static(b"no\n"));
        *answer.status_mut() = StatusCode::FORBIDDEN;
        let headers = answer.headers_mut();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("999"));
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        headers.insert("remote-name", HeaderValue::from_static(""));
        Reply::Whole(answer)
    }

    /// What another parser reads: status, fields, body.
    fn read(bytes: &[u8]) -> (u16, Vec<(String, String)>, String) {
        let mut space = [httparse::EMPTY_HEADER; 20];
        let mut response = httparse::Response::new(&mut space);
        let httparse::Status::Complete(end) = response.parse(bytes).unwrap() else { panic!("cut short") };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value)));
        (response.code.unwrap(), fields.collect(), text(&bytes[end..]))
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_answer_has_its_fields_one_length_and_the_date() {
        let (status, fields, body) = read(&Replies::default().write(&refusal(), EXAMPLE, false, false));
        assert_eq!((status, body.as_str()), (403, "no\n"));
        let expected = [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("remote-name", ""),
            ("content-length", "3"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        assert_eq!(fields, pairs(&expected), "framing that came with the answer is not said");
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body_and_the_last_one_says_so() {
        let (_, fields, body) = read(&Replies::default().write(&refusal(), EXAMPLE, true, true));
        assert_eq!(body, "");
        assert!(fields.contains(&("content-length".into(), "3".into())), "{fields:?}");
        assert!(fields.contains(&("connection".into(), "close".into())), "{fields:?}");
    }

    #[test]
    fn the_date_goes_with_the_time() {
        let mut replies = Replies::default();
        for (at, date) in [(0, "08:49:37"), (999, "08:49:37"), (1_000, "08:49:38"), (0, "08:49:37")] {
            let at = Wall::from_millis(EXAMPLE.millis() + at);
            let written = String::from_utf8(replies.write(&refusal(), at, false, false)).unwrap();
            assert!(written.contains(&format!("date: Sun, 06 Nov 1994 {date} GMT\r\n")), "{written}");
        }
    }
}
