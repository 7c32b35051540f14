//! The actions of ALTER TABLE, ALTER INDEX and their like (manual, ALTER TABLE): what follows the name.
//!
//! RENAME TO, RENAME COLUMN, SET SCHEMA and a lone OWNER TO are the same for all kinds of objects, and read by
//! `definition`. What belongs to inheritance, partitions, triggers, rules and row security is 0A000.

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::definition::name;
use super::look::is_word;
use super::{parameters, refused, sequence, table_item};
use crate::statement::SequenceClauses;
use crate::table_command::{ColumnAction, NewType, TableAction, WrittenReplicaIdentity};

/// Words with which actions start that are refused, and what they are about.
const REFUSED: &[(&[&str], &str)] = &[
    (&["attach", "partition"], "partitioning"),
    (&["detach", "partition"], "partitioning"),
    (&["inherit"], "inheritance"),
    (&["no", "inherit"], "inheritance"),
    (&["of"], "a typed table"),
    (&["not", "of"], "a typed table"),
    (&["enable", "row"], "row security"),
    (&["disable", "row"], "row security"),
    (&["force", "row"], "row security"),
    (&["no", "force"], "row security"),
    (&["enable", "trigger"], "a trigger"),
    (&["disable", "trigger"], "a trigger"),
    (&["enable", "replica", "trigger"], "a trigger"),
    (&["enable", "always", "trigger"], "a trigger"),
    (&["enable", "rule"], "a rule"),
    (&["disable", "rule"], "a rule"),
    (&["enable", "replica", "rule"], "a rule"),
    (&["enable", "always", "rule"], "a rule"),
    (&["options"], "a foreign table"),
    (&["depends", "on"], "a dependency on an extension"),
    (&["no", "depends"], "a dependency on an extension"),
];

