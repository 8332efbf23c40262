//! What `ban list --json` and `ban export --format json` print.

use serde_json::Value;

use super::List;
use crate::{app::admin::BanLine, cli::import_file::elements};

pub(super) fn read(text: &str, now: u64, list: &mut List) {
    let wrong = elements(text, |line, value: Value| {
        let ban: BanLine = match serde_json::from_value(value) {
            Ok(ban) => ban,
            Err(error) => {
                return list.problem(line, format!("this is not what `ban list --json` prints: {error}"));
            }
        };
        let seconds = ban.until.map(|until| until.saturating_sub(now));
        if ban.over || seconds == Some(0) {
            return list.skip(line, format!("the ban of {} is over", ban.whom));
        }
        list.ban(line, ban.whom, &ban.reason, seconds);
    });
    list.problems.extend(wrong);
}
