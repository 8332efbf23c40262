//! The built binary, with a configuration, a policy and accounts.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use panelgate::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SystemEntropy},
    feeds,
    rules::{
        api_key::{ApiKey, KeyText},
        factor::{backup, password, totp},
        identity::{Totp, User, UserId, UserName, UserSource},
        token::KeySet,
    },
    secret::SecretText,
    store::{RedbStore, Store},
};

use super::{ports, process::Running};

/// The site of all tests: the one in the recipes.
pub(crate) const HOST: &str = "panel.example.com";
const PASSWORD: &str = "correct horse battery staple";
/// Accounts with a second factor; each code works once, so a test that proves one takes an account of its own.
const OPERATORS: usize = 16;

/// A running `panelgate serve`.
pub(crate) struct Gate {
    /// Its Unix socket.
    pub(crate) socket: PathBuf,
    /// Its TCP port, for proxies that know the secret.
    pub(crate) port: u16,
    /// The secret.
    pub(crate) secret: String,
    /// An API key of `some-user` that may look at the open pages.
    pub(crate) reader: String,
    /// One that may change them as well.
    pub(crate) writer: String,
    /// What it prints.
    pub(crate) running: Running,
    operators: Vec<Operator>,
    taken: AtomicUsize,
}

/// What stands in the configuration besides what every test needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    /// Lines of the site.
    pub(crate) site: String,
    /// Lines at the top level.
    pub(crate) top: String,
    /// How often somebody may ask, instead of 60/min.
    pub(crate) requests: Option<&'static str>,
    /// The name by which it is started, if not its own.
    pub(crate) binary: Option<PathBuf>,
    /// Variables of its environment.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// An account of the mightiest role, with an authenticator app.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// The account name.
    pub(crate) name: String,
    /// The secret that the app shares with the gate.
    pub(crate) secret: Vec<u8>,
    /// A backup code.
    pub(crate) backup_code: String,
}

impl Gate {
    /// Starts one in a directory; `access` is how long access tokens live.
    pub(crate) fn start(directory: &Path, access: Duration) -> Self {
        Self::start_with(directory, access, &More::default())
    }

    /// [`Gate::start`], with more in the configuration.
    pub(crate) fn start_with(directory: &Path, access: Duration, more: &More) -> Self {
        let secret = "0123456789abcdef0123456789abcdef0123456789abcdef".to_owned();
        let (socket, port) = (directory.join("sidecar.sock"), ports::free());
        let data = directory.join("data");
        fs::create_dir_all(&data).expect("the workspace is writable");
        let (operators, [reader, writer]) = add_accounts(&data);
        write_privately(&directory.join("secret"), &secret);
        fs::write(directory.join("policy.yaml"), POLICY).expect("the workspace is writable");
        let config = config(directory, &socket, port, access, more);
        let file = directory.join("config.yaml");
        fs::write(&file, config).expect("the workspace is writable");
        let binary = more.binary.as_deref().unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_panelgate")));
        let running = Running::start_in(
            "panelgate",
            directory,
            binary,
            &["serve", "--config", &file.display().to_string()],
            &more.environment,
        );
        running.wait_for_port(port);
        running.wait_until("open its socket", || socket.exists());
        let taken = AtomicUsize::new(0);
        Self { socket, port, secret, reader, writer, running, operators, taken }
    }

    /// The last lines that it printed.
    pub(crate) fn log_tail(&self) -> String {
        self.running.log_tail()
    }

    /// An account with a second factor that no other test uses, and its password.
    ///
    /// # Panics
    /// When there are more tests than accounts.
    pub(crate) fn operator(&self) -> (Operator, &'static str) {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        (self.operators.get(taken).expect("OPERATORS is too small").clone(), PASSWORD)
    }
}

/// Name and password of an account of a role; it has no second factor.
pub(crate) fn user(role: &str) -> (String, &'static str) {
    (format!("some-{role}"), PASSWORD)
}

impl Operator {
    /// What the authenticator app shows now.
    pub(crate) fn code(&self) -> String {
        totp::code(&self.secret, SystemClock::new().wall())
    }
}

