//! Kinds of objects that PostgreSQL has and this server does not: known by the words in front of their names.
//!
//! 1. CREATE and ALTER of one is 0A000, whatever the rest of the statement says.
//! 2. DROP looks the object up, as PostgreSQL does: nothing can be found but what is built in, which stays.

use sqlparser::ast::DataType;

use crate::ddl::QualifiedName;

/// One kind of object.
#[derive(Debug)]
pub struct AbsentKind {
    /// The tag of its DROP; the words behind the first one name the kind in statements.
    pub drop_tag: &'static str,
    /// As messages call one.
    pub noun: &'static str,
    /// How DROP names one.
    pub target: TargetForm,
    /// The system catalog that lists the built-in ones and its column of names, where there are any.
    pub built_in: Option<(&'static str, &'static str)>,
}

/// What stands behind the words of DROP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// A list of names.
    Names,
    /// A list of names that may have a schema.
    QualifiedNames,
    /// A list of names with argument types, which may be left out.
    Signatures,
    /// A list of operators with their operand types.
    Operators,
    /// `name ON table`.
    OfTable,
    /// `name USING access method`.
    OfMethod,
    /// `(type AS type)`.
    Cast,
    /// `FOR type LANGUAGE name`.
    Transform,
    /// `FOR role SERVER name`.
    UserMapping,
}

impl AbsentKind {
    /// The words that name the kind, in capitals.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.drop_tag.split(' ').skip(1)
    }
}

const fn kind(
    drop_tag: &'static str,
    noun: &'static str,
    target: TargetForm,
    built_in: Option<(&'static str, &'static str)>,
) -> AbsentKind {
    AbsentKind { drop_tag, noun, target, built_in }
}

/// All of them; one whose words begin another's comes behind it.
pub static ABSENT_KINDS: &[AbsentKind] = &[
    kind("DROP ACCESS METHOD", "access method", TargetForm::Names, Some(("pg_am", "amname"))),
    kind("DROP AGGREGATE", "aggregate", TargetForm::Signatures, None),
    kind("DROP CAST", "cast", TargetForm::Cast, None),
    kind("DROP COLLATION", "collation", TargetForm::QualifiedNames, Some(("pg_collation", "collname"))),
    kind("DROP CONVERSION", "conversion", TargetForm::QualifiedNames, Some(("pg_conversion", "conname"))),
    kind("DROP EVENT TRIGGER", "event trigger", TargetForm::Names, None),
    kind("DROP EXTENSION", "extension", TargetForm::Names, Some(("pg_extension", "extname"))),
    kind("DROP FOREIGN DATA WRAPPER", "foreign-data wrapper", TargetForm::Names, None),
    kind("DROP FOREIGN TABLE", "foreign table", TargetForm::QualifiedNames, None),
    kind("DROP FUNCTION", "function", TargetForm::Signatures, None),
    kind("DROP LANGUAGE", "language", TargetForm::Names, Some(("pg_language", "lanname"))),
    kind("DROP OPERATOR CLASS", "operator class", TargetForm::OfMethod, Some(("pg_opclass", "opcname"))),
    kind("DROP OPERATOR FAMILY", "operator family", TargetForm::OfMethod, Some(("pg_opfamily", "opfname"))),
    kind("DROP OPERATOR", "operator", TargetForm::Operators, None),
    kind("DROP POLICY", "policy", TargetForm::OfTable, None),
    kind("DROP PROCEDURE", "procedure", TargetForm::Signatures, None),
    kind("DROP PUBLICATION", "publication", TargetForm::Names, None),
    kind("DROP ROUTINE", "routine", TargetForm::Signatures, None),
    kind("DROP RULE", "rule", TargetForm::OfTable, None),
    kind("DROP SERVER", "server", TargetForm::Names, None),
    kind("DROP STATISTICS", "statistics object", TargetForm::QualifiedNames, None),
    kind("DROP SUBSCRIPTION", "subscription", TargetForm::Names, None),
    kind("DROP TABLESPACE", "tablespace", TargetForm::Names, Some(("pg_tablespace", "spcname"))),
    kind("DROP TEXT SEARCH CONFIGURATION", "text search configuration", TargetForm::QualifiedNames, None),
    kind("DROP TEXT SEARCH DICTIONARY", "text search dictionary", TargetForm::QualifiedNames, None),
    kind("DROP TEXT SEARCH PARSER", "text search parser", TargetForm::QualifiedNames, None),
    kind("DROP TEXT SEARCH TEMPLATE", "text search template", TargetForm::QualifiedNames, None),
    kind("DROP TRANSFORM", "transform", TargetForm::Transform, None),
    kind("DROP TRIGGER", "trigger", TargetForm::OfTable, None),
    kind("DROP USER MAPPING", "user mapping", TargetForm::UserMapping, None),
];

/// Words behind ALTER that name no kind of object that could be dropped.
pub static ABSENT_ALTERATIONS: &[&[&str]] = &[&["LARGE", "OBJECT"], &["SYSTEM"]];

/// `DROP kind [IF EXISTS] object, ...`.
#[derive(Clone, Debug)]
pub struct DropAbsent {
    pub kind: &'static AbsentKind,
    pub if_exists: bool,
    pub objects: Vec<AbsentObject>,
}

/// An object as DROP names it.
#[derive(Clone, Debug)]
pub enum AbsentObject {
    Named(QualifiedName),
    /// No arguments: the name alone was written.
    Signature {
        name: QualifiedName,
        arguments: Option<Vec<WrittenType>>,
    },
    /// `None` for NONE.
    Operator {
        name: QualifiedName,
        left: Option<WrittenType>,
        right: Option<WrittenType>,
    },
    OfTable {
        name: String,
        table: QualifiedName,
    },
    OfMethod {
        name: QualifiedName,
        method: String,
    },
    Cast {
        from: WrittenType,
        to: WrittenType,
    },
    Transform {
        ty: WrittenType,
        language: String,
    },
    /// `None` for PUBLIC and the words that name the current user.
    UserMapping {
        role: Option<String>,
        server: String,
    },
}

/// The name of a type.
#[derive(Clone, Debug)]
pub struct WrittenType {
    pub data_type: DataType,
    pub schema: Option<String>,
    /// It is one of the grammar's own words for types, which stand for a type of pg_catalog.
    pub is_keyword: bool,
    /// As it was written, without an array's brackets.
    pub text: String,
}
