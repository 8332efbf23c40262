//! Backups of a daemon that serves, and the way back.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{binary, command, place, run, run_for};
use crate::support::{
    house::{House, signal},
    process::Running,
    workspace,
};

/// A bcrypt hash; nobody signs in with it.
const HASH: &str = "$2b$12$V.JWiJ/GLFQAZJh0hqoAhupos/9URJby0mbd6hTrg0pNWqbfu5vKm";

fn config(house: &House) -> PathBuf {
    house.directory.join("config.yaml")
}

/// Accounts from a file, all in one write.
fn import(config: &Path, directory: &Path, names: std::ops::Range<u32>) {
    let rows = names.map(|n| format!("imported-{n},user,{HASH}"));
    let lines: Vec<_> = std::iter::once("name,role,password_hash".to_owned()).chain(rows).collect();
    let file = directory.join("users.csv");
    fs::write(&file, lines.join("\n")).expect("the workspace is writable");
    run_for(config, &["user", "import", &file.display().to_string()]).ok();
}

/// Starts the gate of a house again, as a service manager would.
fn start_again(house: &House) -> Running {
    let config = config(house).display().to_string();
    let running =
        Running::start("again", &house.directory, Path::new(binary()), &["serve", "--config", &config]);
    running.wait_for_port(house.edge);
    let client = house.client();
    running.wait_until("serve", || client.is_served());
    running
}

/// The whole claim: a daemon that serves and is written to is backed up; what was there is there again on another
/// machine, and what came afterwards is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_under_writes_is_backed_up_and_restored_elsewhere() {
    let house = House::start("backup-load");
    let (config, directory) = (config(&house), house.directory.clone());
    let somebody = house.somebody().await;
    import(&config, &directory, 0..300);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (config, directory, stop) = (config.clone(), directory.clone(), Arc::clone(&stop));
        move || {
            let mut upto = 300;
            while !stop.load(Ordering::Relaxed) {
                import(&config, &directory, upto..upto + 10);
                upto += 10;
            }
            upto
        }
    });
    let users = |config: &Path| run_for(config, &["user", "list", "--json"]).json();
    let count = |config: &Path| users(config).as_array().map_or(0, Vec::len) as u64;
    let file = directory.join("under-load.tar.gz");
    let file = file.display().to_string();
    let before = count(&config);
    let made = run_for(&config, &["backup", &file, "--json"]).json();
    let after = count(&config);
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
    let in_it = made["manifest"]["store"]["users"].as_u64().expect("a number");
    assert!(before <= in_it && in_it <= after, "{before} {in_it} {after}");
    assert_eq!((in_it - before) % 10, 0, "an import is in it whole or not at all");

    let quiet = directory.join("quiet.tar.gz").display().to_string();
    let sessions = |config: &Path| {
        let listed = run_for(config, &["session", "list", "--json"]).json();
        let listed = listed.as_array().expect("a list").clone();
        listed.iter().map(|one| (one["id"].to_string(), one["state"].to_string())).collect::<Vec<_>>()
    };
    let (expected, alive) = (users(&config), sessions(&config));
    run_for(&config, &["backup", &quiet, "--with-journal"]).ok();
    import(&config, &directory, 900_000..900_001);
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200, "it serves on");

    for (backup, expected_count) in [(&file, in_it), (&quiet, expected.as_array().map_or(0, Vec::len) as u64)]
    {
        let elsewhere = place(&workspace::directory(&format!("backup-elsewhere-{expected_count}")));
        run_for(&elsewhere, &["restore", backup, "--sessions", "keep"]).ok();
        assert_eq!(count(&elsewhere), expected_count);
        run_for(&elsewhere, &["audit", "verify"]).ok();
        if backup == &quiet {
            assert_eq!(users(&elsewhere), expected);
            assert_eq!(sessions(&elsewhere), alive);
        }
    }
    let looked_at = run(&["backup", "--verify", &quiet]).ok();
    assert!(looked_at.contains("is whole") && looked_at.contains("the secret in"), "{looked_at}");
}

/// Nothing is touched while a daemon runs. Afterwards every session that the backup knows is over, the audit trail goes on,
/// and what is undone is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_waits_for_the_daemon_to_stop_and_ends_every_session() {
    let house = House::start("restore-house");
    let config = config(&house);
    let somebody = house.somebody().await;
    let file = house.directory.join("b.tar.gz").display().to_string();
    run_for(&config, &["backup", &file]).ok();
    run_for(&config, &["user", "disable", "some-reader"]).ok();
    run_for(&config, &["restore", &file, "--yes"]).says(1, "systemctl stop panelgate");
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    house.gate.running.stop();
    run_for(&config, &["restore", &file]).says(1, "--yes");
    let report = run_for(&config, &["restore", &file, "--yes"]).ok();
    assert!(report.contains("1 session ended") && report.contains("user-disabled"), "{report}");
    let audit = run_for(&config, &["audit", "verify", "--json"]).json();
    assert_eq!(audit["intact"], true, "{audit}");
    let records = run_for(&config, &["audit", "search", "--event", "restored", "--json"]).json();
    assert_eq!(records[0]["sessions_ended"], 1, "{records}");
    let again = start_again(&house);
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 401, "the session is over");
    assert_eq!(somebody.refresh().await.status, 401, "and its family dead");
    let anew = house.somebody().await;
    assert_eq!(anew.background("GET", "/echo/x").await.status, 200);
    run_for(&config, &["user", "list"]).ok();
    again.stop();
}

