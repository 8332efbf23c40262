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
    let mut said = String::new();
    match given {
        Some(given) => said.push_str(&format!("the master key comes from {}\n", given.from)),
        None if drop_old => {}
        None => said.push_str(match keys::rotate_master(dir, &SystemEntropy, SystemClock::new().wall()) {
            Ok(true) => "there is a new master key\n",
            Ok(false) => "a rotation is under way already: no new master key was made\n",
            Err(error) => return Err(failed(error)),
        }),
    }
    place.reload()?;
    let AdminAnswer::Resealed { sealed, renewed, lost } = place.ask(AdminRequest::Reseal)? else {
        return other();
    };
    said.push_str(&format!("{sealed} values are sealed with it, {renewed} of them were sealed again\n"));
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
        said.push_str(&format!("{gone} older master keys were deleted\n"));
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
