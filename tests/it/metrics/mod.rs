//! What operators see: metrics with their numbers, what is shipped to show them, readiness, logs and traces.

mod exposition;
mod numbers;
mod ready;
mod shipped;
mod traces;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::support::{gate::HOST, house::House};

/// What the sidecar answers to a proxy that asks about a request for `target` from `client`.
fn ask_sidecar(house: &House, client: &str, target: &str, more: &str) -> String {
    let head = format!(
        "GET /api/authz/forward-auth HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nX-Gate-Proxy-Secret: {}\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {HOST}\r\nX-Forwarded-Uri: {target}\r\n\
         X-Forwarded-For: {client}\r\n{more}\r\n",
        house.gate.secret
    );
    let mut stream = TcpStream::connect(("127.0.0.1", house.gate.port)).expect("the sidecar listens");
    stream.write_all(head.as_bytes()).expect("the sidecar listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the sidecar answers");
    answer
}
