//! What an object is and is called, of whatever catalog: `pg_describe_object`, `pg_identify_object` and
//! `pg_identify_object_as_address` (manual, 9.26).
//!
//! An identity names its object whatever the search path is; a description is for people, and leaves out the schema where the
//! search path leads to the object.

use nqdb_catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID, Relation, Snapshot};
use nqdb_functions::{ObjectIdentity, all_operators, casts, quote_identifier};
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::array::element_type;
use nqdb_types::{Oid, oid, type_info};

use super::database::TABLESPACES;
use super::object_name::{COLLATIONS, object_name, relation_name, type_name};
use super::operator::FIRST_CAST_OID;
use super::routine::RoutineKind;
use super::{access_method, attribute, constraint, language, rewrite, routine};

/// Numbers of the catalogs.
mod class {
    pub const ACCESS_METHOD: u32 = 2601;
    pub const AUTHID: u32 = 1260;
    pub const CAST: u32 = 2605;
    pub const COLLATION: u32 = 3456;
    pub const CONSTRAINT: u32 = 2606;
    pub const DATABASE: u32 = 1262;
    pub const DEFAULT: u32 = 2604;
    pub const LANGUAGE: u32 = 2612;
    pub const NAMESPACE: u32 = 2615;
    pub const OPERATOR: u32 = 2617;
    pub const OPERATOR_CLASS: u32 = 2616;
    pub const OPERATOR_FAMILY: u32 = 2753;
    pub const PROCEDURE: u32 = 1255;
    pub const RELATION: u32 = 1259;
    pub const RULE: u32 = 2618;
    pub const TABLESPACE: u32 = 1213;
    pub const TYPE: u32 = 1247;
}

/// Catalogs whose objects are of kinds that nqdb has none of, and what such an object would be.
const ABSENT: [(u32, &str); 22] = [
    (826, "default acl"),
    (1417, "server"),
    (1418, "user mapping"),
    (2328, "foreign-data wrapper"),
    (2602, "operator of access method"),
    (2603, "function of access method"),
    (2607, "conversion"),
    (2613, "large object"),
    (2620, "trigger"),
    (3079, "extension"),
    (3256, "policy"),
    (3381, "statistics object"),
    (3576, "transform"),
    (3600, "text search dictionary"),
    (3601, "text search parser"),
    (3602, "text search configuration"),
    (3466, "event trigger"),
    (3764, "text search template"),
    (6100, "subscription"),
    (6104, "publication"),
    (6106, "publication relation"),
    (6237, "publication namespace"),
];

struct Identifying<'a> {
    catalog: &'a Snapshot,
    search_path: &'a [Oid],
}

/// What an object is; `None` where there is none of the number. A column counts from 1, 0 is the object itself.
///
/// Errors: 22023 for a number that is no catalog's, 0A000 for catalogs of what there is not.
pub fn object_identity(
    catalog: &Snapshot,
    search_path: &[Oid],
    class: Oid,
    object: Oid,
    column: i32,
) -> SqlResult<Option<ObjectIdentity>> {
    let cx = Identifying { catalog, search_path };
    Ok(match class {
        class::RELATION => cx.relation(object, column),
        class::TYPE => cx.data_type(object),
        class::PROCEDURE => cx.procedure(object),
        class::NAMESPACE => cx.catalog.schema_by_oid(object).map(|schema| named("schema", &schema.name)),
        class::AUTHID => cx.catalog.role_by_oid(object).map(|role| named("role", &role.name)),
        class::DATABASE => cx.catalog.database_by_oid(object).map(|database| named("database", &database.name)),
        class::LANGUAGE => (object == language::INTERNAL_LANGUAGE).then(|| named("language", "internal")),
        class::ACCESS_METHOD => access_method::name_of(object).map(|name| named("access method", name)),
        class::TABLESPACE => {
            let found = TABLESPACES.iter().find(|(number, _)| *number == object);
            found.map(|(_, name)| named("tablespace", name))
        }
        class::CONSTRAINT => cx.constraint(object),
        class::DEFAULT => cx.default(object),
        class::OPERATOR => cx.operator(object),
        class::CAST => cx.cast(object),
        class::COLLATION => {
            let found = COLLATIONS.iter().find(|(number, _)| *number == object);
            found.map(|(_, name)| in_catalog("collation", name, format!("pg_catalog.{}", quote_identifier(name))))
        }
        class::OPERATOR_CLASS => {
            access_method::class_by_oid(object).map(|class| of_btree("operator class", class.name))
        }
        class::OPERATOR_FAMILY => access_method::family_name(object).map(|name| of_btree("operator family", name)),
        class::RULE => cx.rule(object),
        other if ABSENT.iter().any(|(class, _)| *class == other) => None,
        other => {
            let message = format!("unrecognized object class: {other}");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
        }
    })
}

