//! Conditions on the vertices of a page.
//!
//! A condition answers with two sets of slots: for which it is true, and for which it is false; of the others it says null. So `NOT`
//! swaps them and nothing else has to know of three-valued logic.

use quoit_cypher::ast::{ComparisonOp, StringOp};
use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, LabelId};
use quoit_graph::value::{List, Value, ValueRef};
use quoit_graph::{ColumnValues, Floats, Offsets, PageView, Selection, SlotBits, each_slot};
use std::sync::Arc;

use crate::expression::evaluate::{compare, contains, evaluate};
use crate::operator::Context;
use crate::operator::scan::label_id;
use crate::plan::{ColumnFilter, ColumnTest};

/// A condition with the ids and values of one execution.
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// None: no vertex has it.
    Label(Option<LabelId>),
    /// None: no vertex has it.
    Property(Option<KeyId>, Test),
}

/// What a property must be.
pub enum Test {
    Compare(ComparisonOp, Value),
    In(Arc<List>),
    IsNull,
    Text(StringOp, Arc<str>),
    /// Null whatever it is.
    Unknown,
}

/// For which slots a condition is true, and for which false.
#[derive(Clone, Copy)]
pub struct Verdict {
    pub yes: SlotBits,
    pub no: SlotBits,
}

const NONE: SlotBits = [0; super::SLOTS / 64];

fn and(a: &SlotBits, b: &SlotBits) -> SlotBits {
    std::array::from_fn(|i| a[i] & b[i])
}

fn or(a: &SlotBits, b: &SlotBits) -> SlotBits {
    std::array::from_fn(|i| a[i] | b[i])
}

fn less(a: &SlotBits, b: &SlotBits) -> SlotBits {
    std::array::from_fn(|i| a[i] & !b[i])
}

impl Condition {
    /// The condition of a plan with what its operands are worth now; `None` if rows must be asked one by one, since an operand is not
    /// what it should be and only a row that comes to it may say so.
    pub fn bind(filter: &ColumnFilter, cx: &mut Context<'_>) -> Option<Condition> {
        let all = |parts: &[ColumnFilter], cx: &mut Context<'_>| {
            let bound = parts.iter().map(|part| Condition::bind(part, cx));
            bound.collect::<Option<Vec<_>>>()
        };
        Some(match filter {
            ColumnFilter::All(parts) => Condition::All(all(parts, cx)?),
            ColumnFilter::Any(parts) => Condition::Any(all(parts, cx)?),
            ColumnFilter::Not(part) => Condition::Not(Box::new(Condition::bind(part, cx)?)),
            ColumnFilter::Label(name) => Condition::Label(label_id(name, cx)),
            ColumnFilter::Property(key, test) => {
                let key = key.id(|name| cx.key_id(name)).map(KeyId);
                Condition::Property(key, Test::bind(test, cx).ok()??)
            }
        })
    }

    /// The vertices of a selection for which it is true.
    pub fn select(&self, page: &PageView<'_>, selection: &Selection) -> Selection {
        selection.narrowed(&self.ask(page, selection).yes)
    }

    fn ask(&self, page: &PageView<'_>, selection: &Selection) -> Verdict {
        match self {
            Condition::All(parts) => {
                let (mut null, mut no) = (NONE, NONE);
                // Where one is false the others need not be asked.
                let mut left = *selection;
                for part in parts {
                    let verdict = part.ask(page, &left);
                    let known = or(&verdict.yes, &verdict.no);
                    null = or(&null, &less(&left.bits(), &known));
                    no = or(&no, &verdict.no);
                    left = left.narrowed(&less(&left.bits(), &verdict.no));
                }
                Verdict {
                    yes: less(&left.bits(), &null),
                    no,
                }
            }
            Condition::Any(parts) => {
                let (mut null, mut yes) = (NONE, NONE);
                let mut left = *selection;
                for part in parts {
                    let verdict = part.ask(page, &left);
                    let known = or(&verdict.yes, &verdict.no);
                    null = or(&null, &less(&left.bits(), &known));
                    yes = or(&yes, &verdict.yes);
                    left = left.narrowed(&less(&left.bits(), &verdict.yes));
                }
                Verdict {
                    yes,
                    no: less(&left.bits(), &null),
                }
            }
            Condition::Not(part) => {
                let Verdict { yes, no } = part.ask(page, selection);
                Verdict { yes: no, no: yes }
            }
            Condition::Label(label) => {
                let all = selection.bits();
                let yes = label.map_or(NONE, |label| and(&all, &page.select(Some(label)).bits()));
                Verdict {
                    yes,
                    no: less(&all, &yes),
                }
            }
            Condition::Property(None, test) => {
                let mut verdict = Verdict {
                    yes: NONE,
                    no: NONE,
                };
                verdict.add(&selection.bits(), test.of_null());
                verdict
            }
            Condition::Property(Some(key), test) => test.ask(page, selection, *key),
        }
    }
}

