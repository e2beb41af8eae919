//! The parameters of a statement, as far as they go into the record of a call.

use std::sync::Arc;

use pgtrack_tracker::statement::ClientEncoding;

/// How many parameters are kept, and how much of each, in bytes.
const MAX_COUNT: usize = 32;
const MAX_BYTES: usize = 4096;

/// `pg_type.oid` of the types whose binary form is read.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const NAME: u32 = 19;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const OID: u32 = 26;
    pub(super) const JSON: u32 = 114;
    pub(super) const UNKNOWN: u32 = 705;
    pub(super) const BPCHAR: u32 = 1042;
    pub(super) const VARCHAR: u32 = 1043;
    pub(super) const REGCLASS: u32 = 2205;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
}

/// What `Bind` gives to a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    values: Vec<Value>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    is_binary: bool,
    /// Its beginning; `None` for null.
    bytes: Option<Box<[u8]>>,
    is_whole: bool,
}

/// What a parameter is, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Null,
    Text(String),
}

impl Bound {
    /// Reads what follows the names in a `Bind` message; of one that was cut off, what is there.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (formats, rest) = bytes.split_first_chunk()?;
        let formats_bytes = usize::from(u16::from_be_bytes(*formats)).checked_mul(2)?;
        let (formats, rest) = rest.split_at_checked(formats_bytes)?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let formats: Vec<_> = formats.chunks_exact(2).map(|format| format != [0, 0]).collect();
        let mut values = Vec::new();
        for index in 0..usize::from(u16::from_be_bytes(*count)).min(MAX_COUNT) {
            let Some((length, behind)) = rest.split_first_chunk() else { break };
            // One format is for all, none is text.
            let format = if formats.len() == 1 { formats.first() } else { formats.get(index) };
            let is_binary = format.copied().unwrap_or(false);
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                values.push(Value { is_binary, bytes: None, is_whole: true });
                rest = behind;
                continue;
            };
            let (value, behind) = behind.split_at_checked(length).unwrap_or((behind, &[]));
            let head = value.get(..MAX_BYTES).unwrap_or(value);
            let is_whole = head.len() == length;
            values.push(Value { is_binary, bytes: Some(head.into()), is_whole });
            rest = behind;
        }
        Some(Self { values })
    }

    /// A parameter, from 1, as far as it can be read without the server.
    pub(crate) fn show(
        &self,
        number: u64,
        types: &[u32],
        encoding: ClientEncoding,
    ) -> Option<Shown> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let value = self.values.get(index)?;
        let Some(bytes) = value.bytes.as_deref() else { return Some(Shown::Null) };
        let text = if value.is_binary {
            binary(types.get(index).copied()?, bytes, value.is_whole, encoding)
        } else {
            decoded(bytes, encoding)
        };
        text.map(Shown::Text)
    }
}

/// The binary form of a value; `…send` functions of the types.
fn binary(kind: u32, bytes: &[u8], is_whole: bool, encoding: ClientEncoding) -> Option<String> {
    match kind {
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN | oid::JSON => {
            decoded(bytes, encoding)
        }
        // A version comes before it.
        oid::JSONB => decoded(bytes.strip_prefix(&[1])?, encoding),
        _ if !is_whole => None,
        oid::INT2 => Some(i16::from_be_bytes(bytes.try_into().ok()?).to_string()),
        oid::INT4 => Some(i32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        oid::INT8 => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        oid::OID | oid::REGCLASS => Some(u32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        oid::BOOL => Some((bytes.first()? != &0).to_string()),
        oid::UUID => {
            let number = u128::from_be_bytes(bytes.try_into().ok()?);
            let digits = format!("{number:032x}");
            let (a, rest) = digits.split_at_checked(8)?;
            let (b, rest) = rest.split_at_checked(4)?;
            let (c, rest) = rest.split_at_checked(4)?;
            let (d, e) = rest.split_at_checked(4)?;
            Some(format!("{a}-{b}-{c}-{d}-{e}"))
        }
        _ => None,
    }
}

/// A text of which the end may be missing, in the middle of a character.
fn decoded(bytes: &[u8], encoding: ClientEncoding) -> Option<String> {
    let text = (0..4_usize)
        .filter_map(|cut| bytes.get(..bytes.len().checked_sub(cut)?))
        .find_map(|bytes| encoding.decode(bytes));
    text.map(|text| text.into_owned())
}

/// The types of parameters, as `Parse` and `ParameterDescription` have them: a count, and OIDs.
pub(super) fn types(bytes: &[u8]) -> Option<Arc<[u32]>> {
    let (count, rest) = bytes.split_first_chunk()?;
    let count = usize::from(u16::from_be_bytes(*count)).min(MAX_COUNT);
    let types = rest.as_chunks().0.iter().take(count).map(|oid| u32::from_be_bytes(*oid));
    let types: Vec<_> = types.collect();
    // Of an unknown type, the server says what it is if it is asked.
    (!types.is_empty()).then(|| types.into())
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::statement::ClientEncoding;

    use super::{Bound, Shown, types};

    fn bound(formats: &[u16], values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = u16::try_from(formats.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(formats.iter().flat_map(|format| format.to_be_bytes()));
        bytes.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
            bytes.extend(length.to_be_bytes());
            bytes.extend(value.unwrap_or_default());
        }
        bytes
    }

    #[test]
    fn values_are_read_by_format_and_type() {
        let text = |text: &str| Some(Shown::Text(text.into()));
        let bytes = bound(&[], &[Some(b"caf\xc3\xa9"), None]);
        let read = Bound::read(&bytes).unwrap();
        let show =
            |read: &Bound, number, types: &[u32]| read.show(number, types, ClientEncoding::UTF8);
        assert_eq!(show(&read, 1, &[]), text("café"));
        assert_eq!(show(&read, 2, &[]), Some(Shown::Null));
        assert_eq!(show(&read, 3, &[]), None);
        assert_eq!(show(&read, 0, &[]), None);

        let uuid = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes();
        let bytes = bound(&[1], &[Some(&7_i32.to_be_bytes()), Some(&uuid), Some(b"x")]);
        let read = Bound::read(&bytes).unwrap();
        assert_eq!(show(&read, 1, &[23]), text("7"));
        assert_eq!(show(&read, 2, &[23, 2950]), text("00112233-4455-6677-8899-aabbccddeeff"));
        assert_eq!(show(&read, 3, &[23, 2950, 25]), text("x"));
        // Not without the type, and not as another one.
        assert_eq!(show(&read, 1, &[]), None);
        assert_eq!(show(&read, 1, &[0]), None);
        assert_eq!(show(&read, 1, &[20]), None);
    }

    #[test]
    fn a_message_that_is_cut_off_has_what_is_there() {
        let bytes = bound(&[0, 1], &[Some(&[b'x'; 5000]), Some(&7_i32.to_be_bytes())]);
        for end in 0..bytes.len() {
            let Some(read) = Bound::read(&bytes[..end]) else { continue };
            for number in 0..4 {
                let _ = read.show(number, &[25, 23], ClientEncoding::UTF8);
            }
        }
        let read = Bound::read(&bytes).unwrap();
        let Some(Shown::Text(text)) = read.show(1, &[25, 23], ClientEncoding::UTF8) else {
            panic!("{read:?}")
        };
        assert_eq!(text.len(), 4096);
        assert_eq!(types(&[0, 2, 0, 0, 0, 25, 0, 0, 0, 23]).unwrap().as_ref(), [25, 23]);
        assert_eq!(types(&[0, 0]), None);
    }
}
