//! What aggregates of properties keep of the vertices they have taken, one state a group.
//!
//! Several aggregates may read one fold: the sum, the least and the average of a property are one pass over its column.

use hashbrown::HashSet;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_cypher::functions::Function;
use quoit_graph::ids::KeyId;
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{
    ColumnValues, Floats, Offsets, PageView, Selection, SlotBits, Summary, each_slot,
};

use super::SLOTS;
use super::groups::{Numbers, ValueNumbers};
use crate::plan::ColumnCall;

/// Estimated bytes of an entry of a set of pairs.
const PAIR_BYTES: u64 = 24;

/// States of one fold, by group.
pub enum Fold {
    /// Vertices.
    Vertices(Vec<u64>),
    /// Values of a key that are not null.
    Values(Option<KeyId>, Vec<u64>),
    /// Numbers of a key.
    Numbers(Option<KeyId>, Vec<Summary>),
    /// Distinct values of a key.
    Distinct(Option<KeyId>, Box<Distinct>),
}

/// Distinct values by group.
pub struct Distinct {
    numbers: ValueNumbers,
    /// Pairs of a group and a value, if there are groups; without, every value that has a number counts.
    pairs: HashSet<(u32, u32)>,
    counts: Vec<u64>,
    /// Whether there are groups.
    is_grouped: bool,
}

impl Distinct {
    /// Without groups: all values that have a number are the only group's.
    fn count_all(&mut self) {
        let nulls = u64::from(self.numbers.null().is_some());
        self.counts[0] = self.numbers.len() as u64 - nulls;
    }
}

/// How far a fold of another core has been taken in.
#[derive(Default)]
pub struct Taken {
    /// States that have been.
    states: usize,
    /// Own numbers of its distinct values.
    values: Vec<u32>,
    /// Its pairs of a group and a value that have not been.
    pairs: Vec<(u32, u32)>,
}

impl Fold {
    /// The fold that a call reads; `is_grouped`: there are grouping keys.
    pub fn of(call: &ColumnCall, key: Option<KeyId>, is_grouped: bool) -> Fold {
        match call.function {
            None => Fold::Vertices(Vec::new()),
            Some(Function::Count) if call.distinct => Fold::Distinct(
                key,
                Box::new(Distinct {
                    numbers: ValueNumbers::new(),
                    pairs: HashSet::new(),
                    counts: Vec::new(),
                    is_grouped,
                }),
            ),
            Some(Function::Count) => Fold::Values(key, Vec::new()),
            Some(_) => Fold::Numbers(key, Vec::new()),
        }
    }

    /// Makes states for so many groups.
    pub fn fit(&mut self, groups: usize) {
        match self {
            Fold::Vertices(counts) | Fold::Values(_, counts) => counts.resize(groups, 0),
            Fold::Numbers(_, summaries) => summaries.resize(groups, Summary::default()),
            Fold::Distinct(_, distinct) => distinct.counts.resize(groups, 0),
        }
    }

    /// Estimated bytes that it keeps.
    pub fn bytes(&self) -> u64 {
        match self {
            Fold::Vertices(counts) | Fold::Values(_, counts) => counts.len() as u64 * 8,
            Fold::Numbers(_, summaries) => (summaries.len() * size_of::<Summary>()) as u64,
            Fold::Distinct(_, distinct) => {
                let pairs = distinct.pairs.len() as u64 * PAIR_BYTES;
                distinct.numbers.bytes() + pairs + distinct.counts.len() as u64 * 8
            }
        }
    }

    /// Counts of vertices, if it is these that it folds.
    pub fn vertices(&mut self) -> Option<&mut Vec<u64>> {
        match self {
            Fold::Vertices(counts) => Some(counts),
            _ => None,
        }
    }

    /// Takes in a selection of a page as one group.
    pub fn take_all(&mut self, page: &PageView<'_>, selection: &Selection) {
        match self {
            Fold::Vertices(counts) => counts[0] += selection.count(),
            Fold::Values(Some(key), counts) => counts[0] += page.count_values(selection, *key),
            Fold::Numbers(Some(key), summaries) => {
                page.summarize(selection, *key, &mut summaries[0]);
            }
            Fold::Distinct(key, distinct) => {
                let mut numbers = [0; SLOTS];
                distinct.numbers.number(page, selection, *key, &mut numbers);
                distinct.count_all();
            }
            Fold::Values(None, _) | Fold::Numbers(None, _) => {}
        }
    }