impl Verdict {
    /// Notes the same answer for some slots.
    fn add(&mut self, slots: &SlotBits, answer: Option<bool>) {
        match answer {
            Some(true) => self.yes = or(&self.yes, slots),
            Some(false) => self.no = or(&self.no, slots),
            None => {}
        }
    }

    fn note(&mut self, slot: usize, answer: Option<bool>) {
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        match answer {
            Some(true) => self.yes[word] |= bit,
            Some(false) => self.no[word] |= bit,
            None => {}
        }
    }
}

impl Test {
    fn bind(test: &ColumnTest, cx: &mut Context<'_>) -> Result<Option<Test>, Error> {
        Ok(Some(match test {
            ColumnTest::Compare(op, value) => Test::Compare(*op, evaluate(value, cx, &[])?),
            ColumnTest::In(list) => match evaluate(list, cx, &[])? {
                Value::List(items) => Test::In(items),
                Value::Null => Test::Unknown,
                _ => return Ok(None),
            },
            ColumnTest::IsNull => Test::IsNull,
            ColumnTest::Text(op, pattern) => match evaluate(pattern, cx, &[])? {
                Value::String(pattern) => Test::Text(*op, pattern),
                _ => Test::Unknown,
            },
        }))
    }

    /// The answer where there is no value.
    fn of_null(&self) -> Option<bool> {
        match self {
            Test::Compare(op, value) => compare(*op, &Value::Null, value),
            Test::In(items) => contains(items, &Value::Null),
            Test::IsNull => Some(true),
            Test::Text(..) | Test::Unknown => None,
        }
    }

    /// The answer for a value, which is not null.
    fn of(&self, found: ValueRef<'_>) -> Option<bool> {
        match self {
            Test::Compare(op, value) => match (found, value) {
                (ValueRef::Int(a), Value::Int(b)) => Some(ordered(*op, &a, b)),
                (ValueRef::String(a), Value::String(b)) => match op {
                    ComparisonOp::Equal => Some(*a == **b),
                    ComparisonOp::NotEqual => Some(*a != **b),
                    _ => compare(*op, &found.to_value(), value),
                },
                _ => compare(*op, &found.to_value(), value),
            },
            Test::In(items) => contains(items, &found.to_value()),
            Test::IsNull => Some(false),
            Test::Text(op, pattern) => match found {
                ValueRef::String(text) => Some(match op {
                    StringOp::StartsWith => text.starts_with(&**pattern),
                    StringOp::EndsWith => text.ends_with(&**pattern),
                    // The planner hands on no regular expressions.
                    StringOp::Contains | StringOp::Regex => text.contains(&**pattern),
                }),
                _ => None,
            },
            Test::Unknown => None,
        }
    }

    /// The integers for which it is true, both bounds included, if these lie side by side and it is false for all others.
    fn range(&self) -> Option<(i128, i128)> {
        let Test::Compare(op, Value::Int(value)) = self else {
            return None;
        };
        let (value, least, most) = (i128::from(*value), i128::MIN, i128::MAX);
        Some(match op {
            ComparisonOp::Equal => (value, value),
            ComparisonOp::Less => (least, value - 1),
            ComparisonOp::LessEqual => (least, value),
            ComparisonOp::Greater => (value + 1, most),
            ComparisonOp::GreaterEqual => (value, most),
            ComparisonOp::NotEqual => return None,
        })
    }

