//! Aggregates over all vertices of a label, grouped by properties or not, computed from the columns of its pages.
//!
//! Where a value is met that cannot be folded as a number, everything is left to the operator on rows, which also words the error. Several
//! cores may read some pages each ([`Divided`]): what they have folded is put together group by group; where one of them meets such a value,
//! all is left to the operator on rows of the core that leads.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, LabelId, PageId};
use quoit_graph::value::Value;
use quoit_graph::{PageView, SlotBits};

use super::SLOTS;
use super::filter::Condition;
use super::folds::{Fold, Taken};
use super::groups::{Groups, Numbers, Renumbered};
use crate::expression::NameRef;
use crate::operator::gather::no_parts;
use crate::operator::scan::label_id;
use crate::operator::{Batch, Context, Divided, Operator, Pull, Running};
use crate::parallel::Part;
use crate::plan;

/// See the module.
pub struct ColumnAggregate {
    plan: Rc<plan::ColumnAggregate>,
    /// The same, row by row.
    by_rows: Running,
    stage: Stage,
    /// Bytes counted at the context.
    held: u64,
}

enum Stage {
    Start,
    /// Pages are being read.
    Reading(Box<Progress>),
    /// This core's pages have been read.
    Read(Box<Progress>),
    /// The groups from that number on are to be given.
    Giving(Box<Progress>, usize),
    /// Columns cannot say it.
    ByRows,
    End,
}

/// How far the pages have been read, and what was found.
struct Progress {
    label: Option<LabelId>,
    condition: Option<Condition>,
    pages: Pages,
    keys: Vec<Option<KeyId>>,
    folded: Folded,
    /// For each call, the fold it reads.
    of_calls: Vec<usize>,
    numbers: Box<Numbers>,
}

/// Where pages come from.
enum Pages {
    /// All of them, from that number on.
    All(Vec<PageId>, usize),
    /// Those that are dealt to this core.
    Dealt,
}

/// What vertices came to.
struct Folded {
    /// None without keys: then there is one group.
    groups: Option<Groups>,
    folds: Vec<Fold>,
}

/// What comes from another core.
enum Brought {
    /// What its vertices came to, and how far that has been taken in.
    Folded {
        folded: Folded,
        renumbered: Option<Renumbered>,
        is_renumbered: bool,
        /// Folds that have been.
        folds: usize,
        taken: Taken,
    },
    /// It has met what columns cannot say.
    Nothing,
}

/// Groups, values and pairs that are taken in between two looks at the time.
const MERGED_AT_ONCE: usize = 512;

impl ColumnAggregate {
    pub fn new(plan: Rc<plan::ColumnAggregate>, by_rows: Running) -> Self {
        ColumnAggregate {
            plan,
            by_rows,
            stage: Stage::Start,
            held: 0,
        }
    }

    /// Begins, if it has not begun, to read all pages or those that are dealt to this core.
    fn begin(&mut self, is_dealt: bool, cx: &mut Context<'_>) {
        if matches!(self.stage, Stage::Start) {
            // What a run that was given up held.
            self.release(cx);
            self.stage = match self.progress(is_dealt, cx) {
                Some(progress) => Stage::Reading(Box::new(progress)),
                None => Stage::ByRows,
            };
        }
    }

    /// `None`: a condition has an operand that is not what it should be.
    fn progress(&self, is_dealt: bool, cx: &mut Context<'_>) -> Option<Progress> {
        let plan = &*self.plan;
        let label = plan.label.as_ref().and_then(|name| label_id(name, cx));
        let key = |name: &NameRef| name.id(|name| cx.key_id(name)).map(KeyId);
        let keys: Vec<Option<KeyId>> = plan.keys.iter().map(key).collect();
        let mut folds: Vec<Fold> = Vec::new();
        let mut of_calls: Vec<usize> = Vec::with_capacity(plan.calls.len());
        // By their names, which are the same on all cores: an id may be known only later.
        for (at, call) in plan.calls.iter().enumerate() {
            let known = plan.calls[..at]
                .iter()
                .position(|known| known.folds_as(call));
            of_calls.push(match known {
                Some(known) => of_calls[known],
                None => {
                    let key = call.key.as_ref().and_then(key);
                    folds.push(Fold::of(call, key, !keys.is_empty()));
                    folds.len() - 1
                }
            });
        }
        let condition = match &plan.filter {
            Some(filter) => Some(Condition::bind(filter, cx)?),
            None => None,
        };
        let pages = match (label, &plan.label) {
            _ if is_dealt => Pages::Dealt,
            // No vertex has a label that has no id.
            (None, Some(_)) => Pages::All(Vec::new(), 0),
            _ => Pages::All(cx.view.pages(label), 0),
        };
        Some(Progress {
            pages,
            label,
            condition,
            folded: Folded {
                groups: (!keys.is_empty()).then(|| Groups::new(keys.len())),
                folds,
            },
            keys,
            of_calls,
            numbers: Box::new([0; SLOTS]),
        })
    }

