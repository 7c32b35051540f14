//! CREATE TYPE, ALTER TYPE and the removal of types.

use std::sync::Arc;

use nqdb_sqlstate::{
    DUPLICATE_OBJECT, INVALID_NAME, INVALID_PARAMETER_VALUE, PROGRAM_LIMIT_EXCEEDED, SqlError, UNDEFINED_OBJECT,
};
use nqdb_txn::{RelationLock, Result, TxnError};
use nqdb_types::{EnumLabel, EnumType, Oid, UserTypeKind, array, is_user_type, user_type, user_type_kind};

use super::{CatalogWriter, taken};
use crate::names::NAME_BYTES_MAX;
use crate::objects::{Kind, ObjectRow, Space};
use crate::request::LabelPlace;
use crate::rights::SecuredKind;
use crate::snapshot::Change;
use crate::stored::to_json;
use crate::user_type::{LABELS_MAX, StoredType, TypeDef, TypeDetails, first_orders, place_label};

impl CatalogWriter<'_> {
    /// Makes an enum. Errors: 42710 when the name is taken, 23505 for a label that is named twice.
    pub fn create_enum(&mut self, schema: Oid, name: &str, labels: &[String]) -> Result<Oid> {
        self.hold_schema(schema)?;
        self.expect_free_type_name(schema, name)?;
        if labels.len() > LABELS_MAX {
            let message = format!("an enum can have at most {LABELS_MAX} labels");
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message).into());
        }
        let mut made = Vec::with_capacity(labels.len());
        let mut seen = std::collections::HashSet::new();
        for (label, (order, sort_order)) in labels.iter().zip(first_orders()) {
            expect_label(label)?;
            if !seen.insert(label.as_str()) {
                return Err(label_twice(label));
            }
            let oid = self.catalog.next_oid(self.txn)?;
            made.push(EnumLabel { oid, label: label.as_str().into(), order, sort_order, is_unsafe: false });
        }
        let details = TypeDetails::Enum(Arc::new(EnumType { labels: made }));
        self.create_type(UserTypeKind::Enum, schema, name, |_| details)
    }

    /// Stores a new type; `details` are made for its number.
    pub(super) fn create_type(
        &mut self,
        kind: UserTypeKind,
        schema: Oid,
        name: &str,
        details: impl FnOnce(Oid) -> TypeDetails,
    ) -> Result<Oid> {
        let object = self.catalog.next_oid(self.txn)?;
        let exhausted = || SqlError::new(PROGRAM_LIMIT_EXCEEDED, "the numbers for types are exhausted");
        let oid = user_type(kind, object).ok_or_else(exhausted)?;
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        let def = TypeDef { oid, schema, name: name.to_owned(), owner: self.role, details: details(oid) };
        let row = type_row(&def);
        self.catalog.objects().insert(self.txn, &row).map_err(|error| taken(error, duplicate_type(name)))?;
        self.push(Change::PutType(Arc::new(def)));
        Ok(oid)
    }

    /// Adds a label; whether it was added: with `if_not_exists` it may be there.
    ///
    /// Errors: 42710 when it is there, 22023 when the neighbour is not, 54000 when there is no room.
    pub fn add_label(&mut self, oid: Oid, label: &str, place: &LabelPlace, if_not_exists: bool) -> Result<bool> {
        expect_label(label)?;
        let def = self.lock_type(oid)?;
        let Some(labels) = def.labels() else { return Err(not_an_enum(&def.name)) };
        if labels.labelled(label).is_some() {
            if if_not_exists {
                return Ok(false);
            }
            return Err(SqlError::new(DUPLICATE_OBJECT, format!("enum label \"{label}\" already exists")).into());
        }
        let mut successor = EnumType::clone(labels);
        let neighbour = |name: &str| {
            let missing =
                || SqlError::new(INVALID_PARAMETER_VALUE, format!("\"{name}\" is not an existing enum label"));
            labels.labels.iter().position(|known| &*known.label == name).ok_or_else(missing)
        };
        let at = match place {
            LabelPlace::Last => labels.labels.len(),
            LabelPlace::Before(name) => neighbour(name)?,
            LabelPlace::After(name) => neighbour(name)? + 1,
        };
        let (order, sort_order) = place_label(&mut successor.labels, at)?;
        let label_oid = self.catalog.next_oid(self.txn)?;
        successor
            .labels
            .insert(at, EnumLabel { oid: label_oid, label: label.into(), order, sort_order, is_unsafe: true });
        self.put_type(TypeDef { details: TypeDetails::Enum(Arc::new(successor)), ..TypeDef::clone(&def) })?;
        Ok(true)
    }

    /// Gives a label another spelling. Errors: 22023 when it is not there, 42710 when the new one is.
    pub fn rename_label(&mut self, oid: Oid, label: &str, new_label: &str) -> Result<()> {
        expect_label(new_label)?;
        let def = self.lock_type(oid)?;
        let Some(labels) = def.labels() else { return Err(not_an_enum(&def.name)) };
        let Some(at) = labels.labels.iter().position(|known| &*known.label == label) else {
            let message = format!("\"{label}\" is not an existing enum label");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).into());
        };
        if labels.labelled(new_label).is_some() {
            return Err(SqlError::new(DUPLICATE_OBJECT, format!("enum label \"{new_label}\" already exists")).into());
        }
        let mut successor = EnumType::clone(labels);
        if let Some(renamed) = successor.labels.get_mut(at) {
            renamed.label = new_label.into();
        }
        self.put_type(TypeDef { details: TypeDetails::Enum(Arc::new(successor)), ..TypeDef::clone(&def) })
    }

    /// Gives a type another name. Errors: 42710 when it is taken.
    pub fn rename_type(&mut self, oid: Oid, name: &str) -> Result<()> {
        let def = self.lock_type(oid)?;
        self.expect_free_type_name(def.schema, name)?;
        self.put_type(TypeDef { name: name.to_owned(), ..TypeDef::clone(&def) })
    }

    pub fn set_type_owner(&mut self, oid: Oid, owner: Oid) -> Result<()> {
        let def = self.lock_type(oid)?;
        self.change_list_owner(SecuredKind::Type.class(), oid, def.owner, owner)?;
        self.put_type(TypeDef { owner, ..TypeDef::clone(&def) })
    }

    /// Moves a type to another schema. Errors: 42710 when its name is taken there.
    pub fn set_type_schema(&mut self, oid: Oid, schema: Oid) -> Result<()> {
        let def = self.lock_type(oid)?;
        if def.schema == schema {
            return Ok(());
        }
        self.hold_schema(schema)?;
        let snapshot = self.snapshot();
        if snapshot.type_in(schema, &def.name).is_some() {
            let schema = snapshot.schema_by_oid(schema).map_or("", |schema| schema.name.as_str());
            let message = format!("type \"{}\" already exists in schema \"{schema}\"", def.name);
            return Err(SqlError::new(DUPLICATE_OBJECT, message).into());
        }
        self.put_type(TypeDef { schema, ..TypeDef::clone(&def) })
    }

    /// Removes a type's row; what depends on it was seen by the caller.
    pub(super) fn remove_type(&mut self, oid: Oid) -> Result<()> {
        if self.snapshot().type_by_oid(oid).is_none() {
            return Ok(());
        }
        self.lock_type(oid)?;
        self.forget_object(oid)?;
        self.catalog.objects().remove(self.txn, Space::Type, oid)?;
        self.push(Change::DropType(oid));
        Ok(())
    }

    /// Locks a type and gives its definition as it is under the lock.
    pub fn lock_type(&mut self, oid: Oid) -> Result<Arc<TypeDef>> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        self.snapshot().type_by_oid(oid).cloned().ok_or_else(|| missing_type(oid))
    }

    /// Keeps the type of a column, or the one under an array, in place while the column is made.
    pub(super) fn hold_type(&mut self, type_oid: Oid) -> Result<()> {
        if !is_user_type(type_oid) {
            return Ok(());
        }
        let oid = array::element_type(type_oid).unwrap_or(type_oid);
        self.txn.lock_relation(oid, RelationLock::AccessShare)?;
        match user_type_kind(oid) {
            Some(UserTypeKind::Enum | UserTypeKind::Domain) if self.snapshot().type_by_oid(oid).is_none() => {
                Err(missing_type(oid))
            }
            Some(UserTypeKind::Composite) if self.snapshot().composite_shape(oid).is_none() => Err(missing_type(oid)),
            _ => Ok(()),
        }
    }

    pub(super) fn put_type(&mut self, def: TypeDef) -> Result<()> {
        let row = type_row(&def);
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, duplicate_type(&row.name)))?;
        self.push(Change::PutType(Arc::new(def)));
        Ok(())
    }

    /// 42710 unless no type, and no row of a relation, has the name in the schema.
    pub(super) fn expect_free_type_name(&mut self, schema: Oid, name: &str) -> Result<()> {
        let snapshot = self.snapshot();
        let has_row = snapshot.relation(schema, name).is_some_and(|relation| relation.row_columns_max().is_some());
        if has_row || snapshot.type_in(schema, name).is_some() { Err(duplicate_type(name)) } else { Ok(()) }
    }
}

