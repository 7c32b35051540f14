//! CREATE INDEX: columns, expressions, conditions, operator classes.

use std::sync::Arc;

use nqdb_catalog::request::{NewIndex, NewKeyColumn, NewKeyPart};
use nqdb_catalog::{IndexComputation, IndexExpression, KeyOptions, Relation, TableDef};
use nqdb_sqlstate::{
    DATATYPE_MISMATCH, DUPLICATE_TABLE, FEATURE_NOT_SUPPORTED, INVALID_OBJECT_DEFINITION, Notice, SqlError, SqlResult,
    UNDEFINED_COLUMN, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use nqdb_types::{Oid, Type};

use super::expression::{is_not_immutable, is_subquery};
use super::{DdlContext, storage_parameters};
use crate::bind::{any_expression, bind_for_index, index_column_name, same_expr};
use crate::definition::{CreateIndex, IndexPart, IndexSource, IndexText, QualifiedName};
use crate::exec::CommandTag;
use crate::ir::{Expr, ExprKind};
use crate::parse::{Tokens, parse_expression};
use crate::plan::mentioned;
use crate::system::{BtreeClass, class_named, collation_number, collation_of_type, default_class, expression_text};

pub(super) fn create_index(
    create: &CreateIndex,
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    expect_btree(create)?;
    let table = cx.find_indexed(&create.table)?;
    cx.expect_owner(table.owner, "table", &table.name)?;
    if let (true, Some(name)) = (create.if_not_exists, &create.name)
        && cx.draft.snapshot().relation(table.schema, &name.name).is_some()
    {
        let message = format!("relation \"{}\" already exists, skipping", name.name);
        cx.notice(Notice::new(DUPLICATE_TABLE, message));
        return Ok(CommandTag::Other("CREATE INDEX"));
    }
    cx.expect_not_open(table.oid, &table.name, "CREATE INDEX")?;
    let new = Parts::resolve(create, &table, tokens, cx)?;
    cx.writer().create_index(&new)?;
    Ok(CommandTag::Other("CREATE INDEX"))
}

fn expect_btree(create: &CreateIndex) -> SqlResult<()> {
    const OTHER_METHODS: [&str; 5] = ["hash", "gist", "spgist", "gin", "brin"];
    match create.method.as_deref() {
        None | Some("btree") => Ok(()),
        Some(method) if OTHER_METHODS.contains(&method) => {
            Err(SqlError::unsupported(format!("the access method {method}")))
        }
        Some(method) => Err(SqlError::new(UNDEFINED_OBJECT, format!("access method \"{method}\" does not exist"))),
    }
}

impl DdlContext<'_, '_> {
    /// The table, or materialized view, that an index is made on. Errors: 42809 for anything else.
    fn find_indexed(&mut self, name: &QualifiedName) -> SqlResult<Arc<TableDef>> {
        match self.find_relation(name) {
            Some(Relation::Table(table)) => Ok(table),
            Some(other) => {
                let message = format!("cannot create index on relation \"{}\"", other.name());
                let kinds = format!("{}s", other.kind_name()).replace("indexs", "indexes");
                Err(SqlError::new(WRONG_OBJECT_TYPE, message)
                    .with_detail(format!("This operation is not supported for {kinds}.")))
            }
            None => Err(self.missing_relation(name)),
        }
    }
}

/// The parts of an index, as far as they are resolved.
pub(super) struct Parts<'a, 'b, 'c> {
    table: &'a Arc<TableDef>,
    tokens: &'a Arc<Tokens>,
    cx: &'a mut DdlContext<'b, 'c>,
    expressions: Vec<IndexExpression>,
    /// Attribute numbers of the columns that expressions and condition name.
    columns: Vec<i16>,
}

