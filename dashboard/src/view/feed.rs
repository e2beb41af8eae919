//! The list of transactions, newest first. The live feed sends the same items.

use jiff::Timestamp;
use maud::{Markup, html};
use pgtrack_tracker::Transaction;

use super::effect::{effects, undo_badge};
use super::{query, time};
use crate::links::Links;

/// One transaction.
pub(crate) fn item(transaction: &Transaction, links: Links<'_>, now: Timestamp) -> Markup {
    html! {
        li.entry data-xid=(transaction.xid) {
            div.when { (time::moment(transaction.at, now)) }
            div.who {
                span {
                    strong { (transaction.who) }
                    @if let Some(application) = &transaction.application { " " span.origin { (application) } }
                }
                span.origin { (origin(transaction)) }
            }
            div.what {
                div.summary {
                    @if let Some(reverts) = &transaction.reverts { (undo_badge(reverts, links)) }
                    (effects(&transaction.effects, links))
                }
                @if let Some(message) = &transaction.message { p.message { (message) } }
                @if let Some(text) = &transaction.query { (query::line(text)) }
            }
            a.open href=(links.transaction(transaction.xid)) {
                span.long { "Transaction " } span.short aria-hidden="true" { "tx " } (transaction.xid)
            }
        }
    }
}

/// From where: the client's address, and whether it came through the proxy.
pub(crate) fn origin(transaction: &Transaction) -> Markup {
    html! {
        (transaction.client_addr.as_deref().unwrap_or("local socket"))
        @if transaction.through_proxy { " via proxy" } @else { ", direct" }
        @if transaction.who != transaction.user_name { ", as " (transaction.user_name) }
    }
}
