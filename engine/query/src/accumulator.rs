//! Aggregates: what one group keeps of the rows it has taken.
//!
//! Nulls are passed over (except by `count(*)`). Sums of integers that leave 64 bits are an error, whatever the order of what is summed up: only
//! the whole sum has to fit. Percentiles, `collect` and everything with `DISTINCT` keep their
//! values; the others keep numbers. Called by [`crate::operator`]'s grouping.

use std::sync::Arc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use crate::expression::Expr;
use crate::expression::arithmetic;
use crate::expression::bulk::bounded;
use crate::expression::evaluate::evaluate;
use crate::operator::Context;
use crate::operator::segments::SegmentedMap;
use crate::plan::AggregateCall;
use quoit_cypher::ast::ArithmeticOp;

/// Estimated bytes of a kept value, what it points to not counted.
const VALUE_BYTES: u64 = 32;

/// State of one aggregate in one group.
pub struct Accumulator {
    seen: Option<Box<SegmentedMap<Value, ()>>>,
    state: Fold,
}

enum Fold {
    Count(i64),
    Sum(Sum),
    Best(Option<Value>),
    Collect(Vec<Value>),
    /// Keys and values of a map.
    Pairs(Vec<(Arc<str>, Value)>),
    /// Values as floats and the percentile, taken from the first row.
    Percentile(Vec<Value>, Option<f64>),
    /// Number, mean, sum of squared distances (Welford).
    Deviation(f64, f64, f64),
}

/// Numbers or durations that are added up.
#[derive(Default)]
struct Sum {
    count: u64,
    integers: i128,
    floats: f64,
    has_floats: bool,
    /// Null until one came.
    durations: Value,
}

impl Sum {
    /// Takes a value; `None` if it is nothing that can be added to what came before.
    fn take(&mut self, value: &Value) -> Option<Result<(), Error>> {
        let before = self.count;
        self.count += 1;
        match (value, &self.durations) {
            (Value::Int(number), Value::Null) => self.integers += i128::from(*number),
            (Value::Float(number), Value::Null) => {
                self.floats += number;
                self.has_floats = true;
            }
            (Value::Duration(_), Value::Null) if before == 0 => self.durations = value.clone(),
            (Value::Duration(_), sum) if !sum.is_null() => {
                match arithmetic::apply(ArithmeticOp::Add, sum, value) {
                    Ok(sum) => self.durations = sum,
                    Err(error) => return Some(Err(error)),
                }
            }
            _ => return None,
        }
        Some(Ok(()))
    }

    /// Takes in another; `None` if the two cannot be added.
    fn merge(&mut self, other: Sum) -> Option<Result<(), Error>> {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                *self = other;
            }
            return Some(Ok(()));
        }
        match (&self.durations, &other.durations) {
            (Value::Null, Value::Null) => {
                self.integers += other.integers;
                self.floats += other.floats;
                self.has_floats |= other.has_floats;
            }
            (Value::Null, _) | (_, Value::Null) => return None,
            (sum, more) => match arithmetic::apply(ArithmeticOp::Add, sum, more) {
                Ok(sum) => self.durations = sum,
                Err(error) => return Some(Err(error)),
            },
        }
        self.count += other.count;
        Some(Ok(()))
    }

    /// Something of the kind that it sums up.
    fn kind(&self) -> Value {
        match &self.durations {
            Value::Null if self.has_floats => Value::Float(self.floats),
            Value::Null => Value::Int(0),
            durations => durations.clone(),
        }
    }

    fn finish(&self, call: &AggregateCall) -> Result<Value, Error> {
        let is_average = call.function == Some(Function::Avg);
        let floats = || self.integers as f64 + self.floats;
        Ok(match &self.durations {
            _ if self.count == 0 && is_average => Value::Null,
            Value::Null if is_average => Value::Float(floats() / self.count as f64),
            Value::Null if self.has_floats => Value::Float(floats()),
            Value::Null => Value::Int(i64::try_from(self.integers).map_err(|_| {
                Error::runtime(
                    ErrorKind::ArithmeticError,
                    Detail::Overflow,
                    "the sum of integers leaves 64 bits",
                )
                .at(call.place.0)
            })?),
            sum if is_average => {
                let count = Value::Float(self.count as f64);
                arithmetic::apply(ArithmeticOp::Divide, sum, &count)
                    .map_err(|error| error.at(call.place.0))?
            }
            sum => sum.clone(),
        })
    }
}

