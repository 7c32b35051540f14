//! What `pg_type` and `pg_enum` say of the types that users make.
//!
//! Each type has an array over it, which is called like it with `_` in front and depends on it.

use std::sync::Arc;

use nqdb_catalog::rights::SecuredKind;
use nqdb_catalog::{CompositeDef, DomainDef, Snapshot, TypeDef, TypeDetails, array_type_name};
use nqdb_sqlstate::SqlResult;
use nqdb_types::array::{array_type, element_type};
use nqdb_types::{Datum, Oid, type_category, user_type_object};

use super::attribute::typed_default;
use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::stored_list_value;
use super::type_functions::{array_functions, domain_functions, enum_functions, record_functions};
use super::types::{COLLATION_C, TypeFacts, TypeRow, type_facts, with_functions};
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
pub(super) fn in_order(catalog: &Snapshot) -> Vec<&TypeDef> {
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
            rows.push(own_row(cx, def)?)?;
        }
        let Some(array) = array_type(def.oid) else { continue };
        let array_name = array_type_name(&def.name);
        if is_wanted(array, &array_name) {
            rows.push(array_row(cx, def, array, &array_name))?;
        }
    }
    row_types(cx, is_wanted, rows)
}

/// The types of the rows of tables and views.
fn row_types(
    cx: &SystemContext<'_>,
    is_wanted: &dyn Fn(Oid, &str) -> bool,
    rows: &mut SystemRows<'_>,
) -> SqlResult<()> {
    for relation in relations_wanted(cx, "", None) {
        let Some(row_type) = relation.row_type() else { continue };
        let def = TypeDef {
            oid: row_type,
            schema: relation.schema(),
            name: relation.name().to_owned(),
            owner: relation.owner(),
            details: TypeDetails::Composite(Arc::new(CompositeDef::new(row_type, Vec::new()))),
        };
        if is_wanted(row_type, &def.name) {
            rows.push(own_row(cx, &def)?)?;
        }
        let Some(array) = array_type(row_type) else { continue };
        let array_name = array_type_name(&def.name);
        if is_wanted(array, &array_name) {
            rows.push(array_row(cx, &def, array, &array_name))?;
        }
    }
    Ok(())
}

fn own_row(cx: &SystemContext<'_>, def: &TypeDef) -> SqlResult<TypeRow> {
    let facts = own_facts(cx.catalog, def).unwrap_or_default();
    let (kind, category, functions) = match &def.details {
        TypeDetails::Enum(_) => ('e', 'E', enum_functions()),
        TypeDetails::Composite(_) => ('c', 'C', record_functions()),
        TypeDetails::Domain(domain) => return domain_row(cx, def, domain, &facts),
    };
    Ok(TypeRow {
        oid: oid(def.oid),
        typname: text(&def.name),
        typnamespace: oid(def.schema),
        typowner: oid(def.owner),
        typtype: letter(kind),
        typcategory: letter(category),
        typelem: oid(0),
        typarray: oid(array_type(def.oid).unwrap_or(0)),
        typacl: stored_list_value(cx.catalog, SecuredKind::Type, def.oid),
        ..TypeRow {
            typrelid: oid(if def.composite().is_some() { user_type_object(def.oid) } else { 0 }),
            ..common_row(&facts, with_functions(&functions))
        }
    })
}

fn domain_row(cx: &SystemContext<'_>, def: &TypeDef, domain: &DomainDef, facts: &TypeFacts) -> SqlResult<TypeRow> {
    let base = domain.base.ty();
    let functions = domain_functions(base.oid);
    let default = domain.default.as_deref();
    Ok(TypeRow {
        oid: oid(def.oid),
        typname: text(&def.name),
        typnamespace: oid(def.schema),
        typowner: oid(def.owner),
        typtype: letter('d'),
        typcategory: letter(type_category(base.oid).unwrap_or('U')),
        typelem: oid(0),
        typarray: oid(array_type(def.oid).unwrap_or(0)),
        ..TypeRow {
            typacl: stored_list_value(cx.catalog, SecuredKind::Type, def.oid),
            typnotnull: boolean(domain.not_null),
            typbasetype: oid(base.declared_oid()),
            typtypmod: int4(if base.domain == 0 { base.typmod } else { -1 }),
            typdefaultbin: default.map_or(Datum::Null, |default| text(&typed_default(default, base))),
            typdefault: default.map_or(Datum::Null, |default| {
                text(&cx.functions.expression_text(&typed_default(default, base), 0, false))
            }),
            ..common_row(facts, with_functions(&functions))
        }
    })
}

fn array_row(cx: &SystemContext<'_>, def: &TypeDef, array: Oid, name: &str) -> TypeRow {
    TypeRow {
        oid: oid(array),
        typname: text(name),
        typnamespace: oid(def.schema),
        typowner: oid(def.owner),
        typtype: letter('b'),
        typcategory: letter('A'),
        typelem: oid(def.oid),
        typarray: oid(0),
        ..common_row(
            &array_facts(array, &own_facts(cx.catalog, def).unwrap_or_default()),
            with_functions(&array_functions()),
        )
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
        None if catalog.row_relation(type_oid).is_some() => Some(composite_facts(type_oid)),
        None => own_facts(catalog, catalog.type_by_oid(type_oid)?),
    }
}

fn own_facts(catalog: &Snapshot, def: &TypeDef) -> Option<TypeFacts> {
    Some(match &def.details {
        TypeDetails::Enum(_) => TypeFacts {
            oid: def.oid,
            len: 4,
            by_value: true,
            alignment: 'i',
            storage: 'p',
            is_array: false,
            collation: 0,
        },
        TypeDetails::Composite(_) => composite_facts(def.oid),
        TypeDetails::Domain(domain) => {
            let base = type_facts(catalog, domain.base.ty().declared_oid())?;
            let collation = if domain.collate_c { COLLATION_C } else { base.collation };
            TypeFacts { oid: def.oid, is_array: false, collation, ..base }
        }
    })
}

fn composite_facts(type_oid: Oid) -> TypeFacts {
    TypeFacts { oid: type_oid, len: -1, by_value: false, alignment: 'd', storage: 'x', is_array: false, collation: 0 }
}

fn array_facts(array: Oid, element: &TypeFacts) -> TypeFacts {
    let alignment = if element.alignment == 'd' { 'd' } else { 'i' };
    TypeFacts { oid: array, len: -1, by_value: false, alignment, storage: 'x', is_array: true, ..*element }
}