fn type_row(def: &TypeDef) -> ObjectRow {
    ObjectRow {
        space: Space::Type,
        oid: def.oid,
        parent: def.schema,
        name: def.name.clone(),
        kind: Kind::Type,
        definition: to_json(&StoredType::of(def)),
    }
}

fn duplicate_type(name: &str) -> TxnError {
    SqlError::new(DUPLICATE_OBJECT, format!("type \"{name}\" already exists")).into()
}

fn missing_type(oid: Oid) -> TxnError {
    SqlError::new(UNDEFINED_OBJECT, format!("type with OID {oid} does not exist")).into()
}

fn not_an_enum(name: &str) -> TxnError {
    SqlError::new(nqdb_sqlstate::WRONG_OBJECT_TYPE, format!("{name} is not an enum")).into()
}

fn label_twice(label: &str) -> TxnError {
    let message = "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"";
    SqlError::new(nqdb_sqlstate::UNIQUE_VIOLATION, message)
        .with_detail(format!("Label \"{label}\" is named twice."))
        .into()
}

/// 42602 for a label that is too long or empty.
fn expect_label(label: &str) -> Result<()> {
    if label.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(SqlError::new(INVALID_NAME, format!("invalid enum label \"{label}\""))
        .with_detail(format!("Labels must be {NAME_BYTES_MAX} bytes or less."))
        .into())
}