    /// Takes in a selection of a page, each vertex in its group.
    pub fn take(&mut self, page: &PageView<'_>, selection: &Selection, groups: &Numbers) {
        match self {
            Fold::Vertices(counts) => selection
                .slots()
                .for_each(|at| counts[groups[at] as usize] += 1),
            Fold::Values(Some(key), counts) => {
                let column = page.column(selection, *key);
                each_slot(&column.settled).for_each(|at| counts[groups[at] as usize] += 1);
                each_slot(&column.asked)
                    .filter(|at| page.property(*at, *key).is_some())
                    .for_each(|at| counts[groups[at] as usize] += 1);
            }
            Fold::Numbers(Some(key), summaries) => {
                summarize(page, selection, *key, groups, summaries);
            }
            Fold::Distinct(key, distinct) => {
                let mut numbers = [0; SLOTS];
                let valued = distinct.numbers.number(page, selection, *key, &mut numbers);
                for at in each_slot(&valued) {
                    if distinct.pairs.insert((groups[at], numbers[at])) {
                        distinct.counts[groups[at] as usize] += 1;
                    }
                }
            }
            Fold::Values(None, _) | Fold::Numbers(None, _) => {}
        }
    }

    /// Takes in what another core has folded by the same calls, so many steps at most; `groups` has the own number of each of its groups,
    /// for all of which there are states here. Whether all of it has been taken in.
    pub fn merge(
        &mut self,
        other: &mut Fold,
        groups: &[u32],
        taken: &mut Taken,
        mut portion: usize,
    ) -> bool {
        let first = taken.states;
        let mut next = |states: usize| {
            taken.states = states.min(first + portion);
            (first..taken.states, taken.states == states)
        };
        match (self, other) {
            (Fold::Vertices(own), Fold::Vertices(others))
            | (Fold::Values(_, own), Fold::Values(_, others)) => {
                let (now, is_all) = next(others.len());
                for group in now {
                    own[groups[group] as usize] += others[group];
                }
                is_all
            }
            (Fold::Numbers(_, own), Fold::Numbers(_, others)) => {
                let (now, is_all) = next(others.len());
                for group in now {
                    own[groups[group] as usize].merge(&others[group]);
                }
                is_all
            }
            (Fold::Distinct(_, own), Fold::Distinct(_, others)) => {
                let numbers = &mut own.numbers;
                if !numbers.merge(&others.numbers, &mut taken.values, &mut portion) {
                    return false;
                }
                taken.pairs.extend(others.pairs.drain());
                for _ in 0..portion {
                    let Some((group, value)) = taken.pairs.pop() else {
                        break;
                    };
                    let group = groups[group as usize];
                    if own.pairs.insert((group, taken.values[value as usize])) {
                        own.counts[group as usize] += 1;
                    }
                }
                if !own.is_grouped {
                    own.count_all();
                }
                taken.pairs.is_empty()
            }
            _ => unreachable!("the same calls make the same folds"),
        }
    }

    /// Whether it has met a value that a call cannot take as a number.
    pub fn is_beyond(&self, call: &ColumnCall) -> bool {
        let Fold::Numbers(_, summaries) = self else {
            return false;
        };
        // Which of two equal numbers of different types is the greatest depends on which was met first.
        let is_tie = |summary: &Summary| {
            let (int, float) = match call.function {
                Some(Function::Min) => (summary.int_min, summary.float_min),
                Some(Function::Max) => (summary.int_max, summary.float_max),
                _ => return false,
            };
            summary.ints > 0
                && summary.floats > summary.nans
                && Value::Int(int) == Value::Float(float)
        };
        summaries
            .iter()
            .any(|summary| summary.others > 0 || is_tie(summary))
    }

