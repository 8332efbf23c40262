//! The whole way of allowed requests through the gate, without a network: description, limits, judgement, meters.

use std::{net::IpAddr, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use http::request::Parts as Head;
use panelgate::{
    clock::SystemClock,
    doors::dialect::{Caller, Dialect},
    entropy::SystemEntropy,
    gate::Gate,
    live::{Live, Quotas, Snapshot},
    rules::{address::TrustedProxies, limit::Quota, outcome::Outcome as Judged},
    store::MemoryStore,
};

use crate::{
    Outcome,
    parts::{Furniture, furnish, head},
};

/// A gate with requests that it allows.
pub struct Through {
    gate: Gate,
    trusted: TrustedProxies,
    heads: Vec<Head>,
}

impl Through {
    /// With a policy of so many pages and so many sessions in memory.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn make(dir: &Path, pages: usize, sessions: usize) -> Outcome<Self> {
        let Furniture { sites, keys, everything, tokens, .. } = furnish(dir, pages, sessions)?;
        let snapshot = Snapshot { sites: (*sites).clone(), keys, ..Snapshot::default() };
        // Limits that never bite.
        let plenty = Quota { count: NonZeroU32::MAX, per: Duration::from_secs(1) };
        let live = Live::new(snapshot, Quotas::all(plenty));
        live.records.load(everything);
        let (notes, _) = tokio::sync::mpsc::channel(1);
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock::new()));
        let gate = Gate::new(Arc::new(live), store, clock, Arc::new(SystemEntropy), notes);
        let heads = tokens.iter().enumerate().map(|(index, token)| {
            let (page, client) = (index * 7 % pages, format!("198.51.{}.{}", index / 250, index % 250));
            head("auth-request", token, &format!("/p{page}/list"), &client)
        });
        let trusted = TrustedProxies(vec!["127.0.0.0/8".parse()?]);
        Ok(Self { gate, trusted, heads: heads.collect::<Outcome<_>>()? })
    }

    /// Asks about a request and says whether it was allowed.
    ///
    /// # Errors
    /// When it was not, or when the gate had to wait for something.
    pub fn ask(&self, index: usize) -> Outcome<()> {
        let head = &self.heads[index % self.heads.len()];
        let caller =
            Caller { peer: IpAddr::from([127, 0, 0, 1]), channel_trusted: true, trusted: &self.trusted };
        let ask = Dialect::AuthRequest.ask(head, &caller).map_err(|error| error.to_string())?;
        let visit = self.gate.describe(&ask).map_err(|refusal| refusal.reason.code())?;
        let judgement = self.gate.decide(&visit).now_or_never().ok_or("the gate waits for something")?;
        match judgement.outcome {
            Judged::Allow(_) => Ok(()),
            refused => Err(format!("request {index} is not allowed: {refused:?}").into()),
        }
    }
}
