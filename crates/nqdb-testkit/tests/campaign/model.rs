//! What the database should hold, kept beside it: the effects of each commit, in the order of the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::sink::Row;

/// One effect of a statement.
#[derive(Clone, Debug)]
pub enum Effect {
    CreateTable {
        table: String,
        columns: Vec<String>,
    },
    DropTable {
        table: String,
    },
    AddColumn {
        table: String,
        column: String,
        value: Option<String>,
    },
    DropColumn {
        table: String,
        column: String,
    },
    Truncate {
        table: String,
    },
    CreateIndex {
        table: String,
        index: String,
    },
    DropIndex {
        table: String,
        index: String,
    },
    CreateSequence {
        sequence: String,
    },
    DropSequence {
        sequence: String,
    },
    CreateDatabase {
        database: String,
    },
    DropDatabase {
        database: String,
    },
    /// A value of a sequence went into what the transaction did.
    Drawn {
        sequence: String,
        value: i64,
    },
    /// A row, by its id, which is its first column.
    Put {
        table: String,
        row: Row,
    },
    /// A row that was given by the names of some columns; the others have their defaults.
    PutNamed {
        table: String,
        columns: Vec<String>,
        row: Row,
    },
    Remove {
        table: String,
        id: i64,
    },
}

/// A table and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub indexes: BTreeSet<String>,
    /// Columns that have one.
    pub defaults: BTreeMap<String, String>,
    pub rows: BTreeMap<i64, Row>,
}

/// A state of the database between two commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub tables: BTreeMap<String, Table>,
    /// With the largest value that a committed transaction has used.
    pub sequences: BTreeMap<String, i64>,
    /// Databases beside the first three: each is a copy of `template1`.
    pub databases: BTreeSet<String>,
}

/// The id of a row.
pub fn id_of(row: &Row) -> i64 {
    row.first().and_then(|id| id.as_deref()).and_then(|id| id.parse().ok()).expect("a row begins with its id")
}

impl State {
    fn table(&mut self, table: &str) -> &mut Table {
        self.tables.get_mut(table).unwrap_or_else(|| panic!("table {table} was changed and does not exist"))
    }

    /// Makes the effects of a commit part of the state.
    pub fn apply(&mut self, commit: &[Effect]) {
        for effect in commit {
            self.apply_one(effect);
        }
    }

    fn apply_one(&mut self, effect: &Effect) {
        match effect.clone() {
            Effect::CreateTable { table, columns } => {
                let old = self.tables.insert(table.clone(), Table { columns, ..Table::default() });
                assert_eq!(old, None, "table {table} was created twice");
            }
            Effect::DropTable { table } => {
                self.tables.remove(&table).expect("a table that exists was dropped");
            }
            Effect::AddColumn { table, column, value } => {
                let table = self.table(&table);
                table.columns.push(column.clone());
                table.rows.values_mut().for_each(|row| row.push(value.clone()));
                table.defaults.extend(value.map(|value| (column, value)));
            }
            Effect::DropColumn { table, column } => {
                let table = self.table(&table);
                let position = table.columns.iter().position(|name| *name == column).expect("it had the column");
                table.columns.remove(position);
                table.defaults.remove(&column);
                table.rows.values_mut().for_each(|row| {
                    row.remove(position);
                });
            }
            Effect::Truncate { table } => self.table(&table).rows.clear(),
            Effect::CreateIndex { table, index } => {
                self.table(&table).indexes.insert(index);
            }
            Effect::DropIndex { table, index } => {
                self.table(&table).indexes.remove(&index);
            }
            Effect::CreateSequence { sequence } => {
                self.sequences.insert(sequence, 0);
            }
            Effect::DropSequence { sequence } => {
                self.sequences.remove(&sequence);
            }
            Effect::CreateDatabase { database } => {
                assert!(self.databases.insert(database), "a database was created twice");
            }
            Effect::DropDatabase { database } => {
                assert!(self.databases.remove(&database), "a database that exists was dropped");
            }
            Effect::Drawn { sequence, value } => {
                let largest = self.sequences.get_mut(&sequence).expect("a sequence that exists was drawn from");
                *largest = (*largest).max(value);
            }
            Effect::Put { table, row } => {
                let table = self.table(&table);
                assert_eq!(row.len(), table.columns.len(), "{row:?} does not fit {:?}", table.columns);
                table.rows.insert(id_of(&row), row);
            }
            Effect::PutNamed { table, columns, row } => {
                let table = self.table(&table);
                let value = |name: &String| match columns.iter().position(|column| column == name) {
                    Some(position) => row[position].clone(),
                    None => table.defaults.get(name).cloned(),
                };
                let row = table.columns.iter().map(value).collect();
                table.rows.insert(id_of(&row), row);
            }
            Effect::Remove { table, id } => {
                self.table(&table).rows.remove(&id);
            }
        }
    }

