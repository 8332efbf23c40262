//! Who may know whom.

use crate::{paths::named, source::Source};

/// What one module may import from the others.
struct Row {
    module: &'static str,
    /// Prefixes that are allowed, `::` between segments.
    may: &'static [&'static str],
    /// Prefixes that are refused although something in `may` covers them.
    never: &'static [&'static str],
}

/// The import matrix. The most specific row counts; a module may always import itself, and `tests` are exempt.
const MATRIX: &[Row] = &[
    Row { module: "clock", may: &[], never: &[] },
    Row { module: "frames", may: &[], never: &[] },
    Row { module: "entropy", may: &[], never: &[] },
    Row { module: "secret", may: &[], never: &[] },
    Row { module: "meter", may: &[], never: &[] },
    Row { module: "rules", may: &["clock", "secret"], never: &["clock::Clock", "clock::SystemClock"] },
    Row {
        module: "store",
        may: &["rules", "clock", "meter", "secret", "frames"],
        never: &["rules::judge", "rules::policy"],
    },
    Row {
        module: "live",
        may: &["rules", "store", "clock", "meter", "secret"],
        never: &["store::redb", "store::memory", "store::postgres"],
    },
    Row { module: "gate", may: &["rules", "live", "store", "clock", "entropy", "secret"], never: &[] },
    Row { module: "feeds", may: &["rules", "live", "clock", "entropy", "secret"], never: &["rules::judge"] },
    Row {
        module: "doors",
        may: &["gate", "rules", "clock", "entropy", "secret"],
        never: &["rules::policy", "rules::judge"],
    },
    Row {
        module: "doors::dialect",
        may: &["rules", "doors", "gate", "clock"],
        never: &["rules::policy", "rules::judge"],
    },
    Row {
        module: "portal",
        may: &["gate", "live", "store", "rules", "clock", "entropy", "secret"],
        never: &["rules::judge::judge", "store::redb", "store::memory", "store::postgres"],
    },
    Row { module: "telemetry", may: &["rules", "clock"], never: &["rules::judge"] },
    Row {
        module: "config",
        may: &["rules", "live", "doors", "portal", "feeds", "telemetry", "clock", "secret"],
        never: &["rules::judge"],
    },
    Row {
        module: "app",
        may: &[
            "config",
            "doors",
            "portal",
            "feeds",
            "store",
            "gate",
            "live",
            "rules",
            "telemetry",
            "clock",
            "entropy",
            "meter",
            "secret",
            "frames",
        ],
        never: &[],
    },
    Row {
        module: "doctor",
        may: &["app", "rules", "clock", "entropy", "secret"],
        never: &["rules::judge", "app::compose"],
    },
    Row {
        module: "demo",
        may: &["app", "config", "feeds", "gate", "store", "rules", "clock", "entropy", "secret"],
        never: &["store::redb", "store::memory", "store::postgres"],
    },
    Row {
        module: "cli",
        may: &[
            "app",
            "config",
            "demo",
            "doctor",
            "feeds",
            "store",
            "rules",
            "telemetry",
            "clock",
            "entropy",
            "secret",
        ],
        never: &["store::redb", "store::memory", "store::postgres"],
    },
    Row { module: "main", may: &["cli"], never: &[] },
];

/// Crates and modules that decide nothing and therefore have no place in `rules`.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::io",
    "tokio",
    "tokio_util",
    "tokio_stream",
    "futures_util",
    "async_trait",
    "hyper",
    "hyper_util",
    "axum",
    "tower",
    "pingora_core",
    "pingora_proxy",
    "pingora_http",
    "redb",
    "tracing",
    "getrandom",
    "rand",
    "aws_lc_rs::rand",
    "rustix",
];

/// Paths into other modules that the matrix does not allow.
pub(crate) fn matrix(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.is_test(files)) {
        let own = own_name(file);
        let Some(row) = row(&own) else {
            if !own.is_empty() {
                problems.push(format!("src/{}: no row of the import matrix covers it", file.path));
            }
            continue;
        };
        for (line, target) in own_paths(file) {
            let inside = covers(row.module, &target) || covers(&own, &target);
            let may = row.may.iter().any(|prefix| covers(prefix, &target));
            let never = row.never.iter().any(|prefix| covers(prefix, &target));
            if !inside && (never || !may) {
                problems.push(format!(
                    "src/{}:{line}: `{}` may not import `{target}`; it may import: {}",
                    file.path,
                    row.module,
                    row.may.join(", "),
                ));
            }
        }
    }
    problems
}

/// Adapters of the store, named anywhere but in `store` and `app`.
pub(crate) fn concrete_stores(files: &[Source]) -> Vec<String> {
    let adapters = ["store::redb", "store::memory", "store::postgres"];
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.is_test(files)) {
        if matches!(file.module().first(), Some(&"store" | &"app")) {
            continue;
        }
        for (line, target) in own_paths(file) {
            if adapters.iter().any(|adapter| covers(adapter, &target)) {
                problems
                    .push(format!("src/{}:{line}: `{target}` is for `app` alone; use the trait", file.path));
            }
        }
    }
    problems
}

/// I/O, waiting, time, randomness and logging in `rules`.
pub(crate) fn pure_rules(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.module().first() == Some(&"rules") && !file.is_test(files)) {
        for found in named(&file.code) {
            let path = found.segments.join("::");
            if IMPURE.iter().any(|prefix| covers(prefix, &path)) {
                problems
                    .push(format!("src/{}:{}: `{path}` in `rules`: pass a value in", file.path, found.line));
            }
        }
        for (line, text) in (1..).zip(file.code.lines()) {
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.into_iter().any(|word| word == "async" || word == "await") {
                problems.push(format!("src/{}:{line}: `rules` never waits", file.path));
            }
        }
    }
    problems
}

/// Paths of this crate that the file names, from the root, without `crate::`.
fn own_paths(file: &Source) -> Vec<(usize, String)> {
    let module = file.module();
    let is_root = file.path == "main.rs";
    named(&file.code)
        .into_iter()
        .filter_map(|found| {
            let segments: Vec<_> = found.segments.iter().map(String::as_str).collect();
            let ups = segments.iter().take_while(|segment| **segment == "super").count();
            let path = match segments.first() {
                Some(&"crate") => segments[1..].to_vec(),
                Some(&"panelgate") if is_root => segments[1..].to_vec(),
                Some(&"super") => {
                    let base = &module[..module.len().saturating_sub(ups)];
                    [base, &segments[ups..]].concat()
                }
                _ => return None,
            };
            (!path.is_empty()).then(|| (found.line, path.join("::")))
        })
        .collect()
}

fn own_name(file: &Source) -> String {
    if file.path == "main.rs" { "main".to_owned() } else { file.module().join("::") }
}

fn row(own: &str) -> Option<&'static Row> {
    MATRIX.iter().filter(|row| covers(row.module, own)).max_by_key(|row| row.module.len())
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
