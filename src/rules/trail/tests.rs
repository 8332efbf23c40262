//! R29: whatever is done to the trail shows.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::{
    ARCHIVED, CHECKPOINT, Chain, Fields, Kind, Link, Mark, Query, RECOVERED, Signer, Unreadable,
    events::{COMMON, EVENTS},
    line, moment, read, recovered,
};
use crate::{
    clock::Wall,
    rules::{identity::UserName, token::AccessKey},
};

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
    // One that is there has the hash that it has.
    let hash = |seq| {
        lines.iter().filter_map(|line| read(line.trim_end().as_bytes()).ok()).find(|found| found.seq == seq)
    };
    if let Some(seq) = head {
        chain = chain.knowing(Link { seq, hash: hash(seq).map_or([0; 32], |found| found.hash) }, Mark::Head);
    }
    chain.finish().findings.into_iter().map(|finding| finding.kind).collect()
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

/// What was typed at the sign-in, blanks and capitals included, is what somebody looks for later.
#[test]
fn a_search_finds_what_a_sign_in_under_the_same_spelling_wrote() {
    for typed in [" ALICE ", "alice", "Alice\t", "\u{3000}aLiCe\n"] {
        let mut fields = Fields::new();
        let name = UserName::parse(typed).unwrap();
        fields.insert("user".into(), name.as_str().into());
        let line = line(&mut Link::default(), Wall::default(), "sign-in-failed", &fields);
        let query = Query { user: Some(typed.into()), ..Query::default() };
        assert!(query.matches(&read(line.trim_end().as_bytes()).unwrap()), "{typed:?}");
    }
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

fn signer(seed: u8) -> Signer {
    Signer::new(&AccessKey::from_seed("audit".into(), [seed; 32]).pkcs8).unwrap()
}

/// Five records, a checkpoint, three records.
fn signed(signer: &Signer) -> Vec<String> {
    let mut link = Link::default();
    let mut lines: Vec<String> =
        (0..5).map(|n| line(&mut link, AT, "user-added", &fields(&format!("user-{n}"))) + "\n").collect();
    let vouches = signer.checkpoint(link, &moment(AT));
    lines.push(line(&mut link, AT, CHECKPOINT, &vouches) + "\n");
    lines.extend((5..8).map(|n| line(&mut link, AT, "user-added", &fields(&format!("user-{n}"))) + "\n"));
    lines
}

fn followed(lines: &[String], chain: Chain) -> super::Followed {
    let mut chain = chain;
    for (line, number) in lines.iter().zip(1..) {
        chain.feed("f", number, line.as_bytes());
    }
    chain.finish()
}

#[test]
fn r29_whoever_writes_the_chain_anew_without_the_key_is_found() {
    let (ours, theirs) = (signer(1), signer(2));
    let keys = [ours.public()];
    let found = followed(&signed(&ours), Chain::default().signed_by(&keys));
    assert_eq!((found.findings.len(), found.checkpoints, found.vouched), (0, 1, 6));
    let kinds = |lines: &[String]| -> Vec<Kind> {
        let found = followed(lines, Chain::default().signed_by(&keys));
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(&signed(&theirs)), [Kind::Unsigned(6)]);
    // The signature of another place, and of another time.
    let mut link = Link::default();
    let copied = read(signed(&ours)[5].trim_end().as_bytes()).unwrap().fields;
    let mut forged: Vec<String> =
        (0..5).map(|_| line(&mut link, AT, "user-added", &fields("mallory")) + "\n").collect();
    forged.push(line(&mut link, AT, CHECKPOINT, &copied) + "\n");
    assert_eq!(kinds(&forged).len(), 1);
    let at = read(signed(&ours)[4].trim_end().as_bytes()).unwrap().link();
    let moved = line(&mut at.clone(), Wall::from_secs(1), CHECKPOINT, &copied) + "\n";
    let moved = [&signed(&ours)[..5], &[moved]].concat();
    assert_eq!(kinds(&moved), [Kind::Unsigned(6)]);
}

#[test]
fn a_head_is_signed_for_one_record() {
    let (ours, link) = (signer(1), Link { seq: 7, hash: [9; 32] });
    let signature = ours.head(link);
    assert!(ours.public().signed_head(link, &signature));
    assert!(!ours.public().signed_head(Link { seq: 8, ..link }, &signature));
    assert!(!signer(2).public().signed_head(link, &signature));
    assert!(!ours.public().signed_head(link, ""));
    let text = ours.public().to_string();
    assert_eq!(super::PublicKey::parse(&text), Some(ours.public()));
    assert_eq!(Link::parse(&link.to_string()), Some(link));
}

#[test]
fn r29_a_record_that_was_noted_elsewhere_has_to_be_there() {
    let lines = trail(9);
    let link = |at: usize| read(lines[at].trim_end().as_bytes()).unwrap().link();
    let against = |link: Link| -> Vec<Kind> {
        let found = followed(&lines, Chain::default().knowing(link, Mark::Noted));
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(against(link(4)), []);
    assert_eq!(against(Link { hash: [0; 32], ..link(4) }), [Kind::Replaced(5, Mark::Noted)]);
    assert_eq!(against(Link { seq: 12, hash: [0; 32] }), [Kind::Truncated(10, 12)]);
    let late = |start: usize, link: Link| -> Vec<Kind> {
        let found = followed(&lines[start..], Chain::default().knowing(link, Mark::Noted));
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(late(5, link(4)), [], "what comes first continues it");
    assert_eq!(
        late(5, Link { hash: [1; 32], ..link(4) }),
        [Kind::NoStart(5), Kind::Replaced(5, Mark::Noted)]
    );
    assert_eq!(late(5, link(2)), [Kind::NoStart(5), Kind::Unmet(3)]);
    let first = read(lines[5].trim_end().as_bytes()).unwrap();
    let by_hand = Chain::after(Link { seq: 5, hash: first.prev }).knowing(link(2), Mark::Noted);
    let found = followed(&lines[5..], by_hand);
    assert_eq!(found.findings.len(), 1, "moved away, and nobody vouches for that: {:?}", found.findings);
    let holed = [&lines[..3], &lines[5..]].concat();
    let found = followed(&holed, Chain::default().knowing(link(3), Mark::Noted)).findings;
    assert!(found.iter().any(|one| one.kind == Kind::Unmet(4)), "{found:?}");
}

#[test]
fn what_was_archived_need_not_be_there_and_what_is_gone_beyond_is_missing() {
    let mut lines = trail(9);
    let mut link = read(lines[8].trim_end().as_bytes()).unwrap().link();
    let mut said = Fields::new();
    said.insert("to".into(), 4.into());
    let fourth = read(lines[3].trim_end().as_bytes()).unwrap().link();
    said.insert("to_hash".into(), HEXLOWER.encode(&fourth.hash).into());
    let before = link;
    lines.push(line(&mut link, AT, ARCHIVED, &said) + "\n");
    let kinds = |lines: &[String], head: Link| -> Vec<Kind> {
        let found = followed(lines, Chain::default().knowing(head, Mark::Head));
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(&lines, link), []);
    assert_eq!(kinds(&lines[4..], link), []);
    assert_eq!(kinds(&lines[6..], link), [Kind::Missing(5, 6)]);
    assert_eq!(followed(&lines[4..], Chain::default().knowing(link, Mark::Head)).gone, 4);
    // A move that was interrupted: there are still two files of those.
    let mut chain = Chain::default().knowing(link, Mark::Head);
    for (at, line) in lines.iter().enumerate().skip(2) {
        let (file, number) = if at < 4 { ("a", at - 1) } else { ("b", at - 3) };
        chain.feed(file, number as u64, line.as_bytes());
    }
    assert_eq!(chain.finish().findings, []);
    assert_eq!(kinds(&lines[4..], before), [Kind::NoStart(4)], "it stands behind what was signed");
    said.insert("to_hash".into(), HEXLOWER.encode(&[7; 32]).into());
    let mut other = before;
    lines[9] = line(&mut other, AT, ARCHIVED, &said) + "\n";
    assert_eq!(kinds(&lines[4..], other), [Kind::NoStart(4)], "it is about another record");
}

/// The table of docs/audit.md.
fn table() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("| event | what happened | outcome | its own members |\n|---|---|---|---|\n");
    for event in EVENTS {
        let members: Vec<_> = event.members.split_whitespace().map(|name| format!("`{name}`")).collect();
        let (name, says, outcome) = (event.name, event.says, event.outcome);
        writeln!(text, "| `{name}` | {says} | {outcome} | {} |", members.join(", ")).unwrap();
    }
    text += "\n| member of any event | says |\n|---|---|\n";
    for (name, says) in COMMON {
        writeln!(text, "| `{name}` | {says} |").unwrap();
    }
    text
}

const BEGIN: &str = "<!-- table: `cargo test --lib write_the_table_of_events -- --ignored` -->\n";
const END: &str = "<!-- end of the table -->\n";

#[test]
fn the_documentation_has_every_event() {
    let page = include_str!("../../../docs/audit.md");
    let table_there = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).unwrap().0;
    assert_eq!(table_there, table());
}

#[test]
#[ignore = "writes the table"]
fn write_the_table_of_events() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md");
    let page = std::fs::read_to_string(file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let after = rest.split_once(END).unwrap().1;
    std::fs::write(file, [before, BEGIN, &table(), END, after].concat()).unwrap();
}

/// What is said to the trail in the sources: the event, if it is a plain one, and the names of its members.
fn said(macro_call: &str) -> (Option<String>, Vec<String>) {
    let (mut event, mut members) = (None, Vec::new());
    for part in macro_call.split(',').map(str::trim) {
        let (name, value) =
            part.split_once('=').map_or((part, ""), |(name, value)| (name.trim(), value.trim()));
        let name = name.trim_start_matches(['%', '?']);
        match name {
            "event" => {
                event = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned);
            }
            name if name.starts_with('"') || name.starts_with("target") => {}
            name if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !name.is_empty() => {
                members.push(name.to_owned());
            }
            _ => {}
        }
    }
    (event, members)
}