    fn ask(&self, page: &PageView<'_>, selection: &Selection, key: KeyId) -> Verdict {
        let column = page.column(selection, key);
        let mut verdict = Verdict {
            yes: NONE,
            no: NONE,
        };
        let valued = or(&column.settled, &column.asked);
        verdict.add(&less(&selection.bits(), &valued), self.of_null());
        match column.values {
            _ if matches!(self, Test::IsNull) => verdict.add(&column.settled, Some(false)),
            ColumnValues::None => {}
            ColumnValues::Ints(base, offsets) => match self.range() {
                Some(range) => {
                    let within = within(base, offsets, range, &column.settled);
                    verdict.add(&within, Some(true));
                    verdict.add(&less(&column.settled, &within), Some(false));
                }
                None => self.ask_ints(base, offsets, &column.settled, &mut verdict),
            },
            ColumnValues::Floats(Floats::F32(values)) => {
                each_slot(&column.settled).for_each(|at| {
                    verdict.note(at, self.of(ValueRef::Float(f64::from(values[at]))));
                })
            }
            ColumnValues::Floats(Floats::F64(values)) => each_slot(&column.settled)
                .for_each(|at| verdict.note(at, self.of(ValueRef::Float(values[at])))),
            ColumnValues::Codes(codes) => {
                let mut known = Known::new();
                let array = codes.codes();
                for at in each_slot(&column.settled) {
                    let answer = known.answer(array[at], || self.of(codes.value(array[at])));
                    verdict.note(at, answer);
                }
            }
            ColumnValues::Each(values) => {
                for at in each_slot(&column.settled) {
                    let answer = values
                        .get(at)
                        .map_or(self.of_null(), |found| self.of(found));
                    verdict.note(at, answer);
                }
            }
        }
        for at in each_slot(&column.asked) {
            let found = page.property(at, key);
            verdict.note(at, found.map_or(self.of_null(), |found| self.of(found)));
        }
        verdict
    }

    fn ask_ints(&self, base: i64, offsets: Offsets<'_>, slots: &SlotBits, verdict: &mut Verdict) {
        let of = |offset: u64| self.of(ValueRef::Int(base.wrapping_add(offset as i64)));
        match offsets {
            Offsets::Equal => verdict.add(slots, of(0)),
            Offsets::U8(offsets) => {
                let mut known = Known::new();
                for at in each_slot(slots) {
                    let offset = offsets[at];
                    verdict.note(at, known.answer(offset, || of(u64::from(offset))));
                }
            }
            Offsets::U16(offsets) => {
                each_slot(slots).for_each(|at| verdict.note(at, of(u64::from(offsets[at]))));
            }
            Offsets::U32(offsets) => {
                each_slot(slots).for_each(|at| verdict.note(at, of(u64::from(offsets[at]))));
            }
            Offsets::U64(offsets) => {
                each_slot(slots).for_each(|at| verdict.note(at, of(offsets[at])));
            }
        }
    }
}

fn ordered<T: PartialOrd>(op: ComparisonOp, a: &T, b: &T) -> bool {
    match op {
        ComparisonOp::Equal => a == b,
        ComparisonOp::NotEqual => a != b,
        ComparisonOp::Less => a < b,
        ComparisonOp::LessEqual => a <= b,
        ComparisonOp::Greater => a > b,
        ComparisonOp::GreaterEqual => a >= b,
    }
}

/// Answers by codes of one byte, each computed once.
struct Known([Option<Option<bool>>; 256]);

impl Known {
    fn new() -> Known {
        Known([None; 256])
    }

    fn answer(&mut self, code: u8, compute: impl FnOnce() -> Option<bool>) -> Option<bool> {
        *self.0[usize::from(code)].get_or_insert_with(compute)
    }
}

