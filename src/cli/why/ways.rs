//! What would have allowed a request, in words.

use crate::{
    cli::verdict::moment,
    rules::record::{Change, Way},
};

/// One line for each way.
pub(super) fn spell(way: &Way) -> String {
    way.iter().map(change).collect::<Vec<_>>().join(", and ")
}

fn change(change: &Change) -> String {
    match change {
        Change::SignIn(roles) => format!("signing in as {}", one_of(roles)),
        Change::Enrol => "setting up a second factor".to_owned(),
        Change::SecondFactor => "proving the second factor".to_owned(),
        Change::Role(roles) => format!("the role {}", one_of(roles)),
        Change::From(networks) => format!("coming from {}", one_of(networks)),
        Change::In(countries) => format!("coming from {}", one_of(countries)),
        Change::At(at) => format!("coming at {}", moment(at.secs())),
        Change::Method(methods) => format!("the method {}", one_of(methods)),
        Change::Scope(scopes) => format!("the scope {} for the key", one_of(scopes)),
        Change::Session => "a session in place of the key".to_owned(),
        Change::EndActing => "ending the impersonation".to_owned(),
        Change::WriteActing => "an impersonation that allows changes".to_owned(),
    }
}

fn one_of(items: &[impl ToString]) -> String {
    let mut items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
        None => String::new(),
    }
}
