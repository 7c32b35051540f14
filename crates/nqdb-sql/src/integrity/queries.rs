//! The statements by which a foreign key is checked and obeyed. They are SQL like any other, in PostgreSQL's words, which
//! clients see in the context of errors; planned once, they serve until the catalog changes.
//!
//! How two columns compare (PostgreSQL's `ATAddForeignKeyConstraint`): by the `=` of the referenced index's operator family
//! over both types; or, where it has none for them, by that of the family's own type, to which both convert on their own.

use std::collections::HashMap;
use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, IndexDef, SUPERUSER_OID, Snapshot, TableDef};
use nqdb_functions::{CastContext, coercion};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Oid, Type, oid};

use super::probe::Probe;
use crate::bind::{BindContext, bind};
use crate::ddl::{qualified, quoted};
use crate::exec::ExecContext;
use crate::params::ParamTypes;
use crate::parse::parse;
use crate::plan::{ExecutorChoice, Plan, PlanContext, plan};
use crate::system::{class_by_oid, default_class};

/// One of the statements of a foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Query {
    /// Is there a row with the key of a row that refers? Locks it.
    Referenced,
    /// Is there a row again with a key that is gone? Locks it.
    Again,
    /// Are there rows that refer to a key? Locks the first.
    Referring,
    Delete,
    /// ON UPDATE CASCADE: the new key, then the old one.
    Cascade,
    SetNull {
        of_delete: bool,
    },
    SetDefault {
        of_delete: bool,
    },
}

/// A statement with its plan.
#[derive(Debug)]
pub(super) struct CheckPlan {
    pub text: String,
    pub plan: Arc<Plan>,
}

/// The statements of the foreign keys that a session has met.
#[derive(Default)]
pub(super) struct CheckPlans {
    catalog_version: u64,
    plans: HashMap<(Oid, Query), Arc<CheckPlan>>,
    /// None: there is none, by the types of the columns.
    probes: HashMap<Oid, Option<Arc<Probe>>>,
}

/// More than any transaction needs at a time.
const PLANS_MAX: usize = 1024;

impl CheckPlans {
    /// The plan of a statement.
    pub fn plan(&mut self, key: &ForeignKeyDef, query: Query, cx: &ExecContext<'_>) -> SqlResult<Arc<CheckPlan>> {
        let catalog = cx.system.catalog();
        self.keep_current(catalog.version);
        if let Some(known) = self.plans.get(&(key.oid, query)) {
            return Ok(known.clone());
        }
        let made = Arc::new(make(key, query, &catalog, cx)?);
        self.plans.insert((key.oid, query), made.clone());
        Ok(made)
    }

    /// The short way to the rows that a foreign key refers to, where there is one.
    pub fn probe(&mut self, key: &ForeignKeyDef, cx: &ExecContext<'_>) -> Option<Arc<Probe>> {
        let catalog = cx.system.catalog();
        self.keep_current(catalog.version);
        let made = || Probe::of(key, &catalog).map(Arc::new);
        self.probes.entry(key.oid).or_insert_with(made).clone()
    }

    fn keep_current(&mut self, catalog_version: u64) {
        let is_full = self.plans.len() + self.probes.len() >= PLANS_MAX;
        if self.catalog_version != catalog_version || is_full {
            self.plans.clear();
            self.probes.clear();
            self.catalog_version = catalog_version;
        }
    }
}

