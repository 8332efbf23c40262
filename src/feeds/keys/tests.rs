use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    GivenMaster, KeyError, drop_old_master, list, load_or_create, load_or_create_under, master, rotate,
    rotate_master,
};
use crate::{
    clock::Wall,
    entropy::{Entropy, SeededEntropy},
    rules::{
        identity::UserId,
        seal::Resealed,
        session::{Family, Sid},
        token::{AccessClaims, BadToken, KeySet, RefreshToken},
    },
    secret::SecretBytes,
};

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Wall {
    Wall::from_secs(1_800_000_000)
}

/// A keys directory that is not there yet, and a source of keys.
fn place() -> (tempfile::TempDir, PathBuf, Box<dyn Entropy>) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("keys");
    (temp, dir, Box::new(SeededEntropy::new(1)))
}

fn token(keys: &KeySet, at: Wall) -> String {
    let claims = AccessClaims {
        sid: Sid([1; 32]),
        generation: 1,
        aud: "main".into(),
        iat: at,
        exp: at.plus(Duration::from_secs(900)),
    };
    keys.issue_access(&claims, [2; 16], &UserId([3; 16]))
}

fn family(keys: &KeySet) -> Family {
    let key = keys.current_refresh_key().into();
    Family { seed: SecretBytes::new([4; 32]), key, generation: 1, current_seen: None }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn file(dir: &Path, start: &str) -> PathBuf {
    let mut entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).unwrap()
}

#[test]
fn the_first_start_makes_keys_and_the_next_reads_the_same() {
    let (_temp, dir, entropy) = place();
    let first = load_or_create(&dir, &*entropy, now()).unwrap();
    let again = load_or_create(&dir, &*entropy, now()).unwrap();
    assert!(again.verify_access(&token(&first, now()), "main", now()).is_ok());
    assert_eq!(
        first.master().open("p", &again.master().seal("p", b"x", [0; 12])).as_deref(),
        Some(b"x".as_slice())
    );
    assert_eq!(first.jwks(), again.jwks());
}

#[test]
fn only_the_owner_can_use_what_is_made() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    rotate(&dir, &*entropy, now(), DAY).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn files_open_to_others_are_refused_with_the_command_that_mends_it() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    for start in ["access-", "refresh-", "master", "keys.json"] {
        for bits in [0o640, 0o604, 0o620] {
            let path = file(&dir, start);
            chmod(&path, bits);
            let error = load_or_create(&dir, &*entropy, now()).unwrap_err();
            assert!(matches!(&error, KeyError::TooOpen { path: named, .. } if *named == path), "{error}");
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
            chmod(&path, 0o600);
        }
    }
    chmod(&dir, 0o755);
    let error = load_or_create(&dir, &*entropy, now()).unwrap_err().to_string();
    assert!(error.contains(&format!("chmod 700 {}", dir.display())), "{error}");
}

#[test]
fn damaged_files_are_named_and_never_replaced() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    for start in ["access-", "refresh-", "master", "keys.json"] {
        let path = file(&dir, start);
        let good = fs::read(&path).unwrap();
        for bad in [b"".as_slice(), b"rubbish", &good[..good.len() / 2]] {
            fs::write(&path, bad).unwrap();
            for error in [
                load_or_create(&dir, &*entropy, now()).unwrap_err(),
                rotate(&dir, &*entropy, now(), DAY).unwrap_err(),
            ] {
                assert!(
                    matches!(&error, KeyError::Malformed { path: named, .. } if *named == path),
                    "{error}"
                );
            }
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        fs::write(&path, good).unwrap();
    }
    fs::remove_file(file(&dir, "access-")).unwrap();
    assert!(load_or_create(&dir, &*entropy, now()).unwrap_err().to_string().contains("access-"));
}

/// RFC 8410 §10.3, the example private key; `openssl genpkey -algorithm ed25519` writes the same form.
#[test]
fn an_access_key_may_come_from_elsewhere_as_pkcs8() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    fs::write(file(&dir, "access-"), pem).unwrap();
    let keys = load_or_create(&dir, &*entropy, now()).unwrap();
    // The public key of §10.1, without its ASN.1 head.
    assert_eq!(keys.jwks()["keys"][0]["x"], "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
}

