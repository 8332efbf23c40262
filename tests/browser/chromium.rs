//! The one browser of the test run.

use std::{fs, path::PathBuf, sync::OnceLock};

use super::{
    process::{Running, program},
    workspace::directory,
};

const FLAGS: [&str; 17] = [
    "--headless=new",
    // The tests may run as root, and visit nothing but the demo: every other name leads nowhere.
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-renderer-backgrounding",
    "--no-first-run",
    "--password-store=basic",
    "--hide-scrollbars",
    "--lang=en-GB",
];

struct Chromium {
    address: String,
    _running: Running,
}

/// Where to connect to; starts the browser at the first call. It ends with the test run, however that ends.
pub(crate) fn address() -> &'static str {
    static CHROMIUM: OnceLock<Chromium> = OnceLock::new();
    &CHROMIUM.get_or_init(start).address
}

fn start() -> Chromium {
    let directory = directory("chromium");
    let profile = directory.join("profile");
    let profile_flag = format!("--user-data-dir={}", profile.display());
    let mut arguments = FLAGS.to_vec();
    arguments.extend([profile_flag.as_str(), "about:blank"]);
    let running = Running::start("chromium", &directory, &program("chromium"), &arguments);
    let port_file = profile.join("DevToolsActivePort");
    running.wait_until("open its debugging port", || port(&port_file).is_some());
    let address = port(&port_file).expect("it was there a moment ago");
    Chromium { address, _running: running }
}

/// Two lines: the port, and the path of the browser's own WebSocket.
fn port(file: &PathBuf) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (port, path) = text.trim().split_once('\n')?;
    Some(format!("ws://127.0.0.1:{port}{path}"))
}
