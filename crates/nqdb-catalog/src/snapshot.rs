//! One state of the catalog, ready for lookups by name and by number.
//!
//! 1. A snapshot never changes; [`Snapshot::with`] makes a successor that shares the definitions.
//! 2. Tables, indexes and sequences of a schema share one space of names.
//! 3. `by_name` and `relations` hold the same relations; an index stands under its table's number too.
//! 4. The foreign keys of all tables stand in `references` by the table that they refer to, and in that table itself.
//! 5. It is the state of one database, and of what all databases share.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use nqdb_sqlstate::{INVALID_SCHEMA_NAME, SqlError, SqlResult};
use nqdb_types::Oid;

use crate::definition::{CommentDef, Relation, RoleDef, SchemaDef, SequenceDef, TableDef, TableStatistics};
use crate::foreign_key::ForeignKeyDef;
use crate::rights::{Granted, RightsChange};
use crate::shared::{Comments, DatabaseDef, Shared, is_shared_class};
use crate::user_type::TypeDef;
use crate::view::ViewDef;

type Map<K, V> = HashMap<K, V, RandomState>;

/// The catalog as one statement sees it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with every committed change; plans compare it.
    pub version: u64,
    /// Whose state it is; 0 for that of no database.
    database: Oid,
    shared: Arc<Shared>,
    schemas: Map<Oid, Arc<SchemaDef>>,
    schema_names: Map<String, Oid>,
    relations: Map<Oid, Relation>,
    relation_names: Map<Oid, Map<String, Oid>>,
    types: Map<Oid, Arc<TypeDef>>,
    type_names: Map<Oid, Map<String, Oid>>,
    comments: Comments,
    references: Map<Oid, Vec<Arc<ForeignKeyDef>>>,
    /// The lists of the database's own objects, and what is granted on objects to come.
    granted: Arc<Granted>,
}

/// One change of the catalog by a transaction.
#[derive(Clone, Debug)]
pub enum Change {
    PutSchema(Arc<SchemaDef>),
    DropSchema(Oid),
    PutTable(Arc<TableDef>),
    DropTable(Oid),
    PutSequence(Arc<SequenceDef>),
    DropSequence(Oid),
    PutComment(Arc<CommentDef>),
    DropComment(Oid),
    PutView(Arc<ViewDef>),
    DropView(Oid),
    PutType(Arc<TypeDef>),
    DropType(Oid),
    PutRole(Arc<RoleDef>),
    DropRole(Oid),
    PutDatabase(Arc<DatabaseDef>),
    DropDatabase(Oid),
    PutStatistics(Arc<TableStatistics>),
    Rights(RightsChange),
}

impl Change {
    /// The change as everybody sees it once its transaction has committed.
    pub(crate) fn committed(&self) -> Change {
        match self {
            Change::PutType(def) => Change::PutType(Arc::new(def.committed())),
            other => other.clone(),
        }
    }
}

impl Snapshot {
    pub fn schema(&self, name: &str) -> Option<&Arc<SchemaDef>> {
        self.schemas.get(self.schema_names.get(name)?)
    }

    pub fn schema_by_oid(&self, oid: Oid) -> Option<&Arc<SchemaDef>> {
        self.schemas.get(&oid)
    }

    pub fn schemas(&self) -> impl Iterator<Item = &Arc<SchemaDef>> {
        self.schemas.values()
    }

    /// The relation of that name in one schema.
    pub fn relation(&self, schema: Oid, name: &str) -> Option<&Relation> {
        self.relations.get(self.relation_names.get(&schema)?.get(name)?)
    }

    pub fn relation_by_oid(&self, oid: Oid) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// Looks a name up as a query does: in `schema` when one is named, else along the search path.
    ///
    /// Errors: 3F000 when the named schema does not exist.
    pub fn resolve(&self, search_path: &[Oid], schema: Option<&str>, name: &str) -> SqlResult<Option<&Relation>> {
        match schema {
            Some("pg_temp") => {
                let own = self.temporary_schema(search_path);
                Ok(own.and_then(|schema| self.relation(schema.oid, name)))
            }
            Some(schema) => match self.schema(schema) {
                Some(found) => Ok(self.relation(found.oid, name)),
                None => Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"))),
            },
            None => Ok(search_path.iter().find_map(|schema| self.relation(*schema, name))),
        }
    }

