//! How values of PostgreSQL's types become values of Parquet's.
//!
//! What Parquet has no type for is text, as PostgreSQL writes it.

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::schema::types::Type as Field;
use serde::{Deserialize, Serialize};

/// Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
/// As days.
const EPOCH_DAYS: i32 = 10_957;

/// A column of a file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its number in the history table, which stays when it is renamed; none for what is said of the statement.
    pub(crate) id: Option<i32>,
    pub(crate) kind: Kind,
}

/// A type in Parquet, and how to get there.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// Infinite ones are the type's extremes, as `DuckDB` has it; so for timestamps.
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Uuid,
    Bytes,
    Json,
    Text,
    /// Where every value of a file has this many digits and decimal places; else they are text.
    Decimal {
        precision: u8,
        scale: u8,
    },
}

impl Kind {
    /// For a type by its OID (`pg_type.dat`) and modifier; and whether the server has to send it as text.
    pub(crate) fn of(oid: u32, modifier: i32) -> (Self, bool) {
        match oid {
            16 => (Self::Bool, false),
            17 => (Self::Bytes, false),
            19 | 25 | 1042 | 1043 => (Self::Text, false),
            20 => (Self::Int64, false),
            21 => (Self::Int16, false),
            23 => (Self::Int32, false),
            114 => (Self::Json, false),
            700 => (Self::Float32, false),
            701 => (Self::Float64, false),
            1082 => (Self::Date, false),
            1083 => (Self::Time, false),
            1114 => (Self::Timestamp, false),
            1184 => (Self::Timestamptz, false),
            2950 => (Self::Uuid, false),
            3802 => (Self::Json, true),
            1700 => (Self::decimal(modifier).unwrap_or(Self::Text), true),
            _ => (Self::Text, true),
        }
    }

    /// A numeric's modifier has its precision and scale (`numeric.c`); Parquet's decimals go up to 38 digits here.
    fn decimal(modifier: i32) -> Option<Self> {
        let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
        // The scale is a signed number of 11 bits.
        let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
        let precision = u8::try_from(packed >> 16).ok().filter(|precision| *precision <= 38)?;
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= precision)?;
        Some(Self::Decimal { precision, scale })
    }

    pub(crate) fn field(self, column: &Column) -> Result<Field, ParquetError> {
        let (physical, logical, length) = match self {
            Self::Bool => (Physical::BOOLEAN, None, -1),
            Self::Int16 => (Physical::INT32, Some(LogicalType::integer(16, true)), -1),
            Self::Int32 => (Physical::INT32, Some(LogicalType::integer(32, true)), -1),
            Self::Int64 => (Physical::INT64, Some(LogicalType::integer(64, true)), -1),
            Self::Float32 => (Physical::FLOAT, None, -1),
            Self::Float64 => (Physical::DOUBLE, None, -1),
            Self::Date => (Physical::INT32, Some(LogicalType::Date), -1),
            Self::Time => (Physical::INT64, Some(LogicalType::time(false, TimeUnit::MICROS)), -1),
            Self::Timestamp => {
                (Physical::INT64, Some(LogicalType::timestamp(false, TimeUnit::MICROS)), -1)
            }
            Self::Timestamptz => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)), -1)
            }
            Self::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), 16),
            Self::Bytes => (Physical::BYTE_ARRAY, None, -1),
            Self::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json), -1),
            Self::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
            Self::Decimal { precision, scale } => {
                let logical = LogicalType::decimal(scale.into(), precision.into());
                (Physical::FIXED_LEN_BYTE_ARRAY, Some(logical), 16)
            }
        };
        let mut field = Field::primitive_type_builder(&column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .with_length(length)
            .with_id(column.id);
        if let Self::Decimal { precision, scale } = self {
            field = field.with_precision(precision.into()).with_scale(scale.into());
        }
        field.build()
    }

    /// An empty column of this type.
    pub(crate) fn values(self) -> Values {
        match self {
            Self::Bool => Values::Bool(Vec::new()),
            Self::Int16 | Self::Int32 | Self::Date => Values::Int32(Vec::new()),
            Self::Int64 | Self::Time | Self::Timestamp | Self::Timestamptz => {
                Values::Int64(Vec::new())
            }
            Self::Float32 => Values::Float32(Vec::new()),
            Self::Float64 => Values::Float64(Vec::new()),
            Self::Uuid => Values::Fixed(Vec::new()),
            Self::Decimal { .. } => Values::Decimal(Vec::new()),
            Self::Bytes | Self::Json | Self::Text => Values::Bytes(Vec::new()),
        }
    }

    /// A value as the server sent it, of a type that is not text, in the form that it has in files.
    fn int32(self, wire: &[u8]) -> Option<i32> {
        Some(match self {
            Self::Int16 => i16::from_be_bytes(wire.try_into().ok()?).into(),
            Self::Date => match i32::from_be_bytes(wire.try_into().ok()?) {
                i32::MIN => -i32::MAX,
                days => days.saturating_add(EPOCH_DAYS),
            },
            _ => i32::from_be_bytes(wire.try_into().ok()?),
        })
    }

    fn int64(self, wire: &[u8]) -> Option<i64> {
        let number = i64::from_be_bytes(wire.try_into().ok()?);
        Some(match (self, number) {
            (Self::Timestamp | Self::Timestamptz, i64::MIN) => -i64::MAX,
            (Self::Timestamp | Self::Timestamptz, _) => number.saturating_add(EPOCH_MICROSECONDS),
            _ => number,
        })
    }
}