/// A cheap hash: these tests are not about guessing passwords.
fn add_accounts(data: &Path) -> (Vec<Operator>, [String; 2]) {
    let (clock, entropy): (_, &dyn Entropy) = (SystemClock::new(), &SystemEntropy);
    let keys =
        feeds::keys::load_or_create(&data.join("keys"), entropy, clock.wall()).expect("keys can be made");
    let hash = password::hash(&SecretText::from(PASSWORD.to_owned()), 4, entropy.array(), password::no_pause)
        .expect("the password is acceptable");
    let account = |name: &str, role: &str| User {
        id: UserId(entropy.array()),
        name: UserName::parse(name).expect("a valid name"),
        display: format!("The {role}"),
        email: format!("{name}@example.com"),
        role: role.into(),
        source: UserSource::Embedded,
        password: Some(hash.clone()),
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: clock.wall(),
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    };
    let mut users: Vec<User> =
        ["root", "user", "reader"].iter().map(|role| account(&format!("some-{role}"), role)).collect();
    let mut operators = Vec::new();
    for number in 0..OPERATORS {
        let mut user = account(&format!("operator-{number}"), "root");
        let secret: [u8; 20] = entropy.array();
        user.totp = Some(enrolment(&keys, &user.id, &secret, entropy));
        let codes = backup::generate(std::array::from_fn(|_| entropy.array()));
        // Ten of them for each would take a while to hash.
        let backup_code = codes[0].expose().to_owned();
        user.backup_codes = vec![backup::hash(&user.id, &backup_code)];
        operators.push(Operator { name: user.name.to_string(), secret: secret.to_vec(), backup_code });
        users.push(user);
    }
    let owner = users[1].id;
    let (reader, read) = api_key(owner, "reader", &["echo:read"], entropy);
    let (writer, write) = api_key(owner, "writer", &["echo:read", "echo:write"], entropy);
    self::write(data, users, vec![read, write]);
    (operators, [reader, writer])
}

fn api_key(user: UserId, name: &str, scopes: &[&str], entropy: &dyn Entropy) -> (String, ApiKey) {
    let text = KeyText::generate(entropy.array());
    let key = ApiKey {
        id: text.id(),
        user,
        site: "panel".into(),
        name: name.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
        created: SystemClock::new().wall(),
        expires: None,
        used: None,
    };
    (text.expose().to_owned(), key)
}

fn enrolment(keys: &KeySet, user: &UserId, secret: &[u8], entropy: &dyn Entropy) -> Totp {
    Totp { sealed_secret: totp::seal(keys.master(), user, secret, entropy.array()), last_step: 0 }
}

/// On a thread of its own, as whoever comes here already runs inside a runtime.
fn write(data: &Path, users: Vec<User>, keys: Vec<ApiKey>) {
    let store = RedbStore::open(&data.join("panelgate.redb")).expect("a store can be made");
    let writing = async move {
        for user in users {
            assert!(store.add_user(user).await.expect("accounts can be written").value, "names are unique");
        }
        for key in keys {
            assert!(store.add_key(key).await.expect("keys can be written").value, "their owner is there");
        }
        store.close().await.expect("the store closes");
    };
    let written = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(writing);
    });
    written.join().expect("accounts are written");
}

/// A file that nobody else can read.
pub(crate) fn write_privately(path: &Path, text: &str) {
    let file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the workspace is writable");
}

fn config(directory: &Path, socket: &Path, port: u16, access: Duration, more: &More) -> String {
    let (directory, socket, access) = (directory.display(), socket.display(), access.as_secs());
    format!(
        "version: 1
data_dir: {directory}/data
sites:
  - name: panel
    origins: [\"https://{HOST}\"]
    policy: policy.yaml
{}lifetimes: {{ access: {access}s }}
second_factor: {{ at_sign_in: never }}
sidecar:
  socket: {socket}
  socket_peers: [root]
  listen: 127.0.0.1:{port}
  secrets: [{{ name: traefik, secret_file: secret }}]
limits: {{ requests: {}, sign_in: 20/min, second_factor: 60/15m, refresh: 60/min, account: 1000000/s, api_key: 1000000/s }}
{}",
        more.site,
        more.requests.unwrap_or("60/min"),
        more.top
    )
}

const POLICY: &str = r#"
version: 1
roles: [root, user, reader]
pages:
  - name: open
    paths: ["/", "/echo/**", "/live/**", "/own/**"]
    scopes: { read: echo:read, write: echo:write }
    access: { root: full, user: full, reader: read }
  - name: readable
    paths: ["/echo/readable/**"]
    access: { root: { unelevated: read, elevated: full }, user: none, reader: none }
  - name: blocked
    paths: ["/echo/blocked/**"]
    access: { root: { unelevated: none, elevated: full }, user: none, reader: none }
"#;