fn sources(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.to_string_lossy().contains("tests")
        {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn r29_every_event_in_the_sources_is_in_the_table_with_its_members() {
    let mut files = Vec::new();
    sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    let (mut calls, mut named, mut problems) = (0, std::collections::BTreeSet::new(), Vec::new());
    let whole: String = files.iter().map(|(_, text)| text.as_str()).collect();
    for (file, text) in &files {
        for call in text.split("tracing::").skip(1) {
            let Some(call) = call.split_once("!(").map(|(_, rest)| rest) else { continue };
            let call = call.split(");").next().unwrap_or_default();
            if !call.trim_start().starts_with("target: \"panelgate::audit\"") {
                continue;
            }
            calls += 1;
            let (event, members) = said(call);
            let known = event.as_deref().map(|name| (name, super::events::known(name)));
            if let Some((name, None)) = known {
                problems.push(format!("{file}: `{name}` is in no table"));
            }
            named.extend(event.clone());
            for member in members {
                let common = COMMON.iter().any(|(name, _)| *name == member);
                let own = match known {
                    Some((_, Some(event))) => event.members.split(' ').any(|name| name == member),
                    // The name is a variable: any event may be it.
                    None => EVENTS.iter().any(|event| event.members.split(' ').any(|name| name == member)),
                    Some((_, None)) => false,
                };
                if !common && !own {
                    problems.push(format!("{file}: {event:?} says `{member}`, which is in no table"));
                }
            }
        }
    }
    assert!(calls > 50, "only {calls} found");
    for event in EVENTS {
        if !named.contains(event.name) && whole.matches(&format!("\"{}\"", event.name)).count() < 2 {
            problems.push(format!("`{}` is in the table and nowhere else", event.name));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_event_has_one_entry() {
    let mut names: Vec<_> = EVENTS.iter().map(|event| event.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
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
