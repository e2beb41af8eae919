//! The dashboard against a real database: in-process requests, as a browser without JavaScript would send them.

mod access;
mod activity;
mod conflicts;
mod contrast;
mod csrf;
mod escaping;
mod headers;
mod journey;
mod live;
mod login;
mod outage;
mod pages;
mod reading;
mod revert;
mod setup;
mod support;
mod theme;
