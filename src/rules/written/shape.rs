//! What somebody probably meant who wrote a value of another shape.

use super::{Key, Node, Value, parse_duration};

/// How a mapping looks, by what messages call it.
const EXAMPLES: [(&str, &str); 27] = [
    ("the configuration", "start with `version: 1` and `sites:`; config.yaml of the sources shows every key"),
    ("the policy", "start with `version: 1`, `roles:` and `pages:`; docs/policy.md shows every key"),
    ("the test file", "start with `cases:`; docs/policy.md shows every key"),
    ("a case", "write `- name: …`, and `role:`, `path:` and `expect:` below it"),
    ("defaults", "write `defaults: { role: root }`"),
    ("a site", "write `- name: panel`, and `origins:` and `policy:` below it"),
    ("a page", "write `- name: users`, and `paths:` and `access:` below it"),
    ("a login", "write `- name: panel-login`, and `url:`, `form:` and `success:` below it"),
    ("an issuer", "write `- name: panel-jwt`, and `issuer:`, `audience:` and where its keys are below it"),
    ("a secret", "write `{ name: nginx, secret_file: /etc/panelgate/nginx.secret }`"),
    ("access", "say what each role may do: `access: { root: full, user: read }`"),
    ("the access of a role", "write one word, or `{ unelevated: read, elevated: full }`"),
    ("elevation", "write `elevation: { lasts: 15m }`"),
    ("scopes", "write `scopes: { read: users:read, write: users:write }`"),
    ("when", "write `when: { networks: [10.0.0.0/8] }`, without a dash"),
    ("sidecar", "write `sidecar: { socket: /run/panelgate/sidecar.sock }`"),
    ("edge", "write `edge: { listen: [\"0.0.0.0:8443\"], certificates: certs/ }`"),
    ("admin", "write `admin: { socket: /run/panelgate/admin.socket }`"),
    ("metrics", "write `metrics: { listen: 127.0.0.1:9959 }`"),
    ("limits", "write one `key: value` a line"),
    ("lifetimes", "write `lifetimes: { access: 15m }`"),
    ("second_factor", "write `second_factor: { at_sign_in: always }`"),
    ("passwords", "write `passwords: { min_length: 12 }`"),
    ("cookies", "write `cookies: { domain: example.com }`"),
    ("geoip", "write `geoip: { city: /var/lib/GeoIP/GeoLite2-City.mmdb }`"),
    ("success", "write `success: { status: [302], location_not: /login }`"),
    ("log", "write `log: { level: info }`"),
];

/// How to write a mapping instead.
pub(super) fn for_mapping(what: &str, node: &Node) -> String {
    if let Value::Scalar(text) = &node.value
        && let Some((key, value)) = text.split_once([':', '='])
        && is_key(key.trim())
    {
        let (key, value) = (key.trim(), value.split_whitespace().next().unwrap_or("…"));
        return format!("a colon and a space come between key and value: `{key}: {value}`");
    }
    let example = EXAMPLES.iter().find(|(name, _)| *name == what).map(|(_, example)| (*example).to_owned());
    example.unwrap_or_else(|| "write `key: value` pairs, one a line".to_owned())
}

/// `{root:full}` is one word to YAML.
pub(super) fn glued(key: &Key, value: &Node) -> Option<String> {
    let (name, rest) = key.text.split_once(':').filter(|_| value.value == Value::Null)?;
    (is_key(name) && !rest.is_empty()).then(|| format!("put a space after the colon: `{name}: {rest}`"))
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

/// The same in the words that there are.
pub(super) fn synonym(word: &str, known: &[&str]) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let meant: &[&'static str] = match word.as_str() {
        "yes" | "on" | "1" | "true" => &["true", "full", "read"],
        "no" | "off" | "0" | "false" => &["false", "none", "off"],
        "write" | "rw" | "readwrite" | "read-write" | "all" | "everything" | "2" => &["full"],
        "ro" | "readonly" | "read-only" | "view" | "look" => &["read"],
        "deny" | "denied" | "nothing" | "never" | "block" => &["none", "deny"],
        "forbidden" | "blocked" | "refused" | "403" => &["deny"],
        "allowed" | "permit" | "ok" | "pass" | "200" => &["allow"],
        "login" | "unauthorized" | "401" => &["sign-in"],
        "warning" => &["warn"],
        "verbose" => &["debug"],
        "ssl" | "tls" => &["implicit"],
        "plain" => &["none", "text"],
        _ => &[],
    };
    meant.iter().find(|meant| known.contains(meant)).copied()
}

/// How to write a duration.
pub(super) fn for_duration(text: &str) -> String {
    let plain: String = text.to_lowercase().split([' ', ',', '_']).collect();
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("write its unit: `{plain}s` for seconds, `{plain}m` for minutes");
    }
    let digits = plain.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0);
    let parts = digits.and_then(|digits| plain.split_at_checked(digits));
    let unit = parts.and_then(|(_, unit)| match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        _ => None,
    });
    match (parts, unit) {
        (Some((number, _)), Some(unit)) if parse_duration(&format!("{number}{unit}")).is_some() => {
            format!("did you mean `{number}{unit}`?")
        }
        _ => "write it like `90s`, `15m`, `1h30m` or `7d`".to_owned(),
    }
}
