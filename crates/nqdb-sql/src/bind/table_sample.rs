//! TABLESAMPLE.

use nqdb_sqlstate::{
    INVALID_TABLESAMPLE_ARGUMENT, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_types::Type;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart};

use super::from::FromItem;
use super::scope::Clause;
use super::{Binder, span_position};
use crate::ir::{Rel, SampleMethod, TableSample};
use crate::names::name_of;
use crate::parse::{REPEATABLE_SAMPLE, SAMPLE, Tokens};

impl Binder<'_> {
    /// Lets an item of FROM give a part of its rows only.
    pub(super) fn bind_table_sample(
        &mut self,
        item: &mut FromItem,
        kind: &ast::TableSampleKind,
        position: Option<u32>,
    ) -> SqlResult<()> {
        let (ast::TableSampleKind::BeforeTableAlias(written) | ast::TableSampleKind::AfterTableAlias(written)) = kind;
        let Some((is_repeatable, args)) = call_of(written) else {
            return Err(SqlError::unsupported("this form of TABLESAMPLE"));
        };
        let Rel::Scan { .. } = &item.rel else {
            if let Rel::SystemScan { object: 0, .. } = &item.rel {
                return Err(SqlError::unsupported("TABLESAMPLE of a system relation"));
            }
            let message = "TABLESAMPLE clause can only be applied to tables and materialized views";
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position));
        };
        let mut args = args.into_iter();
        let method = match args.next() {
            Some(ast::Expr::Identifier(name)) => method_of(name)?,
            _ => return Err(SqlError::unsupported("this form of TABLESAMPLE")),
        };
        let repeat = if is_repeatable { args.next() } else { None };
        let args: Vec<&ast::Expr> = args.collect();
        let [percentage] = args.as_slice() else {
            let message = format!("tablesample method {} requires 1 argument, not {}", method.name(), args.len());
            return Err(SqlError::new(INVALID_TABLESAMPLE_ARGUMENT, message));
        };
        let percentage = self.bind_sample_argument(percentage, Type::FLOAT4, "TABLESAMPLE")?;
        let repeat = repeat.map(|repeat| self.bind_sample_argument(repeat, Type::FLOAT8, "REPEATABLE")).transpose()?;
        if let Rel::Scan { sample, .. } = &mut item.rel {
            *sample = Some(Box::new(TableSample { method, percentage, repeat }));
        }
        Ok(())
    }

    /// 42601 for a sample of something that is no relation by name.
    pub(super) fn misplaced_sample(&self, kind: &ast::TableSampleKind) -> SqlError {
        let (ast::TableSampleKind::BeforeTableAlias(written) | ast::TableSampleKind::AfterTableAlias(written)) = kind;
        let method = call_of(written).and_then(|(_, args)| match args.first() {
            Some(ast::Expr::Identifier(name)) => Tokens::index_of(name.span),
            _ => None,
        });
        match method.and_then(|method| method.checked_sub(1)) {
            Some(keyword) => self.tokens.syntax_error(keyword),
            None => SqlError::new(SYNTAX_ERROR, "syntax error at or near \"TABLESAMPLE\""),
        }
    }

    fn bind_sample_argument(&mut self, written: &ast::Expr, ty: Type, construct: &str) -> SqlResult<crate::ir::Expr> {
        self.beside_siblings(true, |binder| {
            binder.in_clause(Clause::FromFunction, |binder| {
                let bound = binder.bind_expr(written)?;
                binder.coerce_to_type(bound, ty, construct)
            })
        })
    }
}

/// The call that the parser made of a sample: whether it has REPEATABLE, and its arguments.
fn call_of(sample: &ast::TableSample) -> Option<(bool, Vec<&ast::Expr>)> {
    let ast::TableSample { quantity: Some(quantity), seed: None, bucket: None, offset: None, .. } = sample else {
        return None;
    };
    let ast::Expr::Function(call) = &quantity.value else { return None };
    let [ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else { return None };
    let is_repeatable = match name.value.as_str() {
        SAMPLE => false,
        REPEATABLE_SAMPLE => true,
        _ => return None,
    };
    let FunctionArguments::List(list) = &call.args else { return None };
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
        _ => None,
    });
    Some((is_repeatable, args.collect::<Option<_>>()?))
}

/// Errors: 42704 for a method that there is not.
fn method_of(name: &ast::Ident) -> SqlResult<SampleMethod> {
    match name_of(name).as_str() {
        "bernoulli" => Ok(SampleMethod::Bernoulli),
        "system" => Ok(SampleMethod::System),
        other => {
            let message = format!("tablesample method {other} does not exist");
            Err(SqlError::new(UNDEFINED_OBJECT, message).or_position(span_position(name.span)))
        }
    }
}
