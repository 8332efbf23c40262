//! Names that nearly all records have in common, kept once.

use std::{cell::RefCell, sync::Arc};

/// There are few sites and few refresh keys; more names than these are left as they come.
const MOST: usize = 32;

thread_local! {
    static NAMES: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a name that was just read the same one as in other records: there can be a million of them in memory.
pub(super) fn share(name: &mut Arc<str>) {
    NAMES.with_borrow_mut(|names| {
        if let Some(known) = names.iter().find(|known| *known == name) {
            *name = Arc::clone(known);
        } else if names.len() < MOST {
            names.push(Arc::clone(name));
        }
    });
}
