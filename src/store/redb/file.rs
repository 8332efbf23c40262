//! The file: made whole or not at all, checked before it is believed.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ::redb::{Builder, Database};

use super::{
    super::{
        Cursor, StoreError,
        records::{Reading, SCHEMA, Writing},
    },
    transaction::{Pending, begin, fault},
};

/// Memory for pages. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 32 << 20;
/// The same for the check of a whole file, which comes by most pages once: with more it is slower.
const CHECK_BYTES: usize = 4 << 20;

/// Opens the file, or makes it.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    check_folder(folder)?;
    if !path.try_exists().map_err(|error| unreachable_file(path, &error))? {
        make(path, folder)?;
    }
    check_owner(path)?;
    // Whoever gets the file in between is one of us, and the second one here is told that it is in use.
    builder().set_cache_size(CHECK_BYTES).open(path).map_err(fault)?.close().map_err(fault)?;
    let database = Builder::new().set_cache_size(CACHE_BYTES).open(path).map_err(fault)?;
    upgrade(&database)?;
    Ok(database)
}

/// An older file lacks tables. One transaction, so that a crash leaves the old file or the new one.
fn upgrade(database: &Database) -> Result<(), StoreError> {
    let transaction = begin(database)?;
    let from = Reading(&Pending::over(&transaction)?).schema()?;
    if from.is_none_or(|schema| schema >= SCHEMA) {
        return transaction.abort().map_err(fault);
    }
    Writing::new(&mut Pending::over(&transaction)?).upgrade()?;
    transaction.commit().map_err(fault)
}

/// Whether every record can be read and the schema is ours; the last position.
pub(super) fn check(records: &Reading<'_>) -> Result<Cursor, StoreError> {
    match records.schema()? {
        Some(SCHEMA) => {}
        Some(found) => return Err(StoreError::Schema { found, wanted: SCHEMA }),
        None => return Err(StoreError::Damaged("it has no schema number: restore a backup".into())),
    }
    records.check()
}

/// Writes what an empty store has.
pub(super) fn initialise(database: &Database) -> Result<(), StoreError> {
    let transaction = begin(database)?;
    {
        let mut tables = Pending::over(&transaction)?;
        Writing::new(&mut tables).put_schema(SCHEMA)?;
    }
    transaction.commit().map_err(fault)
}

/// Every open checks all pages: a file that was altered must be refused, not believed, and must not make us panic.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

/// Makes the file under another name and links it into place when it is complete: a crash leaves no file rather than
/// half a one, and of two processes that start at once the second finds the first one's.
fn make(path: &Path, folder: &Path) -> Result<(), StoreError> {
    let draft = PathBuf::from(format!("{}.{}.new", path.display(), std::process::id()));
    let cannot = |error: io::Error| unreachable_file(&draft, &error);
    remove_if_there(&draft).map_err(cannot)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(cannot)?;
    let database = builder().create(&draft).map_err(fault)?;
    initialise(&database)?;
    database.close().map_err(fault)?;
    match fs::hard_link(&draft, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unreachable_file(path, &error)),
    }
    remove_if_there(&draft).map_err(cannot)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unreachable_file(folder, &error))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whoever may write to the folder can put another store in the place of ours.
fn check_folder(folder: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(folder).map_err(|error| unreachable_file(folder, &error))?;
    let anybody_writes = found.mode() & 0o002 != 0;
    let sticky = found.mode() & 0o1000 != 0;
    if !found.is_dir() {
        return Err(StoreError::Unavailable(format!("`{}` is not a directory", folder.display())));
    }
    if anybody_writes && !sticky {
        let folder = folder.display();
        return Err(StoreError::Unavailable(format!(
            "every user of this machine can write to `{folder}`: chmod 700 {folder}"
        )));
    }
    Ok(())
}

fn check_owner(path: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(path).map_err(|error| unreachable_file(path, &error))?;
    let shown = path.display();
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        let owner = found.uid();
        return Err(StoreError::Unavailable(format!("`{shown}` belongs to uid {owner}, this is uid {me}")));
    }
    if found.mode() & 0o077 != 0 {
        return Err(StoreError::Unavailable(format!(
            "others may read or write `{shown}`: chmod 600 {shown}"
        )));
    }
    if found.len() == 0 {
        return Err(StoreError::Damaged(format!(
            "`{shown}` is empty: restore a backup, or remove it to start anew"
        )));
    }
    Ok(())
}

fn unreachable_file(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("`{}`: {error}", path.display()))
}
