//! How a value of one type becomes another: `pg_cast`, and the casts through text that need no row in it.
//!
//! A cast changes the type only. Its target's modifier (`varchar(10)`, `numeric(6,2)`) is applied afterwards
//! with `nqdb_types::apply_typmod`; [`cast_value`] does both.

use std::collections::HashMap;

use nqdb_sqlstate::{CANNOT_COERCE, NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use nqdb_types::array::{element_type, parse_array_with};
use nqdb_types::{
    Array, Datum, FormatContext, Oid, Type, apply_typmod, is_composite, oid, parse_text, type_category, write_text,
};

use crate::tables::casts::CASTS;
use crate::{Function, FunctionContext, SessionFunctions, registry};

/// Where a cast may happen on its own, from the strictest to the most permissive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// In any expression.
    Implicit,
    /// When a value is stored into a column.
    Assignment,
    /// Only where CAST or :: asks for it.
    Explicit,
}

/// What a cast does.
#[derive(Clone, Copy, Debug)]
pub enum CastMethod {
    /// The types are the same, or the value already is one of the target's (relabelling text as varchar).
    Relabel,
    /// A function of `pg_proc` with one argument; a second one takes the target's modifier.
    Function(&'static Function),
    /// The number behind an oid or reg type, and back: no function in PostgreSQL either, but another [`Datum`].
    Convert(fn(&Datum) -> SqlResult<Datum>),
    /// Each element of an array by itself, as [`coercion`] of the element types says.
    Elements,
    /// Written as text and read as the target; also how an unknown literal becomes a value.
    ViaText,
}

impl PartialEq for CastMethod {
    fn eq(&self, other: &CastMethod) -> bool {
        match (self, other) {
            (CastMethod::Function(a), CastMethod::Function(b)) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

/// A row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub source: Oid,
    pub target: Oid,
    pub context: CastContext,
    /// `pg_cast.castfunc`, 0 if it has none.
    pub catalog_function: Oid,
    pub method: CastMethod,
}

/// The table of casts, with the functions looked up.
pub(crate) fn catalog_casts(functions: &HashMap<Oid, &'static Function>) -> Vec<Cast> {
    CASTS
        .iter()
        .filter_map(|&(source, target, context, catalog_function)| {
            let method = if is_object_number(target) && !is_object_number(source) && is_integer(source) {
                CastMethod::Convert(integer_to_oid)
            } else if is_object_number(source) && target == oid::INT4 {
                CastMethod::Convert(oid_to_int4)
            } else if is_json(source) && is_json(target) {
                CastMethod::ViaText
            } else if catalog_function == 0 {
                CastMethod::Relabel
            } else {
                CastMethod::Function(functions.get(&catalog_function)?)
            };
            Some(Cast { source, target, context, catalog_function, method })
        })
        .collect()
}

fn is_object_number(type_oid: Oid) -> bool {
    type_oid == oid::OID || is_object_reference(type_oid)
}

/// Whether values of the type are written as the names of objects of the catalog: the reg types.
pub fn is_object_reference(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::REGCLASS
            | oid::REGTYPE
            | oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGNAMESPACE
            | oid::REGROLE
            | oid::REGCOLLATION
    )
}

fn is_json(type_oid: Oid) -> bool {
    matches!(type_oid, oid::JSON | oid::JSONB)
}

fn is_integer(type_oid: Oid) -> bool {
    matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8)
}

/// The same 32 bits, unsigned; an int8 must fit.
fn integer_to_oid(datum: &Datum) -> SqlResult<Datum> {
    Ok(match datum {
        Datum::Null => Datum::Null,
        Datum::Int8(value) => Datum::Oid(
            u32::try_from(*value).map_err(|_| SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range"))?,
        ),
        Datum::Int4(value) => Datum::Oid(value.cast_unsigned()),
        Datum::Int2(value) => Datum::Oid(i32::from(*value).cast_unsigned()),
        other => return Err(SqlError::internal(format!("{other:?} is no integer"))),
    })
}

/// The same 32 bits, signed.
fn oid_to_int4(datum: &Datum) -> SqlResult<Datum> {
    Ok(match datum {
        Datum::Null => Datum::Null,
        Datum::Oid(value) => Datum::Int4(value.cast_signed()),
        other => return Err(SqlError::internal(format!("{other:?} is no oid"))),
    })
}

/// How a value of type `from` becomes one of type `to` in that context; `None` if it may not.
///
/// Follows PostgreSQL's `CREATE CAST` manual page and chapter 10: an unknown literal becomes anything; besides
/// `pg_cast`, any type converts to a string type by assignment and any string type to any type explicitly,
/// through their text forms.
pub fn coercion(from: Oid, to: Oid, context: CastContext) -> Option<CastMethod> {
    if from == to || to == oid::ANY {
        return Some(CastMethod::Relabel);
    }
    let (source, target) = (type_category(from)?, type_category(to)?);
    // Of the pseudo-types, those whose values have a text.
    let has_text = |type_oid: Oid| matches!(type_oid, oid::RECORD | oid::RECORD_ARRAY | oid::VOID | oid::CSTRING);
    if from == oid::UNKNOWN {
        return (target != 'P' || has_text(to)).then_some(CastMethod::ViaText);
    }
    if let Some(cast) = registry::cast_between(from, to) {
        return (context >= cast.context).then_some(cast.method);
    }
    // A row of a named type is a row.
    if is_composite(from) && to == oid::RECORD {
        return Some(CastMethod::Relabel);
    }
    if let (Some(from), Some(element)) = (element_type(from), element_type(to))
        && !matches!(to, oid::INT2VECTOR | oid::OIDVECTOR)
        && coercion(from, element, context).is_some()
    {
        return Some(CastMethod::Elements);
    }
    if source == 'P' && !has_text(from) || target == 'P' && !has_text(to) {
        return None;
    }
    let to_text = context >= CastContext::Assignment && target == 'S';
    let from_text = context >= CastContext::Explicit && source == 'S';
    (to_text || from_text).then_some(CastMethod::ViaText)
}

/// Does what [`coercion`] said; `to`'s modifier counts only for functions that take it.
pub fn apply_cast(
    method: CastMethod,
    datum: &Datum,
    from: Type,
    to: Type,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Datum> {
    if datum.is_null() {
        return Ok(Datum::Null);
    }
    match method {
        CastMethod::Relabel => Ok(datum.clone()),
        CastMethod::Function(function) if function.args.len() == 2 => {
            (function.eval)(context, &[datum.clone(), Datum::Int4(to.typmod)])
        }
        CastMethod::Function(function) => (function.eval)(context, std::slice::from_ref(datum)),
        CastMethod::Convert(convert) => convert(datum),
        CastMethod::Elements => cast_elements(datum, from, to, context),
        CastMethod::ViaText if is_object_reference(to.oid) => {
            let text = text_of(datum, from, context)?;
            resolve_object(to.oid, &text, context).map(Datum::Oid)
        }
        CastMethod::ViaText if element_type(to.oid).is_some_and(is_object_reference) => {
            let element = element_type(to.oid).unwrap_or(oid::INVALID);
            let text = text_of(datum, from, context)?;
            let read = |text: &str| resolve_object(element, text, context).map(Datum::Oid);
            parse_array_with(&text, element, read).map(Datum::array)
        }
        CastMethod::ViaText => {
            let text = text_of(datum, from, context)?;
            parse_text(&text, Type::new(to.oid), context.format)
        }
    }
}

/// An array with each of its elements cast.
fn cast_elements(datum: &Datum, from: Type, to: Type, context: &mut FunctionContext<'_>) -> SqlResult<Datum> {
    let (Datum::Array(array), Some(target)) = (datum, element_type(to.oid)) else {
        return Err(SqlError::internal(format!("{datum:?} cannot be cast to {}", to.name())));
    };
    let source = Type::with_typmod(array.element_type(), from.typmod);
    let method = coercion(source.oid, target, CastContext::Explicit)
        .ok_or_else(|| SqlError::internal(format!("{} cannot be cast to {}", source.name(), to.name())))?;
    if matches!(method, CastMethod::Relabel) {
        return Ok(Datum::array(array.relabelled(target)));
    }
    let mut elements = Vec::with_capacity(array.elements().len());
    for element in array.elements() {
        elements.push(apply_cast(method, element, source, Type::new(target), context)?);
    }
    Array::new(target, array.dimensions().to_vec(), elements).map(Datum::array)
}

/// Casts a value explicitly, modifier included. 42846 if there is no such cast.
pub fn cast_value(datum: &Datum, from: Type, to: Type, context: &mut FunctionContext<'_>) -> SqlResult<Datum> {
    let method = coercion(from.oid, to.oid, CastContext::Explicit).ok_or_else(|| {
        SqlError::new(
            CANNOT_COERCE,
            format!("cannot cast type {} to {}", context.format.type_name(from), context.format.type_name(to)),
        )
    })?;
    let value = apply_cast(method, datum, from, to, context)?;
    if to.typmod < 0 { Ok(value) } else { apply_typmod(value, to, true) }
}

/// A value as its output function spells it; of a reg type the object's name.
pub(crate) fn text_of(datum: &Datum, ty: Type, context: &FunctionContext<'_>) -> SqlResult<String> {
    match datum {
        Datum::Text(text) => return Ok(text.to_string()),
        Datum::Oid(object) if is_object_reference(ty.oid) && *object != 0 => {
            return Ok(context.session.object_name(ty.oid, *object).unwrap_or_else(|| object.to_string()));
        }
        Datum::Array(array) if is_object_reference(array.element_type()) => {
            let element_type = Type::new(array.element_type());
            let names = array.elements().iter().map(|element| match element {
                Datum::Null => Ok(Datum::Null),
                element => text_of(element, element_type, context).map(Datum::text),
            });
            let names = names.collect::<SqlResult<Vec<Datum>>>()?;
            let names = Array::new(oid::TEXT, array.dimensions().to_vec(), names)?;
            return text_of(&Datum::array(names), Type::new(oid::TEXT_ARRAY), context);
        }
        _ => {}
    }
    let mut bytes = Vec::new();
    write_text(&mut bytes, datum, ty, context.format);
    String::from_utf8(bytes).map_err(|_| SqlError::internal("an output function wrote invalid UTF-8"))
}

/// What a reg type's input reads: a number, `-` for none, or a name.
pub(crate) fn resolve_object(reg_type: Oid, text: &str, context: &FunctionContext<'_>) -> SqlResult<u32> {
    object_named(reg_type, text, context.session)
}

fn object_named(reg_type: Oid, text: &str, session: &dyn SessionFunctions) -> SqlResult<u32> {
    if text == "-" {
        return Ok(0);
    }
    match object_number(text)? {
        Some(number) => Ok(number),
        None => session.object_number(reg_type, text),
    }
}

/// What a type's output function writes for a client; of reg types, and arrays of them, the names of objects.
pub fn write_client_text(
    out: &mut Vec<u8>,
    datum: &Datum,
    ty: Type,
    format: &FormatContext,
    session: &dyn SessionFunctions,
) -> SqlResult<()> {
    if !is_object_reference(element_type(ty.oid).unwrap_or(ty.oid)) {
        write_text(out, datum, ty, format);
        return Ok(());
    }
    let text = text_of(datum, ty, &FunctionContext::new(format, 0, 0, session))?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// What a type's input function reads of a client's text; reg types, and arrays of them, take names of objects.
pub fn read_text(text: &str, ty: Type, format: &FormatContext, session: &dyn SessionFunctions) -> SqlResult<Datum> {
    if is_object_reference(ty.oid) {
        return object_named(ty.oid, text, session).map(Datum::Oid);
    }
    match element_type(ty.oid).filter(|element| is_object_reference(*element)) {
        Some(element) => {
            let read = |text: &str| object_named(element, text, session).map(Datum::Oid);
            parse_array_with(text, element, read).map(Datum::array)
        }
        None => parse_text(text, ty, format),
    }
}

/// The number, if the text is digits only.
fn object_number(text: &str) -> SqlResult<Option<u32>> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type oid"))
    })
}
