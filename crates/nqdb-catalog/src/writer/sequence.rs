//! CREATE, ALTER and DROP SEQUENCE.

use std::sync::Arc;

use nqdb_sqlstate::{DEPENDENT_OBJECTS_STILL_EXIST, INVALID_PARAMETER_VALUE, SqlError, UNDEFINED_TABLE};
use nqdb_txn::{RelationLock, Result, Sequence};
use nqdb_types::{Oid, oid};

use super::{CatalogWriter, ObjectId, duplicate_relation, sequence_options, taken};
use crate::definition::{OwnedBy, SequenceDef};
use crate::objects::{Kind, ObjectRow, Space};
use crate::request::SequenceOptions;
use crate::rights::SecuredKind;
use crate::snapshot::Change;
use crate::stored::to_json;

impl SequenceDef {
    /// The counter behind the definition.
    pub fn counter(&self) -> Sequence {
        Sequence {
            id: self.counter_id,
            increment: self.increment,
            min: self.min,
            max: self.max,
            start: self.start,
            cycle: self.cycle,
        }
    }
}

impl CatalogWriter<'_> {
    /// Makes a sequence. Errors: 42P07 when the name is taken, 22023 for options that contradict each other.
    pub fn create_sequence(&mut self, schema: Oid, name: &str, options: &SequenceOptions) -> Result<Oid> {
        let owned_by = match options.owned_by.flatten() {
            Some((table, attnum)) => {
                let owner = self.lock_table(table, RelationLock::AccessShare)?;
                if owner.schema != schema {
                    return Err(SqlError::new(
                        nqdb_sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
                        "sequence must be in same schema as table it is linked to",
                    )
                    .into());
                }
                Some(OwnedBy { table, attnum, identity: false })
            }
            None => None,
        };
        self.create_owned_sequence(schema, name, options, owned_by)
    }

    pub(super) fn create_owned_sequence(
        &mut self,
        schema: Oid,
        name: &str,
        options: &SequenceOptions,
        owned_by: Option<OwnedBy>,
    ) -> Result<Oid> {
        self.hold_schema(schema)?;
        self.expect_free_name(schema, name)?;
        let oid = self.catalog.next_oid(self.txn)?;
        // It belongs to whom its table belongs, whoever makes it; a new table is not there yet.
        let table = owned_by.and_then(|owner| self.snapshot().table_by_oid(owner.table).map(|table| table.owner));
        let mut sequence = SequenceDef {
            oid,
            counter_id: oid,
            schema,
            name: name.to_owned(),
            owner: table.unwrap_or(self.role),
            data_type: oid::INT8,
            start: 1,
            increment: 1,
            min: 1,
            max: i64::MAX,
            cache: 1,
            cycle: false,
            owned_by,
        };
        sequence_options::apply(options, &mut sequence, true)?;
        self.insert_relation(&sequence_row(&sequence))?;
        sequence.counter().create(self.txn)?;
        self.push(Change::PutSequence(Arc::new(sequence)));
        self.apply_default_access(SecuredKind::Sequence, oid, schema)?;
        Ok(oid)
    }

    /// Changes a sequence's properties; `restart` sets its next value (RESTART: its start).
    pub fn alter_sequence(&mut self, oid: Oid, options: &SequenceOptions, restart: Option<Option<i64>>) -> Result<()> {
        let mut sequence = self.lock_sequence(oid)?;
        sequence_options::apply(options, &mut sequence, false)?;
        if let Some(owned_by) = options.owned_by {
            sequence.owned_by = owned_by.map(|(table, attnum)| OwnedBy { table, attnum, identity: false });
        }
        if let Some(restart) = restart {
            let value = restart.unwrap_or(sequence.start);
            if value < sequence.min || value > sequence.max {
                let (bound, word, limit) = if value < sequence.min {
                    ("MINVALUE", "less", sequence.min)
                } else {
                    ("MAXVALUE", "greater", sequence.max)
                };
                return Err(SqlError::new(
                    INVALID_PARAMETER_VALUE,
                    format!("RESTART value ({value}) cannot be {word} than {bound} ({limit})"),
                )
                .into());
            }
            self.give_counter(&mut sequence, value)?;
        }
        self.put_sequence(sequence)
    }

    /// Makes a sequence go on at its start, if the transaction commits.
    pub(super) fn restart_sequence(&mut self, oid: Oid) -> Result<()> {
        let mut sequence = self.lock_sequence(oid)?;
        let start = sequence.start;
        self.give_counter(&mut sequence, start)?;
        self.put_sequence(sequence)
    }

    /// Gives a sequence a new counter whose first value is `first`. The old one stays until the next start: a statement
    /// of another session may still draw from it.
    fn give_counter(&mut self, sequence: &mut SequenceDef, first: i64) -> Result<()> {
        sequence.counter_id = self.catalog.next_oid(self.txn)?;
        Sequence { start: first, ..sequence.counter() }.create(self.txn)
    }

    /// Gives a sequence another name.
    pub fn rename_sequence(&mut self, oid: Oid, name: &str) -> Result<()> {
        let mut sequence = self.lock_sequence(oid)?;
        self.expect_free_name(sequence.schema, name)?;
        sequence.name = name.to_owned();
        self.put_sequence(sequence)
    }

    /// 2BP01 for the sequence of an identity column: it goes with its column only.
    pub fn expect_no_identity(&mut self, oid: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        let Some(sequence) = snapshot.sequence_by_oid(oid) else { return Ok(()) };
        let Some(owner) = sequence.owned_by.filter(|owner| owner.identity) else { return Ok(()) };
        let column = self.describe(&snapshot, ObjectId::Column(owner.table, owner.attnum));
        let sequence = self.describe(&snapshot, ObjectId::Relation(oid));
        let message = format!("cannot drop {sequence} because {column} requires it");
        Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_hint(format!("You can drop {column} instead."))
            .into())
    }

    /// Drops a sequence together with the column that owns it. Its counter goes after the commit.
    pub(super) fn remove_sequence(&mut self, sequence: &SequenceDef) -> Result<()> {
        self.forget_object(sequence.oid)?;
        self.catalog.objects().remove(self.txn, Space::Relation, sequence.oid)?;
        self.push(Change::DropSequence(sequence.oid));
        Ok(())
    }

    pub(super) fn lock_sequence(&mut self, oid: Oid) -> Result<SequenceDef> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        match self.snapshot().sequence_by_oid(oid) {
            Some(sequence) => Ok(SequenceDef::clone(sequence)),
            None => Err(SqlError::new(UNDEFINED_TABLE, format!("could not open relation with OID {oid}")).into()),
        }
    }

    pub(super) fn put_sequence(&mut self, sequence: SequenceDef) -> Result<()> {
        let row = sequence_row(&sequence);
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, duplicate_relation(&row.name)))?;
        self.push(Change::PutSequence(Arc::new(sequence)));
        Ok(())
    }
}

/// The default of a serial column. The number, not the name, so that a renamed sequence is still found.
pub(super) fn nextval_call(sequence: Oid) -> String {
    format!("nextval('{sequence}'::regclass)")
}

fn sequence_row(sequence: &SequenceDef) -> ObjectRow {
    ObjectRow {
        space: Space::Relation,
        oid: sequence.oid,
        parent: sequence.schema,
        name: sequence.name.clone(),
        kind: Kind::Sequence,
        definition: to_json(sequence),
    }
}
