//! What `pg_type` and `pg_enum` say of the types that users make.
//!
//! Each type has an array over it, which is called like it with `_` in front and depends on it.

use nqdb_catalog::{Snapshot, TypeDef, TypeDetails, array_type_name};
use nqdb_sqlstate::SqlResult;
use nqdb_types::array::{array_type, element_type};
use nqdb_types::{Datum, Oid};

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::type_functions::{array_functions, enum_functions};
use super::types::{TypeFacts, TypeRow, with_functions};
use super::value::{boolean, int4, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_ENUM];

relation! {
    /// Labels of enums.
    PG_ENUM = "pg_enum" 3501, row_type 10045, Table, keys ["enumtypid"], rows labels;
    LabelRow { oid: OID not_null, enumtypid: OID not_null, enumsortorder: FLOAT4 not_null, enumlabel: NAME not_null, }
}

fn labels(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let wanted = cx.wanted_oid("enumtypid");
    for def in in_order(cx.catalog).into_iter().filter(|def| wanted.is_none_or(|wanted| def.oid == wanted)) {
        for label in def.labels().into_iter().flat_map(|labels| &labels.labels) {
            rows.push(LabelRow {
                oid: oid(label.oid),
                enumtypid: oid(def.oid),
                enumsortorder: Datum::Float4(label.sort_order),
                enumlabel: text(&label.label),
            })?;
        }
    }
    Ok(())
}

/// Types in the order in which they were made.
fn in_order(catalog: &Snapshot) -> Vec<&TypeDef> {
    let mut defs: Vec<&TypeDef> = catalog.types().map(|def| &**def).collect();
    defs.sort_by_key(|def| nqdb_types::user_type_object(def.oid));
    defs
}

/// The rows of `pg_type`; `is_wanted` is asked for number and name.
pub(super) fn type_rows(
    cx: &SystemContext<'_>,
    is_wanted: &dyn Fn(Oid, &str) -> bool,
    rows: &mut SystemRows<'_>,
) -> SqlResult<()> {
    for def in in_order(cx.catalog) {
        if is_wanted(def.oid, &def.name) {
            rows.push(own_row(def))?;
        }
        let Some(array) = array_type(def.oid) else { continue };
        let array_name = array_type_name(&def.name);
        if is_wanted(array, &array_name) {
            rows.push(array_row(def, array, &array_name))?;
        }
    }
    Ok(())
}

fn own_row(def: &TypeDef) -> TypeRow {
    let facts = own_facts(def);
    let (kind, category, functions) = match &def.details {
        TypeDetails::Enum(_) => ('e', 'E', enum_functions()),
    };
    TypeRow {
        oid: oid(def.oid),
        typname: text(&def.name),
        typnamespace: oid(def.schema),
        typowner: oid(def.owner),
        typtype: letter(kind),
        typcategory: letter(category),
        typelem: oid(0),
        typarray: oid(array_type(def.oid).unwrap_or(0)),
        ..common_row(&facts, with_functions(&functions))
    }
}

fn array_row(def: &TypeDef, array: Oid, name: &str) -> TypeRow {
    TypeRow {
        oid: oid(array),
        typname: text(name),
        typnamespace: oid(def.schema),
        typowner: oid(def.owner),
        typtype: letter('b'),
        typcategory: letter('A'),
        typelem: oid(def.oid),
        typarray: oid(0),
        ..common_row(&array_facts(array, &own_facts(def)), with_functions(&array_functions()))
    }
}

/// What the rows of all types have.
fn common_row(facts: &TypeFacts, row: TypeRow) -> TypeRow {
    TypeRow {
        typlen: Datum::Int2(facts.len),
        typbyval: boolean(facts.by_value),
        typispreferred: boolean(false),
        typisdefined: boolean(true),
        typdelim: letter(','),
        typrelid: oid(0),
        typalign: letter(facts.alignment),
        typstorage: letter(facts.storage),
        typnotnull: boolean(false),
        typbasetype: oid(0),
        typtypmod: int4(-1),
        typndims: int4(0),
        typcollation: oid(facts.collation),
        ..row
    }
}

/// What the system knows of a user's type or of an array over one.
pub(super) fn facts(catalog: &Snapshot, type_oid: Oid) -> Option<TypeFacts> {
    match element_type(type_oid) {
        Some(element) => Some(array_facts(type_oid, &facts(catalog, element)?)),
        None => catalog.type_by_oid(type_oid).map(|def| own_facts(def)),
    }
}

fn own_facts(def: &TypeDef) -> TypeFacts {
    match &def.details {
        TypeDetails::Enum(_) => TypeFacts {
            oid: def.oid,
            len: 4,
            by_value: true,
            alignment: 'i',
            storage: 'p',
            is_array: false,
            collation: 0,
        },
    }
}

fn array_facts(array: Oid, element: &TypeFacts) -> TypeFacts {
    let alignment = if element.alignment == 'd' { 'd' } else { 'i' };
    TypeFacts { oid: array, len: -1, by_value: false, alignment, storage: 'x', is_array: true, ..*element }
}