/// What an object of a catalog is, whether it is there or not.
pub fn object_kind(class: Oid) -> &'static str {
    match class {
        class::RELATION => "relation",
        class::TYPE => "type",
        class::PROCEDURE => "routine",
        class::NAMESPACE => "schema",
        class::AUTHID => "role",
        class::DATABASE => "database",
        class::LANGUAGE => "language",
        class::ACCESS_METHOD => "access method",
        class::TABLESPACE => "tablespace",
        class::CONSTRAINT => "constraint",
        class::DEFAULT => "default value",
        class::OPERATOR => "operator",
        class::CAST => "cast",
        class::COLLATION => "collation",
        class::OPERATOR_CLASS => "operator class",
        class::OPERATOR_FAMILY => "operator family",
        class::RULE => "rule",
        other => ABSENT.iter().find(|(class, _)| *class == other).map_or("", |(_, kind)| kind),
    }
}

/// An object without a schema.
fn named(kind: &'static str, name: &str) -> ObjectIdentity {
    ObjectIdentity {
        kind: kind.to_owned(),
        schema: None,
        name: Some(quote_identifier(name)),
        identity: quote_identifier(name),
        names: vec![name.to_owned()],
        args: Vec::new(),
        description: format!("{kind} {name}"),
    }
}

/// An object of `pg_catalog`.
fn in_catalog(kind: &'static str, name: &str, identity: String) -> ObjectIdentity {
    ObjectIdentity {
        kind: kind.to_owned(),
        schema: Some("pg_catalog".to_owned()),
        name: Some(quote_identifier(name)),
        identity,
        names: vec!["pg_catalog".to_owned(), name.to_owned()],
        args: Vec::new(),
        description: format!("{kind} {}", quote_identifier(name)),
    }
}

/// A class or family of the one access method that has some.
fn of_btree(kind: &'static str, name: &str) -> ObjectIdentity {
    ObjectIdentity {
        names: vec!["btree".to_owned(), "pg_catalog".to_owned(), name.to_owned()],
        description: format!("{kind} {name} for access method btree"),
        ..in_catalog(kind, name, format!("pg_catalog.{name} USING btree"))
    }
}

