//! CREATE TABLE.

use nqdb_catalog::OnCommit;
use nqdb_catalog::request::{
    ColumnSequenceKind, NewColumn, NewColumnSequence, NewConstraint, NewTable, SequenceOptions,
};
use nqdb_sqlstate::{
    DUPLICATE_OBJECT, DUPLICATE_TABLE, INVALID_TABLE_DEFINITION, Notice, SYNTAX_ERROR, SqlError, SqlResult,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Type, oid};
use sqlparser::ast::{
    self, CheckConstraint, ColumnDef, ColumnOption, ConstraintCharacteristics, CreateTable, CreateTableOptions,
    DataType, Expr, GeneratedAs, HiveDistributionStyle, Ident, IndexColumn, IndexOption, NullsDistinctOption,
    OrderByOptions, OrderBySort, PrimaryKeyConstraint, TableConstraint, UniqueConstraint,
};

use super::like::Copied;
use super::{DdlContext, place, sequence, storage_parameters};
use crate::definition::{CreateTableLike, Like};
use crate::exec::CommandTag;
use crate::names::name_of;
use crate::parse::Tokens;
use crate::statement::Parsed;

pub(super) fn create_table(
    parsed: &Parsed,
    create: &CreateTable,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    make_table(parsed, create, &[], cx)
}

/// CREATE TABLE with LIKE clauses, which the parser took out of the column list.
pub(super) fn create_table_like(
    parsed: &Parsed,
    like: &CreateTableLike,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    match &like.create {
        ast::Statement::CreateTable(statement) => make_table(parsed, statement, &like.likes, cx),
        _ => Err(SqlError::unsupported("this form of CREATE TABLE").into()),
    }
}

fn make_table(
    parsed: &Parsed,
    create: &CreateTable,
    likes: &[Like],
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    refuse_foreign_clauses(parsed, create)?;
    let name = cx.name(&create.name)?;
    let schema = cx.relation_schema(&name, create.temporary)?;
    let on_commit = on_commit(create, schema, cx)?;
    if create.if_not_exists && cx.draft.snapshot().relation(schema, &name.name).is_some() {
        cx.notice(Notice::new(DUPLICATE_TABLE, format!("relation \"{}\" already exists, skipping", name.name)));
        return Ok(CommandTag::Other("CREATE TABLE"));
    }
    let mut constraints = Vec::new();
    let mut columns = Vec::with_capacity(create.columns.len());
    let mut copied = Copied::default();
    let mut generated = Vec::new();
    for (at, column) in create.columns.iter().enumerate() {
        copied.add_all(likes.iter().filter(|like| like.columns_before == at), &mut columns, cx)?;
        let column = match column_of(column, &name.name, cx) {
            Ok(column) => column,
            Err(error) => return Err(place::in_column(error, column, &parsed.tokens, cx)),
        };
        generated.extend(column.generated.map(|text| (columns.len(), text)));
        constraints.extend(column.constraints);
        columns.push(column.new);
    }
    copied.add_all(likes.iter().filter(|like| like.columns_before >= create.columns.len()), &mut columns, cx)?;
    constraints.append(&mut copied.constraints);
    constraints.extend(create.constraints.iter().map(table_constraint).collect::<SqlResult<Vec<_>>>()?);
    expect_one_primary_key(&constraints, &name.name, &parsed.tokens)?;
    for constraint in &constraints {
        expect_known_columns(constraint, &columns, &parsed.tokens)?;
    }
    let table = cx.writer().create_table(&NewTable { on_commit, ..NewTable::plain(schema, &name.name, columns) })?;
    generated.append(&mut copied.generated);
    for (position, text) in generated {
        cx.generate_column(table, position, text)?;
    }
    add_constraints(table, constraints, Some(&parsed.tokens), cx)?;
    copied.finish(table, cx)?;
    Ok(CommandTag::Other("CREATE TABLE"))
}

/// ON COMMIT; 42P16 for a table that is not temporary.
fn on_commit(create: &CreateTable, schema: u32, cx: &mut DdlContext<'_, '_>) -> SqlResult<OnCommit> {
    let Some(written) = create.on_commit else { return Ok(OnCommit::PreserveRows) };
    if !cx.draft.snapshot().schema_by_oid(schema).is_some_and(|schema| schema.is_temporary()) {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
    }
    Ok(match written {
        ast::OnCommit::PreserveRows => OnCommit::PreserveRows,
        ast::OnCommit::DeleteRows => OnCommit::DeleteRows,
        ast::OnCommit::Drop => OnCommit::Drop,
    })
}

