//! What has changed between two results.
//!
//! Rows that have a key are told apart by it; a row that has the same key and another content has changed. Without a key rows
//! are told apart by all that they are, and how often each is there counts: they are added and removed, and never change.

use std::collections::HashMap;

use nqdb_sqlstate::{CARDINALITY_VIOLATION, SqlError, SqlResult};

use crate::table_changes::json_string;

/// The rows of a result as JSON objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// The names of the key's columns as a JSON array; `None` where whole rows are compared.
    key: Option<String>,
    /// In the order of the result: the key, which is the row itself where there is none, and the row.
    rows: Vec<(String, Option<String>)>,
}

/// What is another in the newer of two results: rows, and of those that were removed the keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub added: Vec<&'a str>,
    pub changed: Vec<&'a str>,
    pub removed: Vec<&'a str>,
}

impl Change<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Rows {
    /// Rows with their keys, all or none of them. A key that was not asked for is given up where two rows have the same.
    ///
    /// Errors: 21000 where two rows have the same key that was asked for.
    pub(super) fn new(
        names: Option<&[&str]>,
        rows: Vec<(Option<String>, String)>,
        may_go_without: bool,
    ) -> SqlResult<Rows> {
        let names = names.filter(|names| !names.is_empty());
        let is_unique = {
            let mut seen = std::collections::HashSet::new();
            rows.iter().all(|(key, _)| key.as_ref().is_none_or(|key| seen.insert(key.as_str())))
        };
        match names {
            Some(names) if is_unique => {
                let names: Vec<String> = names.iter().map(|name| json_string(name)).collect();
                let key = Some(format!("[{}]", names.join(",")));
                let rows = rows.into_iter().map(|(key, row)| (key.unwrap_or_default(), Some(row))).collect();
                Ok(Rows { key, rows })
            }
            Some(_) if !may_go_without => {
                Err(SqlError::new(CARDINALITY_VIOLATION, "two rows of the live query have the same key"))
            }
            _ => Ok(Rows { key: None, rows: rows.into_iter().map(|(_, row)| (row, None)).collect() }),
        }
    }

    /// What the rows hold in memory.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &String| text.len() + size_of::<String>();
        self.rows.iter().map(|(key, row)| text(key) + row.as_ref().map_or(size_of::<String>(), text)).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|(key, row)| row.as_deref().unwrap_or(key))
    }

    /// The columns of the key as a JSON array, or `null`.
    pub(super) fn key_json(&self) -> &str {
        self.key.as_deref().unwrap_or("null")
    }

    /// What is another in `new`. Errors: 21000 where rows that had a key have none any more.
    pub(super) fn difference<'a>(old: &'a Rows, new: &'a Rows) -> SqlResult<Change<'a>> {
        if old.key != new.key {
            let message = "the rows of the live query can no longer be told apart as before";
            return Err(SqlError::new(CARDINALITY_VIOLATION, message));
        }
        // How often a key was there, and the row that it had.
        let mut before: HashMap<&str, (usize, Option<&str>)> = HashMap::with_capacity(old.rows.len());
        for (key, row) in &old.rows {
            before.entry(key).or_insert((0, row.as_deref())).0 += 1;
        }
        let mut change = Change::default();
        for (key, row) in &new.rows {
            let whole = row.as_deref().unwrap_or(key);
            match before.get_mut(key.as_str()) {
                Some((count, known)) if *count > 0 => {
                    *count -= 1;
                    if *known != row.as_deref() {
                        change.changed.push(whole);
                    }
                }
                _ => change.added.push(whole),
            }
        }
        for (key, _) in &old.rows {
            if let Some((count, _)) = before.get_mut(key.as_str())
                && *count > 0
            {
                *count -= 1;
                change.removed.push(key);
            }
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(rows: &[(&str, &str)]) -> Rows {
        let rows = rows.iter().map(|(key, row)| (Some((*key).to_owned()), (*row).to_owned())).collect();
        Rows::new(Some(&["id"]), rows, false).unwrap()
    }

    fn whole(rows: &[&str]) -> Rows {
        Rows::new(None, rows.iter().map(|row| (None, (*row).to_owned())).collect(), true).unwrap()
    }

    #[test]
    fn rows_with_a_key_come_change_and_go() {
        let old = keyed(&[("1", "a"), ("2", "b"), ("3", "c")]);
        let new = keyed(&[("4", "d"), ("2", "B"), ("1", "a")]);
        let change = Rows::difference(&old, &new).unwrap();
        assert_eq!(change, Change { added: vec!["d"], changed: vec!["B"], removed: vec!["3"] });
        assert!(Rows::difference(&old, &old).unwrap().is_empty());
        assert_eq!(old.key_json(), "[\"id\"]");
    }

    #[test]
    fn equal_rows_without_a_key_are_counted() {
        let (old, new) = (whole(&["a", "a", "b"]), whole(&["b", "b", "a", "c"]));
        let change = Rows::difference(&old, &new).unwrap();
        assert_eq!(change, Change { added: vec!["b", "c"], changed: vec![], removed: vec!["a"] });
        assert_eq!(new.iter().collect::<Vec<_>>(), ["b", "b", "a", "c"]);
    }

    #[test]
    fn a_key_that_two_rows_have_is_none() {
        let rows = || vec![(Some("1".to_owned()), "a".to_owned()), (Some("1".to_owned()), "b".to_owned())];
        assert_eq!(Rows::new(Some(&["id"]), rows(), false).unwrap_err().code(), CARDINALITY_VIOLATION);
        let given_up = Rows::new(Some(&["id"]), rows(), true).unwrap();
        assert_eq!(given_up.key_json(), "null");
        assert!(Rows::difference(&keyed(&[("1", "a")]), &given_up).is_err());
    }
}
