//! The routines that `pg_proc` lists: functions, aggregates and window functions of the registry, and
//! the support functions of types.

use std::collections::HashMap;
use std::sync::OnceLock;

use nqdb_catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID};
use nqdb_functions::{
    Aggregate, Function, OutColumn, Volatility, WindowFunction, all_aggregates, all_functions, all_window_functions,
};
use nqdb_types::Oid;

use super::type_functions::{SupportFunction, support_functions};

/// A row of `pg_proc`, before it is one.
#[derive(Clone, Debug)]
pub(super) struct Routine {
    pub oid: Oid,
    pub name: &'static str,
    pub args: &'static [Oid],
    pub arg_names: &'static [&'static str],
    /// Defaults of the last arguments.
    pub defaults: &'static [&'static str],
    pub variadic: bool,
    /// OUT arguments.
    pub columns: &'static [OutColumn],
    pub returns: Oid,
    pub returns_set: bool,
    pub kind: RoutineKind,
    pub strict: bool,
    pub volatility: Volatility,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoutineKind {
    Function,
    Aggregate,
    Window,
}

impl Routine {
    /// The schema it is in, and its name there.
    pub fn place(&self) -> (Oid, &'static str) {
        match self.name.strip_prefix("information_schema.") {
            Some(name) => (INFORMATION_SCHEMA_OID, name),
            None => (PG_CATALOG_OID, self.name),
        }
    }

    /// Types, modes and names of all arguments, OUT ones too, as `pg_proc` lists them where not all are plain.
    pub fn all_arguments(&self) -> (Vec<Oid>, Vec<char>, Vec<&'static str>) {
        let mut types = self.catalog_args();
        let mut modes = vec!['i'; types.len()];
        if let Some(last) = modes.last_mut().filter(|_| self.variadic) {
            *last = 'v';
        }
        let mut names = self.arg_names.to_vec();
        names.resize(types.len(), "");
        for column in self.columns {
            types.push(column.type_oid);
            modes.push('o');
            names.push(column.name);
        }
        (types, modes, names)
    }
}

impl RoutineKind {
    /// `pg_proc.prokind`.
    pub fn letter(self) -> char {
        match self {
            RoutineKind::Function => 'f',
            RoutineKind::Aggregate => 'a',
            RoutineKind::Window => 'w',
        }
    }
}

struct Routines {
    by_oid: Vec<Routine>,
    by_name: HashMap<&'static str, Vec<usize>>,
}

static ROUTINES: OnceLock<Routines> = OnceLock::new();

fn routines() -> &'static Routines {
    ROUTINES.get_or_init(|| {
        let mut by_oid: Vec<Routine> = all_functions().map(of_function).collect();
        by_oid.extend(all_aggregates().map(of_aggregate));
        by_oid.extend(all_window_functions().map(of_window_function));
        by_oid.extend(support_functions().map(of_support));
        by_oid.sort_by_key(|routine| routine.oid);
        // A support function may also be one that can be called.
        by_oid.dedup_by_key(|routine| routine.oid);
        let mut by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (at, routine) in by_oid.iter().enumerate() {
            by_name.entry(routine.name).or_default().push(at);
        }
        Routines { by_oid, by_name }
    })
}

/// All routines, by number.
pub(super) fn all() -> &'static [Routine] {
    &routines().by_oid
}

/// The routine with that number.
pub(super) fn by_oid(oid: Oid) -> Option<&'static Routine> {
    let all = all();
    all.get(all.binary_search_by_key(&oid, |routine| routine.oid).ok()?)
}

/// The routines of that name.
pub(super) fn named(name: &str) -> impl Iterator<Item = &'static Routine> {
    let routines = routines();
    routines.by_name.get(name).into_iter().flatten().filter_map(|at| routines.by_oid.get(*at))
}

fn of_function(function: &'static Function) -> Routine {
    Routine {
        oid: function.oid,
        name: function.name,
        args: function.args,
        arg_names: function.arg_names,
        defaults: function.defaults,
        variadic: function.variadic,
        columns: function.columns,
        returns: function.returns,
        returns_set: function.set_returning,
        kind: RoutineKind::Function,
        strict: function.strict,
        volatility: function.volatility,
    }
}

fn of_aggregate(aggregate: &'static Aggregate) -> Routine {
    Routine {
        oid: aggregate.oid,
        name: aggregate.name,
        args: aggregate.args,
        arg_names: &[],
        defaults: &[],
        variadic: aggregate.variadic,
        columns: &[],
        returns: aggregate.returns,
        returns_set: false,
        kind: RoutineKind::Aggregate,
        strict: false,
        volatility: Volatility::Immutable,
    }
}

fn of_window_function(function: &'static WindowFunction) -> Routine {
    Routine {
        oid: function.oid,
        name: function.name,
        args: function.args,
        arg_names: &[],
        defaults: &[],
        variadic: false,
        columns: &[],
        returns: function.returns,
        returns_set: false,
        kind: RoutineKind::Window,
        strict: !matches!(function.args, []),
        volatility: Volatility::Immutable,
    }
}

fn of_support(function: SupportFunction) -> Routine {
    Routine {
        oid: function.oid,
        name: function.name,
        args: function.args,
        arg_names: &[],
        defaults: &[],
        variadic: false,
        columns: &[],
        returns: function.returns,
        returns_set: false,
        kind: RoutineKind::Function,
        strict: function.strict,
        volatility: if function.stable { Volatility::Stable } else { Volatility::Immutable },
    }
}