fn make(key: &ForeignKeyDef, query: Query, catalog: &Snapshot, cx: &ExecContext<'_>) -> SqlResult<CheckPlan> {
    let pair = Pair::of(key, catalog)?;
    let (text, params) = pair.text(query);
    let statements = parse(&text)?;
    let [parsed] = statements.as_slice() else {
        return Err(SqlError::internal("a check of a foreign key is one statement"));
    };
    let bind_cx = BindContext {
        catalog,
        role: SUPERUSER_OID,
        search_path: &[],
        format: cx.functions.format,
        session: cx.functions.session,
    };
    let (bound, _) = bind(parsed, &bind_cx, &mut ParamTypes::declared(&params))?;
    // A table that is empty now may be large when the plan runs again.
    let plan_cx = PlanContext {
        enable_seqscan: false,
        executor: ExecutorChoice::Row,
        types: cx.functions.format.types.clone(),
        ..PlanContext::new(catalog.version)
    };
    Ok(CheckPlan { text, plan: Arc::new(plan(bound, &params, &plan_cx)?) })
}

/// The two tables of a foreign key with its columns.
struct Pair<'a> {
    key: &'a ForeignKeyDef,
    referring: &'a TableDef,
    referenced: &'a TableDef,
    columns: Vec<ColumnPair>,
}

struct ColumnPair {
    /// Quoted.
    referring: String,
    referenced: String,
    referring_type: Oid,
    referenced_type: Oid,
    comparison: KeyMatch,
}

/// How a referring column compares with a referenced one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    /// As they are.
    Direct,
    /// Both as this type.
    As(Oid),
}

/// How columns of two types compare as a foreign key's; `None` when they do not.
pub(crate) fn key_match(index: &IndexDef, part: usize, referenced: Type, referring: Type) -> Option<KeyMatch> {
    let (referenced, referring) = (referenced.base().oid, referring.base().oid);
    if referenced == referring {
        return Some(KeyMatch::Direct);
    }
    let named = index.options.get(part).and_then(|options| options.class).and_then(class_by_oid);
    let class = named.or_else(|| default_class(referenced))?;
    const FAMILIES: [&[Oid]; 4] = [
        &[oid::INT2, oid::INT4, oid::INT8],
        &[oid::FLOAT4, oid::FLOAT8],
        &[oid::DATE, oid::TIMESTAMP, oid::TIMESTAMPTZ],
        &[oid::TEXT, oid::NAME],
    ];
    if FAMILIES.iter().any(|family| family.contains(&class.input) && family.contains(&referring)) {
        return Some(KeyMatch::Direct);
    }
    let converts = |from: Oid| from == class.input || coercion(from, class.input, CastContext::Implicit).is_some();
    let is_polymorphic = matches!(class.input, oid::ANYARRAY | oid::ANYENUM | oid::RECORD);
    (!is_polymorphic && converts(referenced) && converts(referring)).then_some(KeyMatch::As(class.input))
}

