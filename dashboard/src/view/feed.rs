//! The list of transactions, newest first. The live feed sends the same items.

use maud::{Markup, html};
use pgtrack_tracker::Transaction;

use super::effect::{effects, undo_badge};
use super::{query, select, time};
use crate::clock::Clock;
use crate::links::Links;

/// One transaction.
pub(crate) fn item(
    transaction: &Transaction,
    links: Links<'_>,
    clock: &Clock,
    may_select: bool,
) -> Markup {
    html! {
        li.entry data-xid=(transaction.xid) {
            div.when {
                @if may_select { (select::tick("xid", transaction.xid, &format!("transaction {}", transaction.xid))) }
                (time::moment(transaction.at, clock))
            }
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
    origin_of(
        transaction.client_addr.as_deref(),
        transaction.through_proxy,
        (transaction.who != transaction.user_name).then_some(&*transaction.user_name),
    )
}

/// The same of anything; `user_name` is the session user where somebody else is named as the actor.
pub(crate) fn origin_of(
    client_addr: Option<&str>,
    through_proxy: bool,
    user_name: Option<&str>,
) -> Markup {
    html! {
        (client_addr.unwrap_or("local socket"))
        @if through_proxy { " via proxy" } @else { ", direct" }
        @if let Some(user_name) = user_name { ", as " (user_name) }
    }
}
