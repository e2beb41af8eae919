//! Rows on their way into a file.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArrayType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type as Field;
use tokio_postgres::Row;

use crate::Error;
use crate::column::{Column, Kind, Values, unscaled};
use crate::source::Wire;

/// Rows, column by column.
pub(crate) struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) values: Vec<Values>,
    /// For each column and row 1, or 0 where it is null: Parquet's definition levels.
    pub(crate) levels: Vec<Vec<i16>>,
    pub(crate) rows: usize,
    /// About how much memory the values take.
    pub(crate) bytes: usize,
}

impl Batch {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let values = columns.iter().map(|column| column.kind.values()).collect();
        let levels = vec![Vec::new(); columns.len()];
        Self { columns, values, levels, rows: 0, bytes: 0 }
    }

    /// Adds a row, whose values begin at a position.
    pub(crate) fn push(&mut self, row: &Row, first: usize) -> Result<(), Error> {
        for (index, column) in self.columns.iter().enumerate() {
            let failed = || Error::Value { column: column.name.clone() };
            let wire: Option<Wire<'_>> = row.try_get(first + index).map_err(|_| failed())?;
            self.levels[index].push(i16::from(wire.is_some()));
            self.bytes += 2;
            if let Some(Wire(bytes)) = wire {
                self.values[index].push(column.kind, bytes).ok_or_else(failed)?;
                self.bytes += bytes.len() + 24;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Makes decimals of the numbers, or text where one is none of the declared form (NaN).
    fn settle(&mut self) {
        for (column, values) in self.columns.iter_mut().zip(&mut self.values) {
            let (Kind::Decimal { scale, .. }, Values::Decimal(texts)) = (column.kind, &mut *values)
            else {
                continue;
            };
            let numbers: Option<Vec<_>> =
                texts.iter().map(|text| unscaled(text.data(), scale)).collect();
            *values = if let Some(numbers) = numbers {
                Values::Fixed(numbers)
            } else {
                column.kind = Kind::Text;
                Values::Bytes(std::mem::take(texts))
            };
        }
    }

    /// The file, and its columns as they became.
    pub(crate) fn into_file(
        mut self,
        about: Vec<(&str, String)>,
    ) -> Result<(Bytes, Vec<Column>), ParquetError> {
        self.settle();
        let mut fields = Vec::new();
        for column in &self.columns {
            fields.push(Arc::new(column.kind.field(column)?));
        }
        let schema = Field::group_type_builder("changes").with_fields(fields).build()?;
        let about =
            about.into_iter().map(|(key, value)| KeyValue::new(format!("pgtrack.{key}"), value));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(about.collect()))
            .set_created_by("pgtrack".to_owned())
            .build();
        let mut file =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for (values, levels) in self.values.iter().zip(&self.levels) {
            let Some(mut column) = group.next_column()? else { break };
            let levels = Some(levels.as_slice());
            match values {
                Values::Bool(values) => {
                    column.typed::<BoolType>().write_batch(values, levels, None)
                }
                Values::Int32(values) => {
                    column.typed::<Int32Type>().write_batch(values, levels, None)
                }
                Values::Int64(values) => {
                    column.typed::<Int64Type>().write_batch(values, levels, None)
                }
                Values::Float32(values) => {
                    column.typed::<FloatType>().write_batch(values, levels, None)
                }
                Values::Float64(values) => {
                    column.typed::<DoubleType>().write_batch(values, levels, None)
                }
                Values::Bytes(values) | Values::Decimal(values) => {
                    column.typed::<ByteArrayType>().write_batch(values, levels, None)
                }
                Values::Fixed(values) => {
                    column.typed::<FixedLenByteArrayType>().write_batch(values, levels, None)
                }
            }?;
            column.close()?;
        }
        group.close()?;
        Ok((file.into_inner()?.into(), self.columns))
    }
}
