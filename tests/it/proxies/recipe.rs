//! Rendering a recipe: addresses and paths are replaced, nothing else, so that the shipped file is what is tested.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::ClientConfig;

use crate::support::{
    client::Client,
    gate::HOST,
    ports,
    process::{Running, program},
    workspace::repository,
};

/// A proxy that has a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
    Traefik,
    Haproxy,
    Envoy,
}

impl Proxy {
    pub(crate) const ALL: [Self; 5] = [Self::Nginx, Self::Caddy, Self::Traefik, Self::Haproxy, Self::Envoy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }
}

/// What a recipe is told.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Holds `chain.pem`, `key.pem` and `both.pem`.
    pub(crate) certificates: PathBuf,
    /// The sidecar's Unix socket.
    pub(crate) socket: PathBuf,
    /// The sidecar's port.
    pub(crate) sidecar: u16,
    /// What a proxy presents on that port.
    pub(crate) secret: String,
    /// The panel's port.
    pub(crate) panel: u16,
}

/// A proxy that runs until the test run ends.
pub(crate) struct Started {
    /// The port of its TLS listener.
    pub(crate) port: u16,
    /// The port of its plain listener, which only redirects.
    pub(crate) plain: u16,
    running: Running,
}

impl Started {
    /// Ends it, for tests that start many.
    pub(crate) fn stop(&self) {
        self.running.stop();
    }
}

/// A change to a shipped recipe: one text in it, and what stands there instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    /// The file's name.
    pub(crate) file: &'static str,
    /// In the file as it is shipped.
    pub(crate) shipped: &'static str,
    /// Instead of it, wherever it stands.
    pub(crate) instead: &'static str,
}

/// [`start`] with a recipe that somebody has changed; what it writes goes straight into `directory`.
pub(crate) fn start_changed(
    proxy: Proxy,
    addresses: &Addresses,
    directory: &Path,
    tls: &Arc<ClientConfig>,
    edits: &'static [Edit],
) -> Started {
    let rendering = Rendering { edits, ..Rendering::new(proxy, addresses, directory) };
    rendering.start(proxy, tls)
}

/// Starts a proxy with its recipe.
pub(crate) fn start(
    proxy: Proxy,
    addresses: &Addresses,
    directory: &Path,
    tls: &Arc<ClientConfig>,
) -> Started {
    Rendering::new(proxy, addresses, directory).start(proxy, tls)
}

/// [`start`] for HAProxy, with a script that fails where it should ask.
pub(crate) fn start_haproxy_with_broken_script(
    addresses: &Addresses,
    directory: &Path,
    tls: &Arc<ClientConfig>,
) -> Started {
    let rendering = Rendering::new(Proxy::Haproxy, addresses, directory);
    let broken = rendering.render(SCRIPT, &[("core.httpclient()", "core.no_such_client()".to_owned())]);
    let script = rendering.write("panelgate.lua", &broken);
    let running = rendering.haproxy(Path::new(&script));
    rendering.wait(running, tls)
}

const SCRIPT: &str = "deploy/haproxy/panelgate.lua";

struct Rendering<'a> {
    addresses: &'a Addresses,
    directory: PathBuf,
    port: u16,
    plain: u16,
    edits: &'static [Edit],
}

impl<'a> Rendering<'a> {
    fn new(proxy: Proxy, addresses: &'a Addresses, directory: &Path) -> Self {
        let directory = directory.join(proxy.name());
        fs::create_dir_all(&directory).expect("the workspace is writable");
        Self { addresses, directory, port: ports::free(), plain: ports::free(), edits: &[] }
    }

    fn start(&self, proxy: Proxy, tls: &Arc<ClientConfig>) -> Started {
        let running = match proxy {
            Proxy::Nginx => self.nginx(),
            Proxy::Caddy => self.caddy(),
            Proxy::Traefik => self.traefik(),
            Proxy::Haproxy => {
                let script = self.write("panelgate.lua", &self.render(SCRIPT, &[]));
                self.haproxy(Path::new(&script))
            }
            Proxy::Envoy => self.envoy(),
        };
        self.wait(running, tls)
    }

    fn wait(&self, running: Running, tls: &Arc<ClientConfig>) -> Started {
        let client = Client::new(self.port, HOST, Arc::clone(tls));
        running.wait_until("serve its site", || client.is_served());
        Started { port: self.port, plain: self.plain, running }
    }

    /// The recipe is a part of `nginx.conf`; what stands around it is what Debian's has, with paths of our own.
    fn nginx(&self) -> Running {
        let Self { port, plain, .. } = self;
        let recipe = self.render(
            "deploy/nginx/panelgate.conf",
            &[
                ("listen 443 ", format!("listen 127.0.0.1:{port} ")),
                ("listen [::]:443 ", format!("listen 127.0.0.2:{port} ")),
                ("listen 80;", format!("listen 127.0.0.1:{plain};")),
                ("listen [::]:80;", format!("listen 127.0.0.2:{plain};")),
                ("/run/panelgate/sidecar.sock", self.socket()),
                ("127.0.0.1:8080", self.panel()),
                ("/etc/ssl/panel.example.com/fullchain.pem", self.certificate("chain.pem")),
                ("/etc/ssl/panel.example.com/privkey.pem", self.certificate("key.pem")),
            ],
        );
        let site = self.write("panelgate.conf", &recipe);
        let place = self.directory.display();
        let around = format!(
            "user root;\ndaemon off;\nworker_processes 2;\npid {place}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n\
             access_log off;\nclient_body_temp_path {place}/body;\nproxy_temp_path {place}/proxy;\n\
             fastcgi_temp_path {place}/fastcgi;\nuwsgi_temp_path {place}/uwsgi;\nscgi_temp_path {place}/scgi;\n\
             include {site};\n}}\n"
        );
        let file = self.write("nginx.conf", &around);
        self.run("nginx", &["-c", &file, "-p", &place.to_string(), "-e", "stderr"])
    }