/// `action, ...` up to the end.
pub(super) fn actions(cursor: &mut Cursor<'_>) -> SqlResult<Vec<TableAction>> {
    let mut actions = vec![action(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        actions.push(action(cursor)?);
    }
    cursor.finish()?;
    Ok(actions)
}

fn action(cursor: &mut Cursor<'_>) -> SqlResult<TableAction> {
    if let Some((_, what)) = REFUSED.iter().find(|(words, _)| cursor.take_all(words)) {
        return Err(SqlError::unsupported(what));
    }
    if cursor.take("add") {
        return add(cursor);
    }
    if cursor.take("drop") {
        return drop(cursor);
    }
    if cursor.take("alter") {
        return alter(cursor);
    }
    if cursor.take("set") {
        return set(cursor);
    }
    if cursor.take_all(&["rename", "constraint"]) {
        let name = cursor.identifier()?;
        cursor.expect("to")?;
        return Ok(TableAction::RenameConstraint { name, new_name: cursor.identifier()? });
    }
    if cursor.take_all(&["validate", "constraint"]) {
        return cursor.identifier().map(TableAction::ValidateConstraint);
    }
    if cursor.take_all(&["owner", "to"]) {
        return cursor.word().map(TableAction::Owner);
    }
    if cursor.take_all(&["cluster", "on"]) {
        return cursor.identifier().map(TableAction::ClusterOn);
    }
    if cursor.take_all(&["replica", "identity"]) {
        return replica_identity(cursor).map(TableAction::ReplicaIdentity);
    }
    if cursor.take("reset") {
        return parameters::names(cursor).map(TableAction::ResetParameters);
    }
    Err(cursor.syntax_error())
}

fn add(cursor: &mut Cursor<'_>) -> SqlResult<TableAction> {
    if table_item::is_constraint(cursor) {
        let constraint = table_item::constraint(cursor)?;
        return Ok(TableAction::AddConstraint(Box::new(constraint)));
    }
    cursor.take("column");
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let own = cursor.until_comma();
    refused::check_definition_tokens(cursor.tokens(), own)?;
    if own.is_empty() {
        return Err(cursor.syntax_error());
    }
    let column = Box::new(table_item::column(cursor, own)?);
    Ok(TableAction::AddColumn { if_not_exists, column })
}

fn drop(cursor: &mut Cursor<'_>) -> SqlResult<TableAction> {
    let is_constraint = cursor.take("constraint");
    if !is_constraint {
        cursor.take("column");
    }
    let if_exists = cursor.take_all(&["if", "exists"]);
    let name = cursor.identifier()?;
    let cascade = cursor.take("cascade");
    if !cascade {
        cursor.take("restrict");
    }
    Ok(match is_constraint {
        true => TableAction::DropConstraint { name, if_exists, cascade },
        false => TableAction::DropColumn { name, if_exists, cascade },
    })
}

fn set(cursor: &mut Cursor<'_>) -> SqlResult<TableAction> {
    if cursor.take_all(&["without", "cluster"]) {
        Ok(TableAction::WithoutCluster)
    } else if cursor.take_all(&["without", "oids"]) {
        Ok(TableAction::WithoutOids)
    } else if cursor.take("logged") {
        Ok(TableAction::SetLogged(true))
    } else if cursor.take("unlogged") {
        Ok(TableAction::SetLogged(false))
    } else if cursor.take("tablespace") {
        cursor.identifier().map(TableAction::SetTablespace)
    } else if cursor.take_all(&["access", "method"]) {
        cursor.identifier().map(TableAction::SetAccessMethod)
    } else if cursor.peek() == Some(&Token::LParen) {
        parameters::parameters(cursor).map(TableAction::SetParameters)
    } else {
        Err(cursor.syntax_error())
    }
}

fn replica_identity(cursor: &mut Cursor<'_>) -> SqlResult<WrittenReplicaIdentity> {
    if cursor.take("default") {
        Ok(WrittenReplicaIdentity::Default)
    } else if cursor.take("nothing") {
        Ok(WrittenReplicaIdentity::Nothing)
    } else if cursor.take("full") {
        Ok(WrittenReplicaIdentity::Full)
    } else if cursor.take_all(&["using", "index"]) {
        cursor.identifier().map(WrittenReplicaIdentity::UsingIndex)
    } else {
        Err(cursor.syntax_error())
    }
}

fn alter(cursor: &mut Cursor<'_>) -> SqlResult<TableAction> {
    if cursor.take("constraint") {
        let name = cursor.identifier()?;
        let deferral = table_item::attributes_of_alteration(cursor)?;
        return Ok(TableAction::AlterConstraint { name, deferral });
    }
    cursor.take("column");
    if let Some(Token::Number(digits, _)) = cursor.peek() {
        let position = cursor.position();
        let number: i64 = digits.parse().map_err(|_| cursor.syntax_error())?;
        if !(1..=i64::from(i16::MAX)).contains(&number) {
            let message = "column number must be in range from 1 to 32767";
            return Err(SqlError::new(nqdb_sqlstate::INVALID_PARAMETER_VALUE, message).with_position(position));
        }
        cursor.skip();
        cursor.expect("set")?;
        cursor.expect("statistics")?;
        return Ok(TableAction::AlterIndexColumn { number, target: sequence::integer(cursor)? });
    }
    let column = cursor.identifier()?;
    let action = Box::new(column_action(cursor)?);
    Ok(TableAction::AlterColumn { column, action })
}

fn column_action(cursor: &mut Cursor<'_>) -> SqlResult<ColumnAction> {
    if cursor.take("type") || cursor.take_all(&["set", "data", "type"]) {
        return new_type(cursor).map(|new| ColumnAction::Type(Box::new(new)));
    }
    if cursor.take("drop") {
        return drop_of_column(cursor);
    }
    if cursor.take_all(&["add", "generated"]) {
        return add_identity(cursor);
    }
    if cursor.take("reset") {
        if cursor.peek() == Some(&Token::LParen) {
            return parameters::names(cursor).map(ColumnAction::ResetParameters);
        }
        return Err(cursor.syntax_error());
    }
    if cursor.peek_is(0, "restart") {
        return set_identity(cursor);
    }
    if cursor.peek_is(0, "options") {
        return Err(SqlError::unsupported("a foreign table"));
    }
    if !cursor.peek_is(0, "set") {
        return Err(cursor.syntax_error());
    }
    if cursor.take_all(&["set", "not", "null"]) {
        Ok(ColumnAction::SetNotNull)
    } else if cursor.take_all(&["set", "default"]) {
        let own = cursor.until_comma();
        if own.is_empty() {
            return Err(cursor.syntax_error());
        }
        cursor.expression(own).map(ColumnAction::SetDefault)
    } else if cursor.take_all(&["set", "statistics"]) {
        sequence::integer(cursor).map(ColumnAction::SetStatistics)
    } else if cursor.take_all(&["set", "storage"]) {
        cursor.word().map(ColumnAction::SetStorage)
    } else if cursor.take_all(&["set", "compression"]) {
        cursor.word().map(ColumnAction::SetCompression)
    } else if cursor.peek_is_symbol(1, &Token::LParen) {
        cursor.skip();
        parameters::parameters(cursor).map(ColumnAction::SetParameters)
    } else {
        set_identity(cursor)
    }
}

fn drop_of_column(cursor: &mut Cursor<'_>) -> SqlResult<ColumnAction> {
    if cursor.take("default") {
        Ok(ColumnAction::DropDefault)
    } else if cursor.take_all(&["not", "null"]) {
        Ok(ColumnAction::DropNotNull)
    } else if cursor.take("identity") {
        Ok(ColumnAction::DropIdentity { if_exists: cursor.take_all(&["if", "exists"]) })
    } else if cursor.take("expression") {
        Ok(ColumnAction::DropExpression { if_exists: cursor.take_all(&["if", "exists"]) })
    } else {
        Err(cursor.syntax_error())
    }
}

/// `type [COLLATE name] [USING expression]`.
fn new_type(cursor: &mut Cursor<'_>) -> SqlResult<NewType> {
    let own = cursor.until_comma();
    let word_at = |word: &str| outside(own, word);
    let using_at = word_at("using");
    let head = own.get(..using_at.unwrap_or(own.len())).unwrap_or_default();
    let collate_at = outside(head, "collate");
    let type_tokens = head.get(..collate_at.unwrap_or(head.len())).unwrap_or_default();
    if type_tokens.is_empty() {
        return Err(cursor.syntax_error());
    }
    let data_type = cursor.data_type(type_tokens)?;
    let collation = match collate_at {
        Some(at) => {
            let mut clause = Cursor::new(cursor.tokens(), head.get(at + 1..).unwrap_or_default());
            let collation = name(&mut clause)?;
            clause.finish()?;
            Some(collation)
        }
        None => None,
    };
    let using = match using_at {
        Some(at) => {
            let expression = own.get(at + 1..).unwrap_or_default();
            if expression.is_empty() {
                return Err(cursor.syntax_error());
            }
            Some(cursor.expression(expression)?)
        }
        None => None,
    };
    Ok(NewType { data_type, collation, using })
}

/// Where a word stands outside of parentheses.
fn outside(own: &[TokenWithSpan], word: &str) -> Option<usize> {
    let mut depth = 0usize;
    own.iter().position(|token| {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => return depth == 0 && is_word(token, word),
        }
        false
    })
}

