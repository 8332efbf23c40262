//! Passwords, authenticator codes and backup codes.
