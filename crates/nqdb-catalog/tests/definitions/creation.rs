//! A first start that is cut off at any call: the next one finds no database, or a whole one.

use std::sync::Arc;

use nqdb_storage::disk::{Call, CrashMode, Fault, SimDisk};
use nqdb_storage::verify::verify_file;
use nqdb_storage::{Engine, PageId, TreeId};
use nqdb_txn::{TxnSystem, check_table};

use crate::bed::{Bed, engine_options, open_postgres, txn_options};

fn first_start(disk: &SimDisk) -> Option<Bed> {
    let system = TxnSystem::create(Arc::new(disk.clone()), engine_options(), txn_options()).ok()?;
    Some(Bed { catalog: open_postgres(system).ok()? })
}

/// What a server does with a directory.
fn start(disk: &SimDisk) -> Result<Bed, String> {
    let is_there = Engine::exists(disk).map_err(|error| error.to_string())?;
    let (disk, engine, options) = (Arc::new(disk.clone()), engine_options(), txn_options());
    let system =
        if is_there { TxnSystem::open(disk, engine, options) } else { TxnSystem::create(disk, engine, options) };
    let system = system.map_err(|error| format!("a database is there: {is_there}; {error}"))?;
    Ok(Bed { catalog: open_postgres(system).map_err(|error| format!("{error:?}"))? })
}

/// Uses the database and checks every page of it.
fn use_and_verify(bed: &Bed) -> Result<(), String> {
    let table = bed.table_of(3, true);
    assert!(bed.catalog.committed().role("postgres").is_some());
    bed.check_nothing_leaked(table);
    let own = check_table(bed.system(), bed.catalog.cluster().own_table()).map_err(|error| error.to_string())?;
    assert_eq!(own.problems, Vec::<String>::new());
    let listed = bed.system().trees().map_err(|error| error.to_string())?;
    let trees: Vec<(TreeId, PageId)> =
        std::iter::once((TreeId(1), PageId(1))).chain(listed.into_iter().map(|(id, root, _)| (id, root))).collect();
    verify_file(bed.system().engine(), &trees, &mut |_, _, _| {}).map_err(|error| error.to_string())?;
    Ok(())
}

#[test]
fn a_first_start_that_is_cut_off_anywhere_can_be_made_again() {
    let undisturbed = SimDisk::new();
    first_start(&undisturbed).expect("nothing disturbs this start");
    let calls = undisturbed.calls(Call::Change);
    assert!(calls > 20, "a first start makes only {calls} calls");
    for at in 1..=calls {
        let disk = SimDisk::new();
        disk.fail_at(Call::Change, at, Fault::CrashHere);
        drop(first_start(&disk));
        assert!(disk.has_crashed());
        let modes = [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::RandomSubset(at), CrashMode::Torn512(at)];
        for mode in modes {
            // The second start is cut off too, a little later from case to case.
            let second = disk.crash(mode);
            second.fail_at(Call::Change, at % 13 + 1, Fault::CrashHere);
            drop(start(&second));
            for found in [disk.crash(mode), second.crash(mode)] {
                let outcome = start(&found).and_then(|bed| use_and_verify(&bed));
                assert_eq!(outcome, Ok(()), "power cut at call {at} of {calls}, {mode:?}");
            }
        }
    }
}
