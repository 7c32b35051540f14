//! Definitions under new object numbers: what a copy of a database is made of.
//!
//! 1. Numbers are unique over all databases, so every object of a copy gets a new one, and whatever names an object names the
//!    new one. Built-in objects, roles, and the schemas that each database begins with keep theirs.
//! 2. A type's number holds that of the object which it is or belongs to ([`nqdb_types::user_type_object`]), so one list of
//!    numbers is enough.
//! 3. SQL text names sequences as `'N'::regclass` and types as `"nqdb type N"`; all else in it is names.

use std::collections::HashMap;
use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Array, Datum, EnumValue, Oid, Record, RecordShape, Type, is_user_type, user_type_object};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::definition::{CommentDef, IndexComputation, SchemaDef, SequenceDef, TableStatistics};
use crate::objects::{Kind, ObjectRow};
use crate::rights::{AccessListDef, DefaultAccessDef, SecuredKind};
use crate::settings::ReplicaIdentity;
use crate::stored::{StoredColumn, StoredIndex, StoredTable, from_json, to_json};
use crate::user_type::{DeclaredType, StoredDetails, StoredType, TYPE_REFERENCE};
use crate::view::{StoredQuery, ViewColumn, ViewDef};

/// New numbers by old ones.
#[derive(Debug, Default)]
pub(crate) struct Renumbering {
    numbers: HashMap<Oid, Oid>,
}

/// What a definition needs besides other numbers, in the order in which it is met.
pub(crate) trait NewParts {
    /// A number for a part of the object: a constraint, a label, a counter.
    fn number(&mut self) -> SqlResult<Oid>;
    /// An empty tree.
    fn tree(&mut self) -> SqlResult<u64>;
}

impl Renumbering {
    /// The object number that a row of the catalog stands for.
    pub(crate) fn number_of(row: &ObjectRow) -> Oid {
        if row.kind == Kind::Type { user_type_object(row.oid) } else { row.oid }
    }

    pub(crate) fn add(&mut self, old: Oid, new: Oid) {
        self.numbers.insert(old, new);
    }

    /// The new number of an object.
    pub(crate) fn object(&self, old: Oid) -> Oid {
        self.numbers.get(&old).copied().unwrap_or(old)
    }

    fn type_oid(&self, old: Oid) -> Oid {
        if !is_user_type(old) {
            return old;
        }
        let object = user_type_object(old);
        old - object + self.object(object)
    }

    fn ty(&self, ty: Type) -> Type {
        Type::with_typmod(self.type_oid(ty.oid), ty.typmod).as_domain(self.type_oid(ty.domain))
    }

    /// An object of a system catalog, by the catalog's number.
    fn object_of_class(&self, class: Oid, object: Oid) -> Oid {
        if class == SecuredKind::Type.class() { self.type_oid(object) } else { self.object(object) }
    }

    /// A row of the catalog as it stands in the copy.
    pub(crate) fn row(&mut self, row: &ObjectRow, parts: &mut dyn NewParts) -> SqlResult<ObjectRow> {
        let mut copy = row.clone();
        copy.oid = self.object(row.oid);
        copy.parent = self.object(row.parent);
        copy.definition = match row.kind {
            Kind::Schema => changed(row, |schema: &mut SchemaDef| schema.oid = self.object(schema.oid))?,
            Kind::Table => self.table(row, parts)?,
            Kind::Index => self.index(row, parts)?,
            Kind::Sequence => {
                let counter_id = parts.number()?;
                changed(row, |sequence: &mut SequenceDef| self.sequence(sequence, counter_id))?
            }
            Kind::View => changed(row, |view: &mut ViewDef| self.view(view))?,
            Kind::Type => {
                copy.oid = self.type_oid(row.oid);
                self.user_type(row, parts)?
            }
            Kind::Statistics => {
                copy.name = copy.oid.to_string();
                changed(row, |found: &mut TableStatistics| found.table = self.object(found.table))?
            }
            Kind::Comment => {
                let mut comment: CommentDef = from_json(&row.definition)?;
                comment.oid = copy.oid;
                comment.object = self.object_of_class(comment.class, comment.object);
                copy.parent = comment.object;
                to_json(&comment)
            }
            Kind::Access => {
                let mut list: AccessListDef = from_json(&row.definition)?;
                list.oid = copy.oid;
                list.object = self.object_of_class(list.class, list.object);
                copy.parent = list.object;
                to_json(&list)
            }
            Kind::DefaultAccess => {
                let mut default: DefaultAccessDef = from_json(&row.definition)?;
                default.oid = copy.oid;
                default.schema = self.object(default.schema);
                copy.name = format!("{}.{}", default.schema, default.kind.default_letter());
                to_json(&default)
            }
            Kind::Role | Kind::Database | Kind::Membership | Kind::RoleSettings => {
                return Err(SqlError::internal("a shared object stands among those of a database"));
            }
        };
        Ok(copy)
    }