    /// Reads pages until none is left, the time is over (`Yield`), or one cannot be folded.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        while let Stage::Reading(progress) = &mut self.stage {
            let Some((page, part)) = progress.next_page(cx)? else {
                if let Stage::Reading(progress) = std::mem::replace(&mut self.stage, Stage::End) {
                    self.stage = Stage::Read(progress);
                }
                break;
            };
            if let Some(page) = cx.view.page(page) {
                progress.take(&page, part.as_ref());
                // Looked at while there is one group, or when all is read: it goes over all groups.
                if progress.folded.groups() == 1 && progress.is_beyond(&self.plan) {
                    self.give_up(cx);
                    break;
                }
            }
            let bytes = progress.folded.bytes();
            self.hold(bytes, cx)?;
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        Ok(Pull::End)
    }

    /// Leaves it to the operator on rows.
    fn give_up(&mut self, cx: &mut Context<'_>) {
        self.stage = Stage::ByRows;
        self.release(cx);
    }

    /// Counts so many bytes, if there were fewer.
    fn hold(&mut self, bytes: u64, cx: &mut Context<'_>) -> Result<(), Error> {
        if bytes > self.held {
            cx.hold(bytes - self.held)?;
            self.held = bytes;
        }
        Ok(())
    }

    fn release(&mut self, cx: &mut Context<'_>) {
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Folded {
    /// How many groups there are.
    fn groups(&self) -> usize {
        self.groups.as_ref().map_or(1, Groups::len)
    }

    /// Makes states for all groups.
    fn fit(&mut self) {
        let groups = self.groups();
        self.folds.iter_mut().for_each(|fold| fold.fit(groups));
    }

    fn bytes(&self) -> u64 {
        let folds: u64 = self.folds.iter().map(Fold::bytes).sum();
        folds + self.groups.as_ref().map_or(0, Groups::bytes)
    }

    /// Takes in a portion of what comes from another core; whether there is no more of it.
    fn merge(&mut self, brought: &mut Brought) -> bool {
        let Brought::Folded {
            folded: others,
            renumbered,
            is_renumbered,
            folds,
            taken,
        } = brought
        else {
            return true;
        };
        if let (Some(own), Some(others), false) = (&mut self.groups, &others.groups, *is_renumbered)
        {
            let known = renumbered.get_or_insert_with(|| own.renumbered());
            *is_renumbered = own.merge(others, known, MERGED_AT_ONCE);
            if !*is_renumbered {
                return false;
            }
            self.fit();
        }
        let groups = renumbered
            .as_ref()
            .map_or([0].as_slice(), Renumbered::groups);
        let Some(others) = others.folds.get_mut(*folds) else {
            return true;
        };
        let own = &mut self.folds[*folds];
        own.fit(self.groups.as_ref().map_or(1, Groups::len));
        if own.merge(others, groups, taken, MERGED_AT_ONCE) {
            *folds += 1;
            *taken = Taken::default();
        }
        false
    }
}

impl Progress {
    /// The next page, and which slots of it.
    fn next_page(&mut self, cx: &Context<'_>) -> Result<Option<(PageId, Option<SlotBits>)>, Error> {
        Ok(match &mut self.pages {
            Pages::All(pages, next) => {
                *next += 1;
                pages.get(*next - 1).map(|page| (*page, None))
            }
            Pages::Dealt => cx.next_morsel()?.map(|morsel| (morsel.page, morsel.part())),
        })
    }

    /// Takes in one page, or some slots of it.
    fn take(&mut self, page: &PageView<'_>, part: Option<&SlotBits>) {
        let mut selection = page.select(self.label);
        if let Some(part) = part {
            selection = selection.narrowed(part);
        }
        if let Some(condition) = &self.condition {
            selection = condition.select(page, &selection);
        }
        if selection.is_empty() {
            return;
        }
        let Folded { groups, folds } = &mut self.folded;
        let Some(groups) = groups else {
            for fold in folds {
                fold.fit(1);
                fold.take_all(page, &selection);
            }
            return;
        };
        // Vertices by one key whose values take a byte each are counted without numbering them.
        if let (Some(values), [Some(key)]) = (groups.single(), self.keys.as_slice())
            && let [fold] = folds.as_mut_slice()
            && let Some(counts) = fold.vertices()
            && values.count(page, &selection, *key, counts)
        {
            return;
        }
        groups.number(page, &selection, &self.keys, &mut self.numbers);
        for fold in folds {
            fold.fit(groups.len());
            fold.take(page, &selection, &self.numbers);
        }
    }

    /// Each call with the fold it reads.
    fn calls<'a>(
        &'a self,
        plan: &'a plan::ColumnAggregate,
    ) -> impl Iterator<Item = (&'a plan::ColumnCall, &'a Fold)> {
        let folds = self.of_calls.iter().map(|fold| &self.folded.folds[*fold]);
        plan.calls.iter().zip(folds)
    }

    /// Whether a fold has met a value that is no number.
    fn is_beyond(&self, plan: &plan::ColumnAggregate) -> bool {
        self.calls(plan)
            .any(|(call, fold)| call.folds_numbers() && fold.is_beyond(call))
    }
}

