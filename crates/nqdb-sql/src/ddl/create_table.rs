//! CREATE TABLE.

use nqdb_catalog::request::{ColumnSequenceKind, NewColumn, NewColumnSequence, NewKey, NewTable, SequenceOptions};
use nqdb_catalog::{ColumnSettings, OnCommit, TableSettings};
use nqdb_sqlstate::{
    DUPLICATE_TABLE, FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, INVALID_TABLE_DEFINITION, Notice, SYNTAX_ERROR,
    SqlError, SqlResult, UNDEFINED_OBJECT,
};
use nqdb_txn::TxnError;
use nqdb_types::{Type, oid};
use sqlparser::ast::{
    ColumnOption, ConstraintCharacteristics, DataType, GeneratedAs, Ident, IndexOption, PrimaryKeyConstraint,
    UniqueConstraint,
};

use super::constraint::{
    WrittenConstraint, WrittenKey, add_constraints, check_of, expect_known_columns, expect_one_primary_key,
    table_constraint,
};
use super::foreign_key::WrittenForeignKey;
use super::like::Copied;
use super::storage_parameters::{self, Target};
use super::{DdlContext, place, sequence};
use crate::exec::CommandTag;
use crate::names::name_of;
use crate::statement::Parsed;
use crate::system::type_storage;
use crate::table_command::{ColumnItem, CreateTable, TableItem};

pub(super) fn create_table(
    parsed: &Parsed,
    create: &CreateTable,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let name = &create.name;
    let schema = cx.relation_schema(name, create.temporary)?;
    let on_commit = on_commit(create, schema, cx)?;
    if create.if_not_exists && cx.draft.snapshot().relation(schema, &name.name).is_some() {
        cx.notice(Notice::new(DUPLICATE_TABLE, format!("relation \"{}\" already exists, skipping", name.name)));
        return Ok(CommandTag::Other("CREATE TABLE"));
    }
    if create.unlogged {
        expect_permanent_schema(schema, cx)?;
    }
    let settings = settings(create)?;
    let mut constraints = Vec::new();
    let mut own_constraints = Vec::new();
    let mut columns = Vec::with_capacity(create.items.len());
    let mut copied = Copied::default();
    let mut defaults = Vec::new();
    let mut generated = Vec::new();
    for item in &create.items {
        match item {
            TableItem::Like(like) => copied.add(like, &mut columns, cx)?,
            TableItem::Constraint(constraint) => own_constraints.push(table_constraint(constraint)?),
            TableItem::Column(column) => {
                let written = match column_of(column, &name.name, cx) {
                    Ok(written) => written,
                    Err(error) => return Err(place::in_column(error, &column.definition, &parsed.tokens, cx)),
                };
                defaults.extend(written.default.map(|text| (columns.len(), column, text)));
                generated.extend(written.generated.map(|text| (columns.len(), text)));
                constraints.extend(written.constraints);
                columns.push(written.new);
            }
        }
    }
    constraints.append(&mut copied.constraints);
    constraints.append(&mut own_constraints);
    // Whatever is said of them, they are met by no rows.
    constraints.iter_mut().for_each(WrittenConstraint::set_valid);
    expect_one_primary_key(&constraints, &name.name, &parsed.tokens)?;
    for constraint in &constraints {
        expect_known_columns(constraint, &columns, &parsed.tokens)?;
    }
    let new = NewTable { on_commit, settings, ..NewTable::plain(schema, &name.name, columns) };
    let table = cx.writer().create_table(&new)?;
    // They may name the sequences of the table's own columns.
    (cx.enter)(&cx.draft.snapshot());
    for (position, item, text) in defaults {
        let column = new.columns.get(position).ok_or_else(|| SqlError::internal("a default without its column"))?;
        let default = match cx.check_default(text, &column.name, column.ty) {
            Ok(default) => default,
            Err(error) => return Err(place::in_column(error.into(), &item.definition, &parsed.tokens, cx)),
        };
        cx.writer().set_default(table, position, Some(default.text))?;
    }
    generated.append(&mut copied.generated);
    for (position, text) in generated {
        cx.generate_column(table, position, text)?;
    }
    add_constraints(table, constraints, Some(&parsed.tokens), cx)?;
    copied.finish(table, cx)?;
    Ok(CommandTag::Other("CREATE TABLE"))
}

fn settings(create: &CreateTable) -> SqlResult<TableSettings> {
    expect_heap(create.access_method.as_deref())?;
    expect_tablespace(create.tablespace.as_deref())?;
    let parameters = storage_parameters::checked(&create.parameters, Target::Table)?;
    Ok(TableSettings { parameters, unlogged: create.unlogged, ..TableSettings::default() })
}

/// 42P16 for a table in a temporary schema that is said to be another one.
pub(super) fn expect_permanent_schema(schema: u32, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    if cx.draft.snapshot().schema_by_oid(schema).is_some_and(|schema| schema.is_temporary()) {
        let message = "only temporary relations may be created in temporary schemas";
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
    }
    Ok(())
}

