//! The choice among several candidates: rules 4a to 4f of manual sections 10.2 and 10.3.

use nqdb_types::{Oid, oid, type_category, type_info};

use super::polymorphic::{is_consistent, is_polymorphic};
use crate::{CastContext, coercion};

/// A candidate: its declared argument types, as many as the call has, and what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Candidate<T> {
    pub args: Vec<Oid>,
    pub target: T,
}

/// The outcome of the choice.
pub(super) enum Choice<T> {
    One(Candidate<T>),
    None,
    Several,
}

/// Applies the rules to candidates with the right number of arguments.
pub(super) fn choose<T: Clone>(candidates: Vec<Candidate<T>>, args: &[Oid]) -> Choice<T> {
    let mut left: Vec<Candidate<T>> =
        candidates.into_iter().filter(|candidate| accepts(&candidate.args, args)).collect();
    match left.len() {
        0 => return Choice::None,
        1 => return single(left),
        _ => {}
    }
    keep_best(&mut left, |candidate| exact_matches(&candidate.args, args));
    if left.len() == 1 {
        return single(left);
    }
    keep_best(&mut left, |candidate| preferred_matches(&candidate.args, args));
    if left.len() == 1 || !args.contains(&oid::UNKNOWN) {
        return single(left);
    }
    choose_by_category(&mut left, args);
    if left.len() > 1 {
        choose_by_known_type(&mut left, args);
    }
    single(left)
}

fn single<T>(mut left: Vec<Candidate<T>>) -> Choice<T> {
    match (left.len(), left.pop()) {
        (1, Some(candidate)) => Choice::One(candidate),
        _ => Choice::Several,
    }
}

/// 4a: every argument converts implicitly, and polymorphic types agree.
fn accepts(declared: &[Oid], args: &[Oid]) -> bool {
    declared.len() == args.len()
        && declared.iter().zip(args).all(|(&to, &from)| takes(to, from))
        && is_consistent(declared, args)
}

fn takes(to: Oid, from: Oid) -> bool {
    is_polymorphic(to) || coercion(from, to, CastContext::Implicit).is_some()
}

fn keep_best<T>(left: &mut Vec<Candidate<T>>, score: impl Fn(&Candidate<T>) -> usize) {
    let best = left.iter().map(&score).max().unwrap_or(0);
    left.retain(|candidate| score(candidate) == best);
}

/// 4c: known arguments that match exactly.
fn exact_matches(declared: &[Oid], args: &[Oid]) -> usize {
    declared.iter().zip(args).filter(|&(to, from)| *from != oid::UNKNOWN && to == from).count()
}

/// 4d: known arguments that match exactly or take the preferred type of their category.
fn preferred_matches(declared: &[Oid], args: &[Oid]) -> usize {
    let matches = |to: Oid, from: Oid| {
        from != oid::UNKNOWN && (to == from || (is_preferred(to) && category(to) == category(from)))
    };
    declared.iter().zip(args).filter(|&(&to, &from)| matches(to, from)).count()
}

/// 4e: at each unknown argument the string category wins, otherwise the only category there is; then the
/// preferred type of that category, where a candidate has it.
fn choose_by_category<T: Clone>(left: &mut Vec<Candidate<T>>, args: &[Oid]) {
    let mut wanted = Vec::new();
    for (slot, _) in args.iter().enumerate().filter(|(_, arg)| **arg == oid::UNKNOWN) {
        let declared: Vec<Oid> = left.iter().filter_map(|candidate| candidate.args.get(slot).copied()).collect();
        let Some(&first) = declared.first() else { return };
        let chosen = if declared.iter().any(|&to| category(to) == 'S') {
            'S'
        } else if declared.iter().all(|&to| category(to) == category(first)) {
            category(first)
        } else {
            return;
        };
        let has_preferred = declared.iter().any(|&to| category(to) == chosen && is_preferred(to));
        wanted.push((slot, chosen, has_preferred));
    }
    let fits = |candidate: &Candidate<T>| {
        wanted.iter().all(|&(slot, chosen, has_preferred)| {
            candidate.args.get(slot).is_some_and(|&to| category(to) == chosen && (!has_preferred || is_preferred(to)))
        })
    };
    if left.iter().any(&fits) {
        left.retain(fits);
    }
}

/// 4f: where all known arguments have one type, the unknown ones are taken to have it as well.
fn choose_by_known_type<T>(left: &mut Vec<Candidate<T>>, args: &[Oid]) {
    let mut known = args.iter().copied().filter(|&arg| arg != oid::UNKNOWN);
    let Some(first) = known.next() else { return };
    if !known.all(|arg| arg == first) {
        return;
    }
    let all_known = vec![first; args.len()];
    let fits = |candidate: &Candidate<T>| accepts(&candidate.args, &all_known);
    if left.iter().filter(|candidate| fits(candidate)).count() == 1 {
        left.retain(fits);
    }
}

fn category(type_oid: Oid) -> char {
    type_category(type_oid).unwrap_or('X')
}

fn is_preferred(type_oid: Oid) -> bool {
    type_info(type_oid).is_some_and(|info| info.preferred)
}