impl Operator for ColumnAggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.by_rows.reset(argument);
        self.stage = Stage::Start;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        self.begin(false, cx);
        if self.read(cx)? == Pull::Yield {
            return Ok(Pull::Yield);
        }
        match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Read(mut progress) => {
                progress.folded.fit();
                match progress.is_beyond(&self.plan) {
                    true => self.give_up(cx),
                    false => self.stage = Stage::Giving(progress, 0),
                }
            }
            other => self.stage = other,
        }
        match &mut self.stage {
            Stage::Giving(progress, next) => {
                let keys = progress.keys.len();
                while *next < progress.folded.groups() && !out.is_full() {
                    let row = out.push_nulls(self.plan.width.get() as usize);
                    if let Some(groups) = &progress.folded.groups {
                        let values = groups.values_backwards(*next as u32);
                        for (slot, value) in row[..keys].iter_mut().rev().zip(values) {
                            slot.clone_from(value);
                        }
                    }
                    for (at, (call, fold)) in progress.calls(&self.plan).enumerate() {
                        row[keys + at] = fold.result(call, *next)?;
                    }
                    *next += 1;
                }
                if !out.is_empty() {
                    return Ok(Pull::Rows);
                }
                self.stage = Stage::End;
                self.release(cx);
                Ok(Pull::End)
            }
            Stage::ByRows => self.by_rows.next(cx, out),
            _ => Ok(Pull::End),
        }
    }

    fn divided(&mut self) -> Option<&mut dyn Divided> {
        Some(self)
    }
}

impl Divided for ColumnAggregate {
    fn take_part(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        self.begin(true, cx);
        let pulled = self.read(cx)?;
        if let Stage::ByRows = self.stage {
            // Nobody needs what is left.
            while cx.next_morsel()?.is_some() {}
        }
        Ok(pulled)
    }

    fn give_part(&mut self) -> Part {
        Box::new(match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Read(progress) => Brought::Folded {
                folded: progress.folded,
                renumbered: None,
                is_renumbered: false,
                folds: 0,
                taken: Taken::default(),
            },
            _ => Brought::Nothing,
        })
    }

    fn merge(&mut self, part: &mut Part, cx: &mut Context<'_>) -> Result<bool, Error> {
        self.begin(true, cx);
        let brought: &mut Brought = part.downcast_mut().ok_or_else(no_parts)?;
        if let Brought::Nothing = brought {
            self.give_up(cx);
        }
        while let Stage::Reading(progress) | Stage::Read(progress) = &mut self.stage {
            let is_all = progress.folded.merge(brought);
            let bytes = progress.folded.bytes();
            self.hold(bytes, cx)?;
            if is_all {
                break;
            }
            if cx.should_yield() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
