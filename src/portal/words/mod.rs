//! Every word that a person reads, keyed by message. English first; the second language proves that nothing is
//! written anywhere else.

mod account;
mod acting;
mod admin;
mod audit;
mod bans;
mod de;
mod devices;
mod en;
mod failures;
mod keys;
mod overview;
mod policy;
mod reasons;
#[cfg(test)]
mod tests;

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

pub(crate) use self::{account::Words as AccountWords, reasons::sentence};

/// A catalogue of messages: its own, and the catalogues of single features inside it. `{names}` in braces are filled
/// in by [`fill`].
macro_rules! catalogue {
    ($(#[$doc:meta])* $name:ident { $($part:ident: $kind:ty,)* } $($key:ident)*) => {
        $(#[$doc])*
        pub(crate) struct $name {
            $(pub(crate) $part: $kind,)*
            $(pub(crate) $key: &'static str,)*
        }

        #[cfg(test)]
        impl $name {
            pub(super) fn entries(&self) -> Vec<(&'static str, &'static str)> {
                let parts: Vec<Vec<(&'static str, &'static str)>> = vec![$(self.$part.entries(),)*];
                [vec![$((stringify!($key), self.$key),)*], parts.concat()].concat()
            }
        }
    };
}
use catalogue;

catalogue! {
    /// One language.
    Words {
        account: account::Words,
        acting: acting::Words,
        admin: admin::Words,
        audit: audit::Words,
        bans: bans::Words,
        devices: devices::Words,
        failures: failures::Words,
        keys: keys::Words,
        overview: overview::Words,
        policy: policy::Words,
    }
    lang dir
    back_to decision
    user_name password show hide caps_lock
    sign_in no_match enter_user_name enter_password signed_in_as go_on
    verify_title verify page_protected stays change_needs_verify open_needs_verify
    code code_hint backup_code backup_hint use_backup use_app not_now start_over
    code_wrong backup_wrong factor_not_here tries_left try_left code_used enter_code enter_backup
    verified_until not_enrolled_title not_enrolled enrolment_required
    stopped locked seconds minutes hours
    sign_out sign_out_text signed_out signed_out_text sign_in_again
    renewing renewing_text not_renewed not_renewed_text
    stale_form cross_site too_large bad_form busy
    not_found not_found_text wrong_method wrong_method_text
    ended_title ended_text stranger_title stranger_text unsaved_title unsaved_text renew_title renew_text
    read_only_title blocked_title
    denied_title role_lacks no_page outside_networks outside_countries closed_now_title opens outside_hours method_not_allowed account_disabled foreign_origin
    throttled_title throttled page_limit
    unavailable_title unavailable unrecorded_title unrecorded unrecorded_done panel_away_title panel_away panel_slow_title panel_slow
    bad_request_title bad_request ambiguous unknown_host conflicting
    bar_read_only bar_verify bar_verified bar_close
}

/// The language that the reader prefers among those there are; English if none is.
pub(crate) fn choose(headers: &HeaderMap) -> &'static Words {
    let Some(wanted) = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else {
        return &en::WORDS;
    };
    let mut best = (0, &en::WORDS);
    for item in wanted.split(',').take(16) {
        let (tag, quality) = quality(item);
        let primary = tag.split('-').next().unwrap_or_default();
        if let Some(words) = by_tag(primary)
            && quality > best.0
        {
            best = (quality, words);
        }
    }
    best.1
}

/// Puts values in the place of their `{names}`.
pub(crate) fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { return text };
        text.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// A language by its name, English if there is none of that name.
pub(crate) fn by_language(name: &str) -> &'static Words {
    by_tag(name).unwrap_or(&en::WORDS)
}

fn by_tag(primary: &str) -> Option<&'static Words> {
    [&en::WORDS, &de::WORDS].into_iter().find(|words| words.lang.eq_ignore_ascii_case(primary))
}

/// `de-AT;q=0.8` → (`de-AT`, 800).
fn quality(item: &str) -> (&str, u16) {
    let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse::<f32>().ok());
    let weight = weight.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1000")]
    let thousandths = (weight * 1000.0) as u16;
    (tag.trim(), thousandths)
}
