//! What depends on what, and DROP ... RESTRICT and CASCADE (manual, section 5.14).
//!
//! Dependencies are not stored: they are read off the definitions, which name what they need by number. A drop collects
//! everything that must go with its objects: *parts* go silently (indexes, constraints, the sequences of a table's columns),
//! *dependents* only with CASCADE, and they are what messages list.
//!
//! Order and words are PostgreSQL's: a depth-first walk, newest objects first, reported backwards.

use std::collections::HashSet;
use std::sync::Arc;

use nqdb_sqlstate::{DEPENDENT_OBJECTS_STILL_EXIST, SqlError};
use nqdb_txn::{RelationLock, Result, TxnError};
use nqdb_types::{Oid, Type, array, user_type_object};

use super::CatalogWriter;
use super::composite::{attributes_of_type, is_row_type, row_types};
use super::sequence::nextval_call;
use super::table::owned_sequences;
use crate::definition::{Relation, TableDef};
use crate::foreign_key::ForeignKeyDef;
use crate::request::DropBehavior;
use crate::snapshot::Snapshot;
use crate::user_type::{TypeDef, type_reference};

/// Something that can be dropped, or that something can depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectId {
    Schema(Oid),
    Type(Oid),
    /// A table, view, index or sequence.
    Relation(Oid),
    Column(Oid, i16),
    /// The default of a column.
    Default(Oid, i16),
    /// A constraint of a table, by number; that of an index has the index's.
    Constraint(Oid, Oid),
    /// That a table's changes are sent to a channel.
    PublishedChanges(Oid),
}

/// One entry of the list of what goes.
struct Going {
    object: ObjectId,
    /// What it depends on, as far as the walk found first.
    because: ObjectId,
    /// Named by the command, or a part of something else: not reported.
    silent: bool,
}

