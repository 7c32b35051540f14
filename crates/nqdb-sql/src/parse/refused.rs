//! Statements that `sqlparser` takes and PostgreSQL's grammar does not: reserved words as names of tables and columns,
//! and words of other dialects that `sqlparser` skips.
//!
//! Left out: names inside of expressions, which the binder looks at.

use std::ops::ControlFlow;

use nqdb_sqlstate::SqlResult;
use sqlparser::ast::{self, Visit, Visitor};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Tokens, leading};
use crate::names::is_column_name;

/// Words of other databases that `sqlparser` skips behind a column's type.
const SKIPPED_WORDS: [&str; 2] = ["auto_increment", "autoincrement"];

/// 42601 at the first word of another dialect that stands where PostgreSQL has column constraints.
pub(super) fn check_definition_tokens(tokens: &Tokens, own: &[TokenWithSpan]) -> SqlResult<()> {
    for pair in own.windows(2) {
        let [before, word] = pair else { continue };
        let is_skipped = match &word.token {
            Token::Word(word) if word.quote_style.is_none() => {
                SKIPPED_WORDS.iter().any(|skipped| word.value.eq_ignore_ascii_case(skipped))
            }
            _ => false,
        };
        if is_skipped && !names_follow(&before.token) {
            return Err(tokens.syntax_error(Tokens::index_of(word.span).unwrap_or(0)));
        }
    }
    Ok(())
}

/// Whether a name may stand behind this token in a definition.
fn names_follow(before: &Token) -> bool {
    const WORDS: [&str; 10] = ["column", "add", "drop", "rename", "to", "table", "exists", "on", "only", "constraint"];
    match before {
        Token::LParen | Token::Comma | Token::Period => true,
        Token::Word(word) => WORDS.iter().any(|name| word.value.eq_ignore_ascii_case(name)),
        _ => false,
    }
}

/// 42601 at the first table or column that is named by a reserved word without quotes, or at a name for `*`.
pub(super) fn check_names(tokens: &Tokens, statement: &ast::Statement) -> SqlResult<()> {
    let mut names = Names(None);
    let _ = statement.visit(&mut names);
    match names.0.and_then(Tokens::index_of) {
        Some(index) => Err(tokens.syntax_error(index)),
        None => Ok(()),
    }
}

/// Looks for a name that is none, and keeps its span.
struct Names(Option<sqlparser::tokenizer::Span>);

impl Names {
    fn look(&mut self, name: &ast::Ident) -> ControlFlow<()> {
        let is_marker = name.value.starts_with('\u{1}');
        if name.quote_style.is_some() || is_marker || is_column_name(&name.value) {
            return ControlFlow::Continue(());
        }
        self.0 = Some(name.span);
        ControlFlow::Break(())
    }

    fn look_at_all<'a>(&mut self, names: impl IntoIterator<Item = &'a ast::Ident>) -> ControlFlow<()> {
        names.into_iter().try_for_each(|name| self.look(name))
    }

    /// The first part of a name; the others may be any word.
    fn look_at_path(&mut self, path: &ast::ObjectName) -> ControlFlow<()> {
        match path.0.first().and_then(ast::ObjectNamePart::as_ident) {
            Some(name) => self.look(name),
            None => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &ast::Select) -> ControlFlow<()> {
        self.0 = leading::alias_of_star(select);
        if self.0.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> ControlFlow<()> {
        self.look_at_path(relation)
    }

    fn pre_visit_table_factor(&mut self, factor: &ast::TableFactor) -> ControlFlow<()> {
        let alias = match factor {
            ast::TableFactor::Table { alias, .. }
            | ast::TableFactor::Derived { alias, .. }
            | ast::TableFactor::Function { alias, .. }
            | ast::TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
            _ => None,
        };
        let Some(alias) = alias else { return ControlFlow::Continue(()) };
        self.look(&alias.name)?;
        self.look_at_all(alias.columns.iter().map(|column| &column.name))
    }

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> ControlFlow<()> {
        match statement {
            ast::Statement::CreateTable(create) => {
                self.look_at_path(&create.name)?;
                self.look_at_all(create.columns.iter().map(|column| &column.name))
            }
            ast::Statement::AlterTable(alter) => alter.operations.iter().try_for_each(|operation| match operation {
                ast::AlterTableOperation::AddColumn { column_def, .. } => self.look(&column_def.name),
                ast::AlterTableOperation::RenameColumn { new_column_name, .. } => self.look(new_column_name),
                _ => ControlFlow::Continue(()),
            }),
            ast::Statement::Insert(insert) => insert.columns.iter().try_for_each(|column| self.look_at_path(column)),
            ast::Statement::Update(update) => {
                update.assignments.iter().try_for_each(|assignment| match &assignment.target {
                    ast::AssignmentTarget::ColumnName(name) => self.look_at_path(name),
                    ast::AssignmentTarget::Tuple(names) => names.iter().try_for_each(|name| self.look_at_path(name)),
                })
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    fn error(sql: &str) -> Option<String> {
        parse(sql).err().map(|error| error.message().to_string())
    }

    #[test]
    fn reserved_words_name_neither_tables_nor_columns() {
        for (sql, near) in [
            ("create table m (user text)", "user"),
            ("create table user (a int)", "user"),
            ("create table t (a int, \"b\" int, order int)", "order"),
            ("alter table t add column from int", "from"),
            ("alter table t rename column a to left", "left"),
            ("insert into t (a, order) values (1, 2)", "order"),
            ("update t set order = 3", "order"),
            ("select 1 from table", "table"),
        ] {
            assert_eq!(error(sql), Some(format!("syntax error at or near \"{near}\"")), "{sql}");
        }
        for sql in [
            "create table m (\"user\" text, value int, name text, int4 int, text text, date date)",
            "select x.user, 1 as \"from\" from x as y (a, \"order\")",
            "insert into t (a, \"order\") values (1, 2)",
        ] {
            assert_eq!(error(sql), None, "{sql}");
        }
    }

    #[test]
    fn words_of_other_dialects_are_not_skipped() {
        let near = |word: &str| Some(format!("syntax error at or near \"{word}\""));
        assert_eq!(error("create table t (id int not null auto_increment, b int)"), near("auto_increment"));
        assert_eq!(error("alter table t add column b int AUTOINCREMENT"), near("AUTOINCREMENT"));
        assert_eq!(error("create table t (auto_increment int, b int)"), None);
    }
}
