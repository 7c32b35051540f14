//! Types that users make, and the view of them that input, output and messages work with.
//!
//! What always holds:
//! 1. The number of a type says its kind ([`nqdb_types::user_type`]); the row of a table or view is a type of its own, whose
//!    number follows from the relation's, and of which nothing is stored.
//! 2. Types share names with the rows of relations: a schema has one type or relation of a name. The array over a type is
//!    called like it, with `_` in front.
//! 3. The order of a label never changes ([`place_label`]): rows and index keys hold it.

use std::sync::Arc;

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{
    EnumLabel, EnumType, Oid, RecordShape, Type, TypeCatalog, UserTypeKind, is_composite, user_type, user_type_object,
};
use serde::{Deserialize, Serialize};

use crate::catalog::PG_CATALOG_OID;
use crate::composite::{CompositeAttribute, CompositeDef};
use crate::definition::Relation;
use crate::names::{NAME_BYTES_MAX, clip};
use crate::snapshot::Snapshot;

/// A type that a user made.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDef {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub details: TypeDetails,
}

/// What the type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeDetails {
    Enum(Arc<EnumType>),
    Domain(Arc<DomainDef>),
    Composite(Arc<CompositeDef>),
}

/// What a domain adds to the type that it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainDef {
    /// The type that it is over directly, which may be a domain.
    pub base: DeclaredType,
    pub not_null: bool,
    /// SQL text of the default expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// COLLATE "C" was written, which all text has here; `pg_type` shows it.
    #[serde(default)]
    pub collate_c: bool,
    /// In the order of their names.
    pub checks: Vec<DomainCheck>,
}

/// The stored form of a [`Type`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredType {
    oid: Oid,
    typmod: i32,
    #[serde(default)]
    domain: Oid,
}

impl DeclaredType {
    pub fn of(ty: Type) -> DeclaredType {
        DeclaredType { oid: ty.oid, typmod: ty.typmod, domain: ty.domain }
    }

    pub fn ty(self) -> Type {
        Type::with_typmod(self.oid, self.typmod).as_domain(self.domain)
    }
}

/// A CHECK constraint of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    pub oid: Oid,
    pub name: String,
    /// SQL text over `VALUE`, without the outer parentheses.
    pub expression: String,
    /// False after NOT VALID: values that were there before may not meet it.
    pub validated: bool,
}

impl TypeDef {
    /// The labels, if it is an enum.
    pub fn labels(&self) -> Option<&Arc<EnumType>> {
        match &self.details {
            TypeDetails::Enum(labels) => Some(labels),
            TypeDetails::Domain(_) | TypeDetails::Composite(_) => None,
        }
    }

    /// What it adds to another type, if it is a domain.
    pub fn domain(&self) -> Option<&Arc<DomainDef>> {
        match &self.details {
            TypeDetails::Domain(domain) => Some(domain),
            TypeDetails::Enum(_) | TypeDetails::Composite(_) => None,
        }
    }

    /// The attributes, if it was made by CREATE TYPE .. AS (..).
    pub fn composite(&self) -> Option<&Arc<CompositeDef>> {
        match &self.details {
            TypeDetails::Composite(composite) => Some(composite),
            TypeDetails::Enum(_) | TypeDetails::Domain(_) => None,
        }
    }

    /// The word of PostgreSQL's messages.
    pub fn kind_name(&self) -> &'static str {
        match &self.details {
            TypeDetails::Enum(_) | TypeDetails::Composite(_) => "type",
            TypeDetails::Domain(_) => "domain",
        }
    }

    /// The same type when the transaction that changed it has committed: all its labels may be used.
    pub(crate) fn committed(&self) -> TypeDef {
        let mut committed = self.clone();
        match &mut committed.details {
            TypeDetails::Enum(labels) => {
                if labels.labels.iter().any(|label| label.is_unsafe) {
                    Arc::make_mut(labels).labels.iter_mut().for_each(|label| label.is_unsafe = false);
                }
            }
            TypeDetails::Domain(_) | TypeDetails::Composite(_) => {}
        }
        committed
    }
}

/// What the array over a type is called.
pub fn array_type_name(name: &str) -> String {
    format!("_{}", clip(name, NAME_BYTES_MAX - 1))
}

