//! Which variables are settings, which belong to others, and what a misspelt one was meant to be.

use crate::{config::schema, rules::written::nearest};

const PREFIX: &str = "PANELGATE_";

/// What has no section.
const WITHOUT_SECTION: [&str; 3] = ["data_dir", "master_key_file", "master_key_old_file"];

/// What the program itself reads.
const OTHERS_OF_OURS: [&str; 3] = ["CONFIG", "MASTER_KEY", "MASTER_KEY_OLD"];

/// What a variable is.
pub(super) enum Name {
    /// A setting, with the way to it in lower case.
    Setting(Vec<String>),
    /// Not a setting, and nobody thinks that it is one.
    Foreign,
    /// Looks like a setting and is none.
    Unknown {
        /// What was meant.
        help: String,
    },
}

/// Reads a variable's name.
pub(super) fn read(name: &str) -> Name {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Name::Foreign };
    if OTHERS_OF_OURS.contains(&rest) || is_of_orchestrators(rest) {
        return Name::Foreign;
    }
    let path: Vec<String> = rest.to_ascii_lowercase().split("__").map(str::to_owned).collect();
    let sound = path.iter().all(|part| !part.is_empty());
    if sound && (path.len() > 1 || path.first().is_some_and(|key| WITHOUT_SECTION.contains(&key.as_str()))) {
        return Name::Setting(path);
    }
    Name::Unknown { help: meant(rest) }
}

/// Orchestrators set such names for a service that is called panelgate, or panelgate-something.
fn is_of_orchestrators(rest: &str) -> bool {
    let protocol = rest.contains("_TCP") || rest.contains("_UDP");
    rest == "PORT"
        || rest == "NAME"
        || rest.starts_with("ENV_")
        || rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest.ends_with("_PORT")
        || (rest.contains("PORT_") && protocol)
}

/// The setting whose name is closest, underscores aside; entries of lists are known by their number.
fn meant(rest: &str) -> String {
    let plain = |name: &str| {
        let parts = name.split('_').filter(|part| !part.is_empty());
        parts.map(|part| if part.parse::<u32>().is_ok() { "0" } else { part }).collect::<Vec<_>>().join("_")
    };
    let mut known = schema::variables();
    known.extend(OTHERS_OF_OURS.map(str::to_owned));
    let flat: Vec<(String, &String)> = known.iter().map(|name| (plain(name), name)).collect();
    let near = nearest(&plain(rest), flat.iter().map(|(plain, _)| plain.as_str()));
    match near.and_then(|near| flat.iter().find(|(plain, _)| plain == near)) {
        Some((_, name)) => format!("did you mean `{PREFIX}{name}`?"),
        None => "settings are written `PANELGATE_SECTION__KEY`, with two underscores: `PANELGATE_LOG__LEVEL`"
            .into(),
    }
}
