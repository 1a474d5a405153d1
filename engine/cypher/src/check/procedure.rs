//! Calls of procedures, checked against their signatures.

use super::expression::{Place, invalid_type, wrong_number};
use super::types::{Base, ValueType};
use super::{Checker, ProcedureSignature};
use crate::ast::*;
use crate::error::{Detail, Error, ErrorKind, Result};
use crate::suggest;

impl Checker<'_> {
    /// Checks a call; gives its columns if it is the whole query.
    pub(super) fn call_procedure(&mut self, call: &mut CallProcedure) -> Result<Vec<Column>> {
        let procedures = self.procedures;
        let Some(signature) = procedures.find(&call.name) else {
            let message = format!("there is no procedure `{}`", call.name);
            return Err(Error::compile(
                ErrorKind::ProcedureError,
                Detail::ProcedureNotFound,
                call.name_span,
                message,
            )
            .hint_opt(suggest::did_you_mean(&call.name, procedures.names())));
        };
        self.effects.reads = true;
        self.effects.writes |= signature.writes;
        self.procedure_arguments(call, signature)?;
        self.yields(call, signature)?;
        self.memory_limit(&mut call.memory_limit)?;
        if let Some(filter) = &mut call.filter {
            self.condition(filter, Place::PREDICATE)?;
        }
        match (&call.yields, call.standalone) {
            (Yield::Items(items), true) => Ok(items
                .iter()
                .map(|(_, variable)| Column {
                    name: variable.name.clone(),
                    id: variable.id,
                })
                .collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn procedure_arguments(
        &mut self,
        call: &mut CallProcedure,
        signature: &ProcedureSignature,
    ) -> Result<()> {
        let span = call.name_span;
        let most = signature.inputs.len();
        let least = most.saturating_sub(signature.optional);
        let args = match &mut call.args {
            Some(args) => args,
            None if call.standalone => {
                // `CALL p` takes its arguments from the parameters of its inputs' names.
                let named = |(name, _): &(Name, ValueType)| {
                    Expr::new(ExprKind::Parameter(name.clone()), span)
                };
                let needed = &signature.inputs[..least];
                call.args.insert(needed.iter().map(named).collect())
            }
            None => {
                let message = format!(
                    "a call of `{}` within a query needs its arguments in parentheses",
                    call.name
                );
                return Err(Error::syntax(
                    Detail::InvalidArgumentPassingMode,
                    span,
                    message,
                ));
            }
        };
        if args.len() < least || args.len() > most {
            let message = wrong_number(&format!("`{}`", call.name), args.len(), least, most);
            return Err(Error::syntax(
                Detail::InvalidNumberOfArguments,
                span,
                message,
            ));
        }
        let left_out = Literal {
            value: LiteralValue::Null,
            extracted: None,
        };
        let left_out = Expr::new(ExprKind::Literal(left_out), span);
        args.resize(most, left_out);
        for (arg, (name, wanted)) in args.iter_mut().zip(&signature.inputs) {
            let given = self.expression(arg, Place::VALUE)?;
            if !fits(given, *wanted) {
                return Err(invalid_type(
                    arg.span,
                    format!(
                        "input `{name}` of `{}` needs {wanted:#}, this is {given:#}",
                        call.name
                    ),
                ));
            }
        }
        Ok(())
    }

    fn yields(&mut self, call: &mut CallProcedure, signature: &ProcedureSignature) -> Result<()> {
        let span = call.name_span;
        let all = |(name, _): &(Name, ValueType)| {
            let output = Ident {
                name: name.clone(),
                span,
            };
            (
                output,
                Variable {
                    name: name.clone(),
                    id: VarId::UNRESOLVED,
                    span,
                },
            )
        };
        match &call.yields {
            Yield::All if !call.standalone => {
                let message = "`YIELD *` can only be used where the call is the whole query";
                return Err(Error::syntax(Detail::UnexpectedSyntax, span, message)
                    .hint("name the outputs behind YIELD"));
            }
            Yield::All | Yield::Unstated if call.standalone => {
                call.yields = Yield::Items(signature.outputs.iter().map(all).collect());
            }
            _ => {}
        }
        let Yield::Items(items) = &mut call.yields else {
            return Ok(());
        };
        for (output, variable) in items {
            let Some((_, kind)) = signature
                .outputs
                .iter()
                .find(|(name, _)| *name == output.name)
            else {
                let message = format!("`{}` has no output `{}`", call.name, output.name);
                let outputs = signature.outputs.iter().map(|(name, _)| &**name);
                return Err(
                    Error::syntax(Detail::UndefinedVariable, output.span, message)
                        .hint_opt(suggest::did_you_mean(&output.name, outputs)),
                );
            };
            self.bind_new(variable, *kind)?;
        }
        Ok(())
    }
}

/// True if a value of the type `given` may be taken as `wanted`; an integer is taken as a float.
fn fits(given: ValueType, wanted: ValueType) -> bool {
    if given.is_open() || wanted.is_open() || given == wanted {
        return true;
    }
    if given.lists != wanted.lists {
        return false;
    }
    let inner = |kind: ValueType| ValueType { lists: 0, ..kind };
    let number = |kind: ValueType| matches!(kind.base, Base::Integer | Base::Float | Base::Number);
    match wanted.base {
        // A list of anything.
        Base::Any => true,
        Base::Float => number(given),
        wanted => inner(given).may_be(wanted),
    }
}
