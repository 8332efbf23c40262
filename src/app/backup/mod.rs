//! Backups: everything that a gate keeps, as it was at one moment, in one file; and the way back.
//!
//! A backup is a tar archive, compressed with gzip, so that it can be opened without us. Its last member is a manifest
//! with the digest of every other one, and a comment at its very end holds the digest of all bytes before it: nothing is
//! believed, and nothing unpacked, before that agrees.

mod container;
mod desk;
mod make;
mod manifest;
mod place;
mod restore;
#[cfg(test)]
mod tests;
mod undone;

pub use self::{
    container::{Bad, verify},
    desk::{Desk, alone},
    make::{Contents, Source, make},
    manifest::{Counts, Made, Manifest, Member, TrailEnd},
    place::finish_interrupted,
    restore::{Failure, History, Report, Wanted, restore, unpack},
    undone::Undone,
};
