//! Rotating the master key: make a new one, seal everything again, drop the old one. Each step can be repeated.

use std::path::Path;

use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    cli::{
        connect::Place,
        user::other,
        verdict::{Trouble, visible},
    },
    clock::{Clock, SystemClock},
    entropy::SystemEntropy,
    feeds::keys::{self, GivenMaster},
};

/// Makes a new master key unless a rotation is under way, seals everything with the current one, and deletes the older
/// ones if that is wanted.
pub(super) fn rotate(
    dir: &Path,
    given: Option<&GivenMaster>,
    place: &Place,
    drop_old: bool,
) -> Result<String, Trouble> {
    let failed = |error: keys::KeyError| Trouble::Failed(error.to_string());
    let mut said = match given {
        Some(given) => format!("the master key comes from {}\n", given.from),
        None if drop_old => String::new(),
        None => match keys::rotate_master(dir, &SystemEntropy, SystemClock::new().wall()) {
            Ok(true) => "there is a new master key\n".to_owned(),
            Ok(false) => "a rotation is under way already: no new master key was made\n".to_owned(),
            Err(error) => return Err(failed(error)),
        },
    };
    place.reload()?;
    let AdminAnswer::Resealed { sealed, renewed, lost } = place.ask(AdminRequest::Reseal)? else {
        return other();
    };
    said += &count(sealed, renewed);
    if !lost.is_empty() {
        let names = visible(&lost.join(", "));
        let why = format!("{said}no key opens what is sealed for: {names}");
        if drop_old {
            let mend =
                "they may need a key that is not here: give it, or remove these second factors and sessions";
            return Err(Trouble::No(format!("{why}; no key is deleted: {mend}")));
        }
        said = format!("{why}\n");
    }
    if drop_old {
        let gone = keys::drop_old_master(dir, given).map_err(failed)?;
        place.reload()?;
        said = format!("{said}{gone} older master keys were deleted\n");
        if given.is_some_and(|given| given.older.is_some()) {
            said.push_str(
                "nothing needs the older key from outside any more: take it out of the configuration\n",
            );
        }
    } else {
        said.push_str(
            "back the keys up again; then `key-material rotate --master --drop-old` deletes the older ones\n",
        );
    }
    Ok(said)
}

fn count(sealed: usize, renewed: usize) -> String {
    format!("{sealed} values are sealed with it, {renewed} of them were sealed again\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{keys, rotate};
    use crate::{
        app::admin::{AdminAnswer, AdminRequest},
        cli::{
            connect::{Place, tests::place},
            verdict::Trouble,
        },
        feeds::keys::GivenMaster,
        rules::identity::UserName,
        secret::SecretBytes,
    };

    /// A store with an account that has an authenticator app, and its keys.
    fn desk() -> (tempfile::TempDir, PathBuf, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let name = UserName::parse("carol").unwrap();
        let hash = format!("$2b$04${}", ".".repeat(53));
        let (display, email) = (String::new(), String::new());
        let add = AdminRequest::AddUser {
            name: name.clone(),
            role: "user".into(),
            display,
            email,
            password_hash: hash,
        };
        assert_eq!(place.ask(add).unwrap(), AdminAnswer::Done);
        place.ask(AdminRequest::Enrol { name }).unwrap();
        let keys = folder.path().join("keys");
        (folder, keys, place)
    }

    #[test]
    fn everything_is_sealed_again_before_the_old_key_goes_and_each_step_can_be_repeated() {
        let (_folder, keys, place) = desk();
        let said = rotate(&keys, None, &place, false).unwrap();
        assert!(
            said.contains("a new master key") && said.contains("1 values are sealed with it, 1 of them"),
            "{said}"
        );
        let said = rotate(&keys, None, &place, false).unwrap();
        assert!(said.contains("under way already") && said.contains("0 of them"), "{said}");
        let said = rotate(&keys, None, &place, true).unwrap();
        assert!(said.contains("1 older master keys were deleted"), "{said}");
        let said = rotate(&keys, None, &place, true).unwrap();
        assert!(said.contains("1 values are sealed with it, 0") && said.contains("0 older"), "{said}");
        assert!(!keys.join("master.key").exists());
    }

    #[test]
    fn no_key_goes_while_something_is_sealed_with_one_that_is_not_there() {
        let (folder, keys, mut place) = desk();
        let away = folder.path().join("away.key");
        std::fs::rename(keys.join("master.key"), &away).unwrap();
        let given = GivenMaster { from: "the test".into(), current: SecretBytes::new([1; 32]), older: None };
        place.named.master = Some(given.clone());
        let Err(Trouble::No(said)) = rotate(&keys, Some(&given), &place, true) else { panic!("deleted") };
        assert!(said.contains("carol") && said.contains("no key is deleted"), "{said}");
        // With the file back the key from outside takes over.
        std::fs::rename(&away, keys.join("master.key")).unwrap();
        let said = rotate(&keys, Some(&given), &place, true).unwrap();
        assert!(
            said.contains("comes from the test") && said.contains("1 of them were sealed again"),
            "{said}"
        );
        assert!(
            said.contains("1 older master keys were deleted") && !keys.join("master.key").exists(),
            "{said}"
        );
        assert!(keys::list(&keys).is_ok());
    }
}
