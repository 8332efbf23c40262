//! Examples for the long help of every verb and for its manual page. A test reads each as the command line would.

use clap::Command;

/// The verb as it is typed, and examples.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["panelgate serve --config /etc/panelgate/config.yaml"]),
    (
        "check",
        &["panelgate check", "panelgate check --config new.yaml --json", "panelgate check --explain P017"],
    ),
    ("config schema", &["panelgate config schema > config.schema.json"]),
    (
        "policy explain",
        &[
            "panelgate policy explain --user root --method POST --path /users/7",
            "panelgate policy explain --role admin --path /system --from 10.0.0.5 --at \"2026-11-25 08:00 Europe/Berlin\"",
        ],
    ),
    (
        "policy test",
        &[
            "panelgate policy test --coverage",
            "panelgate policy test policies/panel.test.yaml --min-coverage 90 --junit policy-tests.xml",
        ],
    ),
    (
        "policy diff",
        &["panelgate policy diff old.yaml new.yaml", "panelgate policy diff --running new.yaml --json"],
    ),
    (
        "policy replay",
        &[
            "panelgate policy replay new.yaml --since 24h",
            "panelgate policy replay new.yaml --user carol --json",
        ],
    ),
    ("policy schema", &["panelgate policy schema > policy.schema.json", "panelgate policy schema --tests"]),
    ("why", &["panelgate why 7K3F-92QD"]),
    (
        "doctor",
        &[
            "panelgate doctor --through https://panel.example.com --stand-in 127.0.0.1:8080",
            "panelgate doctor --through https://panel.example.com --proxy traefik --json",
            "panelgate doctor --explain D030",
        ],
    ),
    ("demo", &["panelgate demo", "panelgate demo --tour"]),
    ("user add", &["panelgate user add carol --role reseller --email carol@example.com"]),
    ("user import", &["panelgate user import users.csv --role user"]),
    ("user list", &["panelgate user list", "panelgate user list --json"]),
    ("user passwd", &["panelgate user passwd carol"]),
    ("user role", &["panelgate user role carol admin"]),
    ("user disable", &["panelgate user disable carol"]),
    ("user unlock", &["panelgate user unlock carol", "panelgate user unlock carol --json"]),
    ("user enable", &["panelgate user enable carol"]),
    ("user remove", &["panelgate user remove carol --yes"]),
    ("2fa status", &["panelgate 2fa status carol"]),
    ("2fa enrol", &["panelgate 2fa enrol carol"]),
    ("2fa disable", &["panelgate 2fa disable carol"]),
    ("session list", &["panelgate session list --user carol", "panelgate session list --all --json"]),
    ("session revoke", &["panelgate session revoke 5DmLQ2Zr0nXc", "panelgate session revoke --user carol"]),
    ("key list", &["panelgate key list --user carol"]),
    ("key create", &["panelgate key create carol --name deploy --scope users:read --expires 90d"]),
    ("key revoke", &["panelgate key revoke 5DmLQ2Zr0nXc", "panelgate key revoke --user carol"]),
    (
        "key-material rotate",
        &["panelgate key-material rotate", "panelgate key-material rotate --master --drop-old"],
    ),
    ("key-material list", &["panelgate key-material list --json"]),
    ("ban list", &["panelgate ban list", "panelgate ban list --all --json"]),
    (
        "ban add",
        &[
            "panelgate ban add 203.0.113.7 --for 2h --reason \"guesses passwords\"",
            "panelgate ban add 2001:db8::/48",
            "panelgate ban add country:KP",
            "panelgate ban add asn:64500 --for 7d",
        ],
    ),
    ("ban lift", &["panelgate ban lift 203.0.113.7", "panelgate ban lift country:KP --json"]),
    (
        "ban import",
        &[
            "panelgate ban import firehol_level1.netset --for 2d --replace",
            "panelgate ban import decisions.json --format crowdsec --replace",
        ],
    ),
    ("ban export", &["panelgate ban export > blocked.netset", "panelgate ban export --format crowdsec"]),
    ("audit tail", &["panelgate audit tail -f", "panelgate audit tail -n 100 --json"]),
    (
        "audit search",
        &[
            "panelgate audit search --user carol --since 7d",
            "panelgate audit search --event sign-in-failed --client 203.0.113.0/24 --json",
        ],
    ),
    ("audit verify", &["panelgate audit verify", "panelgate audit verify --json"]),
    (
        "audit export",
        &[
            "panelgate audit export --since 2026-11-01T00:00:00Z",
            "panelgate audit export --format ocsf --event session-opened",
        ],
    ),
    ("audit archive", &["panelgate audit archive --before 400d /srv/archive"]),
    ("audit checkpoint", &["panelgate audit checkpoint"]),
    ("audit key", &["panelgate audit key > audit.pub"]),
    (
        "backup",
        &[
            "panelgate backup /var/backups/panelgate.tar.gz --force",
            "panelgate backup --verify /var/backups/panelgate.tar.gz",
            "panelgate backup - --quiet > /mnt/elsewhere/panelgate.tar.gz",
        ],
    ),
    (
        "restore",
        &[
            "panelgate restore /var/backups/panelgate.tar.gz --yes",
            "panelgate restore /var/backups/panelgate.tar.gz --into /root/look",
        ],
    ),
    ("high-security status", &["panelgate high-security status --user carol"]),
    ("high-security on", &["panelgate high-security on"]),
    ("high-security off", &["panelgate high-security off --user carol"]),
    ("completions", &["panelgate completions bash > /etc/bash_completion.d/panelgate"]),
    ("man", &["panelgate man /usr/local/share/man/man1"]),
];

/// Gives every verb its examples.
pub(super) fn give(command: Command) -> Command {
    with_examples(command, "")
}

fn with_examples(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let mut command = command;
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |one| with_examples(one, &path));
    }
    match EXAMPLES.iter().find(|(verb, _)| *verb == path) {
        Some((_, examples)) => command.after_long_help(format!("Examples:\n  {}", examples.join("\n  "))),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::{EXAMPLES, give};
    use crate::cli::Cli;

    /// The verbs below which there are none, as they are typed.
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        let below: Vec<_> = command.get_subcommands().filter(|one| one.get_name() != "help").collect();
        if below.is_empty() && !path.is_empty() {
            found.push(path.to_owned());
        }
        for one in below {
            leaves(one, format!("{path} {}", one.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_verb_has_an_example_and_every_example_a_verb() {
        let (command, mut verbs) = (give(Cli::command()), Vec::new());
        leaves(&command, "", &mut verbs);
        let mut named: Vec<_> = EXAMPLES.iter().map(|(verb, _)| (*verb).to_owned()).collect();
        verbs.sort();
        named.sort();
        assert_eq!(named, verbs, "a verb that comes or goes does so in the table above as well");
    }

    #[test]
    fn every_example_is_read_by_the_command_line() {
        for example in EXAMPLES.iter().flat_map(|(_, examples)| *examples) {
            let typed = example.split(" > ").next().unwrap();
            let words: Vec<&str> = typed
                .split('"')
                .enumerate()
                .flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                })
                .collect();
            if let Err(error) = give(Cli::command()).try_get_matches_from(words) {
                panic!("{example}: {error}");
            }
        }
    }

    #[test]
    fn the_definitions_are_sound() {
        give(Cli::command()).debug_assert();
    }
}
