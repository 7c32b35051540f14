//! `pg_rewrite`: the rule of each view, which gives its rows.
//!
//! A rule is nothing of its own here; its number is made of that of its view.

use nqdb_catalog::{Relation, StoredQuery};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::attribute::default_oid;
use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_REWRITE];

relation! {
    /// Rules.
    PG_REWRITE = "pg_rewrite" 2618, row_type 10035, Table, keys ["ev_class"], rows rules;
    Rule {
        oid: OID not_null, rulename: NAME not_null, ev_class: OID not_null, ev_type: CHAR_INTERNAL not_null,
        ev_enabled: CHAR_INTERNAL not_null, is_instead: BOOL not_null, ev_qual: PG_NODE_TREE not_null,
        ev_action: PG_NODE_TREE not_null,
    }
}

/// The number of a view's rule; that of a default of a column that no relation has.
pub(super) fn rule_oid(view: Oid) -> Oid {
    default_oid(view, 0)
}

/// The query that a relation's rule puts in its place.
pub(super) fn query_of(relation: &Relation) -> Option<&StoredQuery> {
    match relation {
        Relation::View(view) => Some(&view.query),
        Relation::Table(table) => table.materialized.as_ref().map(|materialized| &materialized.query),
        Relation::Index(..) | Relation::Sequence(_) => None,
    }
}

fn rules(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    relations_wanted(cx, "ev_class", None).iter().try_for_each(|relation| {
        let Some(query) = query_of(relation) else { return Ok(()) };
        rows.push(Rule {
            oid: oid(rule_oid(relation.oid())),
            rulename: text("_RETURN"),
            ev_class: oid(relation.oid()),
            ev_type: letter('1'),
            ev_enabled: letter('O'),
            is_instead: boolean(true),
            ev_qual: text("<>"),
            ev_action: text(&query.text),
        })
    })
}