/// What stored expressions write in the place of a type's name, so that a renamed type is still found and a drop knows who
/// needs it: a quoted name with the type's number.
pub fn type_reference(type_oid: Oid) -> String {
    format!("{TYPE_REFERENCE}{type_oid}")
}

pub(crate) const TYPE_REFERENCE: &str = "nqdb type ";

/// The type that such a name stands for.
pub fn referenced_type(name: &str) -> Option<Oid> {
    name.strip_prefix(TYPE_REFERENCE)?.parse().ok()
}

/// Between the orders of two labels that are made one after the other: room for 40 more between any two of them.
const ORDER_GAP: u64 = 1 << 40;
/// The most labels of an enum.
pub const LABELS_MAX: usize = 1 << 20;

/// The orders of the labels of a new type.
pub(crate) fn first_orders() -> impl Iterator<Item = (u64, f32)> {
    (1..=LABELS_MAX as u64).map(|at| (at * ORDER_GAP, at as f32))
}

/// Where a new label stands that is to have the position `at` among `labels`: its order, and what PostgreSQL shows for it,
/// for which all labels may be counted anew.
///
/// Errors: 54000 when there is no room left at that place.
pub(crate) fn place_label(labels: &mut [EnumLabel], at: usize) -> SqlResult<(u64, f32)> {
    let below = at.checked_sub(1).and_then(|before| labels.get(before)).map_or(0, |label| label.order);
    let order = match labels.get(at) {
        Some(above) => below + (above.order - below) / 2,
        None => below.checked_add(ORDER_GAP).unwrap_or(below + (u64::MAX - below) / 2),
    };
    if order == below || labels.len() >= LABELS_MAX {
        return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, "no room for another label at this place of the enum")
            .with_detail("At most 40 labels can be added one after the other between the same two."));
    }
    Ok((order, shown_place(labels, at)))
}

/// `enumsortorder` of a new label (PostgreSQL's `AddEnumLabel`): the middle between its neighbours, as long as a float can
/// tell it from them.
fn shown_place(labels: &mut [EnumLabel], at: usize) -> f32 {
    loop {
        let below = at.checked_sub(1).and_then(|before| labels.get(before)).map(|label| label.sort_order);
        let above = labels.get(at).map(|label| label.sort_order);
        match (below, above) {
            (Some(below), Some(above)) => {
                let middle = (below + above) / 2.0;
                if middle != below && middle != above {
                    return middle;
                }
                (1..).zip(labels.iter_mut()).for_each(|(place, label)| label.sort_order = place as f32);
            }
            (Some(below), None) => return below + 1.0,
            (None, Some(above)) => return above - 1.0,
            (None, None) => return 1.0,
        }
    }
}

/// One state of the catalog under a search path, as input, output and messages ask it.
#[derive(Clone, Debug)]
pub struct TypesView {
    snapshot: Arc<Snapshot>,
    search_path: Arc<[Oid]>,
    /// Quotes a name where SQL needs that.
    quote: fn(&str) -> String,
}

impl TypesView {
    pub fn new(snapshot: Arc<Snapshot>, search_path: Arc<[Oid]>, quote: fn(&str) -> String) -> TypesView {
        TypesView { snapshot, search_path, quote }
    }
}

impl TypeCatalog for TypesView {
    fn enum_type(&self, type_oid: Oid) -> Option<Arc<EnumType>> {
        self.snapshot.type_by_oid(type_oid)?.labels().cloned()
    }

    fn composite_shape(&self, type_oid: Oid) -> Option<Arc<RecordShape>> {
        self.snapshot.composite_shape(type_oid)
    }

    fn domain_type(&self, domain: Oid) -> Option<Type> {
        self.snapshot.domain_type(domain)
    }

    fn type_name(&self, type_oid: Oid) -> Option<String> {
        self.snapshot.type_name(&self.search_path, type_oid, self.quote)
    }
}

impl Snapshot {
    /// The type that a name means: of a schema, or along the search path. Built-in types are for the caller.
    pub fn resolve_type(&self, search_path: &[Oid], schema: Option<&str>, name: &str) -> Option<Oid> {
        match schema {
            Some("pg_temp") => self.type_in(self.temporary_schema(search_path)?.oid, name),
            Some(schema) => self.type_in(self.schema(schema)?.oid, name),
            None => search_path.iter().find_map(|schema| self.type_in(*schema, name)),
        }
    }

