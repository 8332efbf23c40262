//! The story, chapter by chapter.

mod crash;
mod forgery;
mod lapse;
mod panel_tokens;
mod renewal;
mod revocation;
mod sign_in;
mod step_up;

use super::Chapter;

/// In the order of telling.
pub(super) const ALL: &[Chapter] = &[
    sign_in::CHAPTER,
    step_up::CHAPTER,
    renewal::CHAPTER,
    revocation::CHAPTER,
    panel_tokens::CHAPTER,
    forgery::CHAPTER,
    crash::CHAPTER,
    lapse::CHAPTER,
];
