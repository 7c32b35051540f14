//! Whether a role may do something with an object.

use nqdb_types::Oid;

use super::{AccessItem, PG_READ_ALL_DATA, PG_WRITE_ALL_DATA, PUBLIC, Rights, Secured, SecuredKind};
use crate::definition::Relation;
use crate::snapshot::Snapshot;

/// Which columns of a table a statement touches in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnNeeds {
    pub selected: Vec<i16>,
    pub inserted: Vec<i16>,
    pub updated: Vec<i16>,
}

impl Snapshot {
    /// Which of the `wanted` privileges a list gives a role.
    fn rights_by(&self, list: &[AccessItem], role: Oid, wanted: Rights) -> Rights {
        let mut found = Rights::NONE;
        for item in list.iter().filter(|item| item.grantee == PUBLIC || item.grantee == role) {
            found = found.with(item.rights.common(wanted));
        }
        for item in list {
            if found.contains(wanted) {
                break;
            }
            if item.grantee != PUBLIC
                && !found.contains(item.rights.common(wanted))
                && self.has_privileges_of(role, item.grantee)
            {
                found = found.with(item.rights.common(wanted));
            }
        }
        found
    }

    /// Which of the `wanted` privileges a role may grant on, by a list and as owner.
    pub fn grantable(&self, list: &[AccessItem], role: Oid, owner: Oid, wanted: Rights) -> Rights {
        if self.has_privileges_of(role, owner) {
            return wanted;
        }
        let from = |item: &&AccessItem| item.grantee != PUBLIC && self.has_privileges_of(role, item.grantee);
        let all = list.iter().filter(from).fold(Rights::NONE, |all, item| all.with(item.grantable));
        all.common(wanted)
    }

    /// The list of an object, the default one where none is stored.
    pub fn list_of(&self, secured: &Secured, column: i16) -> Vec<AccessItem> {
        match self.access_list(secured.kind.class(), secured.object, column) {
            Some(stored) => stored.items.clone(),
            None if column != 0 => Vec::new(),
            None => self.unstored_list(secured),
        }
    }

    /// What holds for an object whose list nobody has changed: built-in schemas and schema `public` start with a list.
    fn unstored_list(&self, secured: &Secured) -> Vec<AccessItem> {
        let mut list = secured.kind.default_list(secured.owner);
        if secured.kind == SecuredKind::Schema && secured.object < crate::FIRST_USER_OID {
            list.push(AccessItem::new(PUBLIC, secured.owner, Rights::USAGE));
        }
        list
    }

    /// Which of the `wanted` privileges a role has on an object as a whole.
    pub fn rights_on(&self, role: Oid, secured: &Secured, wanted: Rights) -> Rights {
        if self.is_superuser(role) {
            return wanted;
        }
        self.rights_by_list(role, secured, &self.list_of(secured, 0), wanted)
    }

    /// As [`Snapshot::rights_on`], for a role that is no superuser and a list that the caller knows.
    pub fn rights_by_list(&self, role: Oid, secured: &Secured, list: &[AccessItem], wanted: Rights) -> Rights {
        let mut found = self.rights_by(list, role, wanted);
        let reads = || self.has_privileges_of(role, PG_READ_ALL_DATA);
        let writes = || self.has_privileges_of(role, PG_WRITE_ALL_DATA);
        match secured.kind {
            SecuredKind::Table | SecuredKind::Sequence => {
                let changes = Rights::INSERT.with(Rights::UPDATE).with(Rights::DELETE);
                if !found.contains(wanted.common(Rights::SELECT)) && reads() {
                    found = found.with(wanted.common(Rights::SELECT));
                }
                if !found.contains(wanted.common(changes)) && writes() {
                    found = found.with(wanted.common(changes));
                }
            }
            SecuredKind::Schema if !found.contains(wanted.common(Rights::USAGE)) && (reads() || writes()) => {
                found = found.with(wanted.common(Rights::USAGE));
            }
            _ => {}
        }
        found
    }

    /// Whether a role has all of some privileges on an object as a whole.
    pub fn may(&self, role: Oid, secured: &Secured, wanted: Rights) -> bool {
        self.rights_on(role, secured, wanted).contains(wanted)
    }

