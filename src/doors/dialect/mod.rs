//! How each proxy asks and wants to be answered. Pure; the only place that names forwarding headers.
