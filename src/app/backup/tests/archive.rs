//! Files that are not what was written.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
};

use tar::EntryType::{self, Directory, Link, Regular, Symlink};

use super::Home;
use crate::{
    app::backup::{Bad, Failure, container::Packer, manifest::Manifest, verify},
    entropy::{Entropy, SeededEntropy},
};

fn verified(path: &Path) -> Result<super::Made, Bad> {
    verify(&mut File::open(path).unwrap(), &mut |_| ())
}

/// Every byte counts, those of the compression and of the last line too: 200 flipped bits and 200 lost ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_and_nothing_changes() {
    let (old, new) = (Home::with(4).await, Home::with(3).await);
    let file = old.folder.path().join("b.tar.gz");
    let made = old.back_up(&file).await;
    assert_eq!(verified(&file).unwrap(), made);
    let (whole, before) = (fs::read(&file).unwrap(), new.contents());
    let dice: &dyn Entropy = &SeededEntropy::new(11);
    let roll = |sides: usize| usize::try_from(u64::from_be_bytes(dice.array())).unwrap() % sides;
    let damaged = old.folder.path().join("damaged.tar.gz");
    let last = whole.len() - 1;
    let ends = [0, 1, 9, last - 91, last - 90, last];
    for round in 0..200 {
        let mut flipped = whole.clone();
        let at = ends.get(round).copied().unwrap_or_else(|| roll(whole.len()));
        flipped[at] ^= 1 << roll(8);
        fs::write(&damaged, &flipped).unwrap();
        assert!(verified(&damaged).is_err(), "bit flipped at {at} of {}", whole.len());
        let cut = roll(whole.len());
        fs::write(&damaged, &whole[..cut]).unwrap();
        assert!(verified(&damaged).is_err(), "cut to {cut} of {}", whole.len());
        if round % 20 == 0 {
            let refused = new.restore(&damaged, true, true).await.unwrap_err();
            assert!(matches!(refused, Failure::Bad(_)), "{refused}");
        }
    }
    fs::write(&damaged, [whole.as_slice(), b"more"].concat()).unwrap();
    assert!(verified(&damaged).is_err());
    assert_eq!(new.contents(), before);
}

/// An archive with a right digest and these members.
fn crafted(path: &Path, members: &[(&[u8], EntryType)], manifest: Option<&Manifest>) {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut add = |name: &[u8], kind, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    };
    for (name, kind) in members {
        add(name, *kind, b"");
    }
    if let Some(manifest) = manifest {
        add(b"manifest.json", Regular, &serde_json::to_vec(manifest).unwrap());
    }
    let mut bytes = tar.into_inner().unwrap().finish().unwrap();
    let id = data_encoding::HEXLOWER.encode(&crate::rules::trail::hash(&bytes));
    bytes.extend(crate::app::backup::container::trailer(&id));
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_would_leave_the_place_or_are_no_files_are_refused() {
    let home = Home::with(1).await;
    let file = home.folder.path().join("b.tar.gz");
    let manifest = home.back_up(&file).await.manifest;
    let hostile = home.folder.path().join("hostile.tar.gz");
    for (name, kind) in [
        (&b"../escape"[..], Regular),
        (b"/etc/passwd", Regular),
        (b"keys/../../escape", Regular),
        (b"keys/a\nb", Regular),
        (b"keys/\xff", Regular),
        (b"keys/link", Symlink),
        (b"keys/link", Link),
        (b"keys", Directory),
        (b"unheard-of", Regular),
    ] {
        crafted(&hostile, &[(name, kind)], Some(&manifest));
        assert!(matches!(verified(&hostile), Err(Bad::Form(_))), "{}", String::from_utf8_lossy(name));
    }
    crafted(&hostile, &[], Some(&manifest));
    assert!(verified(&hostile).unwrap_err().to_string().contains("missing"));
    crafted(&hostile, &[], None);
    assert!(verified(&hostile).unwrap_err().to_string().contains("no manifest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_made_is_refused_by_name() {
    let (home, new) = (Home::with(1).await, Home::empty());
    let file = home.folder.path().join("b.tar.gz");
    let mut manifest = home.back_up(&file).await.manifest;
    manifest.format += 1;
    crafted(&file, &[], Some(&manifest));
    assert!(matches!(verified(&file), Err(Bad::Newer(2))));
    manifest.format = 1;
    manifest.members.clear();
    (manifest.store.schema, manifest.panelgate) = (99, "7.0.0".into());
    crafted(&file, &[], Some(&manifest));
    let refused = new.restore(&file, true, true).await.unwrap_err().to_string();
    assert!(refused.contains("schema 99") && refused.contains("panelgate 7.0.0"), "{refused}");
}

/// It can be opened without us.
#[tokio::test(flavor = "multi_thread")]
async fn tar_opens_it() {
    let home = Home::with(1).await;
    let file = home.folder.path().join("b.tar.gz");
    let made = home.back_up(&file).await;
    let listed = std::process::Command::new("tar").arg("tzf").arg(&file).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.status.success() && listed.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    assert_eq!(names.lines().count(), made.manifest.members.len() + 1);
}

#[test]
fn a_member_that_shrinks_while_it_is_read_ends_the_backup() {
    let mut packer = Packer::new(Vec::new(), 0);
    let short = packer.add("keys/x", None, 10, &b"short"[..], &mut |_| Ok(()));
    assert_eq!(short.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn an_empty_file_and_one_of_somebody_else_are_no_backups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, b"").unwrap();
    assert!(matches!(verified(&path), Err(Bad::NoTrailer)));
    File::create(&path).unwrap().write_all(&[7; 4096]).unwrap();
    assert!(matches!(verified(&path), Err(Bad::NoTrailer)));
    File::options().write(true).open(&path).unwrap().write_at(b"\x1f\x8b", 0).unwrap();
    assert!(matches!(verified(&path), Err(Bad::NoTrailer)));
}
