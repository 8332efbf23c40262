//! The integration tests: the built binary, with the real world around it.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod panel_login;
#[cfg(test)]
mod policy_test;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod qr;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod story;
#[cfg(test)]
mod support;
