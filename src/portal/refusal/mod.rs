//! How a refusal looks: what to do about it is decided in [`flow`], said in [`render`].

mod flow;
mod handler;
mod render;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    handler::{refused, unknown, wrong_method},
    render::render,
};
