//! DokuWiki, as Debian ships it, behind the edge: a panel that knows nothing of identity headers.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::json;

use crate::support::{
    browser::Browser,
    certificates,
    client::Client,
    ports,
    process::{Running, program},
    workspace,
};

const HOST: &str = "panel.example.com";
/// DokuWiki's own cookie: `DW` and the MD5 of its path, `/`.
const COOKIE: &str = "DW6666cd76f96956469e7be39d750cc7d9";
/// bcrypt of `opensesame`, as `htpasswd -nbB -C 5` of apache2-utils 2.4.71 makes it.
const HASH: &str = "$2y$05$GdFHtFDjjYEHhWlKMGwEhOHir0kgpaDrKDBmJCPFwfM0fnHFHI4Dy";

/// A wiki with one account, which shows its pages to nobody else.
struct Wiki {
    port: u16,
    data: PathBuf,
    _running: Running,
}

fn wiki(directory: &Path) -> Wiki {
    let installed = Path::new("/usr/share/dokuwiki/doku.php");
    assert!(installed.is_file(), "dokuwiki is not installed; run scripts/setup.sh test");
    let (conf, data, sessions) = (directory.join("conf"), directory.join("wiki"), directory.join("php"));
    for folder in [
        "attic",
        "cache",
        "index",
        "locks",
        "log",
        "media",
        "media_attic",
        "media_meta",
        "meta",
        "pages",
        "tmp",
    ] {
        fs::create_dir_all(data.join(folder)).expect("the workspace is writable");
    }
    for folder in [&conf, &sessions] {
        fs::create_dir_all(folder).expect("the workspace is writable");
    }
    let write = |path: PathBuf, text: String| fs::write(path, text).expect("the workspace is writable");
    write(conf.join("acl.auth.php"), "*\t@ALL\t0\n*\t@user\t8\n".to_owned());
    write(conf.join("users.auth.php"), format!("maria:{HASH}:Maria Moritz:maria@example.com:user\n"));
    let local = "<?php $conf['title'] = 'Wiki'; $conf['useacl'] = 1; $conf['authtype'] = 'authplain'; \
                 $conf['securecookie'] = 0; $conf['updatecheck'] = 0;";
    write(conf.join("local.php"), format!("{local} $conf['savedir'] = '{}';\n", data.display()));
    let prepend = directory.join("prepend.php");
    write(prepend.clone(), format!("<?php define('DOKU_CONF', '{}/');\n", conf.display()));
    let port = ports::free();
    let settings = [
        format!("auto_prepend_file={}", prepend.display()),
        format!("session.save_path={}", sessions.display()),
    ];
    let address = format!("127.0.0.1:{port}");
    let arguments = ["-d", &settings[0], "-d", &settings[1], "-S", &address, "-t", "/usr/share/dokuwiki"];
    let running = Running::start("php", directory, &program("php"), &arguments);
    running.wait_for_port(port);
    Wiki { port, data, _running: running }
}

impl Wiki {
    /// Signs everybody out: sessions go, and what the cookie holds cannot be read any more.
    fn forget_everybody(&self, directory: &Path) {
        for session in fs::read_dir(directory.join("php")).expect("sessions are kept there").flatten() {
            fs::remove_file(session.path()).expect("it can be removed");
        }
        let salt = self.data.join("meta/_htcookiesalt2");
        assert!(salt.exists(), "the wiki keeps its salt elsewhere");
        fs::write(salt, "ffffffffffffffffffffffffffffffff").expect("it can be written");
    }
}

fn gate(directory: &Path, wiki: &Wiki) -> (Running, Client) {
    let port = ports::free();
    let certs = directory.join("certs");
    fs::create_dir_all(&certs).expect("the workspace is writable");
    let tls: Arc<ClientConfig> = certificates::issue(directory, HOST);
    fs::copy(directory.join("chain.pem"), certs.join("panel.crt")).expect("it can be copied");
    fs::copy(directory.join("key.pem"), certs.join("panel.key")).expect("it can be copied");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(certs.join("panel.key"), private).expect("it is ours");
    let upstream = wiki.port;
    let config = format!(
        r#"version: 1
data_dir: data
sites:
  - name: wiki
    origins: ["https://{HOST}"]
    policy: policy.yaml
    upstream: http://127.0.0.1:{upstream}
    identities: wiki
logins:
  - name: wiki
    url: http://127.0.0.1:{upstream}/doku.php
    form: {{ do: login, u: "{{username}}", p: "{{password}}", id: start }}
    success: {{ status: [302], cookie: {COOKIE} }}
    role: user
    pass_on: {{ cookies: [DokuWiki, {COOKIE}] }}
    signed_out: {{ cookie: {COOKIE} }}
    renew: true
edge: {{ listen: ["127.0.0.1:{port}"], certificates: certs }}
"#
    );
    let file = directory.join("config.yaml");
    fs::write(&file, config).expect("the workspace is writable");
    let policy =
        "version: 1\nroles: [user]\npages:\n  - { name: all, paths: [\"/**\"], access: { user: full } }\n";
    fs::write(directory.join("policy.yaml"), policy).expect("the workspace is writable");
    let binary = Path::new(env!("CARGO_BIN_EXE_panelgate"));
    let running =
        Running::start("panelgate", directory, binary, &["serve", "--config", &file.display().to_string()]);
    running.wait_for_port(port);
    (running, Client::new(port, HOST, tls))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiki_keeps_its_users_and_its_sessions_and_nobody_signs_in_twice() {
    let directory = workspace::directory("dokuwiki");
    let wiki = wiki(&directory);
    let (_running, client) = gate(&directory, &wiki);
    let browser = Browser::new(client);
    for (name, password) in [("maria", "wrong"), ("nobody", "opensesame")] {
        let body = json!({ "username": name, "password": password });
        let answer = browser.api("POST", "sign-in", &body).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let body = json!({ "username": "Maria", "password": "opensesame" });
    let answer = browser.api("POST", "sign-in", &body).await;
    assert_eq!(answer.json()["state"], "signed-in", "{answer:?}");

    let page = browser.navigate("/doku.php?id=start").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text().contains("Maria Moritz"), "the wiki knows her: {}", page.text());
    assert!(browser.cookie("DokuWiki").is_none() && browser.cookie(COOKIE).is_none(), "{browser:?}");

    // Longer than the gate takes a sign-in for fresh.
    tokio::time::sleep(Duration::from_secs(6)).await;
    wiki.forget_everybody(&directory);
    let again = browser.navigate("/doku.php?id=start").await;
    assert_eq!(again.status, 307, "{again:?}");
    let page = browser.navigate("/doku.php?id=start").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text().contains("Maria Moritz"), "{}", page.text());
}