    fn table(&mut self, row: &ObjectRow, parts: &mut dyn NewParts) -> SqlResult<String> {
        let mut table: StoredTable = from_json(&row.definition)?;
        table.rows_tree = parts.tree()?;
        table.overflow_tree = parts.tree()?;
        for column in &mut table.columns {
            self.column(column)?;
        }
        for check in &mut table.checks {
            let number = parts.number()?;
            // Comments are about constraints by number.
            self.add(check.oid, number);
            check.oid = number;
            check.expression = self.text(&check.expression);
        }
        for key in &mut table.foreign_keys {
            let number = parts.number()?;
            self.add(key.oid, number);
            key.oid = number;
            key.table = self.object(key.table);
            key.referenced = self.object(key.referenced);
            key.index = self.object(key.index);
        }
        if let ReplicaIdentity::Index(index) = &mut table.settings.replica_identity {
            *index = self.object(*index);
        }
        if let Some(filter) = table.published.as_mut().and_then(|published| published.filter.as_mut()) {
            self.computation(filter);
        }
        if let Some(materialized) = &mut table.materialized {
            self.query(&mut materialized.query);
        }
        Ok(to_json(&table))
    }

    fn column(&self, column: &mut StoredColumn) -> SqlResult<()> {
        if let Some(missing) = column.missing_value()? {
            column.set_missing(&self.value(missing)?);
        }
        column.type_oid = self.type_oid(column.type_oid);
        column.domain = self.type_oid(column.domain);
        column.default = column.default.as_deref().map(|text| self.text(text));
        if let Some(identity) = &mut column.identity {
            identity.sequence = self.object(identity.sequence);
        }
        Ok(())
    }

    /// A stored value: those of enums, arrays and records know their types.
    pub(crate) fn value(&self, value: Datum) -> SqlResult<Datum> {
        Ok(match value {
            Datum::Enum(label) => Datum::Enum(EnumValue { type_oid: self.type_oid(label.type_oid), ..label }),
            Datum::Array(array) => {
                let elements = array.elements().iter().map(|element| self.value(element.clone()));
                let elements = elements.collect::<SqlResult<Vec<Datum>>>()?;
                let element_type = self.type_oid(array.element_type());
                Datum::array(Array::new(element_type, array.dimensions().to_vec(), elements)?)
            }
            Datum::Record(record) => {
                let mut shape = RecordShape::clone(record.shape());
                shape.type_oid = self.type_oid(shape.type_oid);
                shape.fields.iter_mut().for_each(|field| field.ty = self.ty(field.ty));
                let values = record.values().iter().map(|value| self.value(value.clone()));
                Datum::Record(Arc::new(Record::new(Arc::new(shape), values.collect::<SqlResult<Vec<Datum>>>()?)?))
            }
            other => other,
        })
    }

    fn computation(&self, computation: &mut IndexComputation) {
        for expression in &mut computation.expressions {
            expression.text = self.text(&expression.text);
            expression.type_oid = self.type_oid(expression.type_oid);
        }
        computation.predicate = computation.predicate.as_deref().map(|text| self.text(text));
        computation.search_path.iter_mut().for_each(|schema| *schema = self.object(*schema));
    }

    fn index(&self, row: &ObjectRow, parts: &mut dyn NewParts) -> SqlResult<String> {
        let mut index: StoredIndex = from_json(&row.definition)?;
        index.table = self.object(index.table);
        index.tree = parts.tree()?;
        if let Some(computation) = &mut index.computation {
            self.computation(computation);
        }
        Ok(to_json(&index))
    }

    fn sequence(&self, sequence: &mut SequenceDef, counter_id: Oid) {
        sequence.oid = self.object(sequence.oid);
        sequence.counter_id = counter_id;
        sequence.schema = self.object(sequence.schema);
        if let Some(owner) = &mut sequence.owned_by {
            owner.table = self.object(owner.table);
        }
    }

