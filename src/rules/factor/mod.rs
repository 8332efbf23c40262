//! What people prove themselves with: passwords, codes of an authenticator app, backup codes.

pub mod backup;
mod bcrypt;
pub mod password;
pub mod qr;
pub mod strength;
#[cfg(test)]
mod tests;
pub mod totp;
