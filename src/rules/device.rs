//! What a browser calls itself, shortened to what people recognise: `Firefox on Linux`.

/// In this order, since most browsers claim to be others as well.
const BROWSERS: [(&str, &str); 22] = [
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox Focus"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Epiphany/", "GNOME Web"),
    ("Safari/", "Safari"),
    ("Trident/", "Internet Explorer"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];

/// In this order: phones claim to be the system that they come from.
const SYSTEMS: [(&str, &str); 12] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("iPod", "iPod"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("Linux", "Linux"),
];

/// At most 40 characters of letters, digits, spaces, `.`, `-`, `_` and `/`. Of what is unknown the product's name and
/// version stay, and nothing that a mail program would make a link of: whoever signs in chooses the text.
pub fn name(user_agent: &str) -> String {
    let find = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => product(user_agent),
    }
}

/// RFC 9110 §10.1.5: `name/version`.
fn product(user_agent: &str) -> String {
    let first = user_agent.split([' ', '(']).next().unwrap_or_default();
    let (name, version) = first.split_once('/').unwrap_or((first, ""));
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = name.chars().take_while(plain).take(24).collect();
    let version: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').take(15).collect();
    if name.is_empty() || version.is_empty() { name } else { format!("{name}/{version}") }
}
