//! How a verb reaches the store: through the daemon if one runs, otherwise by itself, as the owner of the data
//! directory. The operator never has to know which.

mod stream;
#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Gid, Uid, geteuid};

use super::{ConfigArgs, environment, verdict::Trouble};
use crate::{
    app::{
        self,
        admin::{self, AdminAnswer, AdminRequest, Named, Policies},
    },
    clock::{Clock as _, SystemClock},
    config::{self, Settings},
    rules::{identity::Role, session::SiteId},
    store::StoreError,
    telemetry,
};

/// How long the daemon may take: a reload reads every file.
const DEADLINE: Duration = Duration::from_secs(60);
/// The longest answer.
const ANSWER_BYTES: u64 = 256 << 20;
/// A daemon that is just starting or stopping holds the store but has no socket.
const TRIES: u32 = 25;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
/// How long a command waits for those before it. Each holds the store for a moment; a backup holds it for longer.
const PATIENCE: Duration = Duration::from_secs(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Where the daemon is, or would be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    socket: PathBuf,
    data_dir: PathBuf,
    patience: Duration,
    pub(super) named: Named,
}

impl Place {
    /// From the configuration.
    pub(super) fn find(args: &ConfigArgs) -> Result<Self, Trouble> {
        settings(args).map(|settings| Self::of(&settings))
    }

    /// From settings.
    pub(super) fn of(settings: &Settings) -> Self {
        let sites = || settings.sites.iter().map(|site| &site.site);
        let roles: BTreeSet<Role> = sites().flat_map(|site| site.policy.roles().iter().cloned()).collect();
        let policies = Policies {
            roles: roles.into_iter().collect(),
            scopes: sites().map(|site| (SiteId::clone(&site.id), site.policy.scopes())).collect(),
        };
        Self {
            socket: settings.admin_socket.clone(),
            data_dir: settings.data_dir.clone(),
            patience: PATIENCE,
            named: Named {
                policies,
                master: settings.master_key.clone(),
                spared: app::spared(settings),
                sight: app::sight(settings),
                lockout: Arc::clone(&settings.lockout),
            },
        }
    }

    /// Where everything is kept.
    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The roles that the policies know.
    pub(super) fn roles(&self) -> &[Role] {
        &self.named.policies.roles
    }

    /// Asks whoever holds the store. An answer of no or failure comes as a trouble.
    pub(super) fn ask(&self, request: AdminRequest) -> Result<AdminAnswer, Trouble> {
        let answer = match self.ask_daemon(&request)? {
            Some(answer) => answer,
            None => self.ask_alone(request)?,
        };
        if let AdminAnswer::No { why } = answer {
            return Err(Trouble::No(why));
        }
        if let AdminAnswer::Failed { why } = answer {
            return Err(Trouble::Failed(why));
        }
        Ok(answer)
    }

    /// Lets a running daemon read its files again; `false` if none runs.
    pub(super) fn reload(&self) -> Result<bool, Trouble> {
        match self.ask_daemon(&AdminRequest::Reload)? {
            None => Ok(false),
            Some(AdminAnswer::No { why } | AdminAnswer::Failed { why }) => Err(Trouble::Failed(why)),
            Some(_) => Ok(true),
        }
    }

    /// `None`: no daemon listens.
    pub(super) fn ask_daemon(&self, request: &AdminRequest) -> Result<Option<AdminAnswer>, Trouble> {
        let Some(stream) = self.daemon()? else { return Ok(None) };
        converse(stream, request).map(Some).map_err(|error| self.at_socket(&error))
    }

    /// A connection to the daemon; `None`: none listens.
    pub(super) fn daemon(&self) -> Result<Option<UnixStream>, Trouble> {
        let stream = match UnixStream::connect(&self.socket) {
            Ok(stream) => stream,
            Err(error) if nobody_listens(&error) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(self.wrong_user()),
            Err(error) => return Err(self.at_socket(&error)),
        };
        self.check_listener(&stream)?;
        Ok(Some(stream))
    }

    fn at_socket(&self, error: &io::Error) -> Trouble {
        Trouble::Failed(format!("{}: {error}", self.socket.display()))
    }

