//! What ALTER does to all kinds of objects alike: owner and schema. Comments.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_SCHEMA, SqlError};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::table::owned_sequences;
use super::{CatalogWriter, duplicate_relation, index_row, taken};
use crate::catalog::schema_row;
use crate::definition::{CommentDef, Relation, SchemaDef, SequenceDef, TableDef};
use crate::objects::{Kind, ObjectRow, Space};
use crate::rights::SecuredKind;
use crate::shared::is_shared_class;
use crate::snapshot::Change;
use crate::stored::to_json;
use crate::view::ViewDef;

impl CatalogWriter<'_> {
    /// Gives a relation, with the sequences of its columns, to another role.
    pub fn set_relation_owner(&mut self, oid: Oid, owner: Oid) -> Result<()> {
        let relation = self.snapshot().relation_by_oid(oid).cloned();
        if let Some(relation) = &relation {
            self.change_list_owner(SecuredKind::Table.class(), oid, relation.owner(), owner)?;
        }
        match relation {
            Some(Relation::Table(_)) => {
                let table = self.lock_table(oid, RelationLock::AccessExclusive)?;
                self.put_table(TableDef { owner, ..TableDef::clone(&table) })?;
                let snapshot = self.snapshot();
                owned_sequences(&snapshot, oid, None)
                    .into_iter()
                    .try_for_each(|sequence| self.set_relation_owner(sequence, owner))
            }
            Some(Relation::View(_)) => {
                let view = self.lock_view(oid)?;
                self.put_view(ViewDef { owner, ..view })
            }
            Some(Relation::Sequence(_)) => {
                let sequence = self.lock_sequence(oid)?;
                self.put_sequence(SequenceDef { owner, ..sequence })
            }
            Some(Relation::Index(..)) | None => Ok(()),
        }
    }

    /// Moves a relation, with the indexes and sequences of a table, to another schema. Errors: 42P07 when a name is taken there.
    pub fn set_relation_schema(&mut self, oid: Oid, schema: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        let Some(relation) = snapshot.relation_by_oid(oid).cloned() else { return Ok(()) };
        if relation.schema() == schema {
            return Ok(());
        }
        self.hold_schema(schema)?;
        if snapshot.relation(schema, relation.name()).is_some() {
            let name = snapshot.schema_by_oid(schema).map_or("", |schema| schema.name.as_str());
            let message = format!("relation \"{}\" already exists in schema \"{name}\"", relation.name());
            return Err(SqlError::new(nqdb_sqlstate::DUPLICATE_TABLE, message).into());
        }
        match relation {
            Relation::Table(_) => self.move_table(oid, schema),
            Relation::View(_) => {
                let view = self.lock_view(oid)?;
                self.put_view(ViewDef { schema, ..view })
            }
            Relation::Sequence(_) => {
                let sequence = self.lock_sequence(oid)?;
                self.put_sequence(SequenceDef { schema, ..sequence })
            }
            Relation::Index(..) => Ok(()),
        }
    }

    fn move_table(&mut self, oid: Oid, schema: Oid) -> Result<()> {
        let table = self.lock_table(oid, RelationLock::AccessExclusive)?;
        let snapshot = self.snapshot();
        let schema_name = snapshot.schema_by_oid(schema).map(|schema| schema.name.clone()).unwrap_or_default();
        let moved = TableDef { schema, schema_name, ..TableDef::clone(&table) };
        for index in &moved.indexes {
            let row = index_row(&moved, index);
            let error = duplicate_relation(&index.name);
            self.catalog.objects().replace(self.txn, &row).map_err(|found| taken(found, error))?;
        }
        self.put_table(moved)?;
        owned_sequences(&snapshot, oid, None)
            .into_iter()
            .try_for_each(|sequence| self.set_relation_schema(sequence, schema))
    }

    /// Changes a schema's name or owner. Errors: 42P06 when the name is taken.
    pub fn alter_schema(&mut self, oid: Oid, name: Option<&str>, owner: Option<Oid>) -> Result<()> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        let snapshot = self.snapshot();
        let Some(schema) = snapshot.schema_by_oid(oid) else { return Ok(()) };
        let mut successor = SchemaDef::clone(schema);
        if let Some(owner) = owner {
            self.change_list_owner(SecuredKind::Schema.class(), oid, successor.owner, owner)?;
            successor.owner = owner;
        }
        if let Some(name) = name {
            super::schema::expect_schema_name(name)?;
            if snapshot.schema(name).is_some() {
                let message = format!("schema \"{name}\" already exists");
                return Err(SqlError::new(DUPLICATE_SCHEMA, message).into());
            }
            name.clone_into(&mut successor.name);
        }
        self.catalog.objects().replace(self.txn, &schema_row(&successor))?;
        self.push(Change::PutSchema(Arc::new(successor)));
        Ok(())
    }

    /// Sets or removes the comment of an object: `class` is the number of the system catalog that the object is in, `column`
    /// 0 for the object itself.
    pub fn set_comment(&mut self, class: Oid, object: Oid, column: i16, text: Option<String>) -> Result<()> {
        let known = self.snapshot().comment(class, object, column).cloned();
        let Some(text) = text else { return known.map_or(Ok(()), |comment| self.remove_comment(&comment)) };
        let oid = match known {
            Some(comment) => comment.oid,
            None => self.catalog.next_oid(self.txn)?,
        };
        let comment = CommentDef { oid, class, object, column, text };
        let row = comment_row(&comment);
        let twice = SqlError::new(nqdb_sqlstate::INTERNAL_ERROR, "tuple concurrently updated");
        self.catalog.objects().put(self.txn, &row).map_err(|error| taken(error, twice.into()))?;
        self.push(Change::PutComment(Arc::new(comment)));
        Ok(())
    }

    /// Removes what is said about an object that goes: comments and access lists, those of its columns too.
    pub(super) fn forget_object(&mut self, object: Oid) -> Result<()> {
        self.remove_access_lists(object, None)?;
        let snapshot = self.snapshot();
        let mut comments: Vec<&Arc<CommentDef>> =
            snapshot.comments().filter(|comment| comment.object == object).collect();
        comments.sort_unstable_by_key(|comment| comment.oid);
        comments.into_iter().try_for_each(|comment| self.remove_comment(comment))
    }

    fn remove_comment(&mut self, comment: &CommentDef) -> Result<()> {
        self.catalog.objects().remove(self.txn, comment_space(comment.class), comment.oid)?;
        self.push(Change::DropComment(comment.oid));
        Ok(())
    }
}

fn comment_space(class: Oid) -> Space {
    if is_shared_class(class) { Space::SharedComment } else { Space::Comment }
}

pub(crate) fn comment_row(comment: &CommentDef) -> ObjectRow {
    ObjectRow {
        space: comment_space(comment.class),
        oid: comment.oid,
        parent: comment.object,
        name: format!("{}.{}", comment.class, comment.column),
        kind: Kind::Comment,
        definition: to_json(comment),
    }
}