impl Parts<'_, '_, '_> {
    /// A condition over the rows of a table, as a partial index has one; `what` names it in messages.
    pub(super) fn condition(
        text: &IndexText,
        what: &str,
        table: &Arc<TableDef>,
        tokens: &Arc<Tokens>,
        cx: &mut DdlContext<'_, '_>,
    ) -> SqlResult<IndexComputation> {
        let search_path = cx.search_path.to_vec();
        let mut parts = Parts { table, tokens, cx, expressions: Vec::new(), columns: Vec::new() };
        let bound = parts.bind(text, true, what)?;
        parts.expect_immutable(&bound, what)?;
        parts.note_columns(&bound);
        let predicate = Some(parts.canonical(text, &bound, true)?);
        Ok(IndexComputation { expressions: Vec::new(), predicate, columns: parts.columns, search_path })
    }

    fn resolve(
        create: &CreateIndex,
        table: &Arc<TableDef>,
        tokens: &Arc<Tokens>,
        cx: &mut DdlContext<'_, '_>,
    ) -> SqlResult<NewIndex> {
        let search_path = cx.search_path.to_vec();
        let mut parts = Parts { table, tokens, cx, expressions: Vec::new(), columns: Vec::new() };
        // PostgreSQL analyses the expressions before it looks at the rest.
        let predicate = match &create.predicate {
            Some(text) => Some(parts.bind(text, true, "index predicate")?),
            None => None,
        };
        let mut bound = Vec::with_capacity(create.parts.len());
        for part in &create.parts {
            bound.push(match &part.source {
                IndexSource::Column(_) => None,
                IndexSource::Expression(text) => Some(parts.bind(text, false, "index expression")?),
            });
        }
        if let Some(predicate) = &predicate {
            parts.expect_immutable(predicate, "index predicate")?;
            parts.note_columns(predicate);
        }
        let mut key = Vec::with_capacity(create.parts.len());
        for (part, bound) in create.parts.iter().zip(bound) {
            key.push(parts.key_column(part, bound)?);
        }
        let included = create.included.iter().map(|part| parts.included(part)).collect::<SqlResult<Vec<_>>>()?;
        let predicate = match (&create.predicate, &predicate) {
            (Some(text), Some(bound)) => Some(parts.canonical(text, bound, true)?),
            _ => None,
        };
        let Parts { expressions, columns, .. } = parts;
        let computation = (!expressions.is_empty() || predicate.is_some()).then_some(IndexComputation {
            expressions,
            predicate,
            columns,
            search_path,
        });
        Ok(NewIndex {
            table: table.oid,
            name: create.name.as_ref().map(|name| name.name.clone()),
            unique: create.unique,
            nulls_not_distinct: create.nulls_not_distinct,
            key,
            included,
            computation,
            parameters: storage_parameters::checked(&create.parameters, storage_parameters::Target::Index)?,
        })
    }

    fn bind(&mut self, text: &IndexText, is_predicate: bool, what: &str) -> SqlResult<Expr> {
        let snapshot = self.cx.draft.snapshot();
        let context = self.cx.bind_context(&snapshot);
        let bound = bind_for_index(&text.expression, self.tokens, self.table, is_predicate, &context)?;
        let mut place = None;
        if any_expression(&bound, &mut |expr| {
            let found = is_subquery(expr);
            if found {
                place = place.or(expr.position);
            }
            found
        }) {
            let message = format!("cannot use subquery in {what}");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(place));
        }
        Ok(bound)
    }

    fn expect_immutable(&self, bound: &Expr, what: &str) -> SqlResult<()> {
        if any_expression(bound, &mut |expr| is_not_immutable(expr)) {
            let message = format!("functions in {what} must be marked IMMUTABLE");
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, message));
        }
        Ok(())
    }

    fn note_columns(&mut self, bound: &Expr) {
        for column in mentioned(bound) {
            if let Some(column) = self.table.columns.get(column.0 as usize)
                && !self.columns.contains(&column.attnum)
            {
                self.columns.push(column.attnum);
            }
        }
        self.columns.sort_unstable();
    }

    /// The text to keep: types and literals spelled out, so that no setting can change what they mean; as it was written where
    /// that would not bind to the same.
    fn canonical(&mut self, text: &IndexText, bound: &Expr, is_predicate: bool) -> SqlResult<String> {
        let snapshot = self.cx.draft.snapshot();
        let context = self.cx.bind_context(&snapshot);
        let spelled = expression_text(&text.text, Some(self.table), false, &context);
        let again = parse_expression(&spelled)
            .and_then(|(tokens, expression)| bind_for_index(&expression, &tokens, self.table, is_predicate, &context));
        Ok(match again {
            Ok(again) if same_expr(&again, bound) => spelled,
            _ => text.text.clone(),
        })
    }

    fn key_column(&mut self, part: &IndexPart, bound: Option<Expr>) -> SqlResult<NewKeyColumn> {
        let (new_part, ty) = match (&part.source, bound) {
            (IndexSource::Expression(text), Some(bound)) => match column_alone(&bound) {
                Some(position) => self.column(self.table.columns.get(position).map_or("", |column| &column.name))?,
                None => {
                    self.expect_immutable(&bound, "index expression")?;
                    self.note_columns(&bound);
                    let spelled = self.canonical(text, &bound, false)?;
                    let name = index_column_name(&text.expression);
                    let (type_oid, typmod) = (bound.ty.oid, bound.ty.typmod);
                    self.expressions.push(IndexExpression { text: spelled, name, type_oid, typmod });
                    (NewKeyPart::Expression(self.expressions.len() - 1), bound.ty)
                }
            },
            (IndexSource::Column(name), _) => self.column(&name.name)?,
            (IndexSource::Expression(_), None) => return Err(SqlError::internal("an expression was not bound")),
        };
        // PostgreSQL's default: NULLs are the largest.
        let nulls_first = part.nulls_first.unwrap_or(part.descending);
        let collation = self.collation(part, ty)?;
        let class = self.class(part, ty)?;
        let options = KeyOptions { class, collation };
        Ok(NewKeyColumn { part: new_part, descending: part.descending, nulls_first, options })
    }

    fn column(&self, name: &str) -> SqlResult<(NewKeyPart, Type)> {
        if crate::system::SYSTEM_COLUMNS.iter().any(|(system, ..)| *system == name) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "index creation on system columns is not supported"));
        }
        let Some(position) = self.table.column_named(name) else {
            return Err(SqlError::new(UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")));
        };
        let ty = self.table.columns.get(position).map_or(Type::TEXT, |column| column.ty);
        Ok((NewKeyPart::Column(name.to_owned()), ty))
    }

    fn included(&self, part: &IndexPart) -> SqlResult<String> {
        let refused = |what: &str| Err(SqlError::new(FEATURE_NOT_SUPPORTED, what));
        if part.collation.is_some() {
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, "including column does not support a collation"));
        }
        if part.class.is_some() {
            let message = "including column does not support an operator class";
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, message));
        }
        if part.descending {
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, "including column does not support ASC/DESC options"));
        }
        if part.nulls_first.is_some() {
            let message = "including column does not support NULLS FIRST/LAST options";
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, message));
        }
        let IndexSource::Column(name) = &part.source else {
            return refused("expressions are not supported in included columns");
        };
        self.column(&name.name).map(|_| name.name.clone())
    }

    fn collation(&self, part: &IndexPart, ty: Type) -> SqlResult<Option<Oid>> {
        let Some(name) = &part.collation else { return Ok(None) };
        let own = collation_of_type(ty.oid);
        if own == 0 {
            let message = format!("collations are not supported by type {}", ty.name());
            return Err(SqlError::new(DATATYPE_MISMATCH, message));
        }
        match collation_number(&name.name) {
            Some(number) => Ok((number != own).then_some(number)),
            None => {
                let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.display());
                Err(SqlError::new(UNDEFINED_OBJECT, message))
            }
        }
    }

    /// The operator class, where it is not the type's own.
    fn class(&self, part: &IndexPart, ty: Type) -> SqlResult<Option<Oid>> {
        let default = default_class(ty.oid);
        let Some(name) = &part.class else {
            if default.is_none() {
                let message = format!(
                    "data type {} has no default operator class for access method \"btree\"",
                    Type::new(ty.oid).name()
                );
                return Err(SqlError::new(UNDEFINED_OBJECT, message).with_hint(
                    "You must specify an operator class for the index or define a default operator class for the data type.",
                ));
            }
            return Ok(None);
        };
        let Some(class) = class_named(&name.name) else {
            let message = format!("operator class \"{}\" does not exist for access method \"btree\"", name.display());
            return Err(SqlError::new(UNDEFINED_OBJECT, message));
        };
        if !accepts(class, default, ty) {
            let message =
                format!("operator class \"{}\" does not accept data type {}", name.display(), Type::new(ty.oid).name());
            return Err(SqlError::new(DATATYPE_MISMATCH, message));
        }
        Ok(default.is_none_or(|default| default.oid != class.oid).then_some(class.oid))
    }
}

/// Whether an operator class orders values of a type: its own, or one that is the same bytes.
fn accepts(class: &BtreeClass, default: Option<&BtreeClass>, ty: Type) -> bool {
    default.is_some_and(|default| default.oid == class.oid || default.input == class.input) || class.input == ty.oid
}

/// The position of a column that stands for itself.
fn column_alone(bound: &Expr) -> Option<usize> {
    match bound.kind {
        ExprKind::Column(id) => Some(id.0 as usize),
        _ => None,
    }
}
