//! An address or a network a line: blocklists, FireHOL netsets, Spamhaus DROP, and `ipset save`.

use super::List;

/// What comments begin with: `;` in Spamhaus' lists.
const COMMENTS: [char; 2] = ['#', ';'];

pub(super) fn read(text: &str, lasts: Option<u64>, list: &mut List) {
    for (line, number) in text.lines().zip(1..) {
        let said = line.split(COMMENTS).next().unwrap_or_default().trim();
        let mut words = said.split_whitespace();
        let (first, second) = (words.next(), words.next());
        match (first, second) {
            (None | Some("create" | "flush"), _) => {}
            (Some("add"), Some(_)) => match words.next() {
                Some(whom) => list.ban(number, whom.to_owned(), "", lasts),
                None => list.problem(number, "an `add` of an ipset names the set and an address"),
            },
            (Some(whom), None) => list.ban(number, whom.to_owned(), "", lasts),
            (Some(_), Some(_)) => {
                list.problem(
                    number,
                    "more than one address: write one a line, and what is said of it after #",
                );
            }
        }
    }
    if list.bans.is_empty() && list.problems.is_empty() {
        // Half of a download looks like this, too.
        list.problem(1, "there are no addresses in it");
    }
}