impl CatalogWriter<'_> {
    /// Drops objects. With CASCADE also what depends on them, whose descriptions are returned.
    ///
    /// Errors: 2BP01 when `behavior` is RESTRICT and something depends on them.
    pub fn drop_objects(&mut self, roots: &[ObjectId], behavior: DropBehavior) -> Result<Vec<String>> {
        let going = self.lock_going(roots)?;
        let snapshot = self.snapshot();
        let reported: Vec<&Going> = going.iter().filter(|entry| !entry.silent).collect();
        if behavior == DropBehavior::Restrict && !reported.is_empty() {
            return Err(self.still_needed(&snapshot, roots, &reported));
        }
        let dropped: Vec<String> = reported.iter().map(|entry| self.describe(&snapshot, entry.object)).collect();
        // Backwards: what depends goes before what it depends on.
        for entry in going.iter().rev() {
            self.remove_object(entry.object)?;
        }
        Ok(dropped)
    }

    /// The list of what goes, with every relation of it locked, in the order in which it is reported.
    fn lock_going(&mut self, roots: &[ObjectId]) -> Result<Vec<Going>> {
        loop {
            let snapshot = self.snapshot();
            for root in roots {
                self.lock_object(*root)?;
            }
            let going = collect(&snapshot, roots);
            for entry in &going {
                self.lock_object(entry.object)?;
            }
            if self.snapshot().version == snapshot.version {
                return Ok(going);
            }
        }
    }

    fn lock_object(&mut self, object: ObjectId) -> Result<()> {
        let (ObjectId::Schema(oid)
        | ObjectId::Type(oid)
        | ObjectId::Relation(oid)
        | ObjectId::Column(oid, _)
        | ObjectId::Default(oid, _)
        | ObjectId::Constraint(oid, _)
        | ObjectId::PublishedChanges(oid)) = object;
        let oid = match self.snapshot().relation_by_oid(oid) {
            Some(Relation::Index(table, _)) => table.oid,
            _ => oid,
        };
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)
    }

    fn remove_object(&mut self, object: ObjectId) -> Result<()> {
        match object {
            ObjectId::Schema(oid) => self.remove_schema(oid),
            ObjectId::Type(oid) => self.remove_type(oid),
            ObjectId::Column(object, attnum) => match self.snapshot().composite_by_object(object) {
                Some(composite) => self.remove_attribute(composite.oid, attnum),
                None => self.drop_column(object, position_of(attnum)),
            },
            ObjectId::Constraint(table, oid) => {
                let snapshot = self.snapshot();
                let known = snapshot.table_by_oid(table).and_then(|table| table.constraint_name(oid));
                let known = known.map(str::to_owned);
                known.map_or(Ok(()), |name| self.drop_constraint(table, &name))
            }
            ObjectId::PublishedChanges(table) => match self.snapshot().table_by_oid(table) {
                Some(_) => self.set_published(table, None),
                None => Ok(()),
            },
            ObjectId::Default(table, attnum) => {
                if self.snapshot().table_by_oid(table).is_some() {
                    self.set_default(table, position_of(attnum), None)?;
                }
                Ok(())
            }
            ObjectId::Relation(oid) => {
                let relation = self.snapshot().relation_by_oid(oid).cloned();
                match relation {
                    Some(Relation::Table(_)) => self.drop_table(oid),
                    Some(Relation::View(_)) => self.remove_view(oid),
                    Some(Relation::Sequence(sequence)) => self.remove_sequence(&sequence),
                    // That of a constraint goes with it.
                    Some(Relation::Index(table, at)) if table.indexes.get(at).is_some_and(|index| index.constraint) => {
                        Ok(())
                    }
                    Some(Relation::Index(table, _)) => self.drop_index(table.oid, oid),
                    None => Ok(()),
                }
            }
        }
    }

    /// 2BP01 with one line for each dependent.
    fn still_needed(&self, snapshot: &Snapshot, roots: &[ObjectId], reported: &[&Going]) -> TxnError {
        let message = match roots {
            [root] => {
                format!("cannot drop {} because other objects depend on it", self.describe(snapshot, *root))
            }
            _ => "cannot drop desired object(s) because other objects depend on them".to_owned(),
        };
        let line = |entry: &&Going| {
            let (what, on) = (self.describe(snapshot, entry.object), self.describe(snapshot, entry.because));
            format!("{what} depends on {on}")
        };
        SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(reported.iter().map(line).collect::<Vec<_>>().join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
            .into()
    }

    /// The first view that needs a column, described.
    pub fn reader_of_column(&mut self, table: Oid, attnum: i16) -> Option<String> {
        let snapshot = self.snapshot();
        let mut found = readers(&snapshot, &|query| query.reads_column(table, attnum));
        found.sort_unstable();
        found.first().map(|view| self.describe(&snapshot, *view))
    }

    /// `view v`, `column a of table t`: an object as PostgreSQL names it in messages.
    pub fn describe(&self, snapshot: &Snapshot, object: ObjectId) -> String {
        let relation = |oid: Oid| match snapshot.relation_by_oid(oid) {
            Some(found) => format!("{} {}", found.kind_name(), self.visible_name(snapshot, found)),
            None => format!("relation {oid}"),
        };
        let column = |table: Oid, attnum: i16| {
            if let Some(def) = snapshot.composite_by_object(table) {
                let attributes = def.composite().map(|composite| composite.attributes()).unwrap_or_default();
                let name = attributes.get(position_of(attnum)).map_or("", |attribute| attribute.name.as_str());
                let type_name = snapshot.type_name(&self.search_path, def.oid, str::to_owned).unwrap_or_default();
                return format!("column {name} of composite type {type_name}");
            }
            let name = match snapshot.relation_by_oid(table) {
                Some(Relation::Table(table)) => {
                    table.columns.get(position_of(attnum)).map(|column| column.name.as_str())
                }
                Some(Relation::View(view)) => view.columns.get(position_of(attnum)).map(|column| column.name.as_str()),
                _ => None,
            };
            format!("column {} of {}", name.unwrap_or_default(), relation(table))
        };
        match object {
            ObjectId::Schema(oid) => {
                let name = snapshot.schema_by_oid(oid).map_or("", |schema| schema.name.as_str());
                format!("schema {name}")
            }
            ObjectId::Type(oid) => {
                let name = snapshot.type_name(&self.search_path, oid, str::to_owned).unwrap_or_default();
                format!("type {name}")
            }
            ObjectId::Relation(oid) => relation(oid),
            ObjectId::Column(table, attnum) => column(table, attnum),
            ObjectId::Constraint(table, oid) => {
                let known = snapshot.table_by_oid(table).and_then(|table| table.constraint_name(oid));
                format!("constraint {} on {}", known.unwrap_or_default(), relation(table))
            }
            ObjectId::Default(table, attnum) => format!("default value for {}", column(table, attnum)),
            ObjectId::PublishedChanges(table) => format!("published changes of {}", relation(table)),
        }
    }

    /// A relation's name, with its schema where the search path does not lead to it.
    fn visible_name(&self, snapshot: &Snapshot, relation: &Relation) -> String {
        let seen = snapshot.resolve(&self.search_path, None, relation.name()).ok().flatten();
        if self.search_path.is_empty() || seen.is_some_and(|seen| seen.oid() == relation.oid()) {
            return relation.name().to_owned();
        }
        let schema = snapshot.schema_by_oid(relation.schema()).map_or("", |schema| schema.name.as_str());
        format!("{schema}.{}", relation.name())
    }
}