    /// Password hashes are told to nobody but root and the owner of the data.
    fn check_listener(&self, stream: &UnixStream) -> Result<(), Trouble> {
        let listener = rustix::net::sockopt::socket_peercred(stream)
            .map_err(|error| Trouble::Failed(format!("{}: {error}", self.socket.display())))?;
        let owner = fs::metadata(&self.data_dir).map(|found| found.uid()).unwrap_or_default();
        let uid = listener.uid.as_raw();
        if uid == 0 || uid == owner {
            return Ok(());
        }
        Err(Trouble::Failed(format!(
            "{} is served by uid {uid}, who is not the owner of {}: remove it",
            self.socket.display(),
            self.data_dir.display()
        )))
    }

    fn ask_alone(&self, request: AdminRequest) -> Result<AdminAnswer, Trouble> {
        self.become_owner()?;
        telemetry::start_quiet();
        let _turn = self.turn()?;
        let failed = |error: &dyn std::fmt::Display| self.no_store(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| failed(&error))?.block_on(async {
            for _ in 0..TRIES {
                match admin::alone(&self.data_dir, self.named.clone(), request.clone()).await {
                    Err(StoreError::Locked) => tokio::time::sleep(BETWEEN_TRIES).await,
                    Err(error) => return Err(failed(&error)),
                    Ok(answer) => return Ok(answer),
                }
                if let Some(answer) = self.ask_daemon(&request)? {
                    return Ok(answer);
                }
            }
            Err(self.held_in_silence())
        })
    }

    /// Commands without a daemon take turns, so that of many at once none is left out. The turn ends with the file.
    fn turn(&self) -> Result<Option<File>, Trouble> {
        let shown = self.data_dir.display();
        let data_dir =
            File::open(&self.data_dir).map_err(|error| Trouble::Failed(format!("{shown}: {error}")))?;
        let clock = SystemClock::new();
        loop {
            match data_dir.try_lock() {
                Ok(()) => return Ok(Some(data_dir)),
                // Not every file system has locks on folders. The store has one of its own.
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if clock.moment().mono < self.patience => {
                    std::thread::park_timeout(BETWEEN_LOOKS);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Trouble::Failed(format!(
                        "another panelgate command holds the store in {shown}: try again when it has ended"
                    )));
                }
            }
        }
    }

    fn no_store(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble::Failed(format!("the store in {} cannot be used: {error}", self.data_dir.display()))
    }

    fn held_in_silence(&self) -> Trouble {
        let socket = self.socket.display();
        self.no_store(&format!("a process has it open but does not listen at {socket}; see `admin.socket`"))
    }

    /// What is written here must be the daemon's: root becomes the owner of the data directory first.
    pub(super) fn become_owner(&self) -> Result<(), Trouble> {
        let shown = self.data_dir.display();
        let me = geteuid();
        let found = match fs::metadata(&self.data_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.make_data_dir(me),
            found => found.map_err(|error| Trouble::Failed(format!("{shown}: {error}")))?,
        };
        if found.uid() == me.as_raw() {
            return Ok(());
        }
        if !me.is_root() {
            return Err(self.wrong_user());
        }
        drop_to(found.uid(), found.gid())
            .map_err(|error| Trouble::Failed(format!("cannot become the owner of {shown}: {error}")))
    }

    fn make_data_dir(&self, me: Uid) -> Result<(), Trouble> {
        let shown = self.data_dir.display();
        if me.is_root() {
            return Err(Trouble::Failed(format!(
                "{shown} does not exist, and root cannot know whose it should be: start panelgate once, or \
                 `install -d -m 700 -o USER {shown}` with the user that it runs as"
            )));
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .map_err(|error| Trouble::Failed(format!("{shown}: {error}")))
    }

    fn wrong_user(&self) -> Trouble {
        let data_dir = self.data_dir.display();
        Trouble::Failed(format!("only root and the owner of {data_dir} may do this: use sudo"))
    }
}

/// The configuration, or everything that is wrong with it.
pub(super) fn settings(args: &ConfigArgs) -> Result<Settings, Trouble> {
    match config::load(&args.config, &environment()) {
        Ok(loaded) => Ok(loaded.settings),
        Err(problems) => Err(Trouble::No(format!(
            "{problems}\nnothing done: mend the configuration; `panelgate check` shows the same list"
        ))),
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn converse(mut stream: UnixStream, request: &AdminRequest) -> io::Result<AdminAnswer> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "panelgate did not answer; see its log"));
    }
    Ok(serde_json::from_slice(&answer)?)
}

/// For good, and before any other thread is started: those inherit it.
fn drop_to(uid: u32, gid: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_groups(&[gid])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}
