//! `LIKE source [INCLUDING | EXCLUDING ...]` in the list of CREATE TABLE.

use nqdb_sqlstate::SqlResult;

use super::cursor::Cursor;
use crate::definition::{Like, LikeOptions, QualifiedName};

/// The clause: all of the cursor's tokens.
pub(super) fn like(cursor: &mut Cursor<'_>) -> SqlResult<Like> {
    cursor.expect("like")?;
    let name = cursor.qualified_name()?;
    let source = QualifiedName { schema: name.schema, name: name.name, position: Some(name.position) };
    let mut options = LikeOptions::default();
    loop {
        let including = if cursor.take("including") {
            true
        } else if cursor.take("excluding") {
            false
        } else {
            break;
        };
        match cursor.word()?.as_str() {
            "all" => {
                options = LikeOptions {
                    comments: including,
                    compression: including,
                    constraints: including,
                    defaults: including,
                    generated: including,
                    identity: including,
                    indexes: including,
                    storage: including,
                };
            }
            "comments" => options.comments = including,
            "constraints" => options.constraints = including,
            "defaults" => options.defaults = including,
            "generated" => options.generated = including,
            "identity" => options.identity = including,
            "indexes" => options.indexes = including,
            "compression" => options.compression = including,
            "storage" => options.storage = including,
            // There is nothing of this kind to copy.
            "statistics" => {}
            _ => return Err(cursor.syntax_error()),
        }
    }
    cursor.finish()?;
    Ok(Like { source, options })
}
