//! Reads the `options` startup parameter, or removes one setting from the `options` startup parameter, and leaves every other byte as it is.
//!
//! `options` is a command line for the server process: `pg_split_opts` (`postinit.c`) splits it,
//! `getopt` and `process_postgres_switches` (`postgres.c`) read it. Whatever form they accept is
//! found here: `-c name=value`, `-cname=value`, `--name=value`, behind a cluster of flags
//! (`-Ec name=value`), with backslash escapes, in any case.

use std::ops::Range;

/// The switches of `postgres.c` that take an argument, of all supported versions.
const TAKES_ARGUMENT: &[u8] = b"BCcDdfhkNprStvW-";
/// The two of them whose argument is `name=value`.
const SETS: &[u8] = b"c-";

/// One argument of the command line, and where each of its bytes came from.
#[derive(Default)]
struct Argument {
    /// Without the escapes.
    bytes: Vec<u8>,
    /// The place of each of `bytes` in the source; an escaped one is at its backslash.
    places: Vec<usize>,
    end: usize,
}

/// Returns `options` without any assignment to the setting `name`.
pub(crate) fn without_setting(options: &[u8], name: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(options.len());
    let mut copied_to = 0;
    for assignment in assignments(options, name) {
        kept.extend_from_slice(options.get(copied_to..assignment.start).unwrap_or_default());
        copied_to = assignment.end;
    }
    kept.extend_from_slice(options.get(copied_to..).unwrap_or_default());
    kept
}

/// The values that `options` gives to the setting `name`, in order.
pub(crate) fn values(options: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let found = assigned(options, name).into_iter();
    found.map(|(_, value)| value).collect()
}

/// Finds the assignments to `name`, in order: from the switch to the end of its argument.
fn assignments(options: &[u8], name: &[u8]) -> Vec<Range<usize>> {
    assigned(options, name).into_iter().map(|(place, _)| place).collect()
}

/// Finds the assignments to `name`, in order, and what they assign.
fn assigned(options: &[u8], name: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut arguments = split(options).into_iter();
    while let Some(argument) = arguments.next() {
        if argument.bytes == b"--" {
            // The end of the switches; the server accepts nothing behind it.
            break;
        }
        let Some((index, switch, attached)) = switch_with_argument(&argument.bytes) else {
            continue;
        };
        // A switch on its own goes with its dash; the flags in front of another one stay.
        let start = argument.place(if index == 1 { 0 } else { index });
        let value =
            |assignment| SETS.contains(&switch).then(|| assigns(assignment, name)).flatten();
        if !attached.is_empty() {
            if let Some(value) = value(attached) {
                found.push((start..argument.end, value));
            }
        } else if let Some(next) = arguments.next()
            && let Some(value) = value(&next.bytes)
        {
            found.push((start..next.end, value));
        }
    }
    found
}

/// The first switch that takes an argument in a cluster such as `-Ec`: where it is, its letter, and what
/// is attached to it.
fn switch_with_argument(argument: &[u8]) -> Option<(usize, u8, &[u8])> {
    let (b'-', flags) = argument.split_first()? else { return None };
    let index = flags.iter().position(|flag| TAKES_ARGUMENT.contains(flag))?;
    let (switch, attached) = flags.get(index..)?.split_first()?;
    Some((index.checked_add(1)?, *switch, attached))
}

/// The value in `name=value`, if it names the setting. Names ignore case (`guc_name_compare`), and a dash in them is an
/// underscore (`ParseLongOption`).
fn assigns(assignment: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut parts = assignment.splitn(2, |byte| *byte == b'=');
    let assigned = parts.next().unwrap_or_default().iter();
    let assigned: Vec<_> = assigned.map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect();
    assigned.eq_ignore_ascii_case(name).then(|| parts.next().unwrap_or_default().to_vec())
}

/// Splits as `pg_split_opts` does: at white space, unless a backslash escapes it.
fn split(options: &[u8]) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut current: Option<Argument> = None;
    let mut escaped_at = None;
    for (place, byte) in options.iter().copied().enumerate() {
        // `isspace` knows the vertical tab, `is_ascii_whitespace` does not.
        let is_space = byte.is_ascii_whitespace() || byte == b'\x0b';
        if is_space && escaped_at.is_none() {
            arguments.extend(current.take());
            continue;
        }
        let argument = current.get_or_insert_default();
        argument.end = place.saturating_add(1);
        if byte == b'\\' && escaped_at.is_none() {
            escaped_at = Some(place);
        } else {
            argument.bytes.push(byte);
            argument.places.push(escaped_at.take().unwrap_or(place));
        }
    }
    arguments.extend(current);
    arguments
}

impl Argument {
    /// Where in the source a byte of it came from.
    fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests;
