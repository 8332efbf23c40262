//! R4 and R5: what is refused, what is recorded, and that the canonical form is one.

use proptest::prelude::*;

use super::Sent;
use crate::rules::{
    facts::{Ambiguity, Target},
    reason::Reason,
};

/// Rows 5–9, 13, 15, 16, 22–26, 28, 30, 39: no page can open these.
const HOSTILE: [&[u8]; 61] = [
    // Row 39: not a path at all; absolute and authority form, asterisk.
    b"",
    b"admin",
    b"*",
    b"http://panel.example.com/admin",
    b"panel.example.com:443",
    b"?x=/admin",
    // Rows 6–9: fragments.
    b"/admin#x",
    b"/foo/secret#/bar",
    b"/public#/../admin",
    b"/admin?x#.png",
    b"#",
    b"/admin#.png",
    // Rows 15, 16, 22–25, 28: dot segments, raw and in every encoding.
    b"/x/../admin",
    b"/public/../admin/secrets",
    b"/./admin/secret",
    b"/a/.",
    b"/a/..",
    b"/..",
    b"/.",
    b"/../",
    b"/%2e/admin",
    b"/%2E%2E/admin",
    b"/.%2e/admin",
    b"/%2e./admin",
    b"/api/%2e%2e%2fadmin",
    b"/api/..%2fadmin",
    b"/api/..%2Fadmin",
    b"/service%2f..%2fadmin",
    b"/x%2f..%2fadmin",
    b"/api/auth/validate-sso/..%2f..%2fproxy/x",
    b"/x%5c..%5cadmin",
    b"/x%5C%2e%2e%5Cadmin",
    b"/a%2f./b",
    b"/a%2f.",
    // Path parameters that a servlet container strips before it resolves dots.
    b"/public/..;/admin",
    b"/public/..;a=b/admin",
    b"/public/.;/admin",
    b"/public/..%3b/admin",
    b"/public/%2e%2e;/x",
    // Encoded twice and more.
    b"/%252e%252e/admin",
    b"/%252e%252e%252fadmin",
    b"/%25252e%25252e/x",
    b"/%25%32%65%25%32%65/x",
    b"/..%252fx",
    b"/..%23/x",
    b"/..%3f/x",
    // Row 30 and its raw form.
    b"/x\\..\\admin",
    b"/x\\admin",
    b"\\admin",
    // Row 13: NUL and other control characters, raw and encoded.
    b"/\0not-one-factor",
    b"/a%00b",
    b"/a%0d%0ab",
    b"/a%1fb",
    b"/a%7fb",
    b"/a\tb",
    b"/a%2500b",
    b"/a%c2%85b",
    // Bytes outside printable ASCII, text that is not UTF-8 when decoded, an overlong slash.
    b"/caf\xc3\xa9",
    b"/a b",
    b"/%c0%af",
    b"/%ff",
];

#[test]
fn hostile_targets_are_always_refused() {
    for target in HOSTILE {
        let sent = Sent { target, ..Sent::default() };
        let shown = String::from_utf8_lossy(target);
        assert_eq!(sent.reason(), Some(Reason::AmbiguousTarget), "{shown}");
    }
}

#[test]
fn broken_percent_encoding_is_refused() {
    for target in ["/%", "/a%", "/%2", "/%zz", "/%2g/x", "/%%32", "/a/%u002e"] {
        assert_eq!(Target::parse(target.as_bytes()).unwrap_err().reason, Reason::AmbiguousTarget, "{target}");
    }
}

#[test]
fn a_target_is_at_most_8_kib() {
    let longest = format!("/{}", "a".repeat(8 * 1024 - 1));
    assert!(Target::parse(longest.as_bytes()).is_ok());
    assert_eq!(Target::parse(format!("{longest}a").as_bytes()).unwrap_err().reason, Reason::Malformed);
}

/// R4: classes that a page can open are recorded, so that the judge can refuse them where none does.
#[test]
fn openable_classes_are_recorded_and_stay_encoded() {
    use Ambiguity::{
        EmptySegment, EncodedBackslash, EncodedHash, EncodedPercent, EncodedQuestion, EncodedSlash, Semicolon,
    };
    let cases: [(&str, &[Ambiguity], &[&str]); 14] = [
        ("/a%2fb", &[EncodedSlash], &["a%2Fb"]),
        ("/a%2Fb", &[EncodedSlash], &["a%2Fb"]),
        ("/a%5cb", &[EncodedBackslash], &["a%5Cb"]),
        ("/foo/secret%23/bar", &[EncodedHash], &["foo", "secret%23", "bar"]),
        ("/a%3fb", &[EncodedQuestion], &["a%3Fb"]),
        ("/100%25", &[EncodedPercent], &["100%25"]),
        ("/secret%2523/x", &[EncodedPercent], &["secret%2523", "x"]),
        ("/a;v=1/b", &[Semicolon], &["a;v=1", "b"]),
        ("/a%3bv/b", &[Semicolon], &["a%3Bv", "b"]),
        ("//admin", &[EmptySegment], &["", "admin"]),
        ("/a//b", &[EmptySegment], &["a", "", "b"]),
        ("/a//", &[EmptySegment], &["a", ""]),
        ("//admin/secret", &[EmptySegment], &["", "admin", "secret"]),
        ("/a%2Fb//c;d", &[EncodedSlash, Semicolon, EmptySegment], &["a%2Fb", "", "c;d"]),
    ];
    for (target, classes, segments) in cases {
        let parsed = Target::parse(target.as_bytes()).unwrap();
        assert_eq!(parsed.ambiguities, classes, "{target}");
        assert_eq!(parsed.segments, segments, "{target}");
        assert_eq!(&*parsed.raw, target, "R5: what goes upstream is what was sent");
    }
}

