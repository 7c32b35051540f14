//! DROP of the kinds of objects that are not there: PostgreSQL's error, or its notice with IF EXISTS. What is built in
//! is found, and stays.

use nqdb_catalog::Relation;
use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, INVALID_SCHEMA_NAME, Notice, SUCCESSFUL_COMPLETION, SYNTAX_ERROR, SqlError,
    SqlState, UNDEFINED_FUNCTION, UNDEFINED_OBJECT,
};
use nqdb_txn::TxnError;
use nqdb_types::{Type, array, type_info};

use super::{DdlContext, QualifiedName};
use crate::absent_kind::{AbsentKind, AbsentObject, DropAbsent, WrittenType};
use crate::exec::CommandTag;

/// Access methods that PostgreSQL has.
const ACCESS_METHODS: [&str; 7] = ["brin", "btree", "gin", "gist", "hash", "heap", "spgist"];

pub(super) fn drop_absent(drop: &DropAbsent, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    for object in &drop.objects {
        match look_up(drop.kind, object, cx)? {
            Found::BuiltIn(what) => {
                let message = format!("cannot drop {what} because it is required by the database system");
                return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message).into());
            }
            Found::Nothing(missing) if drop.if_exists && missing.may_be_skipped => {
                let message = format!("{}, skipping", missing.skipped.unwrap_or(missing.message));
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
            }
            Found::Nothing(missing) => return Err(SqlError::new(missing.code, missing.message).into()),
        }
    }
    Ok(CommandTag::Other(drop.kind.drop_tag))
}

enum Found {
    /// Its description.
    BuiltIn(String),
    Nothing(Missing),
}

/// What is not there.
struct Missing {
    code: SqlState,
    message: String,
    /// The message of IF EXISTS, where it is another one.
    skipped: Option<String>,
    may_be_skipped: bool,
}

impl Missing {
    fn new(code: SqlState, message: String) -> Missing {
        Missing { code, message, skipped: None, may_be_skipped: true }
    }

