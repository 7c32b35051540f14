//! `pg_description` and `pg_shdescription`: what COMMENT ON said.

use nqdb_sqlstate::SqlResult;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{int4, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_DESCRIPTION, &PG_SHDESCRIPTION];

relation! {
    /// Comments on objects of the database.
    PG_DESCRIPTION = "pg_description" 2609, row_type 10041, Table, keys [], rows descriptions;
    Description {     objoid: OID not_null, classoid: OID not_null, objsubid: INT4 not_null, description: TEXT not_null, }
}

relation! {
    /// Comments on what all databases share.
    PG_SHDESCRIPTION = "pg_shdescription" 2396, row_type 10062, SharedTable, keys [], rows shared_descriptions;
    SharedDescription {     objoid: OID not_null, classoid: OID not_null, description: TEXT not_null, }
}

/// Whether a catalog belongs to all databases: roles, databases, tablespaces.
fn is_shared(class: u32) -> bool {
    super::by_oid(class).is_some_and(SystemRelation::is_shared)
}

fn descriptions(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.catalog.comments().filter(|comment| !is_shared(comment.class)).try_for_each(|comment| {
        rows.push(Description {
            objoid: oid(comment.object),
            classoid: oid(comment.class),
            objsubid: int4(i32::from(comment.column)),
            description: text(&comment.text),
        })
    })
}

fn shared_descriptions(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.catalog.comments().filter(|comment| is_shared(comment.class)).try_for_each(|comment| {
        rows.push(SharedDescription {
            objoid: oid(comment.object),
            classoid: oid(comment.class),
            description: text(&comment.text),
        })
    })
}