    /// Which of the `wanted` privileges a role has on a column by the column's own list.
    pub fn rights_on_column(&self, role: Oid, secured: &Secured, column: i16, wanted: Rights) -> Rights {
        match self.access_list(secured.kind.class(), secured.object, column) {
            Some(list) => self.rights_by(&list.items, role, wanted),
            None => Rights::NONE,
        }
    }

    /// Whether a role may do all of `needed` with a relation, where reading and changing may be allowed for single columns.
    pub fn may_with_columns(&self, role: Oid, secured: &Secured, needed: Rights, columns: &ColumnNeeds) -> bool {
        let missing = needed.without(self.rights_on(role, secured, needed));
        if missing.is_empty() {
            return true;
        }
        let by_column = [
            (Rights::SELECT, &columns.selected),
            (Rights::INSERT, &columns.inserted),
            (Rights::UPDATE, &columns.updated),
        ];
        let in_columns = by_column.iter().fold(Rights::NONE, |all, (right, _)| all.with(*right));
        if !in_columns.contains(missing) {
            return false;
        }
        by_column.iter().filter(|(right, _)| missing.contains(*right)).all(|(right, named)| {
            let granted = |column: i16| self.rights_on_column(role, secured, column, *right).contains(*right);
            if named.is_empty() {
                self.columns_with_lists(secured.object).any(granted)
            } else {
                named.iter().all(|column| granted(*column))
            }
        })
    }

    /// What privileges on a relation are about; `None` for an index, which has none, and for what does not exist.
    pub fn secured_relation(&self, oid: Oid) -> Option<Secured> {
        let relation = self.relation_by_oid(oid)?;
        let kind = match relation {
            Relation::Table(_) | Relation::View(_) => SecuredKind::Table,
            Relation::Sequence(_) => SecuredKind::Sequence,
            Relation::Index(..) => return None,
        };
        Some(Secured { kind, object: oid, owner: relation.owner(), name: relation.name().to_owned() })
    }

    pub fn secured_schema(&self, oid: Oid) -> Option<Secured> {
        let schema = self.schema_by_oid(oid)?;
        Some(Secured { kind: SecuredKind::Schema, object: oid, owner: schema.owner, name: schema.name.clone() })
    }

    /// Whether a role may look names up in a schema. The temporary schema of a session is its own.
    pub fn may_use_schema(&self, role: Oid, oid: Oid) -> bool {
        match self.secured_schema(oid) {
            Some(secured) => {
                self.schema_by_oid(oid).is_some_and(|schema| schema.is_temporary())
                    || self.may(role, &secured, Rights::USAGE)
            }
            None => false,
        }
    }

    /// Whether a role owns an object, itself or by a role whose privileges it has.
    pub fn owns(&self, role: Oid, owner: Oid) -> bool {
        self.has_privileges_of(role, owner)
    }

    /// The list with which a new object begins, by its owner's ALTER DEFAULT PRIVILEGES; `None` for the plain default.
    pub fn initial_list(&self, kind: SecuredKind, owner: Oid, schema: Oid) -> Option<Vec<AccessItem>> {
        let global = self.default_access(owner, 0, kind);
        let local = self.default_access(owner, schema, kind).filter(|_| schema != 0);
        if global.is_none() && local.is_none() {
            return None;
        }
        let plain = kind.default_list(owner);
        let mut list = global.map_or_else(|| plain.clone(), |global| global.items.clone());
        for item in local.iter().flat_map(|local| &local.items) {
            match list.iter_mut().find(|known| known.grantee == item.grantee && known.grantor == item.grantor) {
                Some(known) => {
                    known.rights = known.rights.with(item.rights);
                    known.grantable = known.grantable.with(item.grantable);
                }
                None => list.push(*item),
            }
        }
        (!same_list(&list, &plain)).then_some(list)
    }
}

/// Whether two lists hold the same items, in any order.
fn same_list(left: &[AccessItem], right: &[AccessItem]) -> bool {
    left.len() == right.len() && left.iter().all(|item| right.contains(item))
}