    /// A domain, or an array over one, as the type that values of it have; `None` for what is no domain, and for an array
    /// over a domain over an array, which does not exist.
    pub fn domain_type(&self, domain: Oid) -> Option<Type> {
        if let Some(element) = element_type(domain).filter(|element| nqdb_types::is_domain(*element)) {
            let element = self.domain_type(element)?;
            let array = nqdb_types::array::array_type(element.oid)?;
            return Some(Type::with_typmod(array, element.typmod).as_domain(domain));
        }
        let base = self.type_by_oid(domain)?.domain()?.base.ty();
        Some(base.as_domain(domain))
    }

    /// A domain and the domains that it is over, itself first.
    pub fn domain_stack(&self, domain: Oid) -> Vec<&Arc<TypeDef>> {
        let mut stack = Vec::new();
        let mut next = domain;
        while let Some(found) = self.type_by_oid(next)
            && let Some(definition) = found.domain()
        {
            stack.push(found);
            next = definition.base.ty().domain;
        }
        stack
    }

    /// The type of that name in one schema, the arrays over types included.
    pub fn type_in(&self, schema: Oid, name: &str) -> Option<Oid> {
        if let Some(found) = self.own_type_in(schema, name) {
            return Some(found);
        }
        let element = name.strip_prefix('_')?;
        // A long name lost its end to the underscore.
        let found = match self.own_type_in(schema, element) {
            Some(found) => Some(found),
            None if name.len() >= NAME_BYTES_MAX - 3 => {
                let made = self.types_of(schema).find(|found| array_type_name(&found.name) == name);
                made.map(|found| found.oid).or_else(|| {
                    let mut relations = self.relations_of(schema);
                    relations.find(|found| array_type_name(found.name()) == name)?.row_type()
                })
            }
            None => None,
        };
        nqdb_types::array::array_type(found?)
    }

    fn own_type_in(&self, schema: Oid, name: &str) -> Option<Oid> {
        let made = self.type_named(schema, name).map(|found| found.oid);
        made.or_else(|| self.relation(schema, name)?.row_type())
    }

    /// The relation whose row a type is.
    pub fn row_relation(&self, type_oid: Oid) -> Option<&Relation> {
        let object = is_composite(type_oid).then(|| user_type_object(type_oid))?;
        self.relation_by_oid(object).filter(|relation| relation.row_columns_max().is_some())
    }

    /// The fields of a composite type: those of a relation's row, or the attributes that it was made with.
    pub fn composite_shape(&self, type_oid: Oid) -> Option<Arc<RecordShape>> {
        if let Some(def) = self.type_by_oid(type_oid) {
            return def.composite().map(|composite| Arc::clone(composite.shape()));
        }
        self.row_relation(type_oid)?.row_shape(type_oid).map(Arc::new)
    }

    /// The composite type with that number in `pg_class`.
    pub fn composite_by_object(&self, object: Oid) -> Option<&Arc<TypeDef>> {
        self.type_by_oid(user_type(UserTypeKind::Composite, object)?)
    }

    /// Whether values of a type hold values of another one.
    pub fn type_holds(&self, type_oid: Oid, wanted: Oid) -> bool {
        if type_oid == wanted {
            return true;
        }
        if let Some(element) = element_type(type_oid) {
            return self.type_holds(element, wanted);
        }
        if let Some(domain) = self.type_by_oid(type_oid).and_then(|found| found.domain()) {
            return self.type_holds(domain.base.ty().declared_oid(), wanted);
        }
        let shape = self.composite_shape(type_oid);
        shape.is_some_and(|shape| shape.fields.iter().any(|field| self.type_holds(field.ty.declared_oid(), wanted)))
    }