#[test]
fn after_a_rotation_the_old_keys_serve_what_they_signed_until_they_retire() {
    let (_temp, dir, entropy) = place();
    let old = load_or_create(&dir, &*entropy, now()).unwrap();
    let (old_token, old_family) = (token(&old, now()), family(&old));
    let inventory = rotate(&dir, &*entropy, now(), DAY).unwrap();
    assert_eq!((inventory.access.len(), inventory.refresh.len()), (2, 2));

    let new = load_or_create(&dir, &*entropy, now()).unwrap();
    assert_ne!(old.current_refresh_key(), new.current_refresh_key());
    assert!(new.verify_access(&old_token, "main", now()).is_ok());
    assert_eq!(old.verify_access(&token(&new, now()), "main", now()), Err(BadToken::Invalid));
    let text = new.mint_refresh(&Sid([1; 32]), &old_family).unwrap();
    assert!(old.check_refresh(&RefreshToken::parse(&text).unwrap(), &old_family));

    let later = now().plus(DAY);
    assert_eq!(
        new.verify_access(&token(&old, later), "main", later),
        Err(BadToken::Invalid),
        "retired, no reload"
    );
    let reloaded = load_or_create(&dir, &*entropy, later).unwrap();
    assert_eq!(reloaded.mint_refresh(&Sid([1; 32]), &old_family), None);
    assert_eq!(reloaded.jwks()["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rotation_deletes_what_has_retired() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    let first = (file(&dir, "access-"), file(&dir, "refresh-"));
    rotate(&dir, &*entropy, now(), DAY).unwrap();
    assert!(first.0.exists() && first.1.exists());
    let inventory = rotate(&dir, &*entropy, now().plus(DAY), DAY).unwrap();
    assert!(!first.0.exists() && !first.1.exists());
    assert_eq!(
        inventory.access.iter().map(|entry| entry.retires.is_none()).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(list(&dir).unwrap().access, inventory.access);
}

#[test]
fn a_crash_before_the_last_step_leaves_the_old_set() {
    let (_temp, dir, entropy) = place();
    let before = load_or_create(&dir, &*entropy, now()).unwrap().jwks();
    fs::write(dir.join("access-feedbeef.pem"), "half a key").unwrap();
    fs::write(dir.join("keys.json.new"), "{\"access\":").unwrap();
    assert_eq!(load_or_create(&dir, &*entropy, now()).unwrap().jwks(), before);
    rotate(&dir, &*entropy, now(), DAY).unwrap();
    assert_eq!(load_or_create(&dir, &*entropy, now()).unwrap().jwks()["keys"][1], before["keys"][0]);
}

#[test]
fn a_lost_manifest_costs_the_sessions_but_not_what_is_sealed() {
    let (_temp, dir, entropy) = place();
    let before = load_or_create(&dir, &*entropy, now()).unwrap();
    fs::remove_file(dir.join("keys.json")).unwrap();
    let after = load_or_create(&dir, &*entropy, now()).unwrap();
    assert_eq!(after.verify_access(&token(&before, now()), "main", now()), Err(BadToken::Invalid));
    assert!(after.master().open("p", &before.master().seal("p", b"x", [0; 12])).is_some());
}

#[test]
fn two_rotations_at_once_are_not_mixed() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    let _held = super::Folder::open(&dir).unwrap().lock().unwrap();
    assert!(matches!(rotate(&dir, &*entropy, now(), DAY), Err(KeyError::Busy { .. })));
}

#[test]
fn ids_cannot_lead_out_of_the_directory() {
    let (_temp, dir, entropy) = place();
    load_or_create(&dir, &*entropy, now()).unwrap();
    let manifest = fs::read_to_string(dir.join("keys.json")).unwrap();
    let id = list(&dir).unwrap().access[0].id.clone();
    fs::write(dir.join("keys.json"), manifest.replace(&id, "x/../../elsewhere")).unwrap();
    assert!(matches!(load_or_create(&dir, &*entropy, now()), Err(KeyError::Malformed { .. })));
}

fn given(current: u8, older: Option<u8>) -> GivenMaster {
    let key = |byte| SecretBytes::new([byte; 32]);
    GivenMaster { from: "PANELGATE_MASTER_KEY".into(), current: key(current), older: older.map(key) }
}

fn opens(keys: &KeySet, sealed: &[u8]) -> bool {
    keys.master().open("p", sealed).as_deref() == Some(b"x")
}

#[test]
fn a_master_key_is_rotated_in_three_steps_and_each_can_be_repeated() {
    let (_temp, dir, entropy) = place();
    let load = || load_or_create(&dir, &*entropy, now()).unwrap();
    let first = load().master().seal("p", b"x", [0; 12]);
    assert!(rotate_master(&dir, &*entropy, now()).unwrap());
    assert!(!rotate_master(&dir, &*entropy, now()).unwrap(), "one rotation at a time");
    let keys = load();
    assert!(opens(&keys, &first), "what the older key sealed opens");
    let Resealed::New(second) = keys.master().reseal("p", &first, [1; 12]) else {
        panic!("not sealed again")
    };
    assert_eq!(list(&dir).unwrap().master.len(), 2);
    assert_eq!(drop_old_master(&dir, None).unwrap(), 1);
    assert_eq!(drop_old_master(&dir, None).unwrap(), 0);
    let keys = load();
    assert!(opens(&keys, &second) && !opens(&keys, &first), "the older key is gone");
    assert!(!dir.join("master.key").exists());
    assert!(rotate_master(&dir, &*entropy, now()).unwrap(), "the next rotation");
    assert!(opens(&load(), &second));
}

#[test]
fn rotating_the_signing_keys_leaves_the_master_keys_alone() {
    let (_temp, dir, entropy) = place();
    let load = || load_or_create(&dir, &*entropy, now()).unwrap();
    let sealed = load().master().seal("p", b"x", [0; 12]);
    rotate_master(&dir, &*entropy, now()).unwrap();
    rotate(&dir, &*entropy, now(), DAY).unwrap();
    rotate(&dir, &*entropy, now().plus(DAY * 400), DAY).unwrap();
    assert!(opens(&load_or_create(&dir, &*entropy, now().plus(DAY * 400)).unwrap(), &sealed));
}

#[test]
fn a_master_key_from_outside_seals_and_no_file_is_made() {
    let (_temp, dir, entropy) = place();
    let load = |given: &GivenMaster| load_or_create_under(&dir, Some(given), &*entropy, now()).unwrap();
    let sealed = load(&given(1, None)).master().seal("p", b"x", [0; 12]);
    assert!(!dir.join("master.key").exists());
    assert!(opens(&load(&given(1, None)), &sealed));
    assert!(!opens(&load(&given(2, None)), &sealed));
    assert!(opens(&load(&given(2, Some(1))), &sealed), "PANELGATE_MASTER_KEY_OLD");
    // Without what was given before, no new key takes its place.
    assert!(matches!(load_or_create(&dir, &*entropy, now()), Err(KeyError::NoMaster { .. })));
    assert!(rotate_master(&dir, &*entropy, now()).is_err());
}

#[test]
fn a_key_from_outside_takes_over_from_the_file_which_goes_when_nothing_needs_it() {
    let (_temp, dir, entropy) = place();
    let sealed = load_or_create(&dir, &*entropy, now()).unwrap().master().seal("p", b"x", [0; 12]);
    let outside = given(1, None);
    let keys = load_or_create_under(&dir, Some(&outside), &*entropy, now()).unwrap();
    assert!(opens(&keys, &sealed));
    assert!(matches!(keys.master().reseal("p", &sealed, [1; 12]), Resealed::New(_)));
    assert_eq!(drop_old_master(&dir, Some(&outside)).unwrap(), 1);
    assert!(!opens(&load_or_create_under(&dir, Some(&outside), &*entropy, now()).unwrap(), &sealed));
}

#[test]
fn a_master_key_is_written_in_base64_or_hexadecimal_and_has_32_bytes() {
    let key = SecretBytes::new([0xab; 32]);
    assert_eq!(master::parse(&format!("{}\n", data_encoding::BASE64.encode(&[0xab; 32]))), Some(key.clone()));
    assert_eq!(master::parse(&"aB".repeat(32)), Some(key));
    for bad in ["", "password", &"ab".repeat(31), &"zz".repeat(32)] {
        assert_eq!(master::parse(bad), None, "{bad}");
    }
}
