mod backup;
mod password;
mod totp;
