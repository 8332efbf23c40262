//! Files that people edit: noticed by what they hold, however an editor or an orchestrator replaced them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Looks at the files this often.
const EVERY: Duration = Duration::from_secs(1);

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
    let look = move || digest(files.iter().map(|file| (file.as_path(), fs::read(file).ok())));
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
    use std::os::unix::fs::symlink;

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
}
