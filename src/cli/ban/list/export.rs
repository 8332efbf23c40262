//! Bans for others to read.

use std::fmt::Write as _;

use serde_json::json;

use super::Format;
use crate::{
    app::admin::BanLine,
    cli::verdict::{Trouble, json},
};

/// How long CrowdSec is told that a ban lasts which lasts until it is lifted: its decisions always end.
const EVER: u64 = 10 * 365 * 86_400;

/// The bans that count at `now`, in Unix seconds.
pub(in crate::cli) fn write(bans: &[BanLine], format: Format, now: u64) -> Result<String, Trouble> {
    Ok(match format {
        Format::Plain => plain(bans),
        Format::Crowdsec => {
            let decisions: Vec<_> = bans.iter().map(|ban| decision(ban, now)).collect();
            json(&decisions.iter().map(Decision::json).collect::<Vec<_>>())?
        }
        Format::CrowdsecCsv => csv(bans, now)?,
        Format::Json => json(&bans)?,
    })
}

fn plain(bans: &[BanLine]) -> String {
    let mut text = "# whom panelgate bans; one address or network a line\n".to_owned();
    for ban in bans {
        // Writing to a string cannot fail.
        let _ = match &ban.network {
            Some(network) => writeln!(text, "{}", address(network)),
            None => writeln!(text, "# {} is banned as well", ban.whom),
        };
    }
    text
}

/// A network of one address is that address, for readers that know no networks.
fn address(network: &str) -> &str {
    network
        .strip_suffix("/32")
        .filter(|address| address.contains('.'))
        .or_else(|| network.strip_suffix("/128"))
        .unwrap_or(network)
}

struct Decision<'a> {
    duration: String,
    reason: &'a str,
    scope: &'static str,
    value: String,
}

impl Decision<'_> {
    fn json(&self) -> serde_json::Value {
        let Self { duration, reason, scope, value } = self;
        json!({ "duration": duration, "reason": reason, "scope": scope, "type": "ban", "value": value })
    }
}

/// As `cscli` compares them: upper and lower case differ there.
fn decision(ban: &BanLine, now: u64) -> Decision<'_> {
    let seconds = ban.until.map_or(EVER, |until| until.saturating_sub(now).max(1));
    let (scope, value) = match (&ban.network, &ban.country, ban.asn) {
        (Some(network), _, _) => {
            let address = address(network);
            (if address.contains('/') { "Range" } else { "Ip" }, address.to_owned())
        }
        (None, Some(country), _) => ("Country", country.clone()),
        (None, None, asn) => ("AS", asn.unwrap_or_default().to_string()),
    };
    let reason = if ban.reason.is_empty() { "panelgate" } else { &ban.reason };
    Decision { duration: format!("{seconds}s"), reason, scope, value }
}

fn csv(bans: &[BanLine], now: u64) -> Result<String, Trouble> {
    let failed = |error: &dyn std::fmt::Display| Trouble::Failed(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["duration", "reason", "scope", "type", "value"]).map_err(|error| failed(&error))?;
    for ban in bans {
        let Decision { duration, reason, scope, value } = decision(ban, now);
        let record = [duration.as_str(), reason, scope, "ban", &value];
        writer.write_record(record).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}
