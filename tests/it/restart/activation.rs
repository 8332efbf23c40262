//! Sockets that systemd listens on.

use std::{io::Read as _, os::unix::net::UnixStream, path::Path, time::Duration};

use crate::support::{
    house::House,
    process::{Running, program},
};

/// The same service with every listener passed in: nothing is bound, nothing is removed, and it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_systemd_passes_are_used_and_their_files_are_left_alone() {
    let house = House::start("activation");
    house.gate.running.stop();
    let (socket, admin) = (&house.gate.socket, house.directory.join("data/admin.socket"));
    assert!(!socket.exists() && !admin.exists(), "our own files go with us");
    let service = activate(&house, &[socket, &admin]);
    let somebody = house.somebody().await;
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    assert!(UnixStream::connect(socket).is_ok() && UnixStream::connect(&admin).is_ok());
    let log = String::from_utf8_lossy(&service.stop()).into_owned();
    assert!(log.contains("nothing in the configuration listens there"), "the odd one is named: {log}");
    assert!(socket.exists() && admin.exists(), "they are systemd's");
}

/// `systemd-socket-activate` listens, and starts the gate when somebody connects.
fn activate(house: &House, paths: &[&Path]) -> Running {
    let odd = crate::support::ports::free();
    let mut arguments: Vec<String> = Vec::new();
    for port in [house.edge, house.gate.port, odd] {
        arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
    }
    for path in paths {
        arguments.extend(["--listen".to_owned(), path.display().to_string()]);
    }
    let config = house.directory.join("config.yaml").display().to_string();
    // Names are for people; the addresses decide.
    arguments.push("--fdname=edge:sidecar:odd:sidecar-socket:admin".to_owned());
    arguments.extend([env!("CARGO_BIN_EXE_panelgate").to_owned(), "serve".into(), "--config".into(), config]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let running =
        Running::start("activated", &house.directory, &program("systemd-socket-activate"), &arguments);
    running.wait_for_port(house.edge);
    // The connection above has started it; one that is answered shows that it serves.
    let client = house.client();
    running.wait_until("serve", || client.is_served());
    running
}

/// A datagram socket is nothing to serve on, and is said so.
#[test]
fn a_socket_of_the_wrong_kind_is_an_error() {
    let directory = crate::support::workspace::directory("activation-kind");
    let port = crate::support::ports::free();
    let config = directory.join("config.yaml").display().to_string();
    let binary = env!("CARGO_BIN_EXE_panelgate");
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["--datagram", "--listen", &listen, binary, "serve", "--config", &config];
    let running = Running::start("datagram", &directory, &program("systemd-socket-activate"), &arguments);
    let wake = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        wake.send_to(b"wake", &listen).unwrap();
        if running.has_ended() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let mut log = String::new();
    std::fs::File::open(directory.join("datagram.log")).unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("ListenStream="), "{log}");
}