impl Identifying<'_> {
    fn schema_name(&self, schema: Oid) -> String {
        match schema {
            PG_CATALOG_OID => "pg_catalog".to_owned(),
            INFORMATION_SCHEMA_OID => "information_schema".to_owned(),
            other => self.catalog.schema_by_oid(other).map_or_else(String::new, |schema| schema.name.clone()),
        }
    }

    fn relation(&self, object: Oid, column: i32) -> Option<ObjectIdentity> {
        let (schema, name, kind, columns): (Oid, &str, &str, Vec<(i16, &str)>) =
            if let Some(system) = super::by_oid(object) {
                let columns = (1..).zip(system.columns.iter().map(|column| column.name)).collect();
                (system.schema, system.name, if system.is_view() { "view" } else { "table" }, columns)
            } else if let Some(def) = self.catalog.composite_by_object(object) {
                let attributes = def.composite().map(|composite| composite.attributes()).unwrap_or_default();
                let columns = (1..).zip(attributes.iter().map(|attribute| attribute.name.as_str())).collect();
                (def.schema, def.name.as_str(), "composite type", columns)
            } else {
                let found = self.catalog.relation_by_oid(object)?;
                let columns = match found {
                    Relation::Table(table) => {
                        table.live_columns().map(|(_, column)| (column.attnum, column.name.as_str())).collect()
                    }
                    Relation::View(view) => (1..).zip(view.columns.iter().map(|column| column.name.as_str())).collect(),
                    Relation::Index(..) | Relation::Sequence(_) => Vec::new(),
                };
                (found.schema(), found.name(), found.kind_name(), columns)
            };
        let schema = self.schema_name(schema);
        let visible = relation_name(self.catalog, self.search_path, object);
        let visible = visible.unwrap_or_else(|| format!("{}.{}", quote_identifier(&schema), quote_identifier(name)));
        let mut found = ObjectIdentity {
            kind: kind.to_owned(),
            schema: Some(quote_identifier(&schema)),
            name: Some(quote_identifier(name)),
            identity: format!("{}.{}", quote_identifier(&schema), quote_identifier(name)),
            names: vec![schema, name.to_owned()],
            args: Vec::new(),
            description: format!("{kind} {visible}"),
        };
        if column != 0 {
            let (_, column) = columns.iter().find(|(number, _)| i32::from(*number) == column)?;
            found.description = format!("column {column} of {}", found.description);
            found.kind.push_str(" column");
            found.identity.push_str(&format!(".{}", quote_identifier(column)));
            found.names.push((*column).to_owned());
        }
        Some(found)
    }

    /// A type's name with its schema, but for those that SQL has a name of its own for.
    fn qualified_type(&self, number: Oid) -> Option<String> {
        if let Some(info) = type_info(number) {
            if let Some(element) = element_type(number).filter(|_| !matches!(number, oid::INT2VECTOR | oid::OIDVECTOR))
            {
                return Some(format!("{}[]", self.qualified_type(element)?));
            }
            let is_sql = info.sql_name != info.name && info.sql_name != "\"char\""
                || matches!(number, oid::NUMERIC | oid::INTERVAL | oid::BIT);
            return Some(if is_sql {
                info.sql_name.to_owned()
            } else {
                format!("pg_catalog.{}", quote_identifier(info.name))
            });
        }
        type_name(self.catalog, &[], number)
    }

    fn data_type(&self, number: Oid) -> Option<ObjectIdentity> {
        let identity = self.qualified_type(number)?;
        let (schema, name) = match (type_info(number), self.catalog.type_by_oid(number)) {
            (Some(info), _) => ("pg_catalog".to_owned(), info.name.to_owned()),
            (None, Some(def)) => (self.schema_name(def.schema), def.name.clone()),
            // Arrays of users' types, rows of tables.
            (None, None) => {
                let (schema, name) = identity.rsplit_once('.')?;
                let name = name.trim_matches('"');
                let name = name.strip_suffix("[]").map_or_else(|| name.to_owned(), |element| format!("_{element}"));
                (schema.trim_matches('"').to_owned(), name)
            }
        };
        Some(ObjectIdentity {
            kind: "type".to_owned(),
            schema: Some(quote_identifier(&schema)),
            name: Some(quote_identifier(&name)),
            names: vec![identity.clone()],
            identity,
            args: Vec::new(),
            description: format!("type {}", type_name(self.catalog, self.search_path, number)?),
        })
    }

    fn procedure(&self, number: Oid) -> Option<ObjectIdentity> {
        let found = routine::by_oid(number)?;
        let (schema, name) = found.place();
        let schema = self.schema_name(schema);
        let args = found.args.iter().map(|arg| self.qualified_type(*arg)).collect::<Option<Vec<String>>>()?;
        let kind = if found.kind == RoutineKind::Aggregate { "aggregate" } else { "function" };
        let shown = object_name(self.catalog, self.search_path, oid::REGPROCEDURE, number)?;
        Some(ObjectIdentity {
            kind: kind.to_owned(),
            schema: Some(schema.clone()),
            name: None,
            identity: format!("{schema}.{}({})", quote_identifier(name), args.join(",")),
            names: vec![schema, name.to_owned()],
            args,
            description: format!("function {shown}"),
        })
    }

    fn operator(&self, number: Oid) -> Option<ObjectIdentity> {
        let found = all_operators().find(|operator| operator.oid == number)?;
        let left = match found.left {
            Some(left) => self.qualified_type(left)?,
            None => "NONE".to_owned(),
        };
        let right = self.qualified_type(found.right)?;
        let shown = object_name(self.catalog, self.search_path, oid::REGOPERATOR, number)?;
        let args = if found.left.is_some() { vec![left.clone(), right.clone()] } else { vec![right.clone()] };
        Some(ObjectIdentity {
            kind: "operator".to_owned(),
            schema: Some("pg_catalog".to_owned()),
            name: None,
            identity: format!("pg_catalog.{}({left},{right})", found.name),
            names: vec!["pg_catalog".to_owned(), found.name.to_owned()],
            args,
            description: format!("operator {shown}"),
        })
    }

    fn cast(&self, number: Oid) -> Option<ObjectIdentity> {
        let found = number.checked_sub(FIRST_CAST_OID).and_then(|at| casts().get(at as usize))?;
        let (source, target) = (self.qualified_type(found.source)?, self.qualified_type(found.target)?);
        let shown = |number| type_name(self.catalog, self.search_path, number);
        Some(ObjectIdentity {
            kind: "cast".to_owned(),
            schema: None,
            name: None,
            identity: format!("({source} AS {target})"),
            names: vec![source],
            args: vec![target],
            description: format!("cast from {} to {}", shown(found.source)?, shown(found.target)?),
        })
    }

    fn constraint(&self, number: Oid) -> Option<ObjectIdentity> {
        if let Some((def, check)) = constraint::of_domain(self.catalog, number) {
            let owner = self.data_type(def.oid)?;
            return Some(ObjectIdentity {
                kind: "domain constraint".to_owned(),
                schema: owner.schema,
                name: None,
                identity: format!("{} on {}", quote_identifier(&check.name), owner.identity),
                names: vec![owner.identity],
                args: vec![check.name.clone()],
                description: format!("constraint {}", check.name),
            });
        }
        let (table, _) = constraint::find(self.catalog, number)?;
        let name = table.constraint_name(number)?.to_owned();
        let owner = self.relation(table.oid, 0)?;
        let mut names = owner.names;
        names.push(name.clone());
        Some(ObjectIdentity {
            kind: "table constraint".to_owned(),
            schema: owner.schema,
            name: None,
            identity: format!("{} on {}", quote_identifier(&name), owner.identity),
            names,
            args: Vec::new(),
            description: format!("constraint {name} on {}", owner.description),
        })
    }

    fn default(&self, number: Oid) -> Option<ObjectIdentity> {
        let (table, attnum) = self.catalog.tables().find_map(|table| {
            let own = table.live_columns().filter(|(_, column)| column.default.is_some());
            let mut own = own.map(|(_, column)| column.attnum);
            let attnum = own.find(|attnum| attribute::default_oid(table.oid, *attnum) == number)?;
            Some((table.oid, attnum))
        })?;
        let column = self.relation(table, i32::from(attnum))?;
        Some(ObjectIdentity {
            kind: "default value".to_owned(),
            schema: None,
            name: None,
            identity: format!("for {}", column.identity),
            description: format!("default value for {}", column.description),
            ..column
        })
    }

    fn rule(&self, number: Oid) -> Option<ObjectIdentity> {
        let of_schemas = self.catalog.schemas().flat_map(|schema| self.catalog.relations_of(schema.oid));
        let mut with_rules = of_schemas.filter(|relation| rewrite::query_of(relation).is_some());
        let owner = with_rules.find(|relation| rewrite::rule_oid(relation.oid()) == number)?;
        let owner = self.relation(owner.oid(), 0)?;
        let mut names = owner.names;
        names.push("_RETURN".to_owned());
        Some(ObjectIdentity {
            kind: "rule".to_owned(),
            schema: None,
            name: None,
            identity: format!("\"_RETURN\" on {}", owner.identity),
            names,
            args: Vec::new(),
            description: format!("rule _RETURN on {}", owner.description),
        })
    }
}