    fn view(&self, view: &mut ViewDef) {
        view.oid = self.object(view.oid);
        view.schema = self.object(view.schema);
        view.columns.iter_mut().for_each(|column| self.view_column(column));
        self.query(&mut view.query);
    }

    fn view_column(&self, column: &mut ViewColumn) {
        column.type_oid = self.type_oid(column.type_oid);
        column.domain = self.type_oid(column.domain);
        column.default = column.default.as_deref().map(|text| self.text(text));
    }

    fn query(&self, query: &mut StoredQuery) {
        query.text = self.text(&query.text);
        query.relations.iter_mut().for_each(|relation| relation.oid = self.object(relation.oid));
        query.types.iter_mut().for_each(|named| named.oid = self.type_oid(named.oid));
        query.attributes.iter_mut().for_each(|named| named.type_oid = self.type_oid(named.type_oid));
    }

    fn user_type(&mut self, row: &ObjectRow, parts: &mut dyn NewParts) -> SqlResult<String> {
        let mut stored: StoredType = from_json(&row.definition)?;
        match &mut stored.details {
            StoredDetails::Enum(labels) => {
                for label in labels {
                    label.oid = parts.number()?;
                }
            }
            StoredDetails::Domain(domain) => {
                domain.base = DeclaredType::of(self.ty(domain.base.ty()));
                domain.default = domain.default.as_deref().map(|text| self.text(text));
                for check in &mut domain.checks {
                    let number = parts.number()?;
                    self.add(check.oid, number);
                    check.oid = number;
                    check.expression = self.text(&check.expression);
                }
            }
            StoredDetails::Composite(attributes) => {
                for attribute in attributes {
                    attribute.ty = DeclaredType::of(self.ty(attribute.ty.ty()));
                }
            }
        }
        Ok(to_json(&stored))
    }

    /// SQL text with new numbers in the place of old ones.
    fn text(&self, text: &str) -> String {
        let sequences = replace_numbers(text, "'", "'::regclass", &|number| self.object(number));
        replace_numbers(&sequences, TYPE_REFERENCE, "\"", &|number| self.type_oid(number))
    }
}

/// A row's definition after a change.
fn changed<T: Serialize + DeserializeOwned>(row: &ObjectRow, change: impl FnOnce(&mut T)) -> SqlResult<String> {
    let mut definition = from_json(&row.definition)?;
    change(&mut definition);
    Ok(to_json(&definition))
}

/// Replaces the numbers that stand between two texts.
fn replace_numbers(text: &str, before: &str, behind: &str, number: &dyn Fn(Oid) -> Oid) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        replaced.push_str(head);
        let digits_len = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, tail) = tail.split_at(digits_len);
        match digits.parse() {
            Ok(old) if tail.starts_with(behind) => replaced.push_str(&number(old).to_string()),
            _ => replaced.push_str(digits),
        }
        rest = tail;
    }
    replaced.push_str(rest);
    replaced
}

/// The definition of the sequence in a row.
pub(crate) fn sequence_of(row: &ObjectRow) -> SqlResult<Option<Arc<SequenceDef>>> {
    if row.kind != Kind::Sequence {
        return Ok(None);
    }
    Ok(Some(Arc::new(from_json(&row.definition)?)))
}

#[cfg(test)]
mod tests {
    use nqdb_types::{UserTypeKind, array, user_type};

    use super::*;

    #[test]
    fn numbers_in_text_are_those_of_sequences_and_types() {
        let old_type = user_type(UserTypeKind::Enum, 20000).expect("a number that fits");
        let new_type = user_type(UserTypeKind::Enum, 30000).expect("a number that fits");
        let mut numbers = Renumbering::default();
        numbers.add(20000, 30000);
        numbers.add(20001, 30001);
        let text = format!("nextval('20001'::regclass) + '20001' || 'a'::\"nqdb type {old_type}\" || '20001'::text");
        let expected =
            format!("nextval('30001'::regclass) + '20001' || 'a'::\"nqdb type {new_type}\" || '20001'::text");
        assert_eq!(numbers.text(&text), expected);
        let arrays = [old_type, new_type].map(|element| array::array_type(element).expect("an array of it"));
        assert_eq!(numbers.type_oid(arrays[0]), arrays[1]);
        assert_eq!(numbers.type_oid(23), 23);
        assert_eq!(numbers.text("''"), "''");
    }
}
