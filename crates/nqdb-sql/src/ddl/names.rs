//! Names of objects in definitions: how they are split, looked up and reported.

use std::sync::Arc;

use nqdb_catalog::{Relation, Snapshot, TEMPORARY_SCHEMA_PREFIX, TableDef};
use nqdb_sqlstate::{
    INVALID_SCHEMA_NAME, INVALID_TABLE_DEFINITION, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_TABLE,
    WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use nqdb_types::Oid;
use sqlparser::ast::{Ident, ObjectName};

use super::DdlContext;
use crate::names::name_of;

/// `[schema.]name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualifiedName {
    pub schema: Option<String>,
    pub name: String,
    /// Characters from 1.
    pub position: Option<u32>,
}

impl QualifiedName {
    /// Splits a name as the parser gives it. `database.schema.name` is 0A000 unless the database is this one.
    pub(crate) fn of(name: &ObjectName, database: &str) -> SqlResult<QualifiedName> {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        if parts.len() != name.0.len() {
            return Err(SqlError::unsupported("this form of a name"));
        }
        let position = parts.first().map(|first| first.span.start.column as u32).filter(|position| *position > 0);
        match parts.as_slice() {
            [name] => Ok(QualifiedName { schema: None, name: name_of(name), position }),
            [schema, name] => Ok(QualifiedName { schema: Some(name_of(schema)), name: name_of(name), position }),
            [first, schema, name] if name_of(first) == database => {
                Ok(QualifiedName { schema: Some(name_of(schema)), name: name_of(name), position })
            }
            [_, _, _] => {
                Err(SqlError::unsupported(format!("cross-database reference \"{name}\"")).or_position(position))
            }
            _ => Err(SqlError::new(SYNTAX_ERROR, format!("improper qualified name (too many dotted names): {name}"))
                .or_position(position)),
        }
    }

    /// As the user wrote it, for messages.
    pub(crate) fn display(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl DdlContext<'_, '_> {
    pub(super) fn name(&self, name: &ObjectName) -> SqlResult<QualifiedName> {
        QualifiedName::of(name, &self.exec.functions.session.current_database())
    }

    /// The schema in which a new relation is made; with `temporary` the session's own.
    ///
    /// Errors: 3F000 when it does not exist or none is on the path, 42P16 for a temporary relation anywhere else.
    pub(super) fn relation_schema(&mut self, name: &QualifiedName, temporary: bool) -> Result<Oid, TxnError> {
        let is_own = |schema: &str| schema == "pg_temp" || schema == self.temporary_schema;
        match name.schema.as_deref() {
            Some(schema) if is_own(schema) => {}
            Some(schema) if schema.starts_with(TEMPORARY_SCHEMA_PREFIX) => {
                let message = "cannot create relations in temporary schemas of other sessions";
                return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
            }
            Some(_) if temporary => {
                let message = "cannot create temporary relation in non-temporary schema";
                return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).or_position(name.position).into());
            }
            None if !temporary && self.creates_in_foreign_temporary() => {
                let message = "cannot create relations in temporary schemas of other sessions";
                return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
            }
            None if temporary => {}
            _ => return Ok(self.creation_schema(name)?),
        }
        self.expect_may_create_temporary()?;
        let own = self.temporary_schema;
        self.writer().temporary_schema(own)
    }

    /// Whether the first schema of the path that relations are made in is the temporary one of another session.
    fn creates_in_foreign_temporary(&mut self) -> bool {
        let snapshot = self.draft.snapshot();
        let schemas = self.search_path.iter().filter(|oid| **oid != nqdb_catalog::PG_CATALOG_OID);
        let mut schemas = schemas.filter_map(|oid| snapshot.schema_by_oid(*oid));
        let first = schemas.find(|schema| schema.name != self.temporary_schema);
        first.is_some_and(|schema| schema.is_temporary())
    }

    /// The schema in which a new object is made. Errors: 3F000 when it does not exist or none is on the path.
    pub(super) fn creation_schema(&mut self, name: &QualifiedName) -> SqlResult<Oid> {
        let snapshot = self.draft.snapshot();
        let found = match &name.schema {
            Some(schema) => snapshot.schema(schema).cloned().ok_or_else(|| {
                SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"))
                    .or_position(name.position)
            })?,
            None => self
                .search_path
                .iter()
                .filter(|oid| **oid != nqdb_catalog::PG_CATALOG_OID)
                .filter_map(|oid| snapshot.schema_by_oid(*oid))
                .find(|schema| !schema.is_temporary())
                .cloned()
                .ok_or_else(|| {
                    SqlError::new(INVALID_SCHEMA_NAME, "no schema has been selected to create in")
                        .or_position(name.position)
                })?,
        };
        self.expect_may_create_in(&snapshot, &found)?;
        Ok(found.oid)
    }

    /// Any relation of that name; a schema that does not exist counts as not found.
    pub(super) fn find_relation(&mut self, name: &QualifiedName) -> Option<Relation> {
        let snapshot = self.draft.snapshot();
        find(&snapshot, self.search_path, name)
    }

    /// What to say when there is no relation of a name: 42P01, or 3F000 when already its schema does not exist.
    pub(super) fn missing_relation(&mut self, name: &QualifiedName) -> SqlError {
        let snapshot = self.draft.snapshot();
        match snapshot.resolve(self.search_path, name.schema.as_deref(), &name.name) {
            Err(error) => error,
            Ok(_) => SqlError::new(UNDEFINED_TABLE, format!("relation \"{}\" does not exist", name.display())),
        }
    }

    /// A table. Errors: 42P01 when there is nothing of the name, 42809 when it is something else.
    pub(super) fn find_table(&mut self, name: &QualifiedName) -> SqlResult<Arc<TableDef>> {
        match self.find_relation(name) {
            Some(Relation::Table(table)) => Ok(table),
            Some(_) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", name.name))),
            None => Err(self.missing_relation(name)),
        }
    }
}

fn find(snapshot: &Snapshot, search_path: &[Oid], name: &QualifiedName) -> Option<Relation> {
    snapshot.resolve(search_path, name.schema.as_deref(), &name.name).ok().flatten().cloned()
}
