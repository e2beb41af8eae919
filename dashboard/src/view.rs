//! HTML. Pure functions from values to markup: no database, no clock, nothing asynchronous.
//!
//! Maud escapes every value; only `icon` writes markup of its own.

pub(crate) mod account;
pub(crate) mod activity;
pub(crate) mod as_of;
pub(crate) mod audit;
pub(crate) mod chart;
pub(crate) mod connections;
pub(crate) mod deleted;
pub(crate) mod diff;
pub(crate) mod digests;
pub(crate) mod effect;
pub(crate) mod feed;
pub(crate) mod form;
pub(crate) mod health;
pub(crate) mod icon;
pub(crate) mod ignored;
pub(crate) mod install;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod layout;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod number;
pub(crate) mod overview;
pub(crate) mod plan;
pub(crate) mod planning;
pub(crate) mod problem;
pub(crate) mod query;
mod ranking;
pub(crate) mod row;
pub(crate) mod rules;
pub(crate) mod select;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sql;
pub(crate) mod statement;
pub(crate) mod storage;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod time;
pub(crate) mod transaction;
pub(crate) mod users;
pub(crate) mod value;
pub(crate) mod version;
