//! Definitions of objects as SQL text: indexes, constraints, routines, and the sequence behind a column.

use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, IndexDef, KeyOptions, ReferentialAction, Relation, Snapshot, TableDef};
use nqdb_functions::{IndexOrder, RoutineText, quote_identifier};
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_COLUMN};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Oid, Type, oid as types};

use super::access_method::class_by_oid;
use super::collation::collation_name;
use super::constraint::{self, Constraint};
use super::expression_text::{domain_expression_text, expression_text, key_expression_text};
use super::object_name::{object_number, relation_name};
use super::routine::{self, Routine, RoutineKind};
use super::types::COLLATION_C;
use crate::bind::BindContext;

/// How an index orders each of its columns; none for those of INCLUDE.
pub fn index_columns(catalog: &Snapshot, index: Oid) -> Option<Vec<Option<IndexOrder>>> {
    let Relation::Index(table, position) = catalog.relation_by_oid(index)? else { return None };
    let index = table.indexes.get(*position)?;
    let order = |key: &KeyColumn| Some(IndexOrder { descending: key.descending, nulls_first: key.nulls_first });
    Some(index.key.iter().map(order).chain(index.included.iter().map(|_| None)).collect())
}

/// `pg_get_indexdef`: the whole definition, or one column of it.
pub fn index_definition(index: Oid, column: i32, pretty: bool, cx: &BindContext<'_>) -> Option<String> {
    let Relation::Index(table, position) = cx.catalog.relation_by_oid(index)? else { return None };
    let index = table.indexes.get(*position)?;
    if column != 0 {
        let at = usize::try_from(column).ok().and_then(|column| column.checked_sub(1));
        let included = |at: usize| index.included.get(at.checked_sub(index.key.len())?);
        return Some(match at.map(|at| (index.key.get(at), included(at))) {
            Some((Some(key), _)) => key_text(table, index, key, pretty, cx),
            Some((None, Some(position))) => column_name(table, *position),
            _ => String::new(),
        });
    }
    let unique = if index.unique { "UNIQUE " } else { "" };
    let table_name =
        if pretty { relation_name(cx.catalog, cx.search_path, table.oid)? } else { qualified_name(cx.catalog, table)? };
    let keys: Vec<String> = index
        .key
        .iter()
        .zip(&index.options)
        .map(|(key, options)| {
            let text = key_text(table, index, key, pretty, cx);
            let own = column_collation(table, key, cx);
            format!("{text}{}{}", key_options(options, own), key_order(key))
        })
        .collect();
    let name = quote_identifier(&index.name);
    let mut text = format!("CREATE {unique}INDEX {name} ON {table_name} USING btree ({})", keys.join(", "));
    if !index.included.is_empty() {
        let included: Vec<String> = index.included.iter().map(|position| column_name(table, *position)).collect();
        text.push_str(&format!(" INCLUDE ({})", included.join(", ")));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    text.push_str(&parameters_text(&index.settings.parameters));
    if let Some(predicate) = index.predicate() {
        let condition = expression_text(predicate, Some(table), pretty, cx);
        text.push_str(&format!(" WHERE {condition}"));
    }
    Some(text)
}

/// A part of a key: a column, a call, or any other expression in parentheses.
pub(crate) fn key_text(
    table: &Arc<TableDef>,
    index: &IndexDef,
    key: &KeyColumn,
    pretty: bool,
    cx: &BindContext<'_>,
) -> String {
    match index.expression(key) {
        Some(expression) => key_expression_text(&expression.text, table, pretty, cx),
        None => column_name(table, key.column),
    }
}

/// Collation and operator class, where they are not the type's own.
fn key_options(options: &KeyOptions, own_collation: Option<Oid>) -> String {
    let mut text = String::new();
    let collation = options.collation.filter(|collation| Some(*collation) != own_collation);
    if let Some(name) = collation.and_then(collation_name) {
        text.push_str(&format!(" COLLATE {}", quote_identifier(name)));
    }
    if let Some(class) = options.class.and_then(class_by_oid) {
        text.push_str(&format!(" {}", class.name));
    }
    text
}

/// The collation of a column that a key is, if its domain says one.
fn column_collation(table: &TableDef, key: &KeyColumn, cx: &BindContext<'_>) -> Option<Oid> {
    if key.computed().is_some() {
        return None;
    }
    let column = table.columns.get(key.column)?;
    cx.catalog.type_by_oid(column.ty.domain)?.domain()?.collate_c.then_some(COLLATION_C)
}

fn qualified_name(catalog: &Snapshot, table: &TableDef) -> Option<String> {
    let schema = &catalog.schema_by_oid(table.schema)?.name;
    Some(format!("{}.{}", quote_identifier(schema), quote_identifier(&table.name)))
}

fn column_name(table: &TableDef, position: usize) -> String {
    table.columns.get(position).map(|column| quote_identifier(&column.name)).unwrap_or_default()
}

/// What differs from the order that a key has by itself.
fn key_order(key: &KeyColumn) -> &'static str {
    match (key.descending, key.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}

/// `pg_get_constraintdef`.
pub fn constraint_definition(number: Oid, pretty: bool, cx: &BindContext<'_>) -> Option<String> {
    if let Some((def, check)) = constraint::of_domain(cx.catalog, number) {
        let base = def.domain()?.base.ty();
        let not_valid = if check.validated { "" } else { " NOT VALID" };
        return Some(format!("CHECK ({}){not_valid}", domain_expression_text(&check.expression, base, pretty, cx)));
    }
    let (table, found) = constraint::find(cx.catalog, number)?;
    Some(match found {
        Constraint::Check(check) => {
            let table = cx.catalog.table_by_oid(table.oid)?;
            let text = expression_text(&check.expression, Some(table), pretty, cx);
            let no_inherit = if check.no_inherit { " NO INHERIT" } else { "" };
            let not_valid = if check.validated { "" } else { " NOT VALID" };
            format!("CHECK ({text}){no_inherit}{not_valid}")
        }
        Constraint::Key(index) => key_definition(table, index),
        Constraint::ForeignKey(key) => foreign_key_definition(table, key, cx)?,
    })
}

fn key_definition(table: &TableDef, index: &IndexDef) -> String {
    let keys: Vec<String> = index.key.iter().map(|key| column_name(table, key.column)).collect();
    let word = match (index.primary, index.nulls_not_distinct) {
        (true, _) => "PRIMARY KEY",
        (false, true) => "UNIQUE NULLS NOT DISTINCT",
        (false, false) => "UNIQUE",
    };
    let included: Vec<String> = index.included.iter().map(|position| column_name(table, *position)).collect();
    let include = if included.is_empty() { String::new() } else { format!(" INCLUDE ({})", included.join(", ")) };
    format!("{word} ({}){include}{}", keys.join(", "), index.deferral.words())
}

fn foreign_key_definition(table: &TableDef, key: &ForeignKeyDef, cx: &BindContext<'_>) -> Option<String> {
    let referenced = cx.catalog.table_by_oid(key.referenced)?;
    let names = |table: &TableDef, attnums: &[i16]| {
        let names = table.positions_of(attnums).into_iter().map(|position| column_name(table, position));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "FOREIGN KEY ({}) REFERENCES {}({})",
        names(table, &key.columns),
        relation_name(cx.catalog, cx.search_path, referenced.oid)?,
        names(referenced, &key.referenced_columns)
    );
    if key.match_full {
        text.push_str(" MATCH FULL");
    }
    for (event, action) in [("UPDATE", key.on_update), ("DELETE", key.on_delete)] {
        if action != ReferentialAction::NoAction {
            text.push_str(&format!(" ON {event} {}", action.words()));
        }
    }
    if !key.delete_columns.is_empty() {
        text.push_str(&format!(" ({})", names(table, &key.delete_columns)));
    }
    text.push_str(key.deferral.words());
    if !key.validated {
        text.push_str(" NOT VALID");
    }
    Some(text)
}

/// ` WITH (name='value')`; empty when there are none.
fn parameters_text(parameters: &[(String, String)]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let texts: Vec<String> = parameters
        .iter()
        .map(|(name, value)| {
            let is_name = quote_identifier(value) == *value;
            let value = if is_name { value.clone() } else { format!("'{}'", value.replace('\'', "''")) };
            format!("{}={value}", quote_identifier(name))
        })
        .collect();
    format!(" WITH ({})", texts.join(", "))
}

/// `pg_get_expr`: of an expression over a relation's columns.
pub fn stored_expression(text: &str, relation: Oid, pretty: bool, cx: &BindContext<'_>) -> String {
    let table: Option<&Arc<TableDef>> = cx.catalog.table_by_oid(relation);
    expression_text(text, table, pretty, cx)
}

/// What a routine takes and gives, in the words of its definition.
pub fn routine_text(number: Oid, part: RoutineText) -> Option<String> {
    let found = routine::by_oid(number)?;
    Some(match part {
        RoutineText::Arguments => arguments(found, true),
        RoutineText::IdentityArguments => arguments(found, false),
        RoutineText::Result => result(found),
        RoutineText::Definition => return definition(found),
    })
}

fn arguments(routine: &Routine, with_defaults: bool) -> String {
    let types = routine.catalog_args();
    let first_default = types.len().saturating_sub(routine.defaults.len());
    let mut texts = Vec::with_capacity(types.len() + routine.columns.len());
    for (at, type_oid) in types.iter().enumerate() {
        let mut text = String::new();
        if routine.variadic && at + 1 == types.len() {
            text.push_str("VARIADIC ");
        }
        if let Some(name) = routine.arg_names.get(at).filter(|name| !name.is_empty()) {
            text.push_str(&quote_identifier(name));
            text.push(' ');
        }
        text.push_str(&argument_type(*type_oid));
        if with_defaults && let Some(default) = at.checked_sub(first_default).and_then(|at| routine.defaults.get(at)) {
            text.push_str(&format!(" DEFAULT {}", default_value(default, *type_oid)));
        }
        texts.push(text);
    }
    if with_defaults {
        texts.extend(
            routine
                .columns
                .iter()
                .map(|column| format!("OUT {} {}", quote_identifier(column.name), argument_type(column.type_oid))),
        );
    }
    texts.join(", ")
}

fn argument_type(type_oid: Oid) -> String {
    if type_oid == types::ANY { "\"any\"".to_string() } else { Type::new(type_oid).name() }
}

/// A default as SQL text: numbers and truth values as they are, all else as a literal.
fn default_value(value: &str, type_oid: Oid) -> String {
    match type_oid {
        types::INT4 | types::NUMERIC => value.to_string(),
        types::BOOL => (if value.starts_with('t') { "true" } else { "false" }).to_string(),
        _ => format!("'{value}'::{}", Type::new(type_oid).name()),
    }
}

fn result(routine: &Routine) -> String {
    let set = if routine.returns_set { "SETOF " } else { "" };
    format!("{set}{}", argument_type(routine.returns))
}

/// `pg_get_functiondef`; aggregates have none.
fn definition(routine: &Routine) -> Option<String> {
    if routine.kind == RoutineKind::Aggregate {
        return None;
    }
    let volatility = match routine.volatility {
        nqdb_functions::Volatility::Immutable => " IMMUTABLE",
        nqdb_functions::Volatility::Stable => " STABLE",
        nqdb_functions::Volatility::Volatile => "",
    };
    let parallel = if routine.volatility == nqdb_functions::Volatility::Volatile {
        " PARALLEL RESTRICTED"
    } else {
        " PARALLEL SAFE"
    };
    let strict = if routine.strict { " STRICT" } else { "" };
    Some(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{name}({args})\n RETURNS {result}\n LANGUAGE internal\n\
         {volatility}{parallel}{strict}\nAS $function${name}$function$\n",
        name = quote_identifier(routine.name),
        args = arguments(routine, true),
        result = result(routine),
    ))
}

/// `pg_get_serial_sequence`: the name of the sequence that belongs to a column.
///
/// Errors: 42P01 for the table, 42703 for the column.
pub fn serial_sequence(
    catalog: &Snapshot,
    search_path: &[Oid],
    table: &str,
    column: &str,
) -> SqlResult<Option<String>> {
    let number = object_number(catalog, search_path, types::REGCLASS, table)?;
    let found = catalog.table_by_oid(number);
    let attribute = found.and_then(|table| {
        let position = table.column_named(column)?;
        table.columns.get(position)
    });
    let Some(attribute) = attribute else {
        let name = relation_name(catalog, &[], number).unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default().to_string();
        let message = format!("column \"{column}\" of relation \"{name}\" does not exist");
        return Err(SqlError::new(UNDEFINED_COLUMN, message));
    };
    let sequence = catalog.sequences().find(|sequence| {
        sequence.owned_by.is_some_and(|owner| owner.table == number && owner.attnum == attribute.attnum)
    });
    // The name is always qualified: no search path is empty of it.
    Ok(sequence.and_then(|sequence| relation_name(catalog, &[], sequence.oid)))
}