    fn schema(name: &str) -> Missing {
        Missing::new(INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    }

    fn skipped_as(self, message: String) -> Missing {
        Missing { skipped: Some(message), ..self }
    }
}

fn look_up(kind: &AbsentKind, object: &AbsentObject, cx: &mut DdlContext<'_, '_>) -> Result<Found, TxnError> {
    match object {
        AbsentObject::Named(name) => named(kind, name, cx),
        AbsentObject::Signature { name, arguments } => signature(kind, name, arguments.as_deref(), cx),
        AbsentObject::Operator { name, left, right } => operator(name, left.as_ref(), right.as_ref(), cx),
        AbsentObject::OfTable { name, table } => of_table(kind, name, table, cx),
        AbsentObject::OfMethod { name, method } => of_method(kind, name, method, cx),
        AbsentObject::Cast { from, to } => cast(from, to, cx),
        AbsentObject::Transform { ty, language } => {
            if let Some(missing) = missing_type(ty, cx)? {
                return Ok(Found::Nothing(missing));
            }
            let name = cx.data_type(&ty.data_type)?.name();
            let message = format!("transform for type {name} language \"{language}\" does not exist");
            Ok(Found::Nothing(Missing::new(UNDEFINED_OBJECT, message)))
        }
        AbsentObject::UserMapping { role, server } => {
            let message = match role {
                Some(role) if cx.draft.snapshot().role(role).is_none() => format!("role \"{role}\" does not exist"),
                _ => format!("server \"{server}\" does not exist"),
            };
            Ok(Found::Nothing(Missing::new(UNDEFINED_OBJECT, message)))
        }
    }
}

/// The schema of a name, if it is not there.
fn missing_schema(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> Option<Missing> {
    let schema = name.schema.as_deref()?;
    cx.draft.snapshot().schema(schema).is_none().then(|| Missing::schema(schema))
}

/// What of a type's name is not there.
fn missing_type(written: &WrittenType, cx: &mut DdlContext<'_, '_>) -> Result<Option<Missing>, TxnError> {
    if let Some(schema) = &written.schema
        && cx.draft.snapshot().schema(schema).is_none()
    {
        return Ok(Some(Missing::schema(schema)));
    }
    match cx.data_type(&written.data_type) {
        Ok(_) => Ok(None),
        Err(error) if error.code() == UNDEFINED_OBJECT => {
            Ok(Some(Missing::new(UNDEFINED_OBJECT, format!("type \"{}\" does not exist", written.text))))
        }
        Err(error) => Err(error.without_position().into()),
    }
}

fn named(kind: &AbsentKind, name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> Result<Found, TxnError> {
    if let Some(missing) = missing_schema(name, cx) {
        return Ok(Found::Nothing(missing));
    }
    if let Some((catalog, column)) = kind.built_in
        && cx.is_there(&format!("pg_catalog.{catalog} WHERE {column} = {}", literal(&name.name)))?
    {
        return Ok(Found::BuiltIn(format!("{} {}", kind.noun, name.display())));
    }
    let missing = format!("{} \"{}\" does not exist", kind.noun, name.display());
    Ok(Found::Nothing(if kind.noun == "collation" {
        let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.display());
        Missing::new(UNDEFINED_OBJECT, message).skipped_as(missing)
    } else {
        Missing::new(UNDEFINED_OBJECT, missing)
    }))
}

fn signature(
    kind: &AbsentKind,
    name: &QualifiedName,
    arguments: Option<&[WrittenType]>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Found, TxnError> {
    if let Some(missing) = missing_schema(name, cx) {
        return Ok(Found::Nothing(missing));
    }
    for argument in arguments.unwrap_or_default() {
        if let Some(missing) = missing_type(argument, cx)? {
            return Ok(Found::Nothing(missing));
        }
    }
    let noun = kind.noun;
    let shown = name.display();
    let Some(arguments) = arguments else {
        let condition = format!("pg_catalog.pg_proc WHERE proname = {}", literal(&name.name));
        if cx.is_there(&condition)? {
            return Ok(Found::BuiltIn(format!("{noun} {shown}")));
        }
        let missing = Missing::new(UNDEFINED_FUNCTION, format!("could not find a {noun} named \"{shown}\""));
        return Ok(Found::Nothing(missing.skipped_as(format!("{noun} {shown}() does not exist"))));
    };
    let types = arguments.iter().map(|argument| cx.data_type(&argument.data_type)).collect::<Result<Vec<Type>, _>>()?;
    let names: Vec<String> = types.iter().map(|ty| ty.name()).collect();
    let numbers: Vec<String> = types.iter().map(|ty| ty.declared_oid().to_string()).collect();
    let condition = format!(
        "pg_catalog.pg_proc WHERE proname = {} AND proargtypes::text = {}",
        literal(&name.name),
        literal(&numbers.join(" "))
    );
    if cx.is_there(&condition)? {
        return Ok(Found::BuiltIn(format!("{noun} {shown}({})", names.join(","))));
    }
    let listed = if noun == "aggregate" && names.is_empty() { "*".to_owned() } else { names.join(", ") };
    let written: Vec<String> = arguments.iter().zip(&types).map(|(argument, ty)| as_written(argument, *ty)).collect();
    let missing = Missing::new(UNDEFINED_FUNCTION, format!("{noun} {shown}({listed}) does not exist"));
    Ok(Found::Nothing(missing.skipped_as(format!("{noun} {shown}({}) does not exist", written.join(",")))))
}

/// A type's name as PostgreSQL's grammar keeps it: words of its own stand for types of pg_catalog.
fn as_written(written: &WrittenType, ty: Type) -> String {
    let element = array::element_type(ty.oid);
    let brackets = if element.is_some() { "[]" } else { "" };
    let internal = type_info(element.unwrap_or(ty.oid)).map_or(written.text.as_str(), |info| info.name);
    if written.is_keyword { format!("pg_catalog.{internal}{brackets}") } else { format!("{}{brackets}", written.text) }
}

fn operator(
    name: &QualifiedName,
    left: Option<&WrittenType>,
    right: Option<&WrittenType>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Found, TxnError> {
    if let Some(missing) = missing_schema(name, cx) {
        return Ok(Found::Nothing(missing));
    }
    for operand in left.iter().chain(&right) {
        if let Some(missing) = missing_type(operand, cx)? {
            return Ok(Found::Nothing(missing));
        }
    }
    let mut type_of = |operand: Option<&WrittenType>| operand.map(|ty| cx.data_type(&ty.data_type)).transpose();
    let (left, right) = (type_of(left)?, type_of(right)?);
    let number = |ty: Option<Type>| ty.map_or(0, |ty| ty.declared_oid());
    let condition = format!(
        "pg_catalog.pg_operator WHERE oprname = {} AND oprleft = {} AND oprright = {}",
        literal(&name.name),
        number(left),
        number(right)
    );
    let spelled = |ty: Option<Type>| ty.map_or_else(|| "NONE".to_owned(), |ty| ty.name());
    if cx.is_there(&condition)? {
        return Ok(Found::BuiltIn(format!("operator {}({},{})", name.display(), spelled(left), spelled(right))));
    }
    let operands = [left.map(|ty| ty.name()), Some(name.display()), right.map(|ty| ty.name())];
    let call: Vec<String> = operands.into_iter().flatten().collect();
    let missing = match right {
        Some(_) => Missing::new(UNDEFINED_FUNCTION, format!("operator does not exist: {}", call.join(" "))),
        None => Missing::new(SYNTAX_ERROR, "postfix operators are not supported".to_owned()),
    };
    Ok(Found::Nothing(missing.skipped_as(format!("operator {} does not exist", name.display()))))
}

fn of_table(
    kind: &AbsentKind,
    name: &str,
    table: &QualifiedName,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Found, TxnError> {
    if let Some(missing) = missing_schema(table, cx) {
        return Ok(Found::Nothing(missing));
    }
    let Some(relation) = cx.find_relation(table) else {
        let error = cx.missing_relation(table);
        return Ok(Found::Nothing(Missing::new(error.code(), error.message().to_string())));
    };
    if let (Relation::View(view), "rule", "_RETURN") = (&relation, kind.noun, name) {
        let message = format!("cannot drop rule _RETURN on view {0} because view {0} requires it", view.name);
        return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_hint(format!("You can drop view {} instead.", view.name))
            .into());
    }
    let of = if kind.noun == "rule" { "relation" } else { "table" };
    let told = |of: &str| format!("{} \"{name}\" for {of} \"{}\" does not exist", kind.noun, relation.name());
    Ok(Found::Nothing(Missing::new(UNDEFINED_OBJECT, told(of)).skipped_as(told("relation"))))
}

fn of_method(
    kind: &AbsentKind,
    name: &QualifiedName,
    method: &str,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Found, TxnError> {
    if !ACCESS_METHODS.contains(&method) {
        let message = format!("access method \"{method}\" does not exist");
        let missing = Missing::new(UNDEFINED_OBJECT, message);
        return Ok(Found::Nothing(Missing { may_be_skipped: false, ..missing }));
    }
    if let Some(missing) = missing_schema(name, cx) {
        return Ok(Found::Nothing(missing));
    }
    if let Some((catalog, column)) = kind.built_in
        && method == "btree"
        && cx.is_there(&format!("pg_catalog.{catalog} WHERE {column} = {}", literal(&name.name)))?
    {
        return Ok(Found::BuiltIn(format!("{} {} for access method {method}", kind.noun, name.display())));
    }
    let shown = name.display();
    let message = format!("{} \"{shown}\" does not exist for access method \"{method}\"", kind.noun);
    Ok(Found::Nothing(Missing::new(UNDEFINED_OBJECT, message)))
}

fn cast(from: &WrittenType, to: &WrittenType, cx: &mut DdlContext<'_, '_>) -> Result<Found, TxnError> {
    for ty in [from, to] {
        if let Some(missing) = missing_type(ty, cx)? {
            return Ok(Found::Nothing(missing));
        }
    }
    let (from, to) = (cx.data_type(&from.data_type)?, cx.data_type(&to.data_type)?);
    let condition =
        format!("pg_catalog.pg_cast WHERE castsource = {} AND casttarget = {}", from.declared_oid(), to.declared_oid());
    if cx.is_there(&condition)? {
        return Ok(Found::BuiltIn(format!("cast from {} to {}", from.name(), to.name())));
    }
    let message = format!("cast from type {} to type {} does not exist", from.name(), to.name());
    Ok(Found::Nothing(Missing::new(UNDEFINED_OBJECT, message)))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl DdlContext<'_, '_> {
    /// Whether a system relation has rows: `relation WHERE condition`.
    fn is_there(&mut self, rows: &str) -> Result<bool, TxnError> {
        Ok(!self.query(&format!("SELECT 1 FROM {rows} LIMIT 1"))?.is_empty())
    }
}
