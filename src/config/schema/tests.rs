//! Held together with the readers.
