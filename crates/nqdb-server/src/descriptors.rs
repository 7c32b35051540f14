//! Descriptors: sockets and files share the limit that the process has (`ulimit -n`).
//!
//! Clients are bounded in number, so what they can take is known at the start. What is left must be enough for the log, the
//! data and the files that sorts spill to: a server that cannot open its next log segment cannot write any more.

use rlimit::Resource;

use crate::error::ServerError;

/// For files, the listeners and the runtime.
const OWN_DESCRIPTORS: u64 = 128;

/// Raises the process's limit as far as it may, and refuses one that `sockets` clients could use up.
pub fn reserve(sockets: usize) -> Result<(), ServerError> {
    let failed = |source| ServerError::System { what: "cannot raise the limit of open files", source };
    let (current, most) = Resource::NOFILE.get().map_err(failed)?;
    let needed = sockets as u64 + OWN_DESCRIPTORS;
    if most < needed {
        return Err(ServerError::Configuration(format!(
            "the process may have {most} open files (ulimit -n), but max-connections needs {needed}: raise the limit or \
             lower max-connections"
        )));
    }
    if current < most { Resource::NOFILE.set(most, most).map_err(failed) } else { Ok(()) }
}
