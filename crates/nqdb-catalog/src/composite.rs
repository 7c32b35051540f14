//! Types that are made of attributes: CREATE TYPE .. AS (..), and what the rows of tables and views are as values.
//!
//! What always holds:
//! 1. An attribute's number is its place among all that the type ever had: it stays when others are dropped, and stored
//!    values name their fields by it.
//! 2. In `pg_class` a type that was made as such has the number of the object that it belongs to
//!    ([`nqdb_types::user_type_object`]); it shares the space of names of relations.

use std::sync::Arc;

use nqdb_types::{Oid, RecordField, RecordShape, Type, UserTypeKind, user_type};
use serde::{Deserialize, Serialize};

use crate::definition::Relation;
use crate::user_type::DeclaredType;

/// The attributes of a composite type.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeDef {
    attributes: Vec<CompositeAttribute>,
    shape: Arc<RecordShape>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompositeAttribute {
    pub name: String,
    pub ty: DeclaredType,
    /// COLLATE "C" was written, which all text has here; `pg_attribute` shows it.
    #[serde(default)]
    pub collate_c: bool,
    #[serde(default)]
    pub dropped: bool,
}

impl CompositeDef {
    /// `type_oid` is the type's own number.
    pub fn new(type_oid: Oid, attributes: Vec<CompositeAttribute>) -> CompositeDef {
        let numbered = (1..).zip(&attributes).filter(|(_, attribute)| !attribute.dropped);
        let fields = numbered.map(|(number, attribute)| RecordField {
            name: attribute.name.as_str().into(),
            ty: attribute.ty.ty(),
            number,
        });
        let shape = Arc::new(RecordShape { type_oid, fields: fields.collect() });
        CompositeDef { attributes, shape }
    }

    /// All attributes in the order of their numbers, dropped ones included.
    pub fn attributes(&self) -> &[CompositeAttribute] {
        &self.attributes
    }

    /// What values of the type look like.
    pub fn shape(&self) -> &Arc<RecordShape> {
        &self.shape
    }

    /// The position of an attribute that is there.
    pub fn attribute_named(&self, name: &str) -> Option<usize> {
        self.attributes.iter().position(|attribute| !attribute.dropped && attribute.name == name)
    }
}

impl Relation {
    /// The type of a row; `None` for what has no rows, and for relations whose number is too great.
    pub fn row_type(&self) -> Option<Oid> {
        self.row_columns_max()?;
        user_type(UserTypeKind::Composite, self.oid())
    }

    /// What a row looks like as a value of a type.
    pub(crate) fn row_shape(&self, type_oid: Oid) -> Option<RecordShape> {
        let field = |name: &str, ty: Type, number: usize| {
            Some(RecordField { name: name.into(), ty, number: u16::try_from(number).ok()? })
        };
        let fields: Option<Vec<RecordField>> = match self {
            Relation::Table(table) => {
                table.live_columns().map(|(position, column)| field(&column.name, column.ty, position + 1)).collect()
            }
            Relation::View(view) => {
                (1..).zip(&view.columns).map(|(number, column)| field(&column.name, column.ty(), number)).collect()
            }
            Relation::Index(..) | Relation::Sequence(_) => None,
        };
        Some(RecordShape { type_oid, fields: fields? })
    }
}
