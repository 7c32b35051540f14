//! What a new data directory begins with, and what is always there without being stored.

use std::sync::Arc;

use nqdb_types::Oid;

use crate::catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID, PUBLIC_SCHEMA_OID, SUPERUSER_OID, role_row, schema_row};
use crate::definition::{CommentDef, RoleDef, SchemaDef};
use crate::objects::ObjectRow;
use crate::rights::{AccessItem, AccessListDef, PG_DATABASE_OWNER, PUBLIC, Rights, SecuredKind, predefined_roles};
use crate::shared::{DatabaseDef, POSTGRES_DATABASE, TEMPLATE0_DATABASE, TEMPLATE1_DATABASE};
use crate::snapshot::Change;
use crate::writer::{access_list_row, comment_row, database_row};

/// The first databases with what PostgreSQL says of them.
const FIRST_DATABASES: [(Oid, &str, &str); 3] = [
    (TEMPLATE1_DATABASE, "template1", "default template for new databases"),
    (TEMPLATE0_DATABASE, "template0", "unmodifiable empty database"),
    (POSTGRES_DATABASE, "postgres", "default administrative connection database"),
];

/// The schemas of built-in objects and the predefined roles: always there, never stored.
pub(crate) fn built_in() -> Vec<Change> {
    let schemas = [(PG_CATALOG_OID, "pg_catalog"), (INFORMATION_SCHEMA_OID, "information_schema")]
        .map(|(oid, name)| Change::PutSchema(Arc::new(SchemaDef { oid, name: name.into(), owner: SUPERUSER_OID })));
    schemas.into_iter().chain(predefined_roles()).collect()
}

/// The rows of a new data directory, each with its database: the role `postgres`, and the first databases with the schema
/// `public` in each.
pub(crate) fn new_cluster() -> Vec<(Oid, ObjectRow)> {
    let mut rows = vec![(0, role_row(&first_role()))];
    for (oid, name, comment) in FIRST_DATABASES {
        let is_template = oid != POSTGRES_DATABASE;
        let database = DatabaseDef {
            oid,
            name: name.to_owned(),
            owner: SUPERUSER_OID,
            is_template,
            allow_connections: oid != TEMPLATE0_DATABASE,
            connection_limit: -1,
        };
        rows.push((0, database_row(&database)));
        let class = SecuredKind::Database.class();
        // These rows need no numbers that others do not have: their spaces are their own.
        let text = comment.to_owned();
        rows.push((0, comment_row(&CommentDef { oid, class, object: oid, column: 0, text })));
        if is_template {
            let all = SecuredKind::Database.all_rights();
            let items = vec![
                AccessItem::new(PUBLIC, SUPERUSER_OID, Rights::CONNECT),
                AccessItem::new(SUPERUSER_OID, SUPERUSER_OID, all),
            ];
            rows.push((0, access_list_row(&AccessListDef { oid, class, object: oid, column: 0, items })));
        }
        let public = SchemaDef { oid: PUBLIC_SCHEMA_OID, name: "public".into(), owner: PG_DATABASE_OWNER };
        rows.push((oid, schema_row(&public)));
    }
    rows
}

fn first_role() -> RoleDef {
    RoleDef {
        oid: SUPERUSER_OID,
        name: "postgres".into(),
        superuser: true,
        inherit: true,
        create_role: true,
        create_database: true,
        can_login: true,
        replication: true,
        bypass_row_security: true,
        connection_limit: -1,
        password: None,
        valid_until: None,
    }
}