/// `{ ALWAYS | BY DEFAULT } AS IDENTITY [( options )]`.
fn add_identity(cursor: &mut Cursor<'_>) -> SqlResult<ColumnAction> {
    let always = generated_when(cursor)?;
    cursor.expect("as")?;
    cursor.expect("identity")?;
    let mut options = SequenceClauses::default();
    if cursor.peek() == Some(&Token::LParen) {
        let inside = cursor.parentheses()?;
        options = sequence::clauses(&mut Cursor::new(cursor.tokens(), inside))?;
    }
    Ok(ColumnAction::AddIdentity { always, options })
}

fn generated_when(cursor: &mut Cursor<'_>) -> SqlResult<bool> {
    if cursor.take("always") {
        Ok(true)
    } else if cursor.take_all(&["by", "default"]) {
        Ok(false)
    } else {
        Err(cursor.syntax_error())
    }
}

/// `{ SET GENERATED { ALWAYS | BY DEFAULT } | SET sequence option | RESTART [[WITH] n] } ...`.
fn set_identity(cursor: &mut Cursor<'_>) -> SqlResult<ColumnAction> {
    let mut always = None;
    let mut options = SequenceClauses::default();
    while cursor.peek_is(0, "set") || cursor.peek_is(0, "restart") {
        let position = cursor.position();
        if !cursor.take("set") {
            sequence::restart(cursor, &mut options)?;
        } else if cursor.take("generated") {
            let wanted = generated_when(cursor)?;
            if always.replace(wanted).is_some() {
                let message = "conflicting or redundant options";
                return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message).with_position(position));
            }
        } else if cursor.peek_is(0, "restart") {
            return Err(cursor.syntax_error());
        } else {
            sequence::clause(cursor, &mut options)?;
        }
    }
    Ok(ColumnAction::SetIdentity { always, options })
}