impl Accumulator {
    /// Empty.
    pub fn new(call: &AggregateCall) -> Accumulator {
        let state = match call.function {
            None | Some(Function::Count) => Fold::Count(0),
            Some(Function::Sum | Function::Avg) => Fold::Sum(Sum::default()),
            Some(Function::Min | Function::Max) => Fold::Best(None),
            Some(Function::PercentileCont | Function::PercentileDisc) => {
                Fold::Percentile(Vec::new(), None)
            }
            Some(Function::StDev | Function::StDevP) => Fold::Deviation(0.0, 0.0, 0.0),
            Some(Function::Collect) if call.args.len() > 1 => Fold::Pairs(Vec::new()),
            // The planner has refused all others.
            Some(_) => Fold::Collect(Vec::new()),
        };
        Accumulator {
            seen: call.distinct.then(Box::default),
            state,
        }
    }

    /// Takes a row; returns the bytes it keeps more, which it has counted at the context.
    ///
    /// # Errors
    /// Values that cannot be folded, overflow, the memory limit.
    pub fn take(
        &mut self,
        call: &AggregateCall,
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<u64, Error> {
        let Some(expr) = call.args.first() else {
            if let Fold::Count(count) = &mut self.state {
                *count += 1;
            }
            return Ok(0);
        };
        let value = match (&self.state, &self.seen) {
            // What is only counted need not be copied.
            (Fold::Count(_), None) => {
                let is_null = match expr {
                    Expr::Slot(slot) => row[*slot as usize].is_null(),
                    expr => evaluate(expr, cx, row)?.is_null(),
                };
                if let Fold::Count(count) = &mut self.state {
                    *count += i64::from(!is_null);
                }
                return Ok(0);
            }
            _ => evaluate(expr, cx, row)?,
        };
        if let Fold::Percentile(_, percentile @ None) = &mut self.state {
            *percentile = Some(percentile_of(call, cx, row)?);
        }
        if value.is_null() {
            return Ok(0);
        }
        if let Fold::Pairs(_) = &self.state {
            return self.fold_pair(value, call, cx, row);
        }
        self.fold(value, call, cx)
    }

    /// Takes the row whose key this is, which is not null; a pair whose value is null is left out, as `collect()` does.
    fn fold_pair(
        &mut self,
        key: Value,
        call: &AggregateCall,
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<u64, Error> {
        let Value::String(key) = key else {
            return Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!(
                    "the keys of collect(key, value) are strings, not {}",
                    key.type_name()
                ),
            )
            .at(call.place.0));
        };
        let value = evaluate(&call.args[1], cx, row)?;
        if value.is_null() {
            return Ok(0);
        }
        if let Fold::Pairs(pairs) = &mut self.state {
            pairs.push((key, value));
        }
        cx.hold(2 * VALUE_BYTES)?;
        Ok(2 * VALUE_BYTES)
    }

    /// Takes a value, which is not null.
    fn fold(
        &mut self,
        value: Value,
        call: &AggregateCall,
        cx: &mut Context<'_>,
    ) -> Result<u64, Error> {
        let mut held = 0;
        if let Some(seen) = &mut self.seen {
            if seen.get(&value).is_some() {
                return Ok(0);
            }
            seen.insert(value.clone(), ());
            held += VALUE_BYTES;
        }
        let wrong = |value: &Value| wrong(call, value);
        match &mut self.state {
            Fold::Count(count) => *count += 1,
            Fold::Sum(sum) => match sum.take(&value) {
                Some(taken) => taken.map_err(|error| error.at(call.place.0))?,
                None => return Err(wrong(&value)),
            },
            Fold::Best(best) => {
                if is_better(&value, best.as_ref(), call) {
                    *best = Some(value);
                }
            }
            Fold::Collect(items) => {
                items.push(value);
                held += VALUE_BYTES;
            }
            // Taken pair by pair.
            Fold::Pairs(_) => {}
            Fold::Percentile(items, _) => {
                if !matches!(value, Value::Int(_) | Value::Float(_)) {
                    return Err(wrong(&value));
                }
                items.push(value);
                held += VALUE_BYTES;
            }
            Fold::Deviation(count, mean, squares) => {
                let number = float(&value).ok_or_else(|| wrong(&value))?;
                *count += 1.0;
                let before = number - *mean;
                *mean += before / *count;
                *squares += before * (number - *mean);
            }
        }
        if held > 0 {
            cx.hold(held)?;
        }
        Ok(held)
    }

