//! Sealing: authenticated encryption of small values that leave our hands or lie on disk.