/// The position of an attribute number.
fn position_of(attnum: i16) -> usize {
    usize::try_from(attnum - 1).unwrap_or_default()
}

/// Walks from the roots to everything that goes with them.
fn collect(snapshot: &Snapshot, roots: &[ObjectId]) -> Vec<Going> {
    let mut walk = Walk { snapshot, roots, seen: HashSet::new(), list: Vec::new() };
    for root in roots {
        walk.visit(*root, *root, true);
    }
    walk.list.reverse();
    // What is part of a relation that goes as a whole goes with it: a column whose type is in the same schema, say.
    let relations: HashSet<ObjectId> = walk.list.iter().map(|entry| entry.object).collect();
    walk.list.retain(|entry| match entry.object {
        ObjectId::Column(table, _)
        | ObjectId::Default(table, _)
        | ObjectId::Constraint(table, _)
        | ObjectId::PublishedChanges(table) => {
            let composite = snapshot.composite_by_object(table).map(|def| ObjectId::Type(def.oid));
            !relations.contains(&ObjectId::Relation(table))
                && !composite.is_some_and(|composite| relations.contains(&composite))
        }
        _ => true,
    });
    walk.list
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    roots: &'a [ObjectId],
    seen: HashSet<ObjectId>,
    list: Vec<Going>,
}

impl Walk<'_> {
    fn visit(&mut self, object: ObjectId, because: ObjectId, silent: bool) {
        if !self.seen.insert(object) {
            return;
        }
        let mut next: Vec<(ObjectId, bool)> =
            dependents(self.snapshot, object).into_iter().map(|dependent| (dependent, false)).collect();
        next.extend(parts(self.snapshot, object).into_iter().map(|part| (part, true)));
        // Newest first, as PostgreSQL walks; the reversed list then has the oldest first.
        next.sort_by_key(|(dependent, _)| std::cmp::Reverse(age(*dependent)));
        for (dependent, is_part) in next {
            // What goes with its table or its column, which go too.
            let goes_along = match dependent {
                ObjectId::Default(table, attnum) => {
                    self.seen.contains(&ObjectId::Relation(table))
                        || self.seen.contains(&ObjectId::Column(table, attnum))
                }
                ObjectId::Constraint(table, _) | ObjectId::PublishedChanges(table) => {
                    self.seen.contains(&ObjectId::Relation(table))
                }
                _ => false,
            };
            if goes_along {
                continue;
            }
            self.visit(dependent, object, is_part || self.roots.contains(&dependent));
        }
        self.list.push(Going { object, because, silent });
    }
}

