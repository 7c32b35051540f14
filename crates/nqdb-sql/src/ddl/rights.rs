//! Commands about roles and privileges: which module runs which.

use nqdb_txn::TxnError;

use super::{DdlContext, default_privileges, grant, membership, role, role_setting};
use crate::exec::CommandTag;
use crate::rights_command::RightsCommand;

pub(super) fn run(command: &RightsCommand, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    match command {
        RightsCommand::CreateRole { name, options } => role::create_role(name, options, cx),
        RightsCommand::AlterRole { role, options } => role::alter_role(role, options, cx),
        RightsCommand::RenameRole { role, new_name } => role::rename_role(role, new_name, cx),
        RightsCommand::RoleSetting { role, database, change } => {
            role_setting::alter_role(role.as_ref(), database.as_deref(), change, cx)
        }
        RightsCommand::DatabaseSetting { database, change } => role_setting::alter_database(database, change, cx),
        RightsCommand::DropRoles { roles, if_exists } => role::drop_roles(roles, *if_exists, cx),
        RightsCommand::GrantRoles(grant) => membership::grant_roles(grant, cx),
        RightsCommand::Grant(grant) => grant::grant(grant, cx),
        RightsCommand::DefaultPrivileges { roles, schemas, grant } => {
            default_privileges::alter(roles, schemas, grant, cx)
        }
        RightsCommand::DropOwned { roles, behavior } => role::drop_owned(roles, *behavior, cx),
        RightsCommand::ReassignOwned { roles, new_owner } => role::reassign_owned(roles, new_owner, cx),
    }
}