/// Those of some slots whose integer lies in a range, bounds included.
fn within(
    base: i64,
    offsets: Offsets<'_>,
    (least, most): (i128, i128),
    slots: &SlotBits,
) -> SlotBits {
    let offset = |bound: i128| bound.saturating_sub(i128::from(base));
    let (least, most) = (offset(least), offset(most));
    if most < 0 || least > i128::from(u64::MAX) {
        return NONE;
    }
    let least = u64::try_from(least).unwrap_or(0);
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    // Bounds beyond what a width can hold leave nothing, or are no bounds.
    macro_rules! narrow {
        ($offsets:expr, $type:ty) => {
            match <$type>::try_from(least) {
                Ok(least) => between(
                    $offsets,
                    least,
                    <$type>::try_from(most).unwrap_or(<$type>::MAX),
                    slots,
                ),
                Err(_) => NONE,
            }
        };
    }
    match offsets {
        Offsets::Equal if least == 0 => *slots,
        Offsets::Equal => NONE,
        Offsets::U8(offsets) => narrow!(offsets, u8),
        Offsets::U16(offsets) => narrow!(offsets, u16),
        Offsets::U32(offsets) => narrow!(offsets, u32),
        Offsets::U64(offsets) => between(offsets, least, most, slots),
    }
}

/// So many slots of 64 are looked at one by one.
const FEW: u32 = 8;

/// Those of some slots whose number lies between two, these included.
fn between<T: PartialOrd + Copy>(numbers: &[T], least: T, most: T, slots: &SlotBits) -> SlotBits {
    let mut bits = NONE;
    for ((word, chunk), asked) in bits.iter_mut().zip(numbers.chunks(64)).zip(slots) {
        if asked.count_ones() <= FEW {
            let mut left = *asked;
            while left != 0 {
                let at = left.trailing_zeros();
                if let Some(number) = chunk.get(at as usize) {
                    *word |= u64::from((*number >= least) & (*number <= most)) << at;
                }
                left &= left - 1;
            }
            continue;
        }
        // A byte each, in a loop that the compiler makes wide, and then their lowest bits side by side.
        let mut flags = [0u8; 64];
        for (flag, number) in flags.iter_mut().zip(chunk) {
            *flag = u8::from((*number >= least) & (*number <= most));
        }
        for (at, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
            let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *word |= gathered << (8 * at);
        }
        *word &= asked;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_between_two_are_found_at_every_place() {
        let mut seed = 1u64;
        for len in [0, 1, 63, 64, 65, 1000, 1024] {
            let numbers: Vec<u8> = (0..len)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 56) as u8
                })
                .collect();
            for (least, most) in [(0, 255), (17, 17), (3, 200), (200, 3), (255, 255)] {
                for asked in [u64::MAX, 0x8000_0001_0000_0010, 0x5555_5555_5555_5555] {
                    let slots = [asked; super::super::SLOTS / 64];
                    let bits = between(&numbers, least, most, &slots);
                    let found: Vec<usize> = each_slot(&bits).collect();
                    let expected: Vec<usize> = (0..len)
                        .filter(|at| (least..=most).contains(&numbers[*at]))
                        .filter(|at| asked >> (at % 64) & 1 == 1)
                        .collect();
                    assert_eq!(found, expected, "{len} {least} {most} {asked:x}");
                }
            }
        }
    }

    #[test]
    fn bounds_that_no_offset_can_reach_are_no_bounds_or_leave_nothing() {
        let all = |bits: SlotBits| each_slot(&bits).count();
        let within = |base, offsets, range| {
            within(base, offsets, range, &[u64::MAX; super::super::SLOTS / 64])
        };
        let offsets = Offsets::U8(&[0, 255]);
        for base in [i64::MIN, -1, 0, i64::MAX - 255] {
            let low = i128::from(base);
            assert_eq!(all(within(base, offsets, (i128::MIN, i128::MAX))), 2);
            assert_eq!(all(within(base, offsets, (low, low))), 1);
            assert_eq!(all(within(base, offsets, (low + 1, i128::MAX))), 1);
            assert_eq!(all(within(base, offsets, (low + 256, i128::MAX))), 0);
            assert_eq!(all(within(base, offsets, (i128::MIN, low - 1))), 0);
        }
        let wide = Offsets::U64(&[0, u64::MAX]);
        let top = (i128::from(i64::MAX), i128::from(i64::MAX));
        assert_eq!(all(within(i64::MIN, wide, top)), 1);
    }
}