fn age(object: ObjectId) -> (Oid, i16) {
    match object {
        ObjectId::Schema(oid) | ObjectId::Relation(oid) | ObjectId::PublishedChanges(oid) => (oid, 0),
        // The array over a type is made before it.
        ObjectId::Type(oid) => (user_type_object(oid), if array::element_type(oid).is_some() { -1 } else { 0 }),
        ObjectId::Column(oid, attnum) | ObjectId::Default(oid, attnum) => (oid, attnum),
        ObjectId::Constraint(_, oid) => (oid, 0),
    }
}

/// What goes silently with an object and is dropped on its own.
fn parts(snapshot: &Snapshot, object: ObjectId) -> Vec<ObjectId> {
    let owned = |table: Oid, attnum: Option<i16>| -> Vec<ObjectId> {
        owned_sequences(snapshot, table, attnum).into_iter().map(ObjectId::Relation).collect()
    };
    match object {
        ObjectId::Relation(oid) => {
            let rows = row_types(snapshot, oid).into_iter().map(ObjectId::Type);
            let sequences = snapshot.table_by_oid(oid).map(|_| owned(oid, None)).unwrap_or_default();
            rows.chain(sequences).collect()
        }
        ObjectId::Column(table, attnum) => owned(table, Some(attnum)),
        ObjectId::Constraint(_, oid) => match snapshot.relation_by_oid(oid) {
            Some(Relation::Index(..)) => vec![ObjectId::Relation(oid)],
            _ => Vec::new(),
        },
        // The row type of a relation and the array over it are listed there.
        ObjectId::Type(oid) if is_row_type(snapshot, oid) => Vec::new(),
        ObjectId::Type(oid) => array::array_type(oid).into_iter().map(ObjectId::Type).collect(),
        _ => Vec::new(),
    }
}

/// What an object is needed by.
fn dependents(snapshot: &Snapshot, object: ObjectId) -> Vec<ObjectId> {
    match object {
        ObjectId::Schema(schema) => {
            let belongs_to_column = |relation: &&Relation| match relation {
                Relation::Sequence(sequence) => sequence.owned_by.is_some(),
                Relation::Index(..) => true,
                Relation::Table(_) | Relation::View(_) => false,
            };
            let inside = snapshot.relations_of(schema).filter(|relation| !belongs_to_column(relation));
            let relations = inside.map(|relation| ObjectId::Relation(relation.oid()));
            relations.chain(snapshot.types_of(schema).map(|found| ObjectId::Type(found.oid))).collect()
        }
        ObjectId::Type(oid) => users_of_type(snapshot, oid),
        ObjectId::Relation(oid) => {
            let mut found = readers(snapshot, &|query| query.reads(oid));
            if let Some(sequence) = snapshot.sequence_by_oid(oid) {
                found.extend(users_of_sequence(snapshot, sequence.oid));
            }
            found.extend(referring(snapshot, oid, &|_| true));
            if let Some(Relation::Index(table, _)) = snapshot.relation_by_oid(oid) {
                found.extend(referring(snapshot, table.oid, &|key| key.index == oid));
            }
            found
        }
        ObjectId::Column(table, attnum) => {
            let mut found =
                readers(snapshot, &|query| query.reads_column(table, attnum) || query.reads_attribute(table, attnum));
            found.extend(generated_from(snapshot, table, attnum));
            let published = snapshot.table_by_oid(table).and_then(|table| table.published.as_ref());
            if published.is_some_and(|published| published.names_column(attnum)) {
                found.push(ObjectId::PublishedChanges(table));
            }
            found.extend(referring(snapshot, table, &|key| key.referenced_columns.contains(&attnum)));
            found
        }
        ObjectId::Default(..) | ObjectId::Constraint(..) | ObjectId::PublishedChanges(_) => Vec::new(),
    }
}