    /// Takes in what another core's rows of the same group came to; returns the bytes it keeps more, as [`Accumulator::take`].
    ///
    /// # Errors
    /// Those of the rows, had they been its own.
    pub fn merge(
        &mut self,
        other: Accumulator,
        call: &AggregateCall,
        cx: &mut Context<'_>,
    ) -> Result<u64, Error> {
        if let (Fold::Percentile(_, own @ None), Fold::Percentile(_, others)) =
            (&mut self.state, &other.state)
        {
            *own = *others;
        }
        if let Some(seen) = other.seen {
            // What the other has folded it has seen.
            let mut held = 0;
            for (value, ()) in *seen {
                held += self.fold(value, call, cx)?;
            }
            return Ok(held);
        }
        let mut held = 0;
        match (&mut self.state, other.state) {
            (Fold::Count(count), Fold::Count(more)) => *count += more,
            (Fold::Sum(sum), Fold::Sum(more)) => {
                let other = more.kind();
                match sum.merge(more) {
                    Some(merged) => merged.map_err(|error| error.at(call.place.0))?,
                    None => return Err(wrong(call, &other)),
                }
            }
            (Fold::Best(best), Fold::Best(Some(value)))
                if is_better(&value, best.as_ref(), call) =>
            {
                *best = Some(value);
            }
            (Fold::Collect(items), Fold::Collect(mut more))
            | (Fold::Percentile(items, _), Fold::Percentile(mut more, _)) => {
                held = more.len() as u64 * VALUE_BYTES;
                items.append(&mut more);
            }
            (Fold::Pairs(pairs), Fold::Pairs(mut more)) => {
                held = more.len() as u64 * 2 * VALUE_BYTES;
                pairs.append(&mut more);
            }
            (Fold::Deviation(count, mean, squares), Fold::Deviation(more, others, spread)) => {
                // Chan's way to join two of Welford's.
                let all = *count + more;
                if all > 0.0 {
                    let apart = others - *mean;
                    *mean += apart * more / all;
                    *squares += spread + apart * apart * *count * more / all;
                    *count = all;
                }
            }
            // A call has one kind of state; a best of nothing is no better.
            _ => {}
        }
        if held > 0 {
            cx.hold(held)?;
        }
        Ok(held)
    }

    /// The result; the state is used up.
    ///
    /// # Errors
    /// A division that cannot be made.
    pub fn finish(&mut self, call: &AggregateCall) -> Result<Value, Error> {
        Ok(match std::mem::replace(&mut self.state, Fold::Count(0)) {
            Fold::Count(count) => Value::Int(count),
            Fold::Sum(sum) => sum.finish(call)?,
            Fold::Best(best) => best.unwrap_or_default(),
            Fold::Collect(items) => {
                bounded(Value::list(items)).map_err(|error| error.at(call.place.0))?
            }
            // Of two with one key the later.
            Fold::Pairs(pairs) => {
                bounded(Value::map(pairs)).map_err(|error| error.at(call.place.0))?
            }
            Fold::Percentile(mut items, percentile) => {
                items.sort();
                let percentile = percentile.unwrap_or(0.0);
                match call.function {
                    _ if items.is_empty() => Value::Null,
                    Some(Function::PercentileCont) => {
                        let at = percentile * (items.len() - 1) as f64;
                        let (below, above) = (at.floor() as usize, at.ceil() as usize);
                        let number = |at: usize| float(&items[at]).unwrap_or(f64::NAN);
                        Value::Float(number(below) + (number(above) - number(below)) * at.fract())
                    }
                    _ => {
                        let at = (percentile * items.len() as f64).ceil() as usize;
                        items.swap_remove(at.saturating_sub(1).min(items.len() - 1))
                    }
                }
            }
            Fold::Deviation(count, _, squares) => {
                let divisor = if call.function == Some(Function::StDev) {
                    count - 1.0
                } else {
                    count
                };
                Value::Float(if divisor > 0.0 {
                    (squares / divisor).sqrt()
                } else {
                    0.0
                })
            }
        })
    }
}

/// A value cannot be folded.
fn wrong(call: &AggregateCall, value: &Value) -> Error {
    let function = call.function.map_or("count", Function::name);
    let type_name = value.type_name();
    Error::type_error(
        Detail::InvalidArgumentType,
        format!("{function} cannot take a {type_name}"),
    )
    .at(call.place.0)
}

fn is_better(value: &Value, best: Option<&Value>, call: &AggregateCall) -> bool {
    match best {
        None => true,
        Some(best) if call.function == Some(Function::Min) => value < best,
        Some(best) => value > best,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn percentile_of(call: &AggregateCall, cx: &mut Context<'_>, row: &[Value]) -> Result<f64, Error> {
    let Some(expr) = call.args.get(1) else {
        return Ok(0.0);
    };
    let value = evaluate(expr, cx, row)?;
    match float(&value) {
        Some(percentile) if (0.0..=1.0).contains(&percentile) => Ok(percentile),
        Some(percentile) => Err(Error::argument(
            Detail::NumberOutOfRange,
            format!("a percentile lies between 0.0 and 1.0, not at {percentile}"),
        )
        .at(call.place.0)),
        None => Err(Error::argument(
            Detail::InvalidArgumentType,
            format!("a percentile is a number, not {}", value.type_phrase()),
        )
        .at(call.place.0)),
    }
}
