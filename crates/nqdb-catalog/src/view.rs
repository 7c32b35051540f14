//! Views, and the queries that views and materialized views store.
//!
//! A stored query is SQL text with a list of what each relation name in it meant when it was stored: the relation's
//! number, and its columns by number under the names that they had then. Whoever binds the text looks names up in
//! that list and nowhere else. So a renamed table or column, or another search path, does not change what a view
//! means, and a column that was added later does not show up in its `*`.

use nqdb_types::{Oid, Type, user_type_object};
use serde::{Deserialize, Serialize};

use crate::stored::is_zero;

/// A view: a name for a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewDef {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    /// What the view gives, in order; attribute number = position + 1.
    pub columns: Vec<ViewColumn>,
    pub query: StoredQuery,
    /// `security_barrier`, `security_invoker` and `check_option`, in the order in which they were set.
    #[serde(default)]
    pub options: Vec<(String, String)>,
}

impl ViewDef {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether what the view reads is read with the rights of who names the view, not of its owner.
    pub fn security_invoker(&self) -> bool {
        self.option("security_invoker").is_some_and(is_on)
    }

    /// Whether no condition of a query may see rows that the view does not show.
    pub fn security_barrier(&self) -> bool {
        self.option("security_barrier").is_some_and(is_on)
    }

    pub fn check_option(&self) -> Option<CheckOption> {
        match self.option("check_option")? {
            "local" => Some(CheckOption::Local),
            _ => Some(CheckOption::Cascaded),
        }
    }
}

/// Whether a Boolean option, kept as it was written, says yes.
fn is_on(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text == "on" || text == "1" || !text.is_empty() && ("true".starts_with(&text) || "yes".starts_with(&text))
}

/// A column of a view: its own name and the type of the query's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub domain: Oid,
    /// SQL text of the value that an INSERT through the view gives the column; none for that of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

impl ViewColumn {
    /// A column of a name and a type.
    pub fn new(name: String, ty: Type) -> ViewColumn {
        ViewColumn { name, type_oid: ty.oid, typmod: ty.typmod, domain: ty.domain, default: None }
    }

    pub fn ty(&self) -> Type {
        Type::with_typmod(self.type_oid, self.typmod).as_domain(self.domain)
    }
}

/// WITH CHECK OPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckOption {
    Local,
    Cascaded,
}

/// SQL text that keeps its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredQuery {
    pub text: String,
    pub relations: Vec<NamedRelation>,
    /// What the names of users' types in the text stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<NamedType>,
    /// The attributes of composite types that the text selects, `*` included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<NamedAttribute>,
}

/// An attribute of a composite type in a stored query: a field that it selects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAttribute {
    pub type_oid: Oid,
    pub number: u16,
    /// Its name when the query was stored.
    pub name: String,
}

/// The name of a type in a stored query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedType {
    /// As it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub name: String,
    pub oid: Oid,
}

impl StoredQuery {
    /// What a relation name in the text stands for.
    pub fn relation(&self, schema: Option<&str>, name: &str) -> Option<&NamedRelation> {
        self.relations.iter().find(|relation| relation.schema.as_deref() == schema && relation.name == name)
    }

    /// What the name of a user's type in the text stands for.
    pub fn type_named(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        self.types.iter().find(|named| named.schema.as_deref() == schema && named.name == name).map(|named| named.oid)
    }

    /// Whether the text names a type.
    pub fn names_type(&self, type_oid: Oid) -> bool {
        self.types.iter().any(|named| named.oid == type_oid)
    }

    /// Whether the text selects an attribute of the composite type that belongs to an object.
    pub fn reads_attribute(&self, object: Oid, number: i16) -> bool {
        let is_it = |named: &NamedAttribute| {
            user_type_object(named.type_oid) == object && i32::from(named.number) == i32::from(number)
        };
        self.attributes.iter().any(is_it)
    }

    /// Whether the text reads a relation.
    pub fn reads(&self, relation: Oid) -> bool {
        self.relations.iter().any(|named| named.oid == relation)
    }

    /// Whether the text needs a column of a relation.
    pub fn reads_column(&self, relation: Oid, attnum: i16) -> bool {
        let needs = |named: &NamedRelation| named.columns.iter().any(|column| column.attnum == attnum && column.used);
        self.relations.iter().any(|named| named.oid == relation && needs(named))
    }
}

/// A relation name of a stored query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRelation {
    /// As it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub name: String,
    pub oid: Oid,
    pub columns: Vec<NamedColumn>,
}

/// A column that a stored query may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedColumn {
    pub attnum: i16,
    /// Its name when the query was stored.
    pub name: String,
    /// The query needs it: it cannot be dropped without the query.
    #[serde(default)]
    pub used: bool,
}

/// What makes a table a materialized view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Materialized {
    pub query: StoredQuery,
    /// False until it is filled: it cannot be read then.
    pub populated: bool,
}