    /// What a call gives for a group.
    ///
    /// # Errors
    /// A sum of integers that leaves 64 bits.
    pub fn result(&self, call: &ColumnCall, group: usize) -> Result<Value, Error> {
        Ok(match self {
            Fold::Vertices(counts) | Fold::Values(_, counts) => Value::Int(counts[group] as i64),
            Fold::Distinct(_, distinct) => Value::Int(distinct.counts[group] as i64),
            Fold::Numbers(_, summaries) => return folded(call, &summaries[group]),
        })
    }
}

fn summarize(
    page: &PageView<'_>,
    selection: &Selection,
    key: KeyId,
    groups: &Numbers,
    summaries: &mut [Summary],
) {
    let column = page.column(selection, key);
    let settled: &SlotBits = &column.settled;
    let mut add = |at: usize, value: ValueRef<'_>| summaries[groups[at] as usize].add(value);
    let int = |base: i64, offset: u64| ValueRef::Int(base.wrapping_add(offset as i64));
    match column.values {
        ColumnValues::None => {}
        ColumnValues::Ints(base, Offsets::Equal) => {
            each_slot(settled).for_each(|at| add(at, int(base, 0)));
        }
        ColumnValues::Ints(base, Offsets::U8(offsets)) => {
            each_slot(settled).for_each(|at| add(at, int(base, offsets[at].into())));
        }
        ColumnValues::Ints(base, Offsets::U16(offsets)) => {
            each_slot(settled).for_each(|at| add(at, int(base, offsets[at].into())));
        }
        ColumnValues::Ints(base, Offsets::U32(offsets)) => {
            each_slot(settled).for_each(|at| add(at, int(base, offsets[at].into())));
        }
        ColumnValues::Ints(base, Offsets::U64(offsets)) => {
            each_slot(settled).for_each(|at| add(at, int(base, offsets[at])));
        }
        ColumnValues::Floats(Floats::F32(values)) => {
            each_slot(settled).for_each(|at| add(at, ValueRef::Float(values[at].into())));
        }
        ColumnValues::Floats(Floats::F64(values)) => {
            each_slot(settled).for_each(|at| add(at, ValueRef::Float(values[at])));
        }
        ColumnValues::Codes(codes) => {
            let array = codes.codes();
            each_slot(settled).for_each(|at| add(at, codes.value(array[at])));
        }
        ColumnValues::Each(values) => each_slot(settled)
            .filter_map(|at| Some((at, values.get(at)?)))
            .for_each(|(at, value)| add(at, value)),
    }
    for at in each_slot(&column.asked) {
        if let Some(value) = page.property(at, key) {
            add(at, value);
        }
    }
}

/// What a call gives for numbers that were summed up.
fn folded(call: &ColumnCall, summary: &Summary) -> Result<Value, Error> {
    let numbers = summary.ints + summary.floats;
    let float_sum = || summary.int_sum as f64 + summary.float_sum;
    let candidates = |int: i64, float: f64| {
        let ints = (summary.ints > 0).then_some(Value::Int(int));
        let floats = (summary.floats > summary.nans).then_some(Value::Float(float));
        let nans = (summary.nans > 0).then_some(Value::Float(f64::NAN));
        ints.into_iter().chain(floats).chain(nans)
    };
    Ok(match call.function {
        Some(Function::Sum) if summary.floats == 0 => {
            Value::Int(i64::try_from(summary.int_sum).map_err(|_| {
                Error::runtime(
                    ErrorKind::ArithmeticError,
                    Detail::Overflow,
                    "the sum of integers leaves 64 bits",
                )
                .at(call.place.0)
            })?)
        }
        Some(Function::Sum) => Value::Float(float_sum()),
        Some(Function::Min) => candidates(summary.int_min, summary.float_min)
            .min()
            .unwrap_or_default(),
        Some(Function::Max) => candidates(summary.int_max, summary.float_max)
            .max()
            .unwrap_or_default(),
        Some(_) if numbers == 0 => Value::Null,
        // The planner has let through nothing else but the average.
        Some(_) => Value::Float(float_sum() / numbers as f64),
        None => Value::Int(numbers as i64),
    })
}
