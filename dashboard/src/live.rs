//! The live feed: new transactions on every open overview, each exactly once.
//!
//! A place in the feed is a snapshot ([`Position`]), as in `pgtrack_tracker::feed`. One poller for all listeners
//! ([`Hub`]) reads what has been committed since its last look. A [`Follower`] first reads for itself what its
//! browser has missed, then follows the hub, and gives every transaction an id to go on from.
//! [`Streams`] bounds how many listeners there are and ends those whose session ends.

mod follower;
mod hub;
mod position;
mod streams;

pub(crate) use follower::{Delivery, Follower};
pub(crate) use hub::Hub;
pub(crate) use position::Position;
pub(crate) use streams::{Streams, Ticket};
