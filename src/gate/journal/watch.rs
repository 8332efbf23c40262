//! Requests that `panelgate doctor` sends through the deployed chain, followed to see how they arrived here.
//!
//! Whoever may use the admin socket opens a watch on a random marker and puts the marker into the paths that it asks for.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::{
    clock::Wall,
    live::Live,
    rules::{facts::Door, record::Record},
};

/// How long a watch that nobody closes stays open.
const LASTS_MILLIS: u64 = 5 * 60 * 1000;
/// Watches at one time.
const WATCHES: usize = 64;
/// Sightings of each. Whoever does not know the marker can add unread questions alone, so these have room of their own.
const MARKED: usize = 512;
const UNREAD: usize = 64;
/// A shorter marker could be in somebody else's path.
const SHORTEST: usize = 12;
/// Questions about a path with the marker and this behind it are not answered: a proxy must then stay closed.
const SILENCE: &str = "-silence";
/// Questions that could not be read name no path of the client's, so every watch gets them.
const QUESTIONS: &str = "/api/authz/";

/// How a request arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The target as it was judged, query included.
    pub target: String,
    /// The decision.
    pub record: Record,
}

/// What a watch saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// In the order in which they were judged.
    pub sightings: Vec<Sighting>,
    /// Requests with the marker that there was no room for.
    pub lost_marked: usize,
    /// Questions that could not be read, and that there was no room for.
    pub lost_unread: usize,
    unread: usize,
}

impl Seen {
    /// Room for one more, or the loss of it.
    fn takes(&mut self, marked: bool) -> bool {
        let (held, most, lost) = if marked {
            (self.sightings.len() - self.unread, MARKED, &mut self.lost_marked)
        } else {
            (self.unread, UNREAD, &mut self.lost_unread)
        };
        if held >= most {
            *lost += 1;
            return false;
        }
        self.unread += usize::from(!marked);
        true
    }
}

/// All watches.
#[derive(Debug, Default)]
pub struct Watches {
    any: AtomicBool,
    open: Mutex<Vec<Watch>>,
}

#[derive(Debug)]
struct Watch {
    marker: String,
    until: Wall,
    seen: Seen,
}

impl Watches {
    /// Opens a watch.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn open(&self, marker: &str, now: Wall) -> Result<(), &'static str> {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if marker.len() < SHORTEST || !marker.bytes().all(sound) {
            return Err("a marker has at least twelve small letters and digits");
        }
        let mut open = self.lock();
        open.retain(|watch| now < watch.until && watch.marker != marker);
        if open.len() >= WATCHES {
            return Err("too many watches are open; the oldest ends within five minutes");
        }
        let until = Wall::from_millis(now.millis() + LASTS_MILLIS);
        open.push(Watch { marker: marker.to_owned(), until, seen: Seen::default() });
        self.any.store(true, Ordering::Release);
        Ok(())
    }

    /// Closes a watch and gives what it saw; `None` if there was none.
    pub fn close(&self, marker: &str) -> Option<Seen> {
        let mut open = self.lock();
        let at = open.iter().position(|watch| watch.marker == marker)?;
        let seen = open.swap_remove(at).seen;
        self.any.store(!open.is_empty(), Ordering::Release);
        Some(seen)
    }

    /// Whether a question about this target is to be left without an answer.
    pub fn wants_silence(&self, target: &str) -> bool {
        !self.are_none()
            && self.lock().iter().any(|watch| {
                let after = target.split_once(watch.marker.as_str()).map(|(_, after)| after);
                after.is_some_and(|after| after.starts_with(SILENCE))
            })
    }

    pub(super) fn are_none(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    pub(super) fn note(&self, entry: &Entry, live: &Live, now: Wall) {
        let target = entry.target();
        // At the edge it is just a path, and anybody's.
        let unread = entry.door() == Door::Sidecar && target.starts_with(QUESTIONS);
        let mut open = self.lock();
        open.retain(|watch| now < watch.until);
        self.any.store(!open.is_empty(), Ordering::Release);
        for (marked, watch) in open.iter_mut().map(|watch| (target.contains(&watch.marker), watch)) {
            if (marked || unread) && watch.seen.takes(marked) {
                let record = entry.clone().into_record(live);
                watch.seen.sightings.push(Sighting { target: target.clone(), record });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watch>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{LASTS_MILLIS, MARKED, Seen, UNREAD, WATCHES, Watches};
    use crate::clock::Wall;

    const MARKER: &str = "pgdoctor0123456789";

    #[test]
    fn a_marker_that_could_be_anybodys_is_refused() {
        let watches = Watches::default();
        for marker in ["", "echo", "pgdoctor012", "pgdoctor-0123456789", "PGDOCTOR0123456789"] {
            assert!(watches.open(marker, Wall::from_secs(1)).is_err(), "{marker}");
        }
        assert!(watches.are_none(), "nothing is followed, so nothing costs anything");
    }

    #[test]
    fn silence_is_kept_on_marked_paths_alone_and_ends_with_the_watch() {
        let watches = Watches::default();
        let path = format!("/echo/{MARKER}-silence/a");
        assert!(!watches.wants_silence(&path));
        watches.open(MARKER, Wall::from_secs(1)).unwrap();
        assert!(watches.wants_silence(&path));
        assert!(
            !watches.wants_silence("/echo/-silence")
                && !watches.wants_silence(&format!("/{MARKER}-a-silence"))
        );
        assert_eq!(watches.close(MARKER), Some(Seen::default()));
        assert!(!watches.wants_silence(&path) && watches.close(MARKER).is_none());
    }

    #[test]
    fn unread_questions_and_marked_requests_do_not_take_each_others_room() {
        let mut seen = Seen::default();
        for _ in 0..UNREAD {
            assert!(seen.takes(false));
            seen.sightings.push(super::Sighting {
                target: "/api/authz/x".into(),
                record: crate::rules::record::tests::sample("GET", "/api/authz/x"),
            });
        }
        assert!(!seen.takes(false) && seen.takes(true), "there is room for what has the marker");
        assert_eq!((seen.lost_unread, seen.lost_marked), (1, 0));
        let marked = std::iter::repeat_with(|| super::Sighting {
            target: format!("/{MARKER}"),
            record: crate::rules::record::tests::sample("GET", &format!("/{MARKER}")),
        });
        seen.sightings.extend(marked.take(MARKED));
        assert!(!seen.takes(true));
        assert_eq!((seen.lost_unread, seen.lost_marked), (1, 1));
    }

    #[test]
    fn watches_are_few_and_end_by_themselves() {
        let watches = Watches::default();
        let early = Wall::from_secs(1);
        for number in 0..WATCHES {
            watches.open(&format!("{MARKER}{number}"), early).unwrap();
        }
        assert!(watches.open(MARKER, early).is_err());
        watches.open(MARKER, Wall::from_millis(early.millis() + LASTS_MILLIS)).unwrap();
    }
}