/// Values that are not null, in the order of their rows.
#[derive(Debug)]
pub(crate) enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
    /// As text, until it is known that all are numbers.
    Decimal(Vec<ByteArray>),
}

impl Values {
    /// Adds a value as the server sent it; `None` if that is not the form of its type.
    pub(crate) fn push(&mut self, kind: Kind, wire: &[u8]) -> Option<()> {
        match self {
            Self::Bool(values) => values.push(*wire.first()? != 0),
            Self::Int32(values) => values.push(kind.int32(wire)?),
            Self::Int64(values) => values.push(kind.int64(wire)?),
            Self::Float32(values) => values.push(f32::from_be_bytes(wire.try_into().ok()?)),
            Self::Float64(values) => values.push(f64::from_be_bytes(wire.try_into().ok()?)),
            Self::Bytes(values) | Self::Decimal(values) => values.push(wire.to_vec().into()),
            Self::Fixed(values) => values.push(wire.to_vec().into()),
        }
        Some(())
    }

    /// The bytes of a value, to tell it from others: the same for a decimal and its text.
    pub(crate) fn bytes(&self, kind: Kind, index: usize) -> Option<Vec<u8>> {
        Some(match self {
            Self::Bool(values) => vec![u8::from(*values.get(index)?)],
            Self::Int32(values) => values.get(index)?.to_le_bytes().to_vec(),
            Self::Int64(values) => values.get(index)?.to_le_bytes().to_vec(),
            Self::Float32(values) => values.get(index)?.to_le_bytes().to_vec(),
            Self::Float64(values) => values.get(index)?.to_le_bytes().to_vec(),
            Self::Bytes(values) | Self::Decimal(values) => values.get(index)?.data().to_vec(),
            Self::Fixed(values) => match (kind, values.get(index)?.data()) {
                (Kind::Decimal { scale, .. }, number) => scaled(number, scale)?.into_bytes(),
                (_, other) => other.to_vec(),
            },
        })
    }
}

/// A number in PostgreSQL's text form as a Parquet decimal: the digits, without the point, in 16 bytes.
/// `None` for NaN, and for what has other decimal places.
pub(crate) fn unscaled(text: &[u8], scale: u8) -> Option<FixedLenByteArray> {
    let text = str::from_utf8(text).ok()?;
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    if places.len() != usize::from(scale) {
        return None;
    }
    let number: i128 = format!("{whole}{places}").parse().ok()?;
    Some(number.to_be_bytes().to_vec().into())
}

/// A Parquet decimal as PostgreSQL writes it.
fn scaled(number: &[u8], scale: u8) -> Option<String> {
    let number = i128::from_be_bytes(number.try_into().ok()?);
    let scale = usize::from(scale);
    let digits = format!("{:0>1$}", number.unsigned_abs(), scale + 1);
    let (whole, places) = digits.split_at(digits.len() - scale);
    let (sign, point) = (if number < 0 { "-" } else { "" }, if scale > 0 { "." } else { "" });
    Some(format!("{sign}{whole}{point}{places}"))
}

#[cfg(test)]
mod tests {
    use super::{Kind, scaled, unscaled};

    #[test]
    fn modifiers_of_numeric_are_understood() {
        // atttypmod of numeric(10,3), numeric(38,0), numeric(39,2), numeric(2,-3), numeric(3,5), numeric.
        let of = |modifier| Kind::of(1700, modifier).0;
        assert_eq!(of((10 << 16 | 3) + 4), Kind::Decimal { precision: 10, scale: 3 });
        assert_eq!(of((38 << 16) + 4), Kind::Decimal { precision: 38, scale: 0 });
        for other in [(39 << 16 | 2) + 4, (2 << 16 | 0x7fd) + 4, (3 << 16 | 5) + 4, -1] {
            assert_eq!(of(other), Kind::Text, "{other}");
        }
    }

    #[test]
    fn decimals_keep_sign_and_places() {
        let number = |text: &str| {
            let bytes = unscaled(text.as_bytes(), 3)?;
            Some(i128::from_be_bytes(bytes.data().try_into().unwrap()))
        };
        assert_eq!(number("1.500"), Some(1500));
        assert_eq!(number("-0.001"), Some(-1));
        for text in ["0.000", "-0.001", "12345678901234567890123456789012345.678"] {
            let bytes = unscaled(text.as_bytes(), 3).unwrap();
            assert_eq!(scaled(bytes.data(), 3).as_deref(), Some(text));
        }
        assert_eq!(scaled(&(-15_i128).to_be_bytes(), 0).as_deref(), Some("-15"));
        for other in ["NaN", "1.5", "Infinity", ""] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
