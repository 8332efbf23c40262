//! Splitting and checking the path (R4).