    /// The schema that `pg_temp` means: the one of the session whose search path this is, once it has one.
    pub fn temporary_schema(&self, search_path: &[Oid]) -> Option<&Arc<SchemaDef>> {
        search_path.iter().filter_map(|oid| self.schema_by_oid(*oid)).find(|schema| schema.is_temporary())
    }

    pub fn table_by_oid(&self, oid: Oid) -> Option<&Arc<TableDef>> {
        match self.relations.get(&oid)? {
            Relation::Table(table) => Some(table),
            Relation::Index(..) | Relation::Sequence(_) | Relation::View(_) => None,
        }
    }

    pub fn sequence_by_oid(&self, oid: Oid) -> Option<&Arc<SequenceDef>> {
        match self.relations.get(&oid)? {
            Relation::Sequence(sequence) => Some(sequence),
            Relation::Table(_) | Relation::Index(..) | Relation::View(_) => None,
        }
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.relations.values().filter_map(|relation| match relation {
            Relation::Table(table) => Some(table),
            Relation::Index(..) | Relation::Sequence(_) | Relation::View(_) => None,
        })
    }

    pub fn sequences(&self) -> impl Iterator<Item = &Arc<SequenceDef>> {
        self.relations.values().filter_map(|relation| match relation {
            Relation::Sequence(sequence) => Some(sequence),
            Relation::Table(_) | Relation::Index(..) | Relation::View(_) => None,
        })
    }

    pub fn view_by_oid(&self, oid: Oid) -> Option<&Arc<ViewDef>> {
        match self.relations.get(&oid)? {
            Relation::View(view) => Some(view),
            _ => None,
        }
    }

    pub fn views(&self) -> impl Iterator<Item = &Arc<ViewDef>> {
        self.relations.values().filter_map(|relation| match relation {
            Relation::View(view) => Some(view),
            _ => None,
        })
    }

    /// The relations of one schema.
    pub fn relations_of(&self, schema: Oid) -> impl Iterator<Item = &Relation> {
        let names = self.relation_names.get(&schema);
        names.into_iter().flat_map(|names| names.values()).filter_map(|oid| self.relations.get(oid))
    }

    /// What COMMENT ON said: `class` is the number of the system catalog that the object is in.
    pub fn comment(&self, class: Oid, object: Oid, column: i16) -> Option<&Arc<CommentDef>> {
        let comments = if is_shared_class(class) { &self.shared.comments } else { &self.comments };
        comments.get(class, object, column)
    }

    /// All comments, those on shared objects too.
    pub fn comments(&self) -> impl Iterator<Item = &Arc<CommentDef>> {
        self.comments.all().chain(self.shared.comments.all())
    }

    pub fn type_by_oid(&self, oid: Oid) -> Option<&Arc<TypeDef>> {
        self.types.get(&oid)
    }

    /// The type that was made under that name in one schema.
    pub fn type_named(&self, schema: Oid, name: &str) -> Option<&Arc<TypeDef>> {
        self.types.get(self.type_names.get(&schema)?.get(name)?)
    }

    pub fn types(&self) -> impl Iterator<Item = &Arc<TypeDef>> {
        self.types.values()
    }

    /// The types that were made in one schema.
    pub fn types_of(&self, schema: Oid) -> impl Iterator<Item = &Arc<TypeDef>> {
        let names = self.type_names.get(&schema);
        names.into_iter().flat_map(|names| names.values()).filter_map(|oid| self.types.get(oid))
    }

    pub fn role(&self, name: &str) -> Option<&Arc<RoleDef>> {
        self.shared.roles.get(self.shared.role_names.get(name)?)
    }