    fn caddy(&self) -> Running {
        let recipe = self.render(
            "deploy/caddy/Caddyfile",
            &[
                ("unix//var/lib/caddy/admin.sock", format!("unix/{}/admin.sock", self.directory.display())),
                ("default_bind 0.0.0.0 [::]", "default_bind 127.0.0.1".to_owned()),
                ("http_port 80", format!("http_port {}", self.plain)),
                ("https_port 443", format!("https_port {}", self.port)),
                ("unix//run/panelgate/sidecar.sock", format!("unix/{}", self.socket())),
                ("127.0.0.1:8080", self.panel()),
                ("/etc/ssl/panel.example.com/fullchain.pem", self.certificate("chain.pem")),
                ("/etc/ssl/panel.example.com/privkey.pem", self.certificate("key.pem")),
            ],
        );
        let file = self.write("Caddyfile", &recipe);
        self.run("caddy", &["run", "--adapter", "caddyfile", "--config", &file])
    }

    fn traefik(&self) -> Running {
        let routes = self.render(
            "deploy/traefik/panelgate.yaml",
            &[
                ("change-me", self.addresses.secret.clone()),
                ("127.0.0.1:9091", format!("127.0.0.1:{}", self.addresses.sidecar)),
                ("127.0.0.1:8080", self.panel()),
                ("/etc/ssl/panel.example.com/fullchain.pem", self.certificate("chain.pem")),
                ("/etc/ssl/panel.example.com/privkey.pem", self.certificate("key.pem")),
            ],
        );
        let routes = self.write("panelgate.yaml", &routes);
        let recipe = self.render(
            "deploy/traefik/traefik.yaml",
            &[
                ("\":443\"", format!("\"127.0.0.1:{}\"", self.port)),
                ("\":80\"", format!("\"127.0.0.1:{}\"", self.plain)),
                ("/etc/traefik/panelgate.yaml", routes),
            ],
        );
        let file = self.write("traefik.yaml", &recipe);
        self.run("traefik", &[&format!("--configfile={file}")])
    }

    fn haproxy(&self, script: &Path) -> Running {
        let recipe = self.render(
            "deploy/haproxy/haproxy.cfg",
            &[
                // Whoever runs the tests may not be able to become somebody else.
                ("    user haproxy\n    group haproxy\n", String::new()),
                ("bind :443 ", format!("bind 127.0.0.1:{} ", self.port)),
                ("bind :80\n", format!("bind 127.0.0.1:{}\n", self.plain)),
                ("/run/panelgate/sidecar.sock", self.socket()),
                ("/etc/haproxy/panelgate.lua", script.display().to_string()),
                ("127.0.0.1:8080", self.panel()),
                ("/etc/haproxy/panel.example.com.pem", self.certificate("both.pem")),
            ],
        );
        let file = self.write("haproxy.cfg", &recipe);
        self.run("haproxy", &["-db", "-f", &file])
    }

    fn envoy(&self) -> Running {
        let port = |port: u16| format!("port_value: {port} ");
        let recipe = self.render(
            "deploy/envoy/envoy.yaml",
            &[
                ("address: 0.0.0.0,", "address: 127.0.0.1,".to_owned()),
                ("port_value: 443 ", port(self.port)),
                ("port_value: 80 ", port(self.plain)),
                ("port_value: 8080 ", port(self.addresses.panel)),
                ("/run/panelgate/sidecar.sock", self.socket()),
                ("/etc/ssl/panel.example.com/fullchain.pem", self.certificate("chain.pem")),
                ("/etc/ssl/panel.example.com/privkey.pem", self.certificate("key.pem")),
            ],
        );
        let file = self.write("envoy.yaml", &recipe);
        self.run("envoy", &["-c", &file, "--concurrency", "1", "--use-dynamic-base-id"])
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("the workspace is writable");
        path.display().to_string()
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Running {
        Running::start(name, &self.directory, &program(name), arguments)
    }

    fn socket(&self) -> String {
        self.addresses.socket.display().to_string()
    }

    fn panel(&self) -> String {
        format!("127.0.0.1:{}", self.addresses.panel)
    }

    fn certificate(&self, name: &str) -> String {
        self.addresses.certificates.join(name).display().to_string()
    }

    /// # Panics
    /// When the recipe no longer has one of the texts: then the test would run something else than it says.
    fn render(&self, recipe: &str, replacements: &[(&str, String)]) -> String {
        let shipped = fs::read_to_string(repository(recipe)).expect("the recipe is readable");
        let mut text = shipped.clone();
        for edit in self.edits.iter().filter(|edit| recipe.ends_with(edit.file)) {
            assert!(text.contains(edit.shipped), "{recipe} no longer has `{}`", edit.shipped);
            text = text.replace(edit.shipped, edit.instead);
        }
        for (there, ours) in replacements {
            assert!(shipped.contains(there), "{recipe} no longer has `{there}`");
            text = text.replace(there, ours);
        }
        text
    }
}
