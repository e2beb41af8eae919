//! The list of transactions, newest first. The live feed sends the same items.

use std::borrow::Cow;

use maud::{Markup, html};
use pgtrack_tracker::Transaction;

use super::effect::{effects, undo_badge};
use super::{query, select, time};
use crate::revert::Subject;
use crate::visit::Visit;
use crate::words::Marked;
use crate::words::activity::Text;

/// One transaction.
pub(crate) fn item(visit: &Visit, transaction: &Transaction, may_select: bool) -> Markup {
    let xid = transaction.xid;
    html! {
        li.entry data-xid=(xid) data-undo-plan=[visit.may_revert().then(|| visit.links().plan(&Subject::transaction(xid)))] {
            div.when {
                @if may_select { (select::tick("xid", xid, &visit.say(Text::SelectTransaction(xid)))) }
                (time::moment(visit, transaction.at))
            }
            div.who {
                span {
                    strong { (transaction.who) }
                    @if let Some(application) = &transaction.application { " " span.origin { (application) } }
                }
                span.origin { (origin(visit, transaction)) }
            }
            div.what {
                div.summary {
                    @if let Some(reverts) = &transaction.reverts { (undo_badge(visit, reverts)) }
                    (effects(visit, &transaction.effects))
                }
                @if let Some(message) = &transaction.message { p.message { (message) } }
                @if let Some(text) = &transaction.query { (query::line(visit, text)) }
            }
            a.open href=(visit.links().transaction(xid)) { (visit.say(Marked::OpenTransaction(xid))) }
        }
    }
}

/// From where: the client's address, and whether it came through the proxy. Names the session user where somebody
/// else is named as the actor.
pub(crate) fn origin(visit: &Visit, transaction: &Transaction) -> Cow<'static, str> {
    visit.say(Text::Origin {
        client: transaction.client_addr.as_deref(),
        through_proxy: transaction.through_proxy,
        user: (transaction.who != transaction.user_name).then_some(&transaction.user_name),
    })
}
