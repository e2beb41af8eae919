//! Digests: what is told elsewhere, when, and how it went.

use std::borrow::Cow;

use super::count;
use crate::digests::{Format, Interval};
use crate::words::Words;
use crate::words::digests::Text;

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/digests.rs
        Text::Add => "Add digest…",
        Text::AboutDigests => {
            "A digest tells a chat or a program how much was changed, where and by whom. It holds \
             no values and no texts of statements."
        }
        Text::NoneYet => "There is no digest yet.",
        Text::ForExample => {
            "For example, be told in a Slack channel within five minutes of every DELETE on one \
             table."
        }
        Text::LatestAttempt => "Latest attempt",
        Text::Change => "Change",
        Text::AllChanges => "all",
        Text::NoAttempt => "none yet",
        Text::Delivered => "delivered",
        Text::NotDelivered => "not delivered",
        Text::Paused => "paused",
        Text::Edit => "Edit",
        Text::Resume => "Resume",
        Text::Pause => "Pause",
        Text::FormatName(Format::Json) => "JSON",
        Text::FormatName(Format::Slack) => "Text",
        Text::Every(Interval::FiveMinutes) => "every 5 minutes",
        Text::Every(Interval::QuarterHour) => "every 15 minutes",
        Text::Every(Interval::Hour) => "every hour",
        Text::EveryDayAt { hour, zone } => {
            return format!("every day at {hour:02}:00 {zone}").into();
        }
        Text::AlsoEmpty(schedule) => return format!("{schedule}, also empty").into(),
        Text::Next(moment) => return format!("next {moment}").into(),
        Text::AfterAttempts(number) => {
            let attempts = count(words, *number, "attempt", "attempts");
            return format!("after {attempts} that did not work").into();
        }
        Text::GoesOnFrom(moment) => {
            return format!("Once it goes on, it tells all since {moment}.").into();
        }
        Text::IsTriedAgain(number) => {
            let attempts = count(words, *number, "attempt", "attempts");
            return format!("{attempts} did not work; it is tried again").into();
        }
        // view/digests/form.rs
        Text::EditTitle => "Edit digest",
        Text::AddTitle => "Add digest",
        Text::NeedsPublicUrl => {
            "Digests link to the list of their changes once public_url is set in the \
             configuration of the dashboard."
        }
        Text::Address => "Address of the webhook",
        Text::AddressHelp => {
            "It is kept sealed and not shown again. Hosts in private networks, other ports and \
             http have to be listed in webhook_hosts of the configuration."
        }
        Text::AddressAsItIs(shown) => return format!("as it is: {shown}").into(),
        Text::FormatField => "Format",
        Text::FormatHelp(Format::Slack) => {
            "For incoming webhooks of Slack, Mattermost and others: {\"text\": …}"
        }
        Text::FormatHelp(Format::Json) => "For programs, signed with the secret below.",
        Text::Secret => "Secret for the signature of JSON",
        Text::SecretHelp => {
            "At least 16 characters; the program that receives the digest knows it, too."
        }
        Text::AsKept => "as it is kept",
        Text::HowOften => "How often",
        Text::EveryDay => "every day",
        Text::DailyAt => "Daily ones at",
        Text::TimeZone => "Time zone",
        Text::EmptyField => "Also when nothing was changed",
        Text::EmptyHelp => "Then its absence says that something is wrong.",
        Text::WhichChanges => "Which changes",
        Text::ChangesHelp => {
            "A filter of the activity: filter there and choose “Digest…”, or paste the address \
             here. Empty: all changes. Text, row and value cannot be looked for, as digests hold \
             no values; column rules leave nothing out."
        }
    })
}
