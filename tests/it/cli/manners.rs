//! Help, usage, pipes, shells, manual pages.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use super::{Told, binary, command, place, run, run_for};
use crate::support::{process::program, workspace};

#[test]
fn wrong_usage_is_2_and_says_what_would_be_right() {
    for (arguments, said) in [
        (&["user", "lst"][..], "list"),
        (&["nonsense"], "Usage"),
        (&["session", "revoke"], "--user"),
        (&["backup"], "<FILE>"),
        (&["restore"], "<FILE>"),
        (&["restore", "x", "--sessions", "perhaps"], "keep"),
        (&["restore", "x", "--into", "y", "--yes"], "cannot be used with"),
        (&["backup", "x", "--verify", "--force"], "cannot be used with"),
    ] {
        run(arguments).says(2, said);
    }
}

#[test]
fn without_a_configuration_it_says_which_one_was_looked_for() {
    for verb in [&["user", "list"][..], &["backup", "x"], &["audit", "tail"], &["ban", "list"]] {
        let told = run(&[verb, &["--config", "/nonexistent/config.yaml"]].concat());
        told.says(1, "/nonexistent/config.yaml");
    }
}

/// Whoever is neither root nor the owner is told so, with and without a daemon.
#[test]
fn strangers_are_sent_to_sudo() {
    // Only root can become somebody else.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = workspace::directory("cli-stranger");
    let config = place(&directory);
    run_for(&config, &["user", "list"]).ok();
    fs::set_permissions(directory.join("data"), fs::Permissions::from_mode(0o700)).expect("ours");
    let config = config.display().to_string();
    for verb in [&["user", "list"][..], &["restore", "/dev/null"]] {
        let mut stranger = Command::new(program("setpriv"));
        stranger.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", binary()]);
        let output = stranger.args(verb).args(["--config", &config]).output().expect("setpriv starts");
        Told::of(output).says(3, "use sudo");
    }
}

/// Nobody reads on: that is no failure, and no panic.
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let directory = workspace::directory("cli-pipe");
    let config = place(&directory);
    for n in 0..3 {
        let name = format!("carol-{n}");
        let mut add = command(&["user", "add", &name, "--role", "user", "--password-stdin", "--config"]);
        let mut child = add.arg(&config).stdin(Stdio::piped()).spawn().expect("panelgate starts");
        child.stdin.take().expect("piped").write_all(b"correct horse battery staple\n").expect("it reads");
        assert!(child.wait().expect("it ends").success());
    }
    let config = config.display();
    for verb in [
        "audit tail -n 1000",
        "audit export",
        "user list",
        "completions bash",
        "man",
        "--help",
        "audit --help",
    ] {
        let piped = format!("{} {verb} --config {config} | head -c 1", binary());
        let piped = if verb.contains("completions") || verb == "man" || verb.contains("--help") {
            format!("{} {verb} | head -c 1", binary())
        } else {
            piped
        };
        let output =
            Command::new("bash").args(["-o", "pipefail", "-c", &piped]).output().expect("bash starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{verb}: {said}");
        assert_eq!(output.status.code(), Some(0), "{verb}");
    }
}

/// Colours and bars are for terminals.
#[test]
fn nothing_for_terminals_is_in_what_machines_read() {
    let directory = workspace::directory("cli-plain");
    let config = place(&directory);
    let file = directory.join("b.tar.gz").display().to_string();
    run_for(&config, &["user", "list"]).ok();
    for verb in [&["backup", &file][..], &["audit", "verify"], &["check"], &["restore", &file, "--yes"]] {
        let told = run_for(&config, verb);
        assert!(!told.out.contains('\u{1b}') && !told.err.contains('\u{1b}'), "{told:?}");
    }
}

#[test]
fn bash_completes_verbs_and_options() {
    let directory = workspace::directory("cli-complete");
    let script = directory.join("panelgate.bash");
    fs::write(&script, run(&["completions", "bash"]).ok()).expect("the workspace is writable");
    let checked = Command::new("bash").arg("-n").arg(&script).output().expect("bash starts");
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
    for (typed, expected) in [
        (&["panelgate", "res"][..], "restore"),
        (&["panelgate", "user", "imp"], "import"),
        (&["panelgate", "2fa", "sta"], "status"),
        (&["panelgate", "backup", "--with"], "--with-journal"),
        (&["panelgate", "restore", "--sessions", ""], "keep"),
    ] {
        let words: Vec<_> = typed.iter().map(|word| format!("'{word}'")).collect();
        let last = typed.len() - 1;
        let ask = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={last}; _panelgate panelgate '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display(),
            words.join(" "),
            typed[last],
            typed[last - 1]
        );
        let output = Command::new("bash").args(["-c", &ask]).output().expect("bash starts");
        let offered = String::from_utf8_lossy(&output.stdout);
        assert!(offered.lines().any(|line| line == expected), "{typed:?}: {offered} {output:?}");
    }
    for (shell, name) in [("zsh", "#compdef panelgate"), ("fish", "complete -c panelgate")] {
        assert!(run(&["completions", shell]).ok().contains(name), "{shell}");
    }
}

/// groff finds nothing to complain about, in any page.
#[test]
fn manual_pages_are_clean() {
    let directory = workspace::directory("cli-man");
    run(&["man", &directory.display().to_string()]).ok();
    let mut pages = 0;
    for page in fs::read_dir(&directory).expect("they are there").map(|page| page.expect("a file").path()) {
        let groff = Command::new(program("groff")).args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output();
        let groff = groff.expect("groff starts");
        let said = String::from_utf8_lossy(&groff.stderr);
        assert!(groff.status.success() && said.is_empty(), "{}: {said}", page.display());
        pages += 1;
    }
    assert!(pages > 30, "{pages} pages");
}
