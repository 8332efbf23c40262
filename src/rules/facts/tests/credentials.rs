//! R10, R19: credentials are read exactly; malformed is not absent, and two are not one.

use super::{Sent, headers};
use crate::{
    rules::{
        facts::{BadAsk, Presented},
        reason::Reason,
    },
    secret::SecretText,
};

fn presented(fields: &[(&str, &[u8])]) -> Result<Presented, BadAsk> {
    Sent { headers: headers(fields), ..Sent::default() }.describe().map(|(facts, _)| facts.presented)
}

fn reason(fields: &[(&str, &[u8])]) -> Reason {
    presented(fields).unwrap_err().reason
}

fn texts(values: &[SecretText]) -> Vec<&str> {
    values.iter().map(SecretText::expose).collect()
}

fn access(cookie: &[u8]) -> Vec<String> {
    let presented = presented(&[("cookie", cookie)]).unwrap();
    texts(&presented.access).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_three_cookies_are_found_among_others() {
    let found = presented(&[(
        "cookie",
        b"theme=dark; __Host-gate_access=aaa; __Secure-gate_refresh=rrr; __Host-gate_pending=ppp; x=1",
    )])
    .unwrap();
    assert_eq!(
        (texts(&found.access), texts(&found.refresh), texts(&found.pending)),
        (vec!["aaa"], vec!["rrr"], vec!["ppp"])
    );
}

/// Rows 113, 114: no legacy parsing, no folding, no mapping of Unicode blanks.
#[test]
fn cookie_names_are_exact_bytes() {
    let others: [&[u8]; 9] = [
        b"__host-gate_access=x",
        b"__Host-gate-access=x",
        b"\xe2\x80\x80__Host-gate_access=x",
        b"\xa0__Host-gate_access=x",
        b"a=1, __Host-gate_access=x",
        b"__Host-gate_access",
        b"__Host-gate_access=",
        b"__Host-gate_access%3Dx",
        b"x=__Host-gate_access=x",
    ];
    for cookie in others {
        assert!(access(cookie).is_empty(), "{}", String::from_utf8_lossy(cookie));
    }
    assert_eq!(access(b"$Version=1; __Host-gate_access=x"), ["x"]);
    assert_eq!(access(b"$Version=1, __Host-gate_access=x"), [""; 0]);
    assert_eq!(access(b"__Host-gate_access=\"x; y=\\\"z\""), ["\"x"], "quotes are part of a value");
    assert_eq!(access(b" \t__Host-gate_access = x=y \t"), ["x=y"]);
    assert_eq!(access(b";;__Host-gate_access=x;;"), ["x"]);
}

/// R3: a value that is not text must not count as no credential (row 10).
#[test]
fn a_mangled_value_is_presented_and_cannot_verify() {
    assert_eq!(access(b"__Host-gate_access=\xff\xfe").len(), 1);
}

#[test]
fn several_values_are_all_kept_once() {
    assert_eq!(access(b"__Host-gate_access=a; __Host-gate_access=b; __Host-gate_access=a"), ["a", "b"]);
    // HTTP/2 may split the field.
    let split = presented(&[
        ("cookie", b"__Host-gate_access=a"),
        ("cookie", b"__Secure-gate_refresh=r; __Host-gate_access=b"),
    ])
    .unwrap();
    assert_eq!((texts(&split.access), texts(&split.refresh)), (vec!["a", "b"], vec!["r"]));
    let many: String =
        "012345678".chars().flat_map(|n| ["__Host-gate_access=".to_owned(), format!("{n};")]).collect();
    assert_eq!(reason(&[("cookie", many.as_bytes())]), Reason::ConflictingCredentials);
}

#[test]
fn cookies_are_at_most_16_kib_together() {
    let half = vec![b'a'; 8 * 1024];
    assert!(presented(&[("cookie", &half), ("cookie", &half)]).is_ok());
    assert_eq!(reason(&[("cookie", &half), ("cookie", &half), ("cookie", b"a")]), Reason::Malformed);
}

/// Row 55: one line, one space, one token.
#[test]
fn bearer_is_read_strictly() {
    let bearer = |value: &[u8]| {
        presented(&[("authorization", value)]).map(|found| found.bearer.map(|text| text.expose().to_owned()))
    };
    assert_eq!(bearer(b"Bearer abc.def-1_2~+/="), Ok(Some("abc.def-1_2~+/=".into())));
    assert_eq!(bearer(b"bearer abc"), Ok(Some("abc".into())));
    assert_eq!(bearer(b"Bearer 7|sanctum"), Ok(Some("7|sanctum".into())));
    for other in
        [&b"Basic dXNlcjpwdw=="[..], b"Digest a=b, c=d", b"", b"Negotiate", b"Bearer-ish x", b"Bearers x"]
    {
        assert_eq!(bearer(other), Ok(None), "{}", String::from_utf8_lossy(other));
    }
    for wrong in [
        &b"Bearer"[..],
        b"Bearer ",
        b"Bearer  abc",
        b"bearer\tabc",
        b"Bearer a b",
        b"Bearer a, Bearer b",
        b"Bearer\xa0a",
        b"Bearer \xff",
        b"Bearer abc\t",
        b"Bearer:abc",
        b"Bearer,abc",
    ] {
        assert_eq!(
            bearer(wrong).unwrap_err().reason,
            Reason::Malformed,
            "{}",
            String::from_utf8_lossy(wrong)
        );
    }
    let twice: [(&str, &[u8]); 2] = [("authorization", b"Bearer a"), ("authorization", b"Basic b")];
    assert_eq!(reason(&twice), Reason::ConflictingCredentials);
}

#[test]
fn tokens_of_trusted_issuers_are_found_where_the_configuration_says() {
    let external = |fields: &[(&str, &[u8])]| {
        let found = presented(fields)?.external;
        Ok::<_, BadAsk>(
            found.into_iter().map(|(name, text)| format!("{name}:{}", text.expose())).collect::<Vec<_>>(),
        )
    };
    assert_eq!(external(&[("cookie", b"panel_jwt=c; other=x")]).unwrap(), ["legacy:c"]);
    assert_eq!(external(&[("authorization", b"Bearer h")]).unwrap(), ["legacy:h"]);
    assert_eq!(external(&[("x-panel-token", b"t"), ("x_panel_token", b"u")]).unwrap(), ["legacy:t"]);
    let same: [(&str, &[u8]); 2] = [("authorization", b"Bearer c"), ("cookie", b"panel_jwt=c")];
    assert_eq!(external(&same).unwrap(), ["legacy:c"]);
    let both: [(&str, &[u8]); 2] = [("authorization", b"Bearer h"), ("cookie", b"panel_jwt=c")];
    assert_eq!(external(&both).unwrap(), ["legacy:c", "legacy:h"]);
    let twice: [(&str, &[u8]); 2] = [("x-panel-token", b"t"), ("x-panel-token", b"u")];
    assert_eq!(external(&twice).unwrap_err().reason, Reason::ConflictingCredentials);
    assert_eq!(external(&[]).unwrap(), [""; 0]);
}

#[test]
fn secrets_do_not_show_in_what_is_printed() {
    let shown = format!("{:?}", presented(&[("cookie", b"__Host-gate_access=canary")]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}
