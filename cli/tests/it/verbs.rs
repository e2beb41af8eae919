//! The commands about one database, on real servers.

mod caring;
mod changing;
mod connecting;
mod manual;
mod reading;
mod support;
mod terminal;