/// A column as it was written: the column itself and the constraints that stand with it.
pub(super) struct WrittenColumn {
    pub new: NewColumn,
    pub constraints: Vec<WrittenConstraint>,
    pub default_is_volatile: bool,
    /// The expression of a generated column, bound once the table is there.
    pub generated: Option<String>,
}

/// A constraint whose expression is not bound yet: that takes the table.
pub(super) enum WrittenConstraint {
    Check {
        name: Option<String>,
        text: String,
        /// The expression as the statement has it, if it does.
        expression: Option<Box<Expr>>,
    },
    Key {
        name: Option<String>,
        primary: bool,
        columns: Vec<String>,
        /// The token of the first column, where columns are named.
        column_token: Option<usize>,
    },
}

/// Adds constraints to a table that this transaction holds; rows that exist are the caller's to check.
pub(super) fn add_constraints(
    table: u32,
    constraints: Vec<WrittenConstraint>,
    tokens: Option<&Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let mut bound = Vec::with_capacity(constraints.len());
    let mut check_names = Vec::new();
    for constraint in constraints {
        bound.push(match constraint {
            WrittenConstraint::Key { name, primary, columns, .. } => NewConstraint::Key { name, primary, columns },
            WrittenConstraint::Check { name, text, expression } => {
                let named = name.clone();
                let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
                let check = match (cx.check_constraint(name, text, &definition), tokens.zip(expression)) {
                    (Ok(check), _) => check,
                    (Err(error), Some((tokens, expression))) => {
                        return Err(cx.place_check(error.into(), &expression, tokens, &definition));
                    }
                    (Err(error), None) => return Err(error.into()),
                };
                if let Some(name) = named {
                    if check_names.contains(&name) {
                        let message = format!("check constraint \"{name}\" already exists");
                        return Err(SqlError::new(DUPLICATE_OBJECT, message).into());
                    }
                    check_names.push(name);
                }
                check
            }
        });
    }
    cx.writer().add_constraints(table, &bound)
}

