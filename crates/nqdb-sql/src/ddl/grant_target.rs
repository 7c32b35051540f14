//! The objects that GRANT and REVOKE name.

use nqdb_catalog::rights::{Secured, SecuredKind};
use nqdb_catalog::{Relation, Snapshot};
use nqdb_sqlstate::{
    INVALID_GRANT_OPERATION, INVALID_SCHEMA_NAME, SqlError, SqlResult, UNDEFINED_FUNCTION, UNDEFINED_OBJECT,
    WRONG_OBJECT_TYPE,
};
use nqdb_types::{Oid, oid};

use super::{DdlContext, QualifiedName};
use crate::rights_command::{GrantTargets, RoutineKind, RoutineName};
use crate::system;

/// One object that a command is about.
pub(super) struct Target {
    pub(super) secured: Secured,
}

impl DdlContext<'_, '_> {
    pub(super) fn grant_targets(&mut self, targets: &GrantTargets) -> SqlResult<Vec<Target>> {
        match targets {
            GrantTargets::Named { kind: SecuredKind::Type, names } => {
                names.iter().map(|name| self.type_target(name)).collect()
            }
            GrantTargets::Domains(names) => {
                let Some(first) = names.first() else { return Ok(Vec::new()) };
                self.type_target(first)?;
                Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a domain", first.name)))
            }
            GrantTargets::Named { kind, names } => names.iter().map(|name| self.relation_target(*kind, name)).collect(),
            GrantTargets::Simple { kind, names } => names.iter().map(|name| self.simple_target(*kind, name)).collect(),
            GrantTargets::Routines { kind, names } => {
                names.iter().map(|name| self.routine_target(*kind, name)).collect()
            }
            GrantTargets::AllInSchemas { kind, schemas } => self.targets_in_schemas(*kind, schemas),
            GrantTargets::Future(_) => Err(SqlError::internal("default privileges are about no object")),
        }
    }

    fn target(&mut self, kind: SecuredKind, number: Oid) -> SqlResult<Target> {
        let found = system::secured(&self.draft.snapshot(), kind, number);
        let secured = found.ok_or_else(|| SqlError::internal(format!("no object {number} to grant on")))?;
        Ok(Target { secured })
    }

    fn relation_target(&mut self, kind: SecuredKind, name: &QualifiedName) -> SqlResult<Target> {
        let Some(relation) = self.find_relation(name) else {
            let schema = match &name.schema {
                Some(schema) => self.schema_named(schema)?,
                None => nqdb_catalog::PG_CATALOG_OID,
            };
            return match system::number_of(schema, &name.name) {
                Some(system) => self.target(SecuredKind::Table, system),
                None => Err(self.missing_relation(name)),
            };
        };
        let wrong = |what: &str| SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" {what}", name.name));
        match (&relation, kind) {
            (Relation::Index(..), _) => Err(wrong("is an index")),
            (Relation::Table(_) | Relation::View(_), SecuredKind::Sequence) => Err(wrong("is not a sequence")),
            _ => self.target(SecuredKind::Table, relation.oid()),
        }
    }

    fn type_target(&mut self, name: &QualifiedName) -> SqlResult<Target> {
        let text = spelled(name);
        let number = system::object_number(&self.draft.snapshot(), self.search_path, oid::REGTYPE, &text)?;
        let is_array = nqdb_types::type_info(number).is_some_and(|info| info.category == 'A');
        if is_array {
            return Err(SqlError::new(INVALID_GRANT_OPERATION, "cannot set privileges of array types")
                .with_hint("Set the privileges of the element type instead."));
        }
        self.target(SecuredKind::Type, number)
    }

    fn simple_target(&mut self, kind: SecuredKind, name: &str) -> SqlResult<Target> {
        match kind {
            SecuredKind::Schema => {
                let schema = self.schema_named(name)?;
                self.target(kind, schema)
            }
            SecuredKind::Database => {
                let snapshot = self.draft.snapshot();
                self.target(kind, super::database::database_named(name, &snapshot)?.oid)
            }
            SecuredKind::Language if name == "internal" => {
                let message = format!("language \"{name}\" is not trusted");
                let detail = "GRANT and REVOKE are not allowed on untrusted languages, because only superusers can use \
                              untrusted languages.";
                Err(SqlError::new(WRONG_OBJECT_TYPE, message).with_detail(detail))
            }
            SecuredKind::Tablespace => match system::tablespace_named(name) {
                Some(number) => self.target(kind, number),
                None => Err(SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"))),
            },
            _ => Err(SqlError::new(UNDEFINED_OBJECT, format!("language \"{name}\" does not exist"))),
        }
    }

    fn schema_named(&mut self, name: &str) -> SqlResult<Oid> {
        let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"));
        self.draft.snapshot().schema(name).map(|schema| schema.oid).ok_or_else(missing)
    }

    fn routine_target(&mut self, kind: RoutineKind, routine: &RoutineName) -> SqlResult<Target> {
        let name = spelled(&routine.name);
        if kind == RoutineKind::Procedure {
            let message = match &routine.arguments {
                Some(arguments) => format!("procedure {name}({arguments}) does not exist"),
                None => format!("could not find a procedure named \"{name}\""),
            };
            return Err(SqlError::new(UNDEFINED_FUNCTION, message));
        }
        let snapshot = self.draft.snapshot();
        let number = match &routine.arguments {
            Some(arguments) => {
                let text = format!("{name}({arguments})");
                system::object_number(&snapshot, self.search_path, oid::REGPROCEDURE, &text)
            }
            None => system::object_number(&snapshot, self.search_path, oid::REGPROC, &name),
        };
        self.target(SecuredKind::Function, number?)
    }

    /// ALL ... IN SCHEMA: tables are views and materialized views too.
    fn targets_in_schemas(&mut self, kind: SecuredKind, schemas: &[String]) -> SqlResult<Vec<Target>> {
        let mut numbers = Vec::new();
        for schema in schemas {
            let schema = self.schema_named(schema)?;
            numbers.extend(relations_of_kind(&self.draft.snapshot(), schema, kind));
        }
        numbers.into_iter().map(|number| self.target(SecuredKind::Table, number)).collect()
    }
}

fn relations_of_kind(snapshot: &Snapshot, schema: Oid, kind: SecuredKind) -> Vec<Oid> {
    let fits = |relation: &&Relation| match relation {
        Relation::Table(_) | Relation::View(_) => kind == SecuredKind::Table,
        Relation::Sequence(_) => kind == SecuredKind::Sequence,
        Relation::Index(..) => false,
    };
    let mut found: Vec<Oid> = snapshot.relations_of(schema).filter(fits).map(Relation::oid).collect();
    found.sort_unstable();
    found
}

/// A name as the input functions of reg types read it.
fn spelled(name: &QualifiedName) -> String {
    let quoted = nqdb_functions::quote_identifier;
    match &name.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(&name.name)),
        None => quoted(&name.name),
    }
}