    pub fn role_by_oid(&self, oid: Oid) -> Option<&Arc<RoleDef>> {
        self.shared.roles.get(&oid)
    }

    pub fn roles(&self) -> impl Iterator<Item = &Arc<RoleDef>> {
        self.shared.roles.values()
    }

    pub(crate) fn granted(&self) -> &Granted {
        &self.granted
    }

    pub(crate) fn shared_state(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The same objects as those of a database.
    pub(crate) fn in_database(mut self, database: Oid) -> Snapshot {
        self.database = database;
        self
    }

    /// The same own objects under another state of what is shared.
    pub(crate) fn sharing(mut self, shared: Arc<Shared>, version: u64) -> Snapshot {
        (self.shared, self.version) = (shared, version);
        self
    }

    /// The number of the database whose state this is.
    pub fn database(&self) -> Oid {
        self.database
    }

    pub fn database_by_oid(&self, oid: Oid) -> Option<&Arc<DatabaseDef>> {
        self.shared.databases.get(&oid)
    }

    pub fn database_named(&self, name: &str) -> Option<&Arc<DatabaseDef>> {
        self.shared.databases.get(self.shared.database_names.get(name)?)
    }

    /// All databases, in the order of their numbers.
    pub fn databases(&self) -> impl Iterator<Item = &Arc<DatabaseDef>> {
        self.shared.databases.values()
    }

    /// The name of the database whose state this is.
    pub fn database_name(&self) -> &str {
        self.database_by_oid(self.database).map_or("", |database| database.name.as_str())
    }

    /// Who owns the database: the implicit member of `pg_database_owner`.
    pub fn database_owner(&self) -> Oid {
        self.database_by_oid(self.database).map_or(crate::SUPERUSER_OID, |database| database.owner)
    }

    /// The state after some changes, under a new version.
    pub fn with(&self, changes: &[Change], version: u64) -> Snapshot {
        let mut next = self.clone();
        next.version = version;
        for change in changes {
            next.apply(change);
        }
        next
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::PutSchema(schema) => {
                if let Some(old) = self.schemas.insert(schema.oid, schema.clone()) {
                    self.schema_names.remove(&old.name);
                    self.rename_schema_in_tables(schema);
                }
                self.schema_names.insert(schema.name.clone(), schema.oid);
            }
            Change::DropSchema(oid) => {
                if let Some(old) = self.schemas.remove(oid) {
                    self.schema_names.remove(&old.name);
                }
                self.relation_names.remove(oid);
                self.type_names.remove(oid);
            }
            Change::PutTable(table) => self.put_table(table),
            Change::DropTable(oid) => {
                if let Some(table) = self.table_by_oid(*oid).cloned() {
                    self.remove_table(*oid);
                    self.change_references(&table.foreign_keys, &[]);
                }
            }
            Change::PutSequence(sequence) => {
                self.remove_relation(sequence.oid);
                self.put_relation(sequence.schema, &sequence.name, Relation::Sequence(sequence.clone()));
            }
            Change::PutComment(comment) if is_shared_class(comment.class) => self.shared().comments.put(comment),
            Change::PutComment(comment) => self.comments.put(comment),
            Change::DropComment(oid) if self.shared.comments.has(*oid) => self.shared().comments.remove(*oid),
            Change::DropComment(oid) => self.comments.remove(*oid),
            Change::PutView(view) => {
                self.remove_relation(view.oid);
                self.put_relation(view.schema, &view.name, Relation::View(view.clone()));
            }
            Change::DropSequence(oid) | Change::DropView(oid) => self.remove_relation(*oid),
            Change::PutType(def) => {
                self.remove_type(def.oid);
                self.type_names.entry(def.schema).or_default().insert(def.name.clone(), def.oid);
                self.types.insert(def.oid, def.clone());
            }
            Change::DropType(oid) => self.remove_type(*oid),
            Change::PutRole(role) => self.shared().put_role(role),
            Change::DropRole(oid) => self.shared().drop_role(*oid),
            Change::PutDatabase(database) => self.shared().put_database(database),
            Change::DropDatabase(oid) => self.shared().drop_database(*oid),
            Change::Rights(change) if change.is_shared(&self.shared.granted) => self.shared().granted.apply(change),
            Change::Rights(change) => Arc::make_mut(&mut self.granted).apply(change),
            Change::PutStatistics(statistics) => {
                if let Some(table) = self.table_by_oid(statistics.table).cloned() {
                    let mut analyzed = TableDef::clone(&table);
                    analyzed.statistics = Some(statistics.clone());
                    self.put_table(&Arc::new(analyzed));
                }
            }
        }
    }

