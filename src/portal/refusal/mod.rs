//! How a refusal looks: what to do about it is decided in [`flow`], said in [`render`].

mod flow;
mod handler;
mod render;

pub(crate) use self::{
    handler::{refused, signed_out, signed_out_document, unknown, wrong_method},
    render::render,
};
