//! What was decided in the last day, by minute and site: for people who look. Filled by whoever writes the journal, so
//! that no request pays for it.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    clock::Wall,
    rules::{place::Country, reason::Reason, record::Record, session::SiteId},
};

/// A day.
const MINUTES: u64 = 24 * 60;
/// Names that a client cannot choose, but a large policy can: so many pages are told apart in a minute.
const PAGES: usize = 256;

/// The last day of every site.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<HashMap<SiteId, VecDeque<Minute>>>);

#[derive(Debug, Default)]
struct Minute {
    /// Since the epoch.
    number: u64,
    allowed: u64,
    reasons: BTreeMap<&'static str, (Reason, u64)>,
    pages: BTreeMap<Arc<str>, u64>,
    countries: BTreeMap<Option<Country>, Count>,
}

/// Requests, and how many of them were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub requests: u64,
    /// Those that were refused.
    pub refused: u64,
}

/// A stretch of time in a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it begins.
    pub from: Wall,
    /// What was counted in it.
    pub count: Count,
}

/// What is to be seen of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// One after the other, the newest last.
    pub bars: Vec<Bar>,
    /// All of it.
    pub total: Count,
    /// Why requests were refused, the most frequent first.
    pub reasons: Vec<(Reason, u64)>,
    /// On which pages, the most frequent first.
    pub pages: Vec<(Arc<str>, u64)>,
    /// From where requests came, the most frequent first; `None`: from where nobody knows.
    pub countries: Vec<(Option<Country>, Count)>,
}

impl Traffic {
    /// Counts a decision. The second record of one that was allowed and then failed counts as a refusal alone.
    pub fn count(&self, record: &Record) {
        let Some(site) = &record.site else { return };
        let number = record.at.secs() / 60;
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minutes = match sites.get_mut(site) {
            Some(minutes) => minutes,
            None => sites.entry(Arc::clone(site)).or_default(),
        };
        if minutes.back().is_none_or(|last| last.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
        }
        while minutes.front().is_some_and(|first| first.number + MINUTES < number) {
            minutes.pop_front();
        }
        // A decision that waited in the queue belongs to an earlier minute.
        if let Some(minute) = minutes.iter_mut().rev().find(|minute| minute.number <= number) {
            minute.add(record);
        }
    }

    /// The last `bars` stretches of `minutes` each, up to now.
    pub fn last(&self, site: &str, now: Wall, bars: u64, minutes: u64) -> Summary {
        // Stretches begin at whole multiples, so that a plot does not change its shape as time goes by.
        let end = (now.secs() / 60 / minutes + 1) * minutes;
        let start = end.saturating_sub(bars * minutes);
        let from = |bar: u64| Wall::from_secs((start + bar * minutes) * 60);
        let mut summary = Summary {
            bars: (0..bars).map(|bar| Bar { from: from(bar), count: Count::default() }).collect(),
            ..Summary::default()
        };
        let (mut reasons, mut pages, mut countries) = (HashMap::new(), HashMap::new(), HashMap::new());
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for minute in
            sites.get(site).into_iter().flatten().filter(|minute| (start..end).contains(&minute.number))
        {
            let count = minute.count();
            summary.total.add(count);
            let bar = usize::try_from((minute.number - start) / minutes).unwrap_or(usize::MAX);
            if let Some(bar) = summary.bars.get_mut(bar) {
                bar.count.add(count);
            }
            minute.reasons.values().for_each(|(reason, count)| *reasons.entry(*reason).or_default() += count);
            minute
                .pages
                .iter()
                .for_each(|(page, count)| *pages.entry(Arc::clone(page)).or_default() += count);
            for (country, count) in &minute.countries {
                countries.entry(*country).or_insert(Count::default()).add(*count);
            }
        }
        drop(sites);
        summary.reasons = ranked(reasons, |reason| reason.code());
        summary.pages = ranked(pages, Arc::clone);
        summary.countries = countries.into_iter().collect();
        summary.countries.sort_by_key(|(country, count)| (std::cmp::Reverse(count.requests), *country));
        summary
    }
}

impl Minute {
    fn add(&mut self, record: &Record) {
        let refused = !record.is_allowed();
        let country = self.countries.entry(record.client.country).or_default();
        country.add(Count { requests: 1, refused: u64::from(refused) });
        if !refused {
            self.allowed += 1;
            return;
        }
        let reason = record.reply.reason;
        self.reasons.entry(reason.code()).or_insert((reason, 0)).1 += 1;
        if let Some(page) = &record.reply.page
            && (self.pages.len() < PAGES || self.pages.contains_key(&page.name))
        {
            *self.pages.entry(Arc::clone(&page.name)).or_default() += 1;
        }
    }

    fn count(&self) -> Count {
        let refused = self.reasons.values().map(|(_, count)| count).sum();
        Count { requests: self.allowed + refused, refused }
    }
}

impl Count {
    fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.refused += more.refused;
    }
}

fn ranked<K: Eq + Hash, O: Ord>(counts: HashMap<K, u64>, name: impl Fn(&K) -> O) -> Vec<(K, u64)> {
    let mut ranked: Vec<(K, u64)> = counts.into_iter().collect();
    ranked.sort_by(|(a, first), (b, second)| second.cmp(first).then_with(|| name(a).cmp(&name(b))));
    ranked
}
