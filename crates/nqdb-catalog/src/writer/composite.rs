//! CREATE TYPE .. AS (..), and ALTER TYPE's clauses for attributes.
//!
//! Values that are stored keep the attributes that they were made with: adding and dropping attributes changes no row. An
//! attribute whose values would have to change is refused where a table has such values.

use std::sync::Arc;

use nqdb_sqlstate::{
    DUPLICATE_COLUMN, DUPLICATE_TABLE, FEATURE_NOT_SUPPORTED, INVALID_TABLE_DEFINITION, SqlError, TOO_MANY_COLUMNS,
    UNDEFINED_COLUMN, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{Result, TxnError};
use nqdb_types::array::{array_type, element_type};
use nqdb_types::{Oid, UserTypeKind, is_composite};

use super::CatalogWriter;
use super::table::COLUMNS_MAX;
use crate::composite::{CompositeAttribute, CompositeDef};
use crate::definition::{Relation, TableDef};
use crate::snapshot::Snapshot;
use crate::user_type::{TypeDef, TypeDetails};

impl CatalogWriter<'_> {
    /// Makes a composite type.
    ///
    /// Errors: 42710 and 42P07 when the name is taken, 42701 for an attribute that is named twice, 54011 for too many.
    pub fn create_composite(&mut self, schema: Oid, name: &str, attributes: Vec<CompositeAttribute>) -> Result<Oid> {
        self.hold_schema(schema)?;
        self.expect_free_type_name(schema, name)?;
        if self.snapshot().relation(schema, name).is_some() {
            return Err(SqlError::new(DUPLICATE_TABLE, format!("relation \"{name}\" already exists")).into());
        }
        for (at, attribute) in attributes.iter().enumerate() {
            if attributes.iter().take(at).any(|other| other.name == attribute.name) {
                let message = format!("column \"{}\" specified more than once", attribute.name);
                return Err(SqlError::new(DUPLICATE_COLUMN, message).into());
            }
            self.hold_attribute_type(attribute)?;
        }
        check_count(attributes.len())?;
        self.create_type(UserTypeKind::Composite, schema, name, |oid| {
            TypeDetails::Composite(Arc::new(CompositeDef::new(oid, attributes)))
        })
    }

    /// Adds an attribute, which is NULL in the values that exist.
    ///
    /// Errors: 42701 when the name is used, 42P16 for a type that holds the one at hand.
    pub fn add_attribute(&mut self, oid: Oid, attribute: CompositeAttribute) -> Result<()> {
        let (def, mut attributes) = self.lock_composite(oid)?;
        if is_taken(&attributes, &attribute.name) {
            return Err(duplicate_attribute(&attribute.name, &def.name));
        }
        self.hold_attribute_type(&attribute)?;
        self.expect_holds_not(oid, attribute.ty.ty().declared_oid())?;
        attributes.push(attribute);
        check_count(attributes.len())?;
        self.put_composite(&def, attributes)
    }

    /// Takes an attribute away; its number is never used again.
    pub(super) fn remove_attribute(&mut self, oid: Oid, number: i16) -> Result<()> {
        let (def, mut attributes) = self.lock_composite(oid)?;
        let at = usize::try_from(number - 1).ok();
        if let Some(attribute) = at.and_then(|at| attributes.get_mut(at)) {
            attribute.dropped = true;
            attribute.name = format!("........pg.dropped.{number}........");
        }
        self.put_composite(&def, attributes)
    }

    /// Gives an attribute another type. Errors: 42703 when there is none of the name, 0A000 when a column uses the type.
    pub fn set_attribute_type(&mut self, oid: Oid, changed: CompositeAttribute) -> Result<()> {
        let (def, mut attributes) = self.lock_composite(oid)?;
        let Some(attribute) = attributes.iter_mut().find(|known| !known.dropped && known.name == changed.name) else {
            return Err(missing_attribute(&changed.name, &def.name));
        };
        self.hold_attribute_type(&changed)?;
        self.expect_holds_not(oid, changed.ty.ty().declared_oid())?;
        self.expect_no_values(oid, &format!("type \"{}\"", def.name), "it")?;
        *attribute = changed;
        self.put_composite(&def, attributes)
    }

    /// Gives an attribute another name. Errors: 42703 when there is none of the old name, 42701 when the new one is used.
    pub fn rename_attribute(&mut self, oid: Oid, name: &str, new_name: &str) -> Result<()> {
        let (def, mut attributes) = self.lock_composite(oid)?;
        if is_taken(&attributes, new_name) {
            return Err(duplicate_attribute(new_name, &def.name));
        }
        let Some(attribute) = attributes.iter_mut().find(|known| !known.dropped && known.name == name) else {
            return Err(SqlError::new(UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")).into());
        };
        attribute.name = new_name.to_owned();
        self.put_composite(&def, attributes)
    }

    /// 0A000 when a column of a table holds values of a composite type, which is described as `what`, and which the column
    /// uses as `used`: "it" or "its row type".
    pub fn expect_no_values(&mut self, type_oid: Oid, what: &str, used: &str) -> Result<()> {
        let snapshot = self.snapshot();
        for table in snapshot.tables() {
            let found =
                table.live_columns().find(|(_, column)| snapshot.type_holds(column.ty.declared_oid(), type_oid));
            if let Some((_, column)) = found {
                let message =
                    format!("cannot alter {what} because column \"{}.{}\" uses {used}", table.name, column.name);
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
            }
        }
        Ok(())
    }

    /// 0A000 when a column of a table holds rows of another table, which is to give its own rows other values.
    pub(super) fn expect_rows_unused(&mut self, table: &Arc<TableDef>) -> Result<()> {
        match Relation::Table(Arc::clone(table)).row_type() {
            Some(row_type) => self.expect_no_values(row_type, &format!("table \"{}\"", table.name), "its row type"),
            None => Ok(()),
        }
    }

    /// 42P16 when values of a type hold values of the one at hand.
    pub(super) fn expect_holds_not(&mut self, own: Oid, held: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        if !snapshot.type_holds(held, own) {
            return Ok(());
        }
        let name = snapshot.type_name(&self.search_path, own, str::to_owned).unwrap_or_default();
        let message = format!("composite type {name} cannot be made a member of itself");
        Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into())
    }

    fn hold_attribute_type(&mut self, attribute: &CompositeAttribute) -> Result<()> {
        let ty = attribute.ty.ty();
        self.hold_type(ty.declared_oid())?;
        self.hold_type(ty.oid)
    }

    fn lock_composite(&mut self, oid: Oid) -> Result<(Arc<TypeDef>, Vec<CompositeAttribute>)> {
        let def = self.lock_type(oid)?;
        match def.composite() {
            Some(composite) => {
                let attributes = composite.attributes().to_vec();
                Ok((def, attributes))
            }
            None => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a composite type", def.name)).into()),
        }
    }

    fn put_composite(&mut self, def: &TypeDef, attributes: Vec<CompositeAttribute>) -> Result<()> {
        let details = TypeDetails::Composite(Arc::new(CompositeDef::new(def.oid, attributes)));
        self.put_type(TypeDef { details, ..def.clone() })
    }
}

/// The attributes whose type is a given one, of all composite types: type and number.
pub(super) fn attributes_of_type(snapshot: &Snapshot, type_oid: Oid) -> Vec<(Oid, i16)> {
    let mut found = Vec::new();
    for def in snapshot.types() {
        let attributes = def.composite().into_iter().flat_map(|composite| composite.attributes());
        for (number, attribute) in (1..).zip(attributes) {
            if !attribute.dropped && attribute.ty.ty().declared_oid() == type_oid {
                found.push((def.oid, number));
            }
        }
    }
    found
}

/// The row type of a relation with the array over it, if the number is one of a relation with rows.
pub(super) fn row_types(snapshot: &Snapshot, relation: Oid) -> Vec<Oid> {
    let row_type = snapshot.relation_by_oid(relation).and_then(|relation| relation.row_type());
    row_type.into_iter().chain(row_type.and_then(array_type)).collect()
}

/// Whether a type, or the one under an array, is a relation's row.
pub(super) fn is_row_type(snapshot: &Snapshot, type_oid: Oid) -> bool {
    let element = element_type(type_oid).unwrap_or(type_oid);
    is_composite(element) && snapshot.type_by_oid(element).is_none()
}

fn is_taken(attributes: &[CompositeAttribute], name: &str) -> bool {
    attributes.iter().any(|known| !known.dropped && known.name == name)
}

fn check_count(count: usize) -> Result<()> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    Err(SqlError::new(TOO_MANY_COLUMNS, format!("tables can have at most {COLUMNS_MAX} columns")).into())
}

fn duplicate_attribute(name: &str, type_name: &str) -> TxnError {
    let message = format!("column \"{name}\" of relation \"{type_name}\" already exists");
    SqlError::new(DUPLICATE_COLUMN, message).into()
}

fn missing_attribute(name: &str, type_name: &str) -> TxnError {
    let message = format!("column \"{name}\" of relation \"{type_name}\" does not exist");
    SqlError::new(UNDEFINED_COLUMN, message).into()
}
