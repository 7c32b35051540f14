//! CREATE SEQUENCE and ALTER SEQUENCE, and the sequences behind serial and identity columns.

use nqdb_catalog::Relation;
use nqdb_catalog::request::SequenceOptions;
use nqdb_sqlstate::{
    DUPLICATE_TABLE, Notice, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use sqlparser::ast;

use super::{DdlContext, QualifiedName};
use crate::exec::CommandTag;
use crate::statement::{SequenceAction, SequenceClauses, SequenceOwner, SequenceStatement};

pub(super) fn run(statement: &SequenceStatement, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let name = QualifiedName {
        schema: statement.schema.clone(),
        name: statement.name.clone(),
        position: Some(statement.position),
    };
    match &statement.action {
        SequenceAction::Create { temporary, if_not_exists, clauses } => {
            create(&name, *temporary, *if_not_exists, clauses, cx)
        }
        SequenceAction::Alter { if_exists, clauses } => {
            if let Some(sequence) = find(&name, *if_exists, cx)? {
                let options = options(clauses, cx)?;
                cx.writer().alter_sequence(sequence, &options, clauses.restart)?;
            }
            Ok(CommandTag::Other("ALTER SEQUENCE"))
        }
    }
}

fn create(
    name: &QualifiedName,
    temporary: bool,
    if_not_exists: bool,
    clauses: &SequenceClauses,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let schema = cx.relation_schema(name, temporary)?;
    if if_not_exists && cx.draft.snapshot().relation(schema, &name.name).is_some() {
        cx.notice(Notice::new(DUPLICATE_TABLE, format!("relation \"{}\" already exists, skipping", name.name)));
        return Ok(CommandTag::Other("CREATE SEQUENCE"));
    }
    let options = options(clauses, cx)?;
    cx.writer().create_sequence(schema, &name.name, &options)?;
    Ok(CommandTag::Other("CREATE SEQUENCE"))
}

/// The sequence of that name, which the current role owns; with IF EXISTS a missing one is a notice.
fn find(name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> SqlResult<Option<nqdb_types::Oid>> {
    match cx.find_relation(name) {
        Some(Relation::Sequence(sequence)) => {
            cx.expect_owner(sequence.owner, "sequence", &sequence.name)?;
            Ok(Some(sequence.oid))
        }
        Some(_) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", name.name))),
        None if if_exists => {
            let message = format!("relation \"{}\" does not exist, skipping", name.display());
            cx.notice(Notice::new(UNDEFINED_TABLE, message));
            Ok(None)
        }
        None => Err(cx.missing_relation(name)),
    }
}

/// The clauses, with the owner looked up.
pub(super) fn options(clauses: &SequenceClauses, cx: &mut DdlContext<'_, '_>) -> SqlResult<SequenceOptions> {
    let owned_by = match &clauses.owned_by {
        None => None,
        Some(SequenceOwner::None) => Some(None),
        Some(SequenceOwner::Column { schema, table, column }) => {
            let name =
                QualifiedName { schema: schema.clone(), name: table.name.clone(), position: Some(table.position) };
            let table = cx.find_table(&name)?;
            let position = table.column_named(column).ok_or_else(|| {
                let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
                SqlError::new(UNDEFINED_COLUMN, message)
            })?;
            Some(Some((table.oid, table.columns[position].attnum)))
        }
    };
    Ok(SequenceOptions {
        data_type: clauses.data_type.map(|ty| ty.oid),
        increment: clauses.increment,
        min: clauses.min,
        max: clauses.max,
        start: clauses.start,
        cache: clauses.cache,
        cycle: clauses.cycle,
        owned_by,
    })
}

/// The options of `GENERATED ... AS IDENTITY (...)`.
pub(super) fn identity_options(options: &[ast::SequenceOptions]) -> SqlResult<SequenceOptions> {
    let mut result = SequenceOptions::default();
    for option in options {
        match option {
            ast::SequenceOptions::IncrementBy(value, _) => result.increment = Some(integer(value)?),
            ast::SequenceOptions::MinValue(value) => result.min = Some(value.as_ref().map(integer).transpose()?),
            ast::SequenceOptions::MaxValue(value) => result.max = Some(value.as_ref().map(integer).transpose()?),
            ast::SequenceOptions::StartWith(value, _) => result.start = Some(integer(value)?),
            ast::SequenceOptions::Cache(value) => result.cache = Some(integer(value)?),
            // The parser's flag says "NO".
            ast::SequenceOptions::Cycle(no) => result.cycle = Some(!no),
        }
    }
    Ok(result)
}

fn integer(value: &ast::Expr) -> SqlResult<i64> {
    let text = value.to_string();
    text.parse().map_err(|_| SqlError::unsupported(format!("the sequence option {text}")))
}
