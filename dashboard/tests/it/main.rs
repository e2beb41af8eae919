//! The dashboard against a real database: in-process requests, as a browser without JavaScript would send them.

mod access;
mod accounts;
mod activity;
mod conflicts;
mod connections;
mod contrast;
mod csrf;
mod escaping;
mod grants;
mod headers;
mod journey;
mod live;
mod login;
mod maintenance;
mod outage;
mod pages;
mod reading;
mod revert;
mod routes;
mod scale;
mod serving;
mod settings;
mod setup;
mod support;
mod theme;
mod time_travel;
