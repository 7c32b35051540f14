//! CREATE TABLE ... (LIKE source ...): what the new table takes over from another one.

use nqdb_catalog::request::{
    ColumnSequenceKind, NewColumn, NewColumnSequence, NewIndex, NewKey, NewKeyColumn, NewKeyPart, SequenceOptions,
};
use nqdb_catalog::{ColumnSettings, IndexDef, Relation, SequenceDef, TableDef};
use nqdb_sqlstate::{SqlError, SqlResult, WRONG_OBJECT_TYPE};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use super::constraint::{WrittenCheck, WrittenConstraint, WrittenKey};
use crate::definition::Like;

/// What LIKE clauses bring besides columns.
#[derive(Default)]
pub(super) struct Copied {
    pub constraints: Vec<WrittenConstraint>,
    /// Position and expression of generated columns.
    pub generated: Vec<(usize, String)>,
    indexes: Vec<CopiedIndex>,
    /// Column name and text.
    comments: Vec<(String, String)>,
}

/// An index of the source, over columns by their names.
struct CopiedIndex {
    new: NewIndex,
    /// The columns that its expressions name.
    computed_from: Vec<String>,
}

impl Copied {
    /// Adds the columns of a clause to `columns`, and keeps the rest for later.
    pub fn add(&mut self, like: &Like, columns: &mut Vec<NewColumn>, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
        cx.expect_readable(&like.source)?;
        match cx.find_relation(&like.source) {
            Some(Relation::Table(table)) => self.add_table(like, &table, columns, cx),
            Some(Relation::View(view)) => {
                columns.extend(view.columns.iter().map(|column| NewColumn::plain(&column.name, column.ty())));
                Ok(())
            }
            Some(other) => {
                let message = format!("relation \"{}\" is invalid in LIKE clause", other.name());
                let detail = format!("This operation is not supported for {}s.", other.kind_name());
                let detail = detail.replace("indexs", "indexes");
                Err(SqlError::new(WRONG_OBJECT_TYPE, message).with_detail(detail).or_position(like.source.position))
            }
            None => Err(cx.missing_relation(&like.source).or_position(like.source.position)),
        }
    }

    fn add_table(
        &mut self,
        like: &Like,
        table: &TableDef,
        columns: &mut Vec<NewColumn>,
        cx: &mut DdlContext<'_, '_>,
    ) -> SqlResult<()> {
        let snapshot = cx.draft.snapshot();
        for (_, column) in table.live_columns() {
            let identity = column.identity.filter(|_| like.options.identity);
            let sequence = identity.and_then(|identity| {
                let options = sequence_options(snapshot.sequence_by_oid(identity.sequence)?);
                let kind = ColumnSequenceKind::Identity { always: identity.always };
                Some(NewColumnSequence { kind, options, place: None })
            });
            let default = column.default.clone().filter(|_| like.options.defaults && column.generated.is_none());
            if let Some(text) = column.default.clone().filter(|_| like.options.generated && column.generated.is_some())
            {
                self.generated.push((columns.len(), text));
            }
            let not_null = column.not_null;
            let settings = ColumnSettings {
                storage: column.settings.storage.filter(|_| like.options.storage),
                compression: column.settings.compression.filter(|_| like.options.compression),
                ..ColumnSettings::default()
            };
            let plain = NewColumn::plain(&column.name, column.ty);
            columns.push(NewColumn { not_null, default, sequence, settings, ..plain });
            let comment = snapshot.comment(super::comment::PG_CLASS, table.oid, column.attnum);
            if let Some(comment) = comment.filter(|_| like.options.comments) {
                self.comments.push((column.name.clone(), comment.text.clone()));
            }
        }
        if like.options.constraints {
            let checks = table.checks.iter();
            self.constraints.extend(checks.map(|check| {
                let name = Some(check.name.clone());
                WrittenConstraint::Check(WrittenCheck {
                    name,
                    text: check.expression.clone(),
                    expression: None,
                    not_valid: false,
                    no_inherit: check.no_inherit,
                })
            }));
        }
        if like.options.indexes {
            table.indexes.iter().for_each(|index| self.add_index(table, index));
        }
        Ok(())
    }

    fn add_index(&mut self, table: &TableDef, index: &IndexDef) {
        let name = |column: usize| table.columns.get(column).map_or_else(String::new, |column| column.name.clone());
        if index.constraint {
            let columns = index.key.iter().map(|key| name(key.column)).collect();
            self.constraints.push(WrittenConstraint::Key(WrittenKey::of_column(NewKey {
                name: None,
                primary: index.primary,
                columns,
                included: index.included.iter().map(|position| name(*position)).collect(),
                nulls_not_distinct: index.nulls_not_distinct,
                deferral: index.deferral,
                parameters: index.settings.parameters.clone(),
            })));
            return;
        }
        let key = index.key.iter().zip(&index.options).map(|(key, options)| NewKeyColumn {
            part: key.computed().map_or_else(|| NewKeyPart::Column(name(key.column)), NewKeyPart::Expression),
            descending: key.descending,
            nulls_first: key.nulls_first,
            options: *options,
        });
        let computed = index.computation.iter().flat_map(|computation| &computation.columns);
        let computed_from = computed.map(|attnum| name(usize::try_from(attnum - 1).unwrap_or(usize::MAX))).collect();
        let new = NewIndex {
            nulls_not_distinct: index.nulls_not_distinct,
            included: index.included.iter().map(|position| name(*position)).collect(),
            computation: index.computation.as_deref().cloned(),
            parameters: index.settings.parameters.clone(),
            ..NewIndex::over_columns(0, None, index.unique, key.collect())
        };
        self.indexes.push(CopiedIndex { new, computed_from });
    }

    /// Makes the copied indexes and comments, once the table is there.
    pub fn finish(self, table: Oid, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
        for CopiedIndex { mut new, computed_from } in self.indexes {
            new.table = table;
            if let (Some(computation), Some(own)) = (&mut new.computation, cx.draft.snapshot().table_by_oid(table)) {
                let number = |name: &String| Some(own.columns.get(own.column_named(name)?)?.attnum);
                computation.columns = computed_from.iter().filter_map(number).collect();
            }
            cx.writer().create_index(&new)?;
        }
        let definition = cx.draft.snapshot().table_by_oid(table).cloned();
        for (column, text) in self.comments {
            let at =
                definition.as_ref().and_then(|table| Some(table.columns.get(table.column_named(&column)?)?.attnum));
            if let Some(attnum) = at {
                cx.writer().set_comment(super::comment::PG_CLASS, table, attnum, Some(text))?;
            }
        }
        Ok(())
    }
}

fn sequence_options(sequence: &SequenceDef) -> SequenceOptions {
    SequenceOptions {
        data_type: Some(sequence.data_type),
        increment: Some(sequence.increment),
        min: Some(Some(sequence.min)),
        max: Some(Some(sequence.max)),
        start: Some(sequence.start),
        cache: Some(sequence.cache),
        cycle: Some(sequence.cycle),
        owned_by: None,
    }
}
