//! Files that people edit: noticed by what they hold, however an editor or an orchestrator replaced them.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{Context, SHA256};
use rustix::fs::{Mode, OFlags};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Looks at the files this often.
const EVERY: Duration = Duration::from_secs(1);
/// The largest file that is read whole, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Opens a file that somebody has named. A pipe would hold up whoever waits for its writer, and a device need not end.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let file = File::from(opened);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// What a file holds that somebody has named.
///
/// # Errors
/// When it cannot be read, is not a regular file, or is larger than 16 MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(LARGEST.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) {
        Ok(bytes)
    } else {
        Err(io::Error::other("it is larger than 16 MiB"))
    }
}

/// Sends a note whenever the files do not hold what was read of them last. `seen` is asked each time: which files that
/// were, and the [`digest`] of what was read. A half-written file is a change like any other, and so is its completion.
pub async fn follow(
    seen: impl Fn() -> (Vec<PathBuf>, Vec<u8>) + Send,
    changed: mpsc::Sender<()>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (files, read) = seen();
        if fingerprint(files).await != read {
            // A full queue means that somebody is about to look anyway.
            let _ = changed.try_send(());
        }
    }
}

/// What changes when a file does: cheaper than its content, for files that programs write.
pub(super) type Stamp = (Option<SystemTime>, u64, u64);

/// What the file looks like from outside; a file that is not there looks like nothing.
pub(super) async fn stamp(path: &Path) -> Option<Stamp> {
    let about = tokio::fs::metadata(path).await.ok();
    Some(about.map_or((None, 0, 0), |about| (about.modified().ok(), about.len(), about.ino())))
}

/// A digest over names and contents, as they are now.
async fn fingerprint(files: Vec<PathBuf>) -> Vec<u8> {
    let look = move || digest(files.iter().map(|file| (file.as_path(), read(file).ok())));
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// The same over what was read; a file that cannot be read is told from one that is empty.
pub fn digest<'f, T: AsRef<[u8]>>(files: impl Iterator<Item = (&'f Path, Option<T>)>) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for (file, content) in files {
        context.update(file.as_os_str().as_encoded_bytes());
        context.update(&[u8::from(content.is_some())]);
        let content = content.as_ref().map(AsRef::as_ref).unwrap_or_default();
        context.update(&content.len().to_be_bytes());
        context.update(content);
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::{CWD, mkfifoat};

    use super::*;

    #[tokio::test]
    async fn renames_and_symlink_swaps_are_changes_and_touching_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (real, other) = (folder.path().join("a"), folder.path().join("b"));
        let link = folder.path().join("policy.yaml");
        fs::write(&real, "one").unwrap();
        fs::write(&other, "two").unwrap();
        symlink(&real, &link).unwrap();
        let first = fingerprint(vec![link.clone()]).await;
        fs::write(&real, "one").unwrap();
        assert_eq!(fingerprint(vec![link.clone()]).await, first, "the same content is no change");
        fs::remove_file(&link).unwrap();
        symlink(&other, &link).unwrap();
        let swapped = fingerprint(vec![link.clone()]).await;
        assert_ne!(swapped, first);
        fs::rename(&real, &other).unwrap();
        assert_eq!(fingerprint(vec![link]).await, first, "what it holds counts, not what it is");
    }

    #[tokio::test]
    async fn a_pipe_a_device_and_a_huge_file_under_a_watched_name_are_refused_and_hold_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, huge) = (folder.path().join("policy.yaml"), folder.path().join("huge"));
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        File::create(&huge).unwrap().set_len(LARGEST).unwrap();
        assert_eq!(read(&huge).unwrap().len(), 16 * 1024 * 1024);
        File::create(&huge).unwrap().set_len(LARGEST + 1).unwrap();
        for (path, why) in [
            (pipe.as_path(), "it is not a regular file"),
            (Path::new("/dev/zero"), "it is not a regular file"),
            (folder.path(), "it is not a regular file"),
            (huge.as_path(), "it is larger than 16 MiB"),
        ] {
            assert_eq!(read(path).unwrap_err().to_string(), why, "{}", path.display());
        }
        let look = fingerprint(vec![pipe.clone()]);
        let stuck = tokio::time::timeout(Duration::from_secs(20), look).await.unwrap();
        fs::remove_file(&pipe).unwrap();
        fs::write(&pipe, "version: 1\n").unwrap();
        assert_ne!(fingerprint(vec![pipe]).await, stuck, "what comes after the pipe is noticed");
    }
}