/// 42704 for an access method other than the one there is.
pub(super) fn expect_heap(method: Option<&str>) -> SqlResult<()> {
    match method {
        None | Some("heap") => Ok(()),
        Some("btree") => {
            let message = "access method \"btree\" is not of type TABLE";
            Err(SqlError::new(nqdb_sqlstate::WRONG_OBJECT_TYPE, message))
        }
        Some(other) => Err(SqlError::new(UNDEFINED_OBJECT, format!("access method \"{other}\" does not exist"))),
    }
}

/// Errors for a tablespace other than the default one.
pub(super) fn expect_tablespace(name: Option<&str>) -> SqlResult<()> {
    match name {
        None | Some("pg_default") => Ok(()),
        Some("pg_global") => {
            let message = "only shared relations can be placed in pg_global tablespace";
            Err(SqlError::new(INVALID_PARAMETER_VALUE, message))
        }
        Some(name) => Err(SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"))),
    }
}

/// ON COMMIT; 42P16 for a table that is not temporary.
fn on_commit(create: &CreateTable, schema: u32, cx: &mut DdlContext<'_, '_>) -> SqlResult<OnCommit> {
    let Some(written) = create.on_commit else { return Ok(OnCommit::PreserveRows) };
    if !cx.draft.snapshot().schema_by_oid(schema).is_some_and(|schema| schema.is_temporary()) {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
    }
    Ok(written)
}

/// A column as it was written: the column itself and the constraints that stand with it.
pub(super) struct WrittenColumn {
    pub new: NewColumn,
    pub constraints: Vec<WrittenConstraint>,
    /// The default as it was written, not yet bound.
    pub default: Option<String>,
    /// Each row gets a value of its own, whatever the default says.
    pub default_is_volatile: bool,
    /// The expression of a generated column, bound once the table is there.
    pub generated: Option<String>,
}

/// Reads a column definition.
pub(super) fn column_of(
    item: &ColumnItem,
    table: &str,
    cx: &mut DdlContext<'_, '_>,
) -> Result<WrittenColumn, TxnError> {
    let column = &item.definition;
    let name = name_of(&column.name);
    let (ty, mut sequence) = match serial_type(&column.data_type) {
        Some(ty) => {
            let serial = NewColumnSequence::serial();
            (ty, Some(serial))
        }
        None => (cx.data_type(&column.data_type)?, None),
    };
    let mut written = WrittenColumn {
        new: NewColumn {
            name: name.clone(),
            ty,
            not_null: sequence.is_some(),
            default: None,
            sequence: None,
            missing: None,
            settings: ColumnSettings { compression: compression(item, ty, cx)?, ..ColumnSettings::default() },
        },
        constraints: Vec::new(),
        default: None,
        default_is_volatile: sequence.is_some(),
        generated: None,
    };
    let mut explicit_null = false;
    let mut keys = item.keys.iter();
    for definition in &column.options {
        let constraint_name = definition.name.as_ref().map(name_of);
        match &definition.option {
            ColumnOption::Null => explicit_null = true,
            ColumnOption::NotNull => written.new.not_null = true,
            ColumnOption::Default(expression) => {
                if written.default.is_some() || sequence.is_some() {
                    return Err(twice("default values", &name, table));
                }
                written.default = Some(expression.to_string());
            }
            ColumnOption::PrimaryKey(PrimaryKeyConstraint { characteristics, index_options, include, .. }) => {
                expect_plain_key(characteristics.as_ref(), index_options, include)?;
                let key = keys.next().cloned().unwrap_or_default();
                written.constraints.push(WrittenConstraint::Key(WrittenKey::of_column(NewKey {
                    name: constraint_name,
                    primary: true,
                    columns: vec![name.clone()],
                    deferral: key.deferral,
                    parameters: storage_parameters::checked(&key.parameters, Target::Index)?,
                    ..NewKey::default()
                })));
            }
            ColumnOption::Unique(UniqueConstraint { characteristics, index_options, include, .. }) => {
                expect_plain_key(characteristics.as_ref(), index_options, include)?;
                let key = keys.next().cloned().unwrap_or_default();
                written.constraints.push(WrittenConstraint::Key(WrittenKey::of_column(NewKey {
                    name: constraint_name,
                    columns: vec![name.clone()],
                    nulls_not_distinct: key.nulls_not_distinct,
                    deferral: key.deferral,
                    parameters: storage_parameters::checked(&key.parameters, Target::Index)?,
                    ..NewKey::default()
                })));
            }
            ColumnOption::Check(check) => written.constraints.push(check_of(check, constraint_name)?),
            ColumnOption::Generated { generated_as, sequence_options, generation_expr: None, .. } => {
                if sequence.is_some() || written.default.is_some() {
                    return Err(twice("identity specifications", &name, table));
                }
                let always = match generated_as {
                    GeneratedAs::Always => true,
                    GeneratedAs::ByDefault => false,
                    GeneratedAs::ExpStored => return Err(SqlError::unsupported("this form of GENERATED").into()),
                };
                let options = sequence::identity_options(sequence_options.as_deref().unwrap_or_default())?;
                sequence = Some(identity(always, options, ty)?);
                written.new.not_null = true;
                written.default_is_volatile = true;
            }
            ColumnOption::Generated {
                generated_as: GeneratedAs::ExpStored, generation_expr: Some(expression), ..
            } => {
                if written.generated.is_some() {
                    return Err(twice("generation clauses", &name, table));
                }
                written.generated = Some(expression.to_string());
                written.default_is_volatile = true;
            }
            ColumnOption::Generated { .. } => return Err(SqlError::unsupported("this form of GENERATED").into()),
            ColumnOption::Collation(collation) => expect_c_collation(&collation.to_string())?,
            other => return Err(SqlError::unsupported(format!("the column option {other}")).into()),
        }
    }
    written.constraints.extend(
        item.foreign_keys
            .iter()
            .map(|key| WrittenConstraint::ForeignKey(Box::new(WrittenForeignKey::of_column(key, &name)))),
    );
    if written.generated.is_some() && (written.default.is_some() || sequence.is_some()) {
        let what = if sequence.is_some() { "identity" } else { "default" };
        let message =
            format!("both {what} and generation expression specified for column \"{name}\" of table \"{table}\"");
        return Err(SqlError::new(SYNTAX_ERROR, message).into());
    }
    if explicit_null && written.new.not_null {
        return Err(SqlError::new(
            SYNTAX_ERROR,
            format!("conflicting NULL/NOT NULL declarations for column \"{name}\" of table \"{table}\""),
        )
        .into());
    }
    written.new.sequence = sequence;
    Ok(written)
}

fn twice(what: &str, column: &str, table: &str) -> TxnError {
    let message = format!("multiple {what} specified for column \"{column}\" of table \"{table}\"");
    SqlError::new(SYNTAX_ERROR, message).into()
}

/// `smallserial`, `serial`, `bigserial`: not types, but columns with a sequence.
fn serial_type(data_type: &DataType) -> Option<Type> {
    let DataType::Custom(name, modifiers) = data_type else { return None };
    if !modifiers.is_empty() {
        return None;
    }
    let [part] = name.0.as_slice() else { return None };
    match name_of(part.as_ident()?).as_str() {
        "smallserial" | "serial2" => Some(Type::INT2),
        "serial" | "serial4" => Some(Type::INT4),
        "bigserial" | "serial8" => Some(Type::INT8),
        _ => None,
    }
}

/// The sequence of an identity column. Errors: 22023 for a type that has none.
pub(super) fn identity(always: bool, options: SequenceOptions, ty: Type) -> SqlResult<NewColumnSequence> {
    if !matches!(ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Err(SqlError::new(
            nqdb_sqlstate::INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint",
        ));
    }
    Ok(NewColumnSequence { kind: ColumnSequenceKind::Identity { always }, options, place: None })
}

fn expect_plain_key(
    characteristics: Option<&ConstraintCharacteristics>,
    index_options: &[IndexOption],
    include: &[Ident],
) -> SqlResult<()> {
    if let Some(ConstraintCharacteristics { deferrable, initially, enforced }) = characteristics {
        let immediate = matches!(initially, None | Some(sqlparser::ast::DeferrableInitial::Immediate));
        if *deferrable == Some(true) || !immediate || enforced.is_some() {
            return Err(SqlError::unsupported("a deferrable constraint"));
        }
    }
    if !index_options.is_empty() {
        return Err(SqlError::unsupported("an index option of a constraint"));
    }
    if !include.is_empty() {
        return Err(SqlError::unsupported("INCLUDE"));
    }
    Ok(())
}

/// The code of a compression method; `None` for the default.
fn compression(item: &ColumnItem, ty: Type, cx: &mut DdlContext<'_, '_>) -> SqlResult<Option<char>> {
    match &item.compression {
        Some(method) => compression_method(method, ty, cx),
        None => Ok(None),
    }
}

/// The code of a compression method for a column of a type. Errors: 22023 for a method, 0A000 for a type.
pub(super) fn compression_method(method: &str, ty: Type, cx: &mut DdlContext<'_, '_>) -> SqlResult<Option<char>> {
    if method == "default" {
        return Ok(None);
    }
    if type_storage(&cx.draft.snapshot(), ty.declared_oid()) == 'p' {
        let message = format!("column data type {} does not support compression", cx.type_name(ty));
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
    }
    match method {
        "pglz" => Ok(Some('p')),
        "lz4" => Ok(Some('l')),
        _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid compression method \"{method}\""))),
    }
}

/// 0A000 for a collation other than those that sort by code point.
pub(super) fn expect_c_collation(name: &str) -> SqlResult<()> {
    let plain = name.trim_start_matches("pg_catalog.").trim_matches('"');
    if ["C", "POSIX", "default", "ucs_basic"].contains(&plain) {
        return Ok(());
    }
    Err(SqlError::unsupported(format!("the collation {name}")))
}