/// Reads a column definition.
pub(super) fn column_of(
    column: &ColumnDef,
    table: &str,
    cx: &mut DdlContext<'_, '_>,
) -> Result<WrittenColumn, TxnError> {
    let name = name_of(&column.name);
    let (ty, mut sequence) = match serial_type(&column.data_type) {
        Some(ty) => {
            let serial = NewColumnSequence { kind: ColumnSequenceKind::Serial, options: SequenceOptions::default() };
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
        },
        constraints: Vec::new(),
        default_is_volatile: sequence.is_some(),
        generated: None,
    };
    let mut explicit_null = false;
    for definition in &column.options {
        let constraint_name = definition.name.as_ref().map(name_of);
        match &definition.option {
            ColumnOption::Null => explicit_null = true,
            ColumnOption::NotNull => written.new.not_null = true,
            ColumnOption::Default(expression) => {
                if written.new.default.is_some() || sequence.is_some() {
                    return Err(twice("default values", &name, table));
                }
                let default = cx.check_default(expression.to_string(), &name, ty)?;
                written.default_is_volatile = default.volatile;
                written.new.default = Some(default.text);
            }
            ColumnOption::PrimaryKey(PrimaryKeyConstraint { characteristics, index_options, include, .. }) => {
                expect_plain_key(characteristics.as_ref(), index_options, include)?;
                let columns = vec![name.clone()];
                written.constraints.push(WrittenConstraint::Key {
                    name: constraint_name,
                    primary: true,
                    columns,
                    column_token: None,
                });
            }
            ColumnOption::Unique(UniqueConstraint {
                characteristics, index_options, include, nulls_distinct, ..
            }) => {
                expect_plain_key(characteristics.as_ref(), index_options, include)?;
                expect_nulls_distinct(*nulls_distinct)?;
                let columns = vec![name.clone()];
                written.constraints.push(WrittenConstraint::Key {
                    name: constraint_name,
                    primary: false,
                    columns,
                    column_token: None,
                });
            }
            ColumnOption::Check(check) => written.constraints.push(check_of(check, constraint_name)?),
            ColumnOption::Generated { generated_as, sequence_options, generation_expr: None, .. } => {
                if sequence.is_some() || written.new.default.is_some() {
                    return Err(twice("identity specifications", &name, table));
                }
                sequence = Some(identity(*generated_as, sequence_options.as_deref().unwrap_or_default(), ty)?);
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
            ColumnOption::ForeignKey(_) => return Err(SqlError::unsupported("a foreign key").into()),
            ColumnOption::Collation(collation) => expect_c_collation(&collation.to_string())?,
            other => return Err(SqlError::unsupported(format!("the column option {other}")).into()),
        }
    }
    if written.generated.is_some() && (written.new.default.is_some() || sequence.is_some()) {
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

pub(super) fn identity(
    generated_as: GeneratedAs,
    options: &[sqlparser::ast::SequenceOptions],
    ty: Type,
) -> SqlResult<NewColumnSequence> {
    let always = match generated_as {
        GeneratedAs::Always => true,
        GeneratedAs::ByDefault => false,
        GeneratedAs::ExpStored => return Err(SqlError::unsupported("a generated column")),
    };
    if !matches!(ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Err(SqlError::new(
            nqdb_sqlstate::INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint",
        ));
    }
    Ok(NewColumnSequence {
        kind: ColumnSequenceKind::Identity { always },
        options: sequence::identity_options(options)?,
    })
}

/// Reads a constraint that stands on its own.
pub(super) fn table_constraint(constraint: &TableConstraint) -> SqlResult<WrittenConstraint> {
    match constraint {
        TableConstraint::PrimaryKey(key) => {
            expect_plain_key(key.characteristics.as_ref(), &key.index_options, &key.include)?;
            let name = key.name.as_ref().map(name_of);
            let column_token = first_column_token(&key.columns);
            Ok(WrittenConstraint::Key { name, primary: true, columns: key_columns(&key.columns)?, column_token })
        }
        TableConstraint::Unique(key) => {
            expect_plain_key(key.characteristics.as_ref(), &key.index_options, &key.include)?;
            expect_nulls_distinct(key.nulls_distinct)?;
            let name = key.name.as_ref().map(name_of);
            let column_token = first_column_token(&key.columns);
            Ok(WrittenConstraint::Key { name, primary: false, columns: key_columns(&key.columns)?, column_token })
        }
        TableConstraint::Check(check) => check_of(check, check.name.as_ref().map(name_of)),
        TableConstraint::ForeignKey(_) => Err(SqlError::unsupported("a foreign key")),
        other => Err(SqlError::unsupported(format!("the constraint {other}"))),
    }
}

fn check_of(check: &CheckConstraint, name: Option<String>) -> SqlResult<WrittenConstraint> {
    let CheckConstraint { name: _, expr, no_inherit: _, enforced } = check;
    if enforced.is_some() {
        return Err(SqlError::unsupported("ENFORCED"));
    }
    Ok(WrittenConstraint::Check { name, text: expr.to_string(), expression: Some(expr.clone()) })
}

fn first_column_token(columns: &[IndexColumn]) -> Option<usize> {
    match columns.first().map(|column| &column.column.expr) {
        Some(Expr::Identifier(name)) => Tokens::index_of(name.span),
        _ => None,
    }
}

fn key_columns(columns: &[IndexColumn]) -> SqlResult<Vec<String>> {
    columns
        .iter()
        .map(|column| {
            let IndexColumn { column, operator_class } = column;
            expect_no_order(&column.options)?;
            match (&column.expr, operator_class) {
                (Expr::Identifier(name), None) => Ok(name_of(name)),
                _ => Err(SqlError::unsupported("an expression in a key")),
            }
        })
        .collect()
}

/// The columns of a constraint are names: PostgreSQL's grammar has no order for them.
fn expect_no_order(options: &OrderByOptions) -> SqlResult<()> {
    let word = match options {
        OrderByOptions { sort: None, nulls_first: None } => return Ok(()),
        OrderByOptions { sort: Some(OrderBySort::Asc), .. } => "ASC",
        OrderByOptions { sort: Some(OrderBySort::Desc), .. } => "DESC",
        OrderByOptions { sort: Some(OrderBySort::Using(_)), .. } => "USING",
        OrderByOptions { sort: None, nulls_first: Some(_) } => "NULLS",
    };
    Err(SqlError::new(SYNTAX_ERROR, format!("syntax error at or near \"{word}\"")))
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

fn expect_nulls_distinct(option: NullsDistinctOption) -> SqlResult<()> {
    match option {
        NullsDistinctOption::None | NullsDistinctOption::Distinct => Ok(()),
        NullsDistinctOption::NotDistinct => Err(SqlError::unsupported("NULLS NOT DISTINCT")),
    }
}

fn expect_c_collation(name: &str) -> SqlResult<()> {
    let plain = name.trim_start_matches("pg_catalog.").trim_matches('"');
    if ["C", "POSIX", "default", "ucs_basic"].contains(&plain) {
        return Ok(());
    }
    Err(SqlError::unsupported(format!("the collation {name}")))
}

fn expect_one_primary_key(constraints: &[WrittenConstraint], table: &str, tokens: &Tokens) -> SqlResult<()> {
    let primary = |constraint: &&WrittenConstraint| matches!(constraint, WrittenConstraint::Key { primary: true, .. });
    if constraints.iter().filter(primary).count() > 1 {
        let message = format!("multiple primary keys for table \"{table}\" are not allowed");
        let place = place::second_primary_key(tokens);
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).or_position(place));
    }
    Ok(())
}

fn expect_known_columns(constraint: &WrittenConstraint, columns: &[NewColumn], tokens: &Tokens) -> SqlResult<()> {
    let WrittenConstraint::Key { columns: named, primary, column_token, .. } = constraint else { return Ok(()) };
    let place = || column_token.and_then(|column| place::key_constraint(tokens, column));
    let mut seen: Vec<&str> = Vec::new();
    for name in named {
        if !columns.iter().any(|column| column.name == *name) {
            let message = format!("column \"{name}\" named in key does not exist");
            return Err(SqlError::new(nqdb_sqlstate::UNDEFINED_COLUMN, message).or_position(place()));
        }
        if seen.contains(&name.as_str()) {
            let kind = if *primary { "primary key" } else { "unique" };
            let message = format!("column \"{name}\" appears twice in {kind} constraint");
            return Err(SqlError::new(nqdb_sqlstate::DUPLICATE_COLUMN, message).or_position(place()));
        }
        seen.push(name);
    }
    Ok(())
}

/// Refuses what the parser takes and we do not do: other dialects' clauses, and PostgreSQL's that are to come.
fn refuse_foreign_clauses(parsed: &Parsed, create: &CreateTable) -> SqlResult<()> {
    let refused = [
        (create.unlogged, "an unlogged table"),
        (create.inherits.is_some(), "inheritance"),
        (create.partition_of.is_some() || create.partition_by.is_some() || create.for_values.is_some(), "partitioning"),
    ];
    if let Some((_, what)) = refused.iter().find(|(present, _)| *present) {
        return Err(SqlError::unsupported(what));
    }
    match &create.table_options {
        CreateTableOptions::None => {}
        CreateTableOptions::With(options) => storage_parameters::check(options)?,
        other => return Err(SqlError::unsupported(format!("the table options {other}"))),
    }
    let mut plain = CreateTable::clone(create);
    plain.if_not_exists = false;
    plain.temporary = false;
    plain.global = None;
    plain.on_commit = None;
    plain.table_options = CreateTableOptions::None;
    let expected = CreateTable {
        or_replace: false,
        temporary: false,
        unlogged: false,
        external: false,
        dynamic: false,
        global: None,
        if_not_exists: false,
        transient: false,
        volatile: false,
        iceberg: false,
        snapshot: false,
        name: plain.name.clone(),
        columns: plain.columns.clone(),
        constraints: plain.constraints.clone(),
        hive_distribution: HiveDistributionStyle::NONE,
        hive_formats: None,
        table_options: CreateTableOptions::None,
        file_format: None,
        location: None,
        query: None,
        without_rowid: false,
        like: None,
        clone: None,
        version: None,
        comment: None,
        on_commit: None,
        on_cluster: None,
        primary_key: None,
        order_by: None,
        partition_by: None,
        cluster_by: None,
        clustered_by: None,
        inherits: None,
        partition_of: None,
        for_values: None,
        strict: false,
        copy_grants: false,
        enable_schema_evolution: None,
        change_tracking: None,
        data_retention_time_in_days: None,
        max_data_extension_time_in_days: None,
        default_ddl_collation: None,
        with_aggregation_policy: None,
        with_row_access_policy: None,
        with_storage_lifecycle_policy: None,
        with_tags: None,
        external_volume: None,
        with_connection: None,
        base_location: None,
        catalog: None,
        catalog_sync: None,
        storage_serialization_policy: None,
        target_lag: None,
        warehouse: None,
        refresh_mode: None,
        initialize: None,
        require_user: false,
        ..plain.clone()
    };
    if plain != expected {
        return Err(SqlError::unsupported(format!("this form of CREATE TABLE: {}", parsed.text)));
    }
    Ok(())
}