    /// Makes the effect of a transaction that has not ended part of the tables' definitions, as far as it fits them.
    pub fn foresee(&mut self, effect: &Effect) {
        match effect {
            Effect::CreateTable { table, .. } if !self.tables.contains_key(table) => self.apply_one(effect),
            Effect::DropTable { table } if self.tables.contains_key(table) => self.apply_one(effect),
            Effect::AddColumn { table, column, .. } | Effect::DropColumn { table, column } => {
                let has_it = self.tables.get(table).map(|table| table.columns.contains(column));
                if has_it == Some(matches!(effect, Effect::DropColumn { .. })) {
                    self.apply_one(effect);
                }
            }
            Effect::CreateIndex { table, .. } | Effect::DropIndex { table, .. } if self.tables.contains_key(table) => {
                self.apply_one(effect);
            }
            _ => {}
        }
    }

    /// The columns of the tables and the names of the other things, without rows.
    pub fn without_rows(&self) -> State {
        let bare = |table: &Table| Table { rows: BTreeMap::new(), ..table.clone() };
        State {
            tables: self.tables.iter().map(|(name, table)| (name.clone(), bare(table))).collect(),
            sequences: self.sequences.clone(),
            databases: self.databases.clone(),
        }
    }

    /// The first difference from what was `found`, which knows nothing of sequence values.
    pub fn difference(&self, found: &State) -> Option<String> {
        let names = |state: &State| state.tables.keys().cloned().collect::<Vec<_>>();
        if names(self) != names(found) {
            return Some(format!("tables {:?} instead of {:?}", names(found), names(self)));
        }
        if !self.sequences.keys().eq(found.sequences.keys()) {
            return Some(format!("sequences {:?} instead of {:?}", found.sequences, self.sequences));
        }
        if self.databases != found.databases {
            return Some(format!("databases {:?} instead of {:?}", found.databases, self.databases));
        }
        self.tables.iter().zip(found.tables.values()).find_map(|((name, expected), found)| {
            if (&expected.columns, &expected.indexes) != (&found.columns, &found.indexes) {
                return Some(format!(
                    "table {name} has {:?} {:?} instead of {:?} {:?}",
                    found.columns, found.indexes, expected.columns, expected.indexes
                ));
            }
            let ids: BTreeSet<&i64> = expected.rows.keys().chain(found.rows.keys()).collect();
            let id = ids.into_iter().find(|id| expected.rows.get(id) != found.rows.get(id))?;
            let short = |row: Option<&Row>| format!("{row:.300?}").chars().take(300).collect::<String>();
            Some(format!(
                "row {id} of table {name} is {} instead of {}",
                short(found.rows.get(id)),
                short(expected.rows.get(id))
            ))
        })
    }
}

/// The commits of a run: which the log has, which were acknowledged.
#[derive(Clone, Default)]
pub struct History {
    /// The state after the first `base` commits.
    state: State,
    base: usize,
    /// The commits behind the base, in the order of the log.
    commits: Vec<Vec<Effect>>,
    acknowledged: usize,
}

impl History {
    /// A history that begins with a state.
    pub fn from(state: State) -> History {
        History { state, ..History::default() }
    }

    /// A commit has got its place in the log; answers with its number.
    pub fn appended(&mut self, effects: Vec<Effect>) -> usize {
        self.commits.push(effects);
        self.len()
    }

    /// Commits so far.
    pub fn len(&self) -> usize {
        self.base + self.commits.len()
    }

    /// The client of commit `number` was told.
    pub fn acknowledge(&mut self, number: usize) {
        self.acknowledged = self.acknowledged.max(number);
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// The states that a power cut may leave when `acknowledged` commits had been acknowledged: each must be there, and
    /// those behind them in order, as far as they go. Forgets what came before.
    pub fn possible(&mut self, acknowledged: usize) -> Vec<State> {
        while self.base < acknowledged {
            let commit = self.commits.remove(0);
            self.state.apply(&commit);
            self.base += 1;
        }
        let mut states = vec![self.state.clone()];
        for commit in &self.commits {
            let mut next = states.last().expect("there is the first").clone();
            next.apply(commit);
            states.push(next);
        }
        states
    }
}