    fn shared(&mut self) -> &mut Shared {
        Arc::make_mut(&mut self.shared)
    }

    /// Tables know the name of their schema.
    fn rename_schema_in_tables(&mut self, schema: &SchemaDef) {
        let inside: Vec<Arc<TableDef>> = self.tables().filter(|table| table.schema == schema.oid).cloned().collect();
        for table in inside {
            self.put_table(&Arc::new(TableDef { schema_name: schema.name.clone(), ..TableDef::clone(&table) }));
        }
    }

    fn put_table(&mut self, table: &Arc<TableDef>) {
        let before = self.table_by_oid(table.oid).cloned();
        let before = before.as_ref().map_or(&[][..], |before| &before.foreign_keys);
        let has_changed = before != table.foreign_keys;
        self.place_table(table);
        if has_changed {
            self.change_references(before, &table.foreign_keys);
        }
    }

    /// Puts foreign keys in the place of others, in the tables that they refer to.
    fn change_references(&mut self, before: &[Arc<ForeignKeyDef>], now: &[Arc<ForeignKeyDef>]) {
        for key in before {
            if let Some(known) = self.references.get_mut(&key.referenced) {
                known.retain(|known| known.oid != key.oid);
            }
        }
        for key in now {
            let known = self.references.entry(key.referenced).or_default();
            known.push(key.clone());
            known.sort_by_key(|key| key.oid);
        }
        for key in before.iter().chain(now) {
            if let Some(referenced) = self.table_by_oid(key.referenced).cloned() {
                self.place_table(&referenced);
            }
        }
        self.references.retain(|_, known| !known.is_empty());
    }

    /// Enters a table, with the foreign keys that refer to it.
    fn place_table(&mut self, table: &Arc<TableDef>) {
        let referenced_by = self.references.get(&table.oid).map_or(&[][..], Vec::as_slice);
        let table = if table.referenced_by == referenced_by {
            table.clone()
        } else {
            Arc::new(TableDef { referenced_by: referenced_by.to_vec(), ..TableDef::clone(table) })
        };
        self.remove_table(table.oid);
        self.put_relation(table.schema, &table.name, Relation::Table(table.clone()));
        for (position, index) in table.indexes.iter().enumerate() {
            self.put_relation(table.schema, &index.name, Relation::Index(table.clone(), position));
        }
    }

    fn remove_table(&mut self, oid: Oid) {
        let Some(table) = self.table_by_oid(oid).cloned() else { return };
        for index in &table.indexes {
            self.remove_relation(index.oid);
        }
        self.remove_relation(oid);
    }

    fn remove_type(&mut self, oid: Oid) {
        let Some(old) = self.types.remove(&oid) else { return };
        if let Some(names) = self.type_names.get_mut(&old.schema)
            && names.get(&old.name) == Some(&oid)
        {
            names.remove(&old.name);
        }
    }

    fn put_relation(&mut self, schema: Oid, name: &str, relation: Relation) {
        let oid = relation.oid();
        self.relations.insert(oid, relation);
        self.relation_names.entry(schema).or_default().insert(name.to_owned(), oid);
    }

    fn remove_relation(&mut self, oid: Oid) {
        let Some(old) = self.relations.remove(&oid) else { return };
        if let Some(names) = self.relation_names.get_mut(&old.schema()) {
            // A later change may have given the name to another relation already.
            if names.get(old.name()) == Some(&oid) {
                names.remove(old.name());
            }
        }
    }
}