    /// A user's type, or an array over one, as `format_type` prints it; `None` for built-in ones and for what does not exist.
    pub fn type_name(&self, search_path: &[Oid], type_oid: Oid, quote: fn(&str) -> String) -> Option<String> {
        if let Some(element) = element_type(type_oid).filter(|_| nqdb_types::is_user_type(type_oid)) {
            return Some(format!("{}[]", self.type_name(search_path, element, quote)?));
        }
        let (schema, name) = match self.type_by_oid(type_oid) {
            Some(found) => (found.schema, found.name.as_str()),
            None => self.row_relation(type_oid).map(|relation| (relation.schema(), relation.name()))?,
        };
        let quoted = quote(name);
        let is_hidden = nqdb_types::type_by_name(name).is_some() && search_path.contains(&PG_CATALOG_OID);
        if !is_hidden && self.resolve_type(search_path, None, name) == Some(type_oid) {
            return Some(quoted);
        }
        Some(format!("{}.{quoted}", quote(&self.schema_by_oid(schema)?.name)))
    }
}

/// The stored form of a type.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredType {
    pub owner: Oid,
    pub details: StoredDetails,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum StoredDetails {
    Enum(Vec<StoredLabel>),
    Domain(DomainDef),
    Composite(Vec<CompositeAttribute>),
}

/// A label of an enum.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredLabel {
    pub oid: Oid,
    label: String,
    order: u64,
    sort_order: f32,
}

impl StoredType {
    pub(crate) fn of(def: &TypeDef) -> StoredType {
        let details = match &def.details {
            TypeDetails::Enum(labels) => StoredDetails::Enum(
                labels
                    .labels
                    .iter()
                    .map(|label| StoredLabel {
                        oid: label.oid,
                        label: label.label.to_string(),
                        order: label.order,
                        sort_order: label.sort_order,
                    })
                    .collect(),
            ),
            TypeDetails::Domain(domain) => StoredDetails::Domain(DomainDef::clone(domain)),
            TypeDetails::Composite(composite) => StoredDetails::Composite(composite.attributes().to_vec()),
        };
        StoredType { owner: def.owner, details }
    }

    pub(crate) fn into_type(self, oid: Oid, schema: Oid, name: String) -> TypeDef {
        let details = match self.details {
            StoredDetails::Enum(labels) => {
                let label = |stored: StoredLabel| EnumLabel {
                    oid: stored.oid,
                    label: stored.label.into(),
                    order: stored.order,
                    sort_order: stored.sort_order,
                    is_unsafe: false,
                };
                TypeDetails::Enum(Arc::new(EnumType { labels: labels.into_iter().map(label).collect() }))
            }
            StoredDetails::Domain(domain) => TypeDetails::Domain(Arc::new(domain)),
            StoredDetails::Composite(attributes) => {
                TypeDetails::Composite(Arc::new(CompositeDef::new(oid, attributes)))
            }
        };
        TypeDef { oid, schema, name, owner: self.owner, details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<EnumLabel> {
        let made = first_orders().take(count).enumerate();
        made.map(|(at, (order, sort_order))| EnumLabel {
            oid: at as Oid + 1,
            label: format!("l{at}").into(),
            order,
            sort_order,
            is_unsafe: false,
        })
        .collect()
    }

    fn add(labels: &mut Vec<EnumLabel>, at: usize) -> SqlResult<()> {
        let (order, sort_order) = place_label(labels, at)?;
        labels.insert(at, EnumLabel { oid: 0, label: "new".into(), order, sort_order, is_unsafe: false });
        Ok(())
    }

    #[test]
    fn a_label_gets_a_place_anywhere_without_moving_another() {
        for start in [0, 1, 3] {
            for at in 0..=start {
                let mut all = labels(start);
                let before = all.clone();
                add(&mut all, at).expect("room");
                assert!(all.windows(2).all(|two| two[0].order < two[1].order && two[0].sort_order < two[1].sort_order));
                assert!(before.iter().all(|label| all.contains(label)));
            }
        }
    }

    #[test]
    fn the_same_place_takes_forty_labels_and_then_refuses() {
        let mut all = labels(2);
        let mut added = 0;
        while all.len() < LABELS_MAX {
            let at = all.len() - 1;
            if add(&mut all, at).is_err() {
                break;
            }
            added += 1;
            assert!(all.windows(2).all(|two| two[0].order < two[1].order && two[0].sort_order < two[1].sort_order));
        }
        assert_eq!(added, 40);
        for _ in 0..1000 {
            let end = all.len();
            add(&mut all, end).expect("room at the end");
        }
    }
}
