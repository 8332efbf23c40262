//! The demo as somebody meets it who has just built the program.

use std::{process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panelgate"));
    command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// The whole promise, played by a client of its own against both doors, with the gate killed in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn the_tour_holds() {
    let ran = timeout(Duration::from_secs(180), demo().arg("--tour").output());
    let output = ran.await.expect("the tour takes too long").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let last = text.trim_end().lines().last().unwrap();
    let numbers: Vec<u32> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(last, format!("tour: {0} of {0} steps held", numbers[0]), "{text}");
    assert!(numbers[0] >= 30, "only {last}");
}

/// One line of JSON first; SIGTERM ends it cleanly, and the temporary directory goes with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_starts_says_where_it_is_and_stops() {
    let mut process = demo().args(["--json", "--port-base", "0"]).spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    timeout(Duration::from_secs(30), output.read_line(&mut line)).await.expect("no output").unwrap();
    let facts: serde_json::Value = serde_json::from_str(&line).unwrap();
    let config = std::path::PathBuf::from(facts["config"].as_str().unwrap());
    assert!(config.exists());
    assert_eq!(facts["pid"].as_u64().map(|pid| u32::try_from(pid).unwrap()), process.id());

    let pid = Pid::from_raw(i32::try_from(process.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = timeout(Duration::from_secs(30), process.wait()).await.expect("it does not stop").unwrap();
    assert!(ended.success(), "{ended}");
    let mut rest = String::new();
    output.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "", "something else was printed");
    assert!(!config.exists(), "the temporary directory was left behind");
}
