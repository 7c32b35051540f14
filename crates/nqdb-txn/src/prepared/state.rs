//! What the log says of a prepared transaction beside its changes. All numbers little-endian:
//!
//! ```text
//! version u8 (1) | identifier length u16 | identifier | database u32 | role u32 | prepared at i64 (µs since 2000-01-01 UTC)
//! relation locks u32 | (relation u32 | mode u8) each
//! row locks      u32 | (table u32 | row u64 | mode u8) each
//! advisory locks u32 | (database u32 | high u32 | low u32 | is pair u8 | mode u8) each
//! serializable u8 (1 yes, 2 READ ONLY, 4 has written) | tables that were read u32 | table u32 each
//! ```

use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::record::Reader;
use crate::relation_lock::{AdvisoryKey, RelationLock};
use crate::row_lock::RowLock;

const VERSION: u8 = 1;

const IS_SERIALIZABLE: u8 = 1;
const IS_READ_ONLY: u8 = 2;
const HAS_WRITTEN: u8 = 4;

/// Who has prepared a transaction, under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedLabel {
    /// The global transaction identifier.
    pub gid: String,
    /// The number of the database.
    pub database: u32,
    /// The number of the role that may end it beside superusers.
    pub role: u32,
    /// µs since 2000-01-01 UTC.
    pub prepared_micros: i64,
}

/// What SERIALIZABLE has to know of a prepared transaction after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SerialState {
    pub(crate) read_only: bool,
    pub(crate) has_written: bool,
    /// Tables of which it has read something: all of them counts from a restart on.
    pub(crate) tables: Vec<u32>,
}

/// All that is to survive of a prepared transaction, but for its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreparedState {
    pub(crate) label: PreparedLabel,
    pub(crate) relations: Vec<(u32, RelationLock)>,
    pub(crate) rows: Vec<(u32, RowId, RowLock)>,
    pub(crate) advisory: Vec<(AdvisoryKey, RelationLock)>,
    /// `None`: another level, or a safe snapshot.
    pub(crate) serial: Option<SerialState>,
}

impl PreparedState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let gid = self.label.gid.as_bytes();
        out.extend_from_slice(&(gid.len() as u16).to_le_bytes());
        out.extend_from_slice(gid);
        put_u32(&mut out, self.label.database);
        put_u32(&mut out, self.label.role);
        out.extend_from_slice(&self.label.prepared_micros.to_le_bytes());
        put_u32(&mut out, self.relations.len() as u32);
        for (relation, mode) in &self.relations {
            put_u32(&mut out, *relation);
            out.push(*mode as u8);
        }
        put_u32(&mut out, self.rows.len() as u32);
        for (table, row, mode) in &self.rows {
            put_u32(&mut out, *table);
            out.extend_from_slice(&row.0.to_le_bytes());
            out.push(*mode as u8);
        }
        put_u32(&mut out, self.advisory.len() as u32);
        for (key, mode) in &self.advisory {
            [key.database, key.high, key.low].into_iter().for_each(|number| put_u32(&mut out, number));
            out.push(u8::from(key.is_pair));
            out.push(*mode as u8);
        }
        put_serial(&mut out, self.serial.as_ref());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<PreparedState> {
        let mut reader = Reader(bytes);
        if reader.bytes(1)? != [VERSION] {
            return Err(TxnError::corrupt("a prepared transaction has a state of an unknown version"));
        }
        let gid_len = usize::from(reader.u16()?);
        let gid = std::str::from_utf8(reader.bytes(gid_len)?)
            .map_err(|_| TxnError::corrupt("the identifier of a prepared transaction is no text"))?;
        let label = PreparedLabel {
            gid: gid.to_owned(),
            database: reader.u32()?,
            role: reader.u32()?,
            prepared_micros: reader.u64()? as i64,
        };
        let relations = list(&mut reader, |reader| Ok((reader.u32()?, relation_mode(reader)?)))?;
        let rows = list(&mut reader, |reader| Ok((reader.u32()?, RowId(reader.u64()?), row_mode(reader)?)))?;
        let advisory = list(&mut reader, |reader| Ok((advisory_key(reader)?, relation_mode(reader)?)))?;
        let flags = byte(&mut reader)?;
        let tables = list(&mut reader, |reader| reader.u32())?;
        let serial = (flags & IS_SERIALIZABLE != 0).then_some(SerialState {
            read_only: flags & IS_READ_ONLY != 0,
            has_written: flags & HAS_WRITTEN != 0,
            tables,
        });
        Ok(PreparedState { label, relations, rows, advisory, serial })
    }
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_serial(out: &mut Vec<u8>, serial: Option<&SerialState>) {
    let Some(serial) = serial else {
        out.push(0);
        return put_u32(out, 0);
    };
    let read_only = if serial.read_only { IS_READ_ONLY } else { 0 };
    let has_written = if serial.has_written { HAS_WRITTEN } else { 0 };
    out.push(IS_SERIALIZABLE | read_only | has_written);
    put_u32(out, serial.tables.len() as u32);
    serial.tables.iter().for_each(|table| put_u32(out, *table));
}

/// A count and so many items. The count is not trusted with memory.
fn list<T>(reader: &mut Reader<'_>, item: impl Fn(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let count = reader.u32()?;
    (0..count).map(|_| item(reader)).collect()
}

fn byte(reader: &mut Reader<'_>) -> Result<u8> {
    Ok(reader.bytes(1)?.first().copied().unwrap_or_default())
}

fn unknown_mode() -> TxnError {
    TxnError::corrupt("a prepared transaction holds a lock of an unknown mode")
}

fn relation_mode(reader: &mut Reader<'_>) -> Result<RelationLock> {
    RelationLock::from_number(byte(reader)?).ok_or_else(unknown_mode)
}

fn row_mode(reader: &mut Reader<'_>) -> Result<RowLock> {
    RowLock::from_number(byte(reader)?).ok_or_else(unknown_mode)
}

fn advisory_key(reader: &mut Reader<'_>) -> Result<AdvisoryKey> {
    let (database, high, low) = (reader.u32()?, reader.u32()?, reader.u32()?);
    Ok(AdvisoryKey { database, high, low, is_pair: byte(reader)? == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PreparedState {
        let label = PreparedLabel { gid: "order 17 ü".into(), database: 5, role: 10, prepared_micros: -3 };
        let key = AdvisoryKey { database: 5, high: 1, low: 2, is_pair: true };
        PreparedState {
            label,
            relations: vec![(16_384, RelationLock::RowExclusive), (16_390, RelationLock::AccessExclusive)],
            rows: vec![(16_384, RowId(9), RowLock::Share), (16_384, RowId(10), RowLock::Update)],
            advisory: vec![(key, RelationLock::Exclusive)],
            serial: Some(SerialState { read_only: false, has_written: true, tables: vec![16_384] }),
        }
    }

    #[test]
    fn a_state_comes_back_as_written() {
        let states = [sample(), PreparedState { serial: None, rows: Vec::new(), ..sample() }];
        for state in states {
            assert_eq!(PreparedState::decode(&state.encode()).expect("decodes"), state);
        }
    }

    #[test]
    fn a_short_or_wrong_state_is_damage() {
        let bytes = sample().encode();
        for len in 0..bytes.len() {
            assert!(matches!(PreparedState::decode(&bytes[..len]), Err(TxnError::Corrupt(_))), "{len} bytes");
        }
        assert!(matches!(PreparedState::decode(&[&[9], &bytes[1..]].concat()), Err(TxnError::Corrupt(_))));
    }
}
