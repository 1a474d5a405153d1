//! Limits that a query's author sets: `QUERY MEMORY`, `PROCEDURE MEMORY`, `USING HOPS LIMIT`.
//!
//! The planner makes them, an execution asks for their values when it begins. What always holds: a limit is a literal or a parameter, so its value
//! is known before the first row.

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use crate::expression::{Expr, Place};

/// What may be held.
#[derive(Clone, Debug, PartialEq)]
pub enum MemoryBound {
    /// As much as the server has.
    Unlimited,
    /// So many units.
    Bytes {
        /// How many.
        units: Count,
        /// Bytes in one.
        unit_bytes: u64,
    },
}

impl MemoryBound {
    /// The limit in bytes.
    ///
    /// # Errors
    /// A parameter that is no integer above 0.
    pub fn bytes(&self, parameters: &[Value]) -> Result<u64, Error> {
        match self {
            MemoryBound::Unlimited => Ok(u64::MAX),
            MemoryBound::Bytes { units, unit_bytes } => Ok(units
                .value(parameters, 1, "a limit on memory")?
                .saturating_mul(*unit_bytes)),
        }
    }
}

/// A number that is a literal or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    source: Expr,
    place: Place,
}

impl Count {
    /// One that an expression gives; `None` if it is neither a literal nor a parameter.
    pub fn of(source: Expr, place: Place) -> Option<Count> {
        matches!(source, Expr::Constant(_) | Expr::Parameter(_)).then_some(Count { source, place })
    }

    /// Its value, which is `least` or more; `what` names it in the error.
    ///
    /// # Errors
    /// A value of another type, or a smaller one.
    pub fn value(&self, parameters: &[Value], least: u64, what: &str) -> Result<u64, Error> {
        let value = match &self.source {
            Expr::Parameter(number) => parameters.get(*number as usize),
            source => source.as_constant(),
        };
        match value {
            Some(Value::Int(count)) if u64::try_from(*count).is_ok_and(|count| count >= least) => {
                Ok(*count as u64)
            }
            Some(Value::Int(count)) => Err(Error::argument(
                Detail::NumberOutOfRange,
                format!("{what} is {least} or more, not {count}"),
            )
            .at(self.place.0)),
            other => Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!(
                    "{what} is an integer, not a {}",
                    other.map_or("null", Value::type_name)
                ),
            )
            .at(self.place.0)),
        }
    }
}
