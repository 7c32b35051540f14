//! What SQL functions learn of the catalog through their session: `nqdb_sql::system` over the statement's snapshot.

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_catalog::rights::{PG_READ_ALL_STATS, Rights, SecuredKind};
use nqdb_functions::{
    CatalogFunctions, IndexOrder, ObjectIdentity, ObjectKind, PrivilegeRequest, RoutineText, StorageKind,
};
use nqdb_sql::bind::BindContext;
use nqdb_sql::system;
use nqdb_sqlstate::SqlResult;

use crate::surroundings::{Surroundings, permission_denied};

impl Surroundings {
    /// Lends what binds stored expressions.
    fn with_bind_context<T>(&self, call: impl FnOnce(&BindContext<'_>) -> T) -> T {
        let catalog = self.catalog.borrow().clone();
        let search_path = self.search_path.borrow().clone();
        let mut format = self.settings.borrow().effective().format.clone();
        format.types = self.types();
        let role = self.current_role();
        call(&BindContext { catalog: &catalog, role, search_path: &search_path, format: &format, session: self })
    }
}

impl CatalogFunctions for Surroundings {
    fn object_name(&self, reg_type: u32, object: u32) -> Option<String> {
        system::object_name(&self.catalog.borrow(), &self.search_path.borrow(), reg_type, object)
    }

    fn object_number(&self, reg_type: u32, name: &str) -> SqlResult<u32> {
        let catalog = self.catalog.borrow();
        system::expect_schema_usage(&catalog, self.current_role(), reg_type, name)?;
        system::object_number(&catalog, &self.search_path.borrow(), reg_type, name)
    }

    fn object_identity(&self, class: u32, object: u32, column: i32) -> SqlResult<Option<ObjectIdentity>> {
        system::object_identity(&self.catalog.borrow(), &self.search_path.borrow(), class, object, column)
    }

    fn object_kind(&self, class: u32) -> &'static str {
        system::object_kind(class)
    }

    fn is_visible(&self, kind: ObjectKind, object: u32) -> Option<bool> {
        system::is_visible(&self.catalog.borrow(), &self.search_path.borrow(), kind, object)
    }

    fn expression_text(&self, stored: &str, relation: u32, pretty: bool) -> String {
        self.with_bind_context(|cx| system::stored_expression(stored, relation, pretty, cx))
    }

    fn index_definition(&self, index: u32, column: i32, pretty: bool) -> Option<String> {
        self.with_bind_context(|cx| system::index_definition(index, column, pretty, cx))
    }

    fn index_columns(&self, index: u32) -> Option<Vec<Option<IndexOrder>>> {
        system::index_columns(&self.catalog.borrow(), index)
    }

    fn constraint_definition(&self, constraint: u32, pretty: bool) -> Option<String> {
        self.with_bind_context(|cx| system::constraint_definition(constraint, pretty, cx))
    }

    fn storage_number(&self, kind: StorageKind, name: &str) -> Option<u32> {
        system::storage_number(&self.catalog.borrow(), kind, name)
    }

    fn storage_size(&self, kind: StorageKind, object: u32) -> SqlResult<Option<i64>> {
        let here = self.catalog.borrow().clone();
        if let Some(found) = here.database_by_oid(object).filter(|_| kind == StorageKind::Database) {
            let secured = system::secured(&here, SecuredKind::Database, object);
            let may_connect = secured.is_some_and(|secured| here.may(self.current_role(), &secured, Rights::CONNECT));
            if !may_connect && !self.has_privileges_of(PG_READ_ALL_STATS) {
                return Err(permission_denied("database", &found.name));
            }
        }
        let state = |database: u32| -> Option<Arc<Snapshot>> {
            if database == here.database() {
                return Some(here.clone());
            }
            Some(self.instance.cluster.catalog(database)?.committed())
        };
        Ok(system::storage_size(&here, kind, object, &state))
    }

    fn view_definition(&self, view: u32, pretty: bool) -> Option<String> {
        self.with_bind_context(|cx| system::view_definition(view, pretty, cx))
    }

    fn comment(&self, class: Option<&str>, object: u32, column: i16) -> Option<String> {
        system::comment(&self.catalog.borrow(), class, object, column)
    }

    fn relation_changes(&self, relation: u32, column: Option<i16>) -> SqlResult<i32> {
        self.with_bind_context(|cx| system::relation_changes(relation, column, cx))
    }

    fn routine_text(&self, routine: u32, part: RoutineText) -> Option<String> {
        system::routine_text(routine, part)
    }

    fn serial_sequence(&self, table: &str, column: &str) -> SqlResult<Option<String>> {
        system::serial_sequence(&self.catalog.borrow(), &self.search_path.borrow(), table, column)
    }

    fn type_name(&self, type_oid: u32) -> Option<String> {
        system::type_name(&self.catalog.borrow(), &self.search_path.borrow(), type_oid)
    }

    fn has_privilege(&self, request: &PrivilegeRequest<'_>) -> SqlResult<Option<bool>> {
        system::has_privilege(&self.catalog.borrow(), &self.search_path.borrow(), self.current_role(), request)
    }

    fn search_path_schemas(&self, with_implicit: bool) -> Vec<String> {
        let catalog = self.catalog.borrow();
        let settings = self.settings.borrow();
        let named = &settings.effective().search_path;
        let user = self.name_of_role(self.current_role());
        let is_named = |name: &str| named.iter().any(|listed| listed == name || listed == "$user" && name == user);
        let path = self.search_path.borrow();
        let schemas = path.iter().filter_map(|oid| catalog.schema_by_oid(*oid)).map(|schema| schema.name.clone());
        schemas.filter(|name| with_implicit || is_named(name)).collect()
    }

    fn sequence_state(&self, sequence: u32) -> SqlResult<Option<(i64, bool)>> {
        if self.catalog.borrow().sequence_by_oid(sequence).is_none() {
            return Ok(None);
        }
        let counter = self.sequence(sequence, Rights::SELECT.with(Rights::USAGE))?.counter();
        let state = counter.state(&self.instance.system).map_err(nqdb_sqlstate::SqlError::from)?;
        Ok(Some((state.last_value, state.is_called)))
    }
}
