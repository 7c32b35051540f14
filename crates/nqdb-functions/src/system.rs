//! Functions that ask the session or the system: who, where, settings, sequences, sizes, descriptions.

mod acl;
mod advisory;
mod blocking;
mod catalog;
mod channel;
mod definition;
mod identification;
mod identity;
mod index_property;
mod keywords;
mod log;
mod notification;
mod partition;
mod privilege;
mod publication;
mod sequence;
mod server;
mod size;
mod transaction;
mod visibility;

use crate::Function;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[
    blocking::FUNCTIONS,
    catalog::FUNCTIONS,
    identity::FUNCTIONS,
    index_property::FUNCTIONS,
    sequence::FUNCTIONS,
    server::FUNCTIONS,
    size::FUNCTIONS,
    transaction::FUNCTIONS,
    visibility::FUNCTIONS,
    acl::FUNCTIONS,
    advisory::FUNCTIONS,
    keywords::FUNCTIONS,
    log::FUNCTIONS,
    notification::FUNCTIONS,
    partition::FUNCTIONS,
    definition::FUNCTIONS,
    identification::FUNCTIONS,
    privilege::FUNCTIONS,
    channel::FUNCTIONS,
    publication::FUNCTIONS,
];
