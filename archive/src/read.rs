//! Files of the archive, read back.

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;

use crate::column::{Column, Values};
use crate::write::Batch;

/// The rows of a file that was written with these columns.
pub(crate) fn read(file: Bytes, columns: &[Column]) -> Result<Batch, ParquetError> {
    let file = SerializedFileReader::new(file)?;
    let names = file.metadata().file_metadata().schema_descr();
    let found = names.columns().iter().map(|column| column.name());
    if !found.eq(columns.iter().map(|column| column.name.as_str())) {
        return Err(ParquetError::General("it has other columns than were written".to_owned()));
    }
    let mut batch = Batch::new(columns.to_vec());
    for values in &mut batch.values {
        // In files decimals are numbers.
        if matches!(values, Values::Decimal(_)) {
            *values = Values::Fixed(Vec::new());
        }
    }
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group)?;
        let rows = usize::try_from(group.metadata().num_rows())?;
        for index in 0..columns.len() {
            let levels = &mut batch.levels[index];
            match (group.get_column_reader(index)?, &mut batch.values[index]) {
                (ColumnReader::BoolColumnReader(reader), Values::Bool(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::Int32ColumnReader(reader), Values::Int32(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::Int64ColumnReader(reader), Values::Int64(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::FloatColumnReader(reader), Values::Float32(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::DoubleColumnReader(reader), Values::Float64(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::ByteArrayColumnReader(reader), Values::Bytes(values)) => {
                    all(reader, rows, levels, values)
                }
                (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Fixed(values)) => {
                    all(reader, rows, levels, values)
                }
                _ => Err(ParquetError::General(
                    "a column has another type than was written".to_owned(),
                )),
            }?;
        }
        batch.rows += rows;
    }
    Ok(batch)
}

fn all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    let wanted = levels.len() + rows;
    while levels.len() < wanted {
        let (read, _, _) =
            reader.read_records(wanted - levels.len(), Some(levels), None, values)?;
        if read == 0 {
            return Err(ParquetError::General("it ends too early".to_owned()));
        }
    }
    Ok(())
}