/// The daemon dies with half of the backup written: there is no file of that name, nothing is left lying about, and the
/// store is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_while_it_is_backed_up_leaves_nothing_half() {
    let house = House::start("backup-killed");
    let config = config(&house);
    let (data, target) = (house.directory.join("data"), house.directory.join("out"));
    fs::create_dir(&target).expect("the workspace is writable");
    // Enough that nobody can be done with it before it is seen.
    let mut noise = File::open("/dev/urandom").expect("randomness").take(96 << 20);
    let name = "journal/allowed-0001795577055123-0.journal";
    let mut journal = File::create(data.join(name)).expect("the workspace is writable");
    std::io::copy(&mut noise, &mut journal).expect("the workspace is writable");
    journal.flush().expect("the workspace is writable");
    let file = target.join("b.tar.gz").display().to_string();
    let arguments = ["backup", &file, "--with-journal", "--config", &config.display().to_string()];
    let mut child = command(&arguments).stderr(Stdio::piped()).spawn().expect("panelgate starts");
    let begun = || {
        fs::read_dir(&target).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.metadata().is_ok_and(|found| found.len() > 1 << 20)))
        })
    };
    for _ in 0..20_000 {
        if begun() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    signal("KILL", house.serving());
    let status = child.wait().expect("it ends");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("cut off"), "{said}");
    assert_eq!(fs::read_dir(&target).expect("it is there").count(), 0, "nothing half");
    let stray: Vec<_> =
        fs::read_dir(&data).expect("it is there").map(|file| file.expect("a file").file_name()).collect();
    let known = ["panelgate.redb", "keys", "audit", "journal", "admin.socket"];
    assert!(stray.iter().all(|name| known.iter().any(|known| name == known)), "{stray:?}");
    // Without a daemon the command does it itself.
    run_for(&config, &["backup", &file]).ok();
    run(&["backup", "--verify", &file]).ok();
    fs::remove_file(data.join(name)).expect("it was there");
}

#[test]
fn what_is_there_is_not_overwritten_and_what_is_no_backup_is_refused() {
    let directory = workspace::directory("backup-manners");
    let config = place(&directory);
    let file = directory.join("b.tar.gz").display().to_string();
    run_for(&config, &["backup", &file]).says(3, "nothing");
    run_for(&config, &["user", "list"]).ok();
    run_for(&config, &["backup", &file]).ok();
    run_for(&config, &["backup", &file]).says(1, "--force");
    run_for(&config, &["backup", &file, "--force", "--quiet"]).ok();
    // A configuration beside us is named without its folder.
    let mut beside = command(&["backup", "b.tar.gz", "--force", "--config", "config.yaml"]);
    let beside = beside.current_dir(&directory).output().expect("panelgate starts");
    assert!(beside.status.success(), "{beside:?}");
    let nowhere = directory.join("none/b.tar.gz").display().to_string();
    run_for(&config, &["backup", &nowhere]).says(3, "No such file");
    run_for(&config, &["restore", &nowhere]).says(3, "No such file");
    let policy = directory.join("policy.yaml").display().to_string();
    run(&["backup", "--verify", &policy]).says(1, "no backup");
    run_for(&config, &["restore", &policy, "--yes"]).says(1, "nothing was restored");
    // Through a pipe, the report is on standard error.
    let piped = command(&["backup", "-", "--config", &config.display().to_string()])
        .output()
        .expect("panelgate starts");
    assert!(piped.status.success() && String::from_utf8_lossy(&piped.stderr).contains("sha256"), "{piped:?}");
    fs::write(directory.join("piped.tar.gz"), &piped.stdout).expect("the workspace is writable");
    run(&["backup", "--verify", &directory.join("piped.tar.gz").display().to_string()]).ok();
    // Unpacked, the trail can be checked where it lies.
    let into = directory.join("look").display().to_string();
    run(&["restore", &file, "--into", &into]).ok();
    let mut verify = command(&["audit", "verify", "--config", &config.display().to_string()]);
    let verified = verify.env("PANELGATE_DATA_DIR", &into).output().expect("panelgate starts");
    assert!(verified.status.success(), "{verified:?}");
}
