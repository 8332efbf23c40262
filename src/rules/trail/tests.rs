//! R29: whatever is done to the trail shows.

use proptest::prelude::*;

use super::{Chain, Fields, Kind, Link, Query, RECOVERED, Unreadable, line, read, recovered};
use crate::clock::Wall;

const AT: Wall = Wall::from_millis(1_800_000_000_123);

fn fields(user: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert("user".into(), user.into());
    fields.insert("client".into(), "203.0.113.9".into());
    fields.insert("by".into(), 0.into());
    fields
}

/// So many records.
fn trail(count: u64) -> Vec<String> {
    let mut link = Link::default();
    (0..count).map(|n| line(&mut link, AT, "user-added", &fields(&format!("user-{n}"))) + "\n").collect()
}

fn findings(lines: &[String], head: Option<u64>) -> Vec<Kind> {
    let mut chain = Chain::default();
    for (line, number) in lines.iter().zip(1..) {
        chain.feed("f", number, line.as_bytes());
    }
    let head = head.map(|seq| Link { seq, hash: [0; 32] });
    chain.finish(head).0.into_iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_record_reads_back_and_is_what_the_documentation_says() {
    let mut link = Link::default();
    let mut said = fields("carol");
    said.insert("seq".into(), "mine".into());
    let text = line(&mut link, AT, "user-added", &said);
    assert!(
        text.starts_with(r#"{"seq":1,"at":"2027-01-15T08:00:00.123Z","event":"user-added","by":0,"#),
        "{text}"
    );
    let record = read(text.as_bytes()).unwrap();
    assert_eq!((record.seq, record.secs(), record.link()), (1, 1_800_000_000, link));
    assert_eq!(record.text("seq_").as_deref(), Some("mine"));
    assert_eq!((record.prev, record.text("by").as_deref()), ([0; 32], Some("0")));
    assert_eq!(read(text.replace("carol", "caroL").as_bytes()), Err(Unreadable::Hash));
    assert_eq!(read(&text.as_bytes()[..20]), Err(Unreadable::Form));
}

#[test]
fn r29_an_untouched_trail_has_no_findings() {
    assert_eq!(findings(&trail(20), Some(20)), []);
    assert_eq!(findings(&[], None), []);
}

#[test]
fn r29_what_was_done_to_the_trail_is_named() {
    let lines = trail(9);
    let mut altered = lines.clone();
    altered[3] = altered[3].replace("user-3", "user-8");
    assert_eq!(findings(&altered, Some(9)), [Kind::Altered(Some(4))]);

    let mut removed = lines.clone();
    removed.drain(3..5);
    assert_eq!(findings(&removed, Some(9)), [Kind::Missing(4, 5)]);

    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert_eq!(findings(&swapped, Some(9)), [Kind::Misplaced(4)]);

    let mut again = lines.clone();
    again.insert(5, lines[2].clone());
    assert_eq!(findings(&again, Some(9)), [Kind::Misplaced(3)]);

    assert_eq!(findings(&lines[2..], Some(9)), [Kind::NoStart(2)]);
    assert_eq!(findings(&lines[..7], Some(9)), [Kind::Truncated(8, 9)]);

    let mut cut = lines.clone();
    cut[4].truncate(30);
    cut[4].push('\n');
    assert_eq!(findings(&cut, Some(9)), [Kind::Altered(Some(5))]);

    // Forged with a hash of its own, which the next record does not continue.
    let mut link = read(lines[3].trim_end().as_bytes()).unwrap().link();
    let mut forged = lines.clone();
    forged[4] = line(&mut link, AT, "user-added", &fields("mallory")) + "\n";
    assert_eq!(findings(&forged, Some(9)), [Kind::Unlinked(6)]);
}

#[test]
fn a_line_that_a_crash_cut_off_is_closed_by_the_record_that_names_its_bytes() {
    let mut lines = trail(3);
    let last = read(lines[2].trim_end().as_bytes()).unwrap().link();
    lines.push(lines[2].chars().take(40).collect());
    assert_eq!(findings(&lines, Some(3)), [], "the next start closes it");
    let mut link = last;
    let closing = line(&mut link, AT, RECOVERED, &recovered(lines[3].as_bytes()));
    lines[3].push('\n');
    lines.push(closing + "\n");
    assert_eq!(findings(&lines, Some(4)), []);
    lines[3] = lines[3].replace("seq", "sex");
    assert_eq!(findings(&lines, Some(4)).len(), 1, "other bytes than those that were cut off");
}

#[test]
fn queries_find_what_they_name() {
    let record = read(trail(1)[0].trim_end().as_bytes()).unwrap();
    let all = Query::default();
    let text = |text: &str| Some(text.to_owned());
    for (query, found) in [
        (all.clone(), true),
        (Query { user: text("USER-0"), ..all.clone() }, true),
        (Query { user: text("user-1"), ..all.clone() }, false),
        (Query { event: text("user-added"), ..all.clone() }, true),
        (Query { event: text("user-*"), ..all.clone() }, true),
        (Query { event: text("user"), ..all.clone() }, false),
        (Query { client: Some("203.0.113.0/24".parse().unwrap()), ..all.clone() }, true),
        (Query { client: Some("203.0.114.0/24".parse().unwrap()), ..all.clone() }, false),
        (Query { since: Some(Wall::from_secs(1_800_000_000)), ..all.clone() }, true),
        (Query { since: Some(Wall::from_secs(1_800_000_001)), ..all.clone() }, false),
        (Query { until: Some(Wall::from_secs(1_800_000_000)), ..all.clone() }, false),
        (Query { text: text("R-0"), ..all.clone() }, true),
        (Query { text: text("nowhere"), ..all.clone() }, false),
        (Query { site: text("panel"), ..all.clone() }, false),
        (Query { before: Some(1), ..all.clone() }, false),
    ] {
        assert_eq!(query.matches(&record), found, "{query:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// R29: a thousand times, one line is flipped, removed, doubled, moved or cut, or the end is taken away.
    #[test]
    fn r29_no_tampering_is_overlooked(
        at in 0_usize..12,
        to in 0_usize..12,
        what in 0_u8..6,
        offset in any::<prop::sample::Index>(),
        bit in 0_u8..7,
    ) {
        let original = trail(12);
        let mut lines = original.clone();
        match what {
            0 => {
                let mut bytes = lines[at].clone().into_bytes();
                let place = offset.index(bytes.len() - 1);
                bytes[place] ^= 1 << bit;
                // A line that was split in two is two lines.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                lines.splice(at..=at, text.split_inclusive('\n').map(str::to_owned));
            }
            1 => drop(lines.remove(at)),
            2 => lines.insert(to, original[at].clone()),
            3 => lines.swap(at, to),
            4 => lines.truncate(at),
            _ => {
                let end = offset.index(lines[at].len() - 1);
                lines[at].truncate(end);
                lines.truncate(at + 1);
            }
        }
        prop_assume!(lines != original);
        prop_assert!(!findings(&lines, Some(12)).is_empty(), "{:?}", lines);
    }
}