impl<'a> Pair<'a> {
    fn of(key: &'a ForeignKeyDef, catalog: &'a Snapshot) -> SqlResult<Pair<'a>> {
        let lost = || SqlError::internal("a foreign key has lost a table, a column or its index");
        let referring = catalog.table_by_oid(key.table).ok_or_else(lost)?;
        let referenced = catalog.table_by_oid(key.referenced).ok_or_else(lost)?;
        let index = referenced.indexes.iter().find(|index| index.oid == key.index).ok_or_else(lost)?;
        let positions = referring.positions_of(&key.columns).into_iter();
        let referenced_positions = referenced.positions_of(&key.referenced_columns);
        let columns = positions.zip(referenced_positions).map(|(own, other)| {
            let (own_column, other_column) = (referring.columns.get(own)?, referenced.columns.get(other)?);
            let part = index.key.iter().position(|part| part.column == other)?;
            Some(ColumnPair {
                referring: quoted(&own_column.name),
                referenced: quoted(&other_column.name),
                referring_type: own_column.ty.base().oid,
                referenced_type: other_column.ty.base().oid,
                comparison: key_match(index, part, other_column.ty, own_column.ty)?,
            })
        });
        let columns: Vec<ColumnPair> = columns.collect::<Option<_>>().ok_or_else(lost)?;
        Ok(Pair { key, referring, referenced, columns })
    }

    /// The text of a statement, and the types of its parameters.
    fn text(&self, query: Query) -> (String, Vec<Oid>) {
        let referring_types = || self.columns.iter().map(|column| column.referring_type).collect::<Vec<Oid>>();
        let referenced_types = || self.columns.iter().map(|column| column.referenced_type).collect::<Vec<Oid>>();
        let (own, other) = (qualified(self.referring), qualified(self.referenced));
        match query {
            Query::Referenced => {
                let text = format!("SELECT 1 FROM ONLY {other} x WHERE {} FOR KEY SHARE OF x", self.has_key(true));
                (text, referring_types())
            }
            Query::Again => {
                let text = format!("SELECT 1 FROM ONLY {other} x WHERE {} FOR KEY SHARE OF x", self.has_key(false));
                (text, referenced_types())
            }
            Query::Referring => {
                let text = format!("SELECT 1 FROM ONLY {own} x WHERE {} FOR KEY SHARE OF x", self.refers(1));
                (text, referenced_types())
            }
            Query::Delete => (format!("DELETE FROM ONLY {own} WHERE {}", self.refers(1)), referenced_types()),
            Query::Cascade => {
                let count = self.columns.len();
                let set =
                    self.columns.iter().enumerate().map(|(at, column)| format!("{} = ${}", column.referring, at + 1));
                let set = set.collect::<Vec<_>>().join(", ");
                let text = format!("UPDATE ONLY {own} SET {set} WHERE {}", self.refers(count + 1));
                (text, referenced_types().repeat(2))
            }
            Query::SetNull { of_delete } => (self.set_all(of_delete, "NULL"), referenced_types()),
            Query::SetDefault { of_delete } => (self.set_all(of_delete, "DEFAULT"), referenced_types()),
        }
    }

    fn set_all(&self, of_delete: bool, value: &str) -> String {
        let named = &self.key.delete_columns;
        let is_set = |attnum: &i16| !of_delete || named.is_empty() || named.contains(attnum);
        let columns = self.columns.iter().zip(&self.key.columns).filter(|(_, attnum)| is_set(attnum));
        let set = columns.map(|(column, _)| format!("{} = {value}", column.referring)).collect::<Vec<_>>().join(", ");
        format!("UPDATE ONLY {} SET {set} WHERE {}", qualified(self.referring), self.refers(1))
    }

    /// That a row has the key of the parameters: those of a row that refers, or of one that had it before.
    fn has_key(&self, of_referring: bool) -> String {
        let conditions = self.columns.iter().enumerate().map(|(at, column)| {
            let value = format!("${}", at + 1);
            let (mut left, mut right) = (column.referenced.clone(), value);
            if of_referring && let KeyMatch::As(type_oid) = column.comparison {
                left = converted(left, column.referenced_type, type_oid);
                right = converted(right, column.referring_type, type_oid);
            }
            format!("{left} OPERATOR(pg_catalog.=) {right}")
        });
        conditions.collect::<Vec<_>>().join(" AND ")
    }

    /// That a row refers to the key of the parameters, from a number on.
    fn refers(&self, first: usize) -> String {
        let conditions = self.columns.iter().enumerate().map(|(at, column)| {
            let (mut left, mut right) = (format!("${}", first + at), column.referring.clone());
            if let KeyMatch::As(type_oid) = column.comparison {
                left = converted(left, column.referenced_type, type_oid);
                right = converted(right, column.referring_type, type_oid);
            }
            format!("{left} OPERATOR(pg_catalog.=) {right}")
        });
        conditions.collect::<Vec<_>>().join(" AND ")
    }
}

fn converted(value: String, from: Oid, to: Oid) -> String {
    if from == to { value } else { format!("{value}::pg_catalog.{}", type_name(to)) }
}

/// The name that a type has in `pg_catalog`.
fn type_name(type_oid: Oid) -> String {
    nqdb_types::type_info(type_oid).map_or_else(|| Type::new(type_oid).name(), |info| info.name.to_owned())
}
