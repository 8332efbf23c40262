//! nginx by the recipe that is shipped, with nothing changed but addresses, and nginx as a plain proxy.

use std::{fs, net::SocketAddr, path::Path};

use crate::{Outcome, process::Process};

/// The recipe as people copy it.
const RECIPE: &str = include_str!("../../deploy/nginx/panelgate.conf");

/// What is put into the recipe.
pub struct Addresses<'a> {
    /// Where nginx listens.
    pub port: u16,
    /// Certificate and key; without, it listens in plain HTTP.
    pub tls: Option<(&'a Path, &'a Path)>,
    /// The panel.
    pub panel: SocketAddr,
    /// The socket of the gate, or of what stands in for it.
    pub gate: &'a Path,
}

/// nginx that asks about every request.
///
/// # Errors
/// When the recipe is not what is expected here, or nginx does not start.
pub fn asking(name: &str, addresses: &Addresses<'_>, dir: &Path) -> Outcome<Process> {
    let Addresses { port, tls, panel, gate } = addresses;
    let listen = if tls.is_some() {
        format!("listen 127.0.0.1:{port} ssl http2;")
    } else {
        format!("listen 127.0.0.1:{port};")
    };
    let mut text = RECIPE.to_owned();
    let mut put = |old: &str, new: &str| -> Outcome<()> {
        if !text.contains(old) {
            return Err(format!("deploy/nginx/panelgate.conf has no `{old}` any more").into());
        }
        text = text.replace(old, new);
        Ok(())
    };
    // The server that redirects from port 80 goes.
    put(
        "    listen 80;\n    listen [::]:80;\n",
        &format!("    listen unix:{}/{name}.redirect;\n", dir.display()),
    )?;
    put("listen 443 ssl http2;", &listen)?;
    put("    listen [::]:443 ssl http2;\n", "")?;
    put("server_name panel.example.com;", "server_name _;")?;
    put("server 127.0.0.1:8080;", &format!("server {panel};"))?;
    put("unix:/run/panelgate/sidecar.sock", &format!("unix:{}", gate.display()))?;
    match tls {
        Some((certificate, key)) => {
            put("/etc/ssl/panel.example.com/fullchain.pem", &certificate.display().to_string())?;
            put("/etc/ssl/panel.example.com/privkey.pem", &key.display().to_string())?;
        }
        None => {
            put("    ssl_certificate     /etc/ssl/panel.example.com/fullchain.pem;\n", "")?;
            put("    ssl_certificate_key /etc/ssl/panel.example.com/privkey.pem;\n", "")?;
        }
    }
    start(name, &text, *port, dir)
}

/// nginx that passes everything on.
///
/// # Errors
/// When it does not start.
pub fn proxying(
    name: &str,
    port: u16,
    tls: (&Path, &Path),
    panel: SocketAddr,
    dir: &Path,
) -> Outcome<Process> {
    let text = format!(
        "upstream panel {{ server {panel}; keepalive 16; }}\nserver {{\n  listen 127.0.0.1:{port} ssl;\n  ssl_certificate {};\n  \
         ssl_certificate_key {};\n  location / {{\n    proxy_pass http://panel;\n    proxy_http_version 1.1;\n    \
         proxy_set_header Connection \"\";\n    proxy_set_header Host $http_host;\n  }}\n}}\n",
        tls.0.display(),
        tls.1.display()
    );
    start(name, &text, port, dir)
}

fn start(name: &str, server: &str, port: u16, dir: &Path) -> Outcome<Process> {
    let here = dir.display();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {here}/{name}.{kind};\n"))
        .concat();
    let text = format!(
        "{user}worker_processes 1;\ndaemon off;\npid {here}/{name}.pid;\nerror_log {here}/{name}.errors warn;\n\
         events {{ worker_connections 1024; }}\nhttp {{\n  access_log off;\n{temp}{server}\n}}\n"
    );
    let config = dir.join(format!("{name}.conf"));
    fs::write(&config, text)?;
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let program = program.ok_or("there is no nginx; scripts/setup.sh bench installs it")?;
    let args = ["-p".as_ref(), dir.as_os_str(), "-c".as_ref(), config.as_os_str()];
    let mut process = Process::start(name, Path::new(program), &args, dir)?;
    process.listens_on(port)?;
    Ok(process)
}