/// Rows 15, 29: encoded letters are letters; case is kept, since panels keep it.
#[test]
fn harmless_encoding_is_decoded_for_matching() {
    let cases = [
        ("/%61dmin", "/admin", false),
        ("/%41DMIN", "/ADMIN", false),
        ("/users/%37/", "/users/7/", true),
        ("/caf%C3%A9", "/café", false),
        ("/a%20b", "/a b", false),
        ("/...", "/...", false),
        ("/.well-known/x", "/.well-known/x", false),
        ("/a..b/..c/d..", "/a..b/..c/d..", false),
        ("/", "/", false),
        ("/?a", "/", false),
    ];
    for (target, path, slash) in cases {
        let parsed = Target::parse(target.as_bytes()).unwrap();
        assert_eq!((parsed.path().as_str(), parsed.trailing_slash), (path, slash), "{target}");
        assert_eq!(parsed.ambiguities, [], "{target}");
    }
}

/// Row 5: whatever stands behind the question mark, the path stays what it is.
#[test]
fn the_query_is_never_part_of_the_path() {
    for query in ["", "x=/public/health", "/../public", "a?b", "//", "%2e%2e", "100%", "q=a\\b", ";/public"] {
        let parsed = Target::parse(format!("/admin?{query}").as_bytes()).unwrap();
        assert_eq!(parsed.segments, ["admin"], "{query}");
        assert_eq!(parsed.query.as_deref(), Some(query));
        assert_eq!(parsed.ambiguities, [], "{query}");
    }
}

#[test]
fn removing_every_layer_of_encoding_takes_linear_time() {
    let deep = format!("/{}", "%25".repeat(2700));
    let nested = format!("/%{}", "25".repeat(4000));
    for target in [deep, nested] {
        let parsed = Target::parse(target.as_bytes()).unwrap();
        assert_eq!(parsed.ambiguities, [Ambiguity::EncodedPercent]);
    }
}

/// A second reading of a path, naive and separate, for comparing.
fn naively_decoded(path: &str) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    loop {
        let found = (0..bytes.len().saturating_sub(2)).find_map(|at| {
            let text = std::str::from_utf8(&bytes[at + 1..at + 3]).ok()?;
            let hex = bytes[at] == b'%' && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some((at, u8::from_str_radix(text, 16).ok().filter(|_| hex)?))
        });
        let Some((at, byte)) = found else { return bytes };
        bytes.splice(at..at + 3, [byte]);
    }
}

fn encode(path: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%;".contains(&byte);
    path.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Paths out of the pieces that attacks are made of.
fn hostile_path() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("/"),
        Just("."),
        Just(".."),
        Just("%2e"),
        Just("%2F"),
        Just("%5c"),
        Just("%25"),
        Just("2e"),
        Just("2f"),
        Just(";"),
        Just("%3B"),
        Just("%23"),
        Just("%3f"),
        Just("%00"),
        Just("%41"),
        Just("%c3%a9"),
        Just("a"),
        Just("%"),
        Just("\\"),
        Just("?"),
        Just("admin"),
    ];
    prop::collection::vec(pieces, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_canonical_form_is_its_own_canonical_form(target in hostile_path()) {
        if let Ok(first) = Target::parse(target.as_bytes()) {
            let again = Target::parse(encode(&first.path()).as_bytes()).unwrap();
            prop_assert_eq!(&again.segments, &first.segments);
            prop_assert_eq!(again.trailing_slash, first.trailing_slash);
            prop_assert_eq!(&again.ambiguities, &first.ambiguities);
        }
    }

    #[test]
    fn no_accepted_path_can_be_decoded_into_a_traversal(target in hostile_path()) {
        if let Ok(parsed) = Target::parse(target.as_bytes()) {
            prop_assert_eq!(&*parsed.raw, target.as_str());
            let path = target.split('?').next().unwrap();
            let bare = String::from_utf8_lossy(&naively_decoded(path)).replace(['\\', '?', '#', ';'], "/");
            prop_assert!(!bare.split('/').any(|name| name == ".." || name == "."), "{}", target);
            prop_assert!(!bare.contains('\0'), "{}", target);
        }
    }

    #[test]
    fn a_path_without_ambiguity_reads_the_same_everywhere(target in hostile_path()) {
        if let Ok(parsed) = Target::parse(target.as_bytes())
            && parsed.ambiguities.is_empty()
        {
            let path = target.split('?').next().unwrap();
            prop_assert_eq!(parsed.path().into_bytes(), naively_decoded(path));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_kept(target in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(parsed) = Target::parse(&target) {
            prop_assert_eq!(parsed.raw.as_bytes(), target.as_slice());
        }
    }
}
