//! The arguments of a call as they are written: `f(a, b)`, `f(a, name => b)`, `f(a, VARIADIC b)`; which function they choose,
//! and how they come into the order of its parameters.

use std::borrow::Cow;

use nqdb_functions::{
    Place, ResolveError, ResolvedFunction, resolve_function, resolve_named_call, resolve_variadic_call,
};
use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Datum, Oid, Type};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArgOperator};

use super::{Binder, span_position};
use crate::ir::Expr;
use crate::names::name_of;

/// Arguments that are no `*`.
#[derive(Default)]
pub(super) struct WrittenArguments<'q> {
    pub(super) exprs: Vec<Cow<'q, ast::Expr>>,
    /// The names of the last ones.
    pub(super) names: Vec<String>,
}

impl<'q> WrittenArguments<'q> {
    /// Adds the next one. Gives back what is no expression.
    pub(super) fn add(&mut self, arg: &'q FunctionArg) -> SqlResult<Option<&'q FunctionArgExpr>> {
        let written = match arg {
            FunctionArg::Unnamed(written) => {
                if let (false, FunctionArgExpr::Expr(expr)) = (self.names.is_empty(), written) {
                    let message = "positional argument cannot follow named argument";
                    let position = span_position(ast::Spanned::span(expr));
                    return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
                }
                written
            }
            FunctionArg::Named { name, arg, operator } => self.named(name, arg, operator)?,
            FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg, operator } => {
                self.named(name, arg, operator)?
            }
            FunctionArg::ExprNamed { .. } => {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error in an argument's name"));
            }
        };
        match written {
            FunctionArgExpr::Expr(expr) => {
                self.exprs.push(Cow::Borrowed(expr));
                Ok(None)
            }
            FunctionArgExpr::QualifiedWildcard(name) => {
                let row = ast::Expr::QualifiedWildcard(name.clone(), AttachedToken::empty());
                self.exprs.push(Cow::Owned(row));
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    fn named(
        &mut self,
        name: &ast::Ident,
        arg: &'q FunctionArgExpr,
        operator: &FunctionArgOperator,
    ) -> SqlResult<&'q FunctionArgExpr> {
        let position = span_position(name.span);
        let refuse = |message: String| Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
        if !matches!(operator, FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment) {
            return refuse(format!("syntax error at or near \"{operator}\""));
        }
        let name = name_of(name);
        if self.names.contains(&name) {
            return refuse(format!("argument name \"{name}\" used more than once"));
        }
        self.names.push(name);
        Ok(arg)
    }
}

/// A resolved call and, where arguments were named, what each parameter gets.
pub(super) struct ResolvedCall {
    pub(super) function: ResolvedFunction,
    places: Option<Vec<Place>>,
}

/// What a call means; `variadic` says that VARIADIC stands before its last argument.
pub(super) fn resolve_call(
    name: &str,
    given: &[Oid],
    names: &[String],
    variadic: bool,
) -> Result<ResolvedCall, ResolveError> {
    if !names.is_empty() {
        let call = resolve_named_call(name, given, names)?;
        return Ok(ResolvedCall { function: call.resolved, places: Some(call.places) });
    }
    let function = if variadic { resolve_variadic_call(name, given)? } else { resolve_function(name, given)? };
    Ok(ResolvedCall { function, places: None })
}

impl Binder<'_> {
    /// Converts the arguments of a call and brings them into the order of the function's parameters, defaults added.
    pub(super) fn arrange_args(&mut self, args: Vec<Expr>, call: &ResolvedCall) -> SqlResult<Vec<Expr>> {
        let args = self.convert_args(args, &call.function)?;
        let Some(places) = &call.places else { return Ok(args) };
        let mut given: Vec<Option<Expr>> = args.into_iter().map(Some).collect();
        let mut arranged = Vec::with_capacity(places.len());
        for place in places {
            arranged.push(match place {
                Place::Given(at) => given
                    .get_mut(*at)
                    .and_then(Option::take)
                    .ok_or_else(|| SqlError::internal("two parameters share an argument"))?,
                Place::Default(ty, text) => self.default_argument(*ty, text)?,
            });
        }
        Ok(arranged)
    }

    /// A default of a built-in function, which is the text of a constant.
    pub(super) fn default_argument(&mut self, ty: Oid, text: &str) -> SqlResult<Expr> {
        let ty = Type::new(ty);
        let value = self.read_literal(&Datum::text(text), ty)?;
        Ok(super::literal::literal(value, ty, None))
    }
}
