//! Types that users define: what their numbers say, and what the rest is asked of.
//!
//! The number of such a type says of what kind it is and whether it is the array over it, so that nothing that only needs
//! to know that (codecs, overload resolution, comparison) has to look anything up:
//!
//! ```text
//! bit 31  30     29       28 27     26 .. 0
//!     0   1   is array    kind      number of the object that it belongs to
//!
//! kind    0 enum | 1 domain | 2 composite: the row of a relation, or a type of CREATE TYPE .. AS (..)
//! ```
//!
//! What always holds:
//!
//! 1. A domain's values are values of its base type: [`Type::oid`] is never a domain's number, [`Type::domain`] is.
//! 2. The value of an enum is the order of its label within its type. Orders are given out with gaps, are never changed
//!    and never used twice, so that a label that is added later fits in between and stored values and keys stay right.
//! 3. Labels and names are looked up through a [`TypeCatalog`], which stands for one state of the catalog.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{Oid, RecordShape, Type};

const USER_TYPE: Oid = 0x4000_0000;
const IS_ARRAY: Oid = 0x2000_0000;
const KIND_SHIFT: u32 = 27;
const KIND_MASK: Oid = 0b11 << KIND_SHIFT;

/// The greatest number of an object that can have a type of its own.
pub const USER_TYPE_NUMBER_MAX: Oid = (1 << KIND_SHIFT) - 1;

/// What sort of type a user made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserTypeKind {
    Enum = 0,
    Domain = 1,
    Composite = 2,
}

/// The type of an object: `None` where the object's number is too great to have one.
pub fn user_type(kind: UserTypeKind, object: Oid) -> Option<Oid> {
    (object <= USER_TYPE_NUMBER_MAX).then_some(USER_TYPE | (kind as Oid) << KIND_SHIFT | object)
}

/// Of what kind a type is; `None` for built-in types and for arrays.
pub fn user_type_kind(type_oid: Oid) -> Option<UserTypeKind> {
    if type_oid & !(KIND_MASK | USER_TYPE_NUMBER_MAX) != USER_TYPE {
        return None;
    }
    match (type_oid & KIND_MASK) >> KIND_SHIFT {
        0 => Some(UserTypeKind::Enum),
        1 => Some(UserTypeKind::Domain),
        2 => Some(UserTypeKind::Composite),
        _ => None,
    }
}

/// The object that a type, or the type under an array, belongs to.
pub fn user_type_object(type_oid: Oid) -> Oid {
    type_oid & USER_TYPE_NUMBER_MAX
}

pub fn is_enum(type_oid: Oid) -> bool {
    user_type_kind(type_oid) == Some(UserTypeKind::Enum)
}

pub fn is_domain(type_oid: Oid) -> bool {
    user_type_kind(type_oid) == Some(UserTypeKind::Domain)
}

pub fn is_composite(type_oid: Oid) -> bool {
    user_type_kind(type_oid) == Some(UserTypeKind::Composite)
}

/// Whether the type is one that a user made, or an array over one.
pub fn is_user_type(type_oid: Oid) -> bool {
    user_type_kind(type_oid & !IS_ARRAY).is_some()
}

/// The type of the elements of an array over a user's type.
pub(crate) fn user_element_type(type_oid: Oid) -> Option<Oid> {
    let element = type_oid & !IS_ARRAY;
    (type_oid & IS_ARRAY != 0 && user_type_kind(element).is_some()).then_some(element)
}

/// The array type over a user's type.
pub(crate) fn user_array_type(element: Oid) -> Option<Oid> {
    user_type_kind(element).map(|_| element | IS_ARRAY)
}

/// A value of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumValue {
    pub type_oid: Oid,
    /// The place of the label: values of one type compare by it.
    pub order: u64,
}

impl EnumValue {
    /// The order of values of one type.
    pub fn compare(self, other: EnumValue) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl Hash for EnumValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.order);
    }
}

/// A label of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumLabel {
    /// `pg_enum.oid`.
    pub oid: Oid,
    pub label: Arc<str>,
    /// What values hold and keys sort by.
    pub order: u64,
    /// `pg_enum.enumsortorder`: what PostgreSQL shows in the place of `order`.
    pub sort_order: f32,
    /// Added by ALTER TYPE in a transaction that has not committed: it may not be used yet.
    pub is_unsafe: bool,
}

/// The labels of an enum, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnumType {
    pub labels: Vec<EnumLabel>,
}

impl EnumType {
    /// The label of that spelling.
    pub fn labelled(&self, label: &str) -> Option<&EnumLabel> {
        self.labels.iter().find(|known| &*known.label == label)
    }

    /// The label that a value stands for.
    pub fn at(&self, order: u64) -> Option<&EnumLabel> {
        let at = self.labels.binary_search_by_key(&order, |label| label.order).ok()?;
        self.labels.get(at)
    }
}

/// What input, output and messages ask of users' types: one state of the catalog, as one session sees it.
pub trait TypeCatalog: Debug + Send + Sync {
    /// The labels of an enum.
    fn enum_type(&self, type_oid: Oid) -> Option<Arc<EnumType>>;

    /// The fields of a composite type: of one that was made as such, or of the rows of a table or view.
    fn composite_shape(&self, type_oid: Oid) -> Option<Arc<RecordShape>>;

    /// A domain, or an array over one, as the type that values of it have; `None` for any other type.
    fn domain_type(&self, domain: Oid) -> Option<Type>;

    /// The name of a type as `format_type` prints it, without brackets for arrays: quoted, and with its schema where the
    /// search path does not lead to it.
    fn type_name(&self, type_oid: Oid) -> Option<String>;
}

/// The catalog in which no user has made a type.
#[derive(Clone, Copy, Debug)]
pub struct NoUserTypes;

impl TypeCatalog for NoUserTypes {
    fn enum_type(&self, _type_oid: Oid) -> Option<Arc<EnumType>> {
        None
    }

    fn composite_shape(&self, _type_oid: Oid) -> Option<Arc<RecordShape>> {
        None
    }

    fn domain_type(&self, _domain: Oid) -> Option<Type> {
        None
    }

    fn type_name(&self, _type_oid: Oid) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{array_type, element_type};
    use crate::{all_types, oid};

    #[test]
    fn a_number_says_kind_and_object() {
        for kind in [UserTypeKind::Enum, UserTypeKind::Domain, UserTypeKind::Composite] {
            for object in [16384, USER_TYPE_NUMBER_MAX] {
                let made = user_type(kind, object).expect("a number that fits");
                assert_eq!((user_type_kind(made), user_type_object(made)), (Some(kind), object));
                let array = array_type(made).expect("an array type");
                assert_eq!((user_type_kind(array), element_type(array)), (None, Some(made)));
                assert!(is_user_type(made) && is_user_type(array) && array <= i32::MAX as u32);
            }
        }
        assert_eq!(user_type(UserTypeKind::Enum, USER_TYPE_NUMBER_MAX + 1), None);
    }

    #[test]
    fn built_in_numbers_are_no_users_types() {
        assert!(all_types().iter().all(|info| !is_user_type(info.oid)));
        assert!([oid::INVALID, 16384, u32::MAX, 0x5800_0000].into_iter().all(|number| !is_user_type(number)));
    }
}
