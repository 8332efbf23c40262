mod forgery;
mod pages;
mod redirects;
mod refusals;
mod renewal;
mod second_factor;
mod sessions;
mod sign_in;
pub(crate) mod support;