/// The views whose query meets a condition.
fn readers(snapshot: &Snapshot, reads: &dyn Fn(&crate::view::StoredQuery) -> bool) -> Vec<ObjectId> {
    let views = snapshot.views().filter(|view| reads(&view.query)).map(|view| view.oid);
    let is_reader = |table: &&Arc<TableDef>| table.materialized.as_ref().is_some_and(|stored| reads(&stored.query));
    views.chain(snapshot.tables().filter(is_reader).map(|table| table.oid)).map(ObjectId::Relation).collect()
}

/// The foreign keys that refer to a table and meet a condition.
fn referring(snapshot: &Snapshot, table: Oid, is_wanted: &dyn Fn(&ForeignKeyDef) -> bool) -> Vec<ObjectId> {
    let Some(table) = snapshot.table_by_oid(table) else { return Vec::new() };
    let wanted = table.referenced_by.iter().filter(|key| is_wanted(key));
    wanted.map(|key| ObjectId::Constraint(key.table, key.oid)).collect()
}

/// The generated columns of a table whose expression names a column.
fn generated_from(snapshot: &Snapshot, table: Oid, attnum: i16) -> Vec<ObjectId> {
    let Some(table) = snapshot.table_by_oid(table) else { return Vec::new() };
    let names = |column: &&crate::definition::ColumnDef| {
        column.generated.as_ref().is_some_and(|columns| columns.contains(&attnum))
    };
    let columns = table.live_columns().map(|(_, column)| column).filter(names);
    columns.map(|column| ObjectId::Column(table.oid, column.attnum)).collect()
}

/// What needs a type: columns of it, views that have such columns or name it, expressions that name it.
fn users_of_type(snapshot: &Snapshot, oid: Oid) -> Vec<ObjectId> {
    let is_of_type = |ty: Type| ty.declared_oid() == oid;
    let reference = type_reference(oid);
    let is_over = |def: &&Arc<TypeDef>| def.domain().is_some_and(|domain| is_of_type(domain.base.ty()));
    let mut users: Vec<ObjectId> = snapshot.types().filter(is_over).map(|def| ObjectId::Type(def.oid)).collect();
    let attributes = attributes_of_type(snapshot, oid).into_iter();
    users.extend(attributes.map(|(composite, number)| ObjectId::Column(user_type_object(composite), number)));
    for table in snapshot.tables() {
        for (_, column) in table.live_columns() {
            if is_of_type(column.ty) {
                users.push(ObjectId::Column(table.oid, column.attnum));
            } else if column.default.as_ref().is_some_and(|default| default.contains(&reference)) {
                users.push(ObjectId::Default(table.oid, column.attnum));
            }
        }
        for check in table.checks.iter().filter(|check| check.expression.contains(&reference)) {
            users.push(ObjectId::Constraint(table.oid, check.oid));
        }
    }
    for view in snapshot.views() {
        if view.columns.iter().any(|column| is_of_type(column.ty())) || view.query.names_type(oid) {
            users.push(ObjectId::Relation(view.oid));
        }
    }
    let names_type = |table: &&Arc<TableDef>| table.materialized.as_ref().is_some_and(|m| m.query.names_type(oid));
    users.extend(snapshot.tables().filter(names_type).map(|table| ObjectId::Relation(table.oid)));
    users
}

/// The defaults that draw from a sequence.
fn users_of_sequence(snapshot: &Snapshot, sequence: Oid) -> Vec<ObjectId> {
    let call = nextval_call(sequence);
    let mut users = Vec::new();
    for table in snapshot.tables() {
        for (_, column) in table.live_columns() {
            if column.default.as_ref().is_some_and(|default| default.contains(&call)) {
                users.push(ObjectId::Default(table.oid, column.attnum));
            }
        }
    }
    users
}
