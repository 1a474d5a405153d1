//! `toSet()` of a long list, in turns.
//!
//! Called for a list of at least [`LONG`] items; shorter ones are no work. What always holds: between two items the call can be interrupted and goes on
//! there, with the list that it began with; what it has found is counted as the query's memory.

use quoit_graph::value::Value;

use crate::expression::Place;
use crate::expression::bulk::steps_over;
use crate::expression::loops::Built;
use crate::expression::progress::{Key, Saved, Stop};
use crate::operator::Context;
use crate::operator::seen::SeenKeys;

/// Items of a list that is gone through in turns.
pub const LONG: usize = 1024;

/// A list whose items are looked at one after the other, as far as that has gone.
pub(crate) struct Going {
    list: Value,
    next: usize,
    found: SeenKeys,
    built: Built,
}

/// Goes on with what was interrupted in the evaluation at hand.
///
/// # Errors
/// As [`begin`].
pub fn resume(place: Place, cx: &mut Context<'_>) -> Result<Option<Value>, Stop> {
    match cx.resume(Key::Call(place.0)) {
        Some(Saved::Done(value)) => Ok(Some(value)),
        Some(Saved::Set(going)) => run(going, place, cx).map(Some),
        _ => Ok(None),
    }
}

/// The items of a list, each once, in the order in which they came first.
///
/// # Errors
/// The limit on memory; an interruption.
pub fn begin(list: Value, place: Place, cx: &mut Context<'_>) -> Result<Value, Stop> {
    let going = Going {
        list,
        next: 0,
        found: SeenKeys::new(1),
        built: Built::default(),
    };
    run(Box::new(going), place, cx)
}

fn run(mut going: Box<Going>, place: Place, cx: &mut Context<'_>) -> Result<Value, Stop> {
    let key = Key::Call(place.0);
    while let Value::List(items) = &going.list
        && let Some(item) = items.get(going.next)
    {
        if going.found.number(std::slice::from_ref(item)).1 {
            going.built.add(item, cx)?;
        }
        cx.spend(steps_over(item));
        going.next += 1;
        if cx.tick() {
            cx.save(key, Saved::Set(going));
            return Err(Stop::Interrupted);
        }
    }
    let found = going.found.into_values().collect();
    let set = Value::list(found);
    going.built.done(cx);
    cx.keep_value(key, &set);
    Ok(set)
}
