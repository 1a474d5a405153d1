//! Advice to a query's author, worded as notifications.
//!
//! Called when a statement has ended. Nothing is worded that the client does not want to hear.

use quoit_cypher::span::position;
use quoit_protocol::message::notification::{
    Category, Notification, NotificationFilter, Position, Severity,
};
use quoit_query::{Advice, AdviceKind};

/// What an advice says, if the client wants to hear it. `text`: the query, where places in it are its own.
pub(super) fn notification(
    advice: &Advice,
    text: Option<&str>,
    filter: &NotificationFilter,
) -> Option<Notification<'static>> {
    let (category, code, gql_status) = match advice.kind {
        AdviceKind::UnknownLabel => (
            Category::Unrecognized,
            "Statement.UnknownLabelWarning",
            "01N50",
        ),
        AdviceKind::UnknownType => (
            Category::Unrecognized,
            "Statement.UnknownRelationshipTypeWarning",
            "01N51",
        ),
        AdviceKind::UnknownKey => (
            Category::Unrecognized,
            "Statement.UnknownPropertyKeyWarning",
            "01N52",
        ),
        AdviceKind::CartesianProduct => {
            (Category::Performance, "Statement.CartesianProduct", "03N90")
        }
        AdviceKind::UnboundedLength => (
            Category::Performance,
            "Statement.UnboundedVariableLengthPattern",
            "03N91",
        ),
        AdviceKind::NoSuchIndex => (Category::Hint, "Schema.HintedIndexNotFound", "01N31"),
        AdviceKind::MissingIndex => (
            Category::Performance,
            "Statement.NoApplicableIndex",
            "03N93",
        ),
    };
    let severity = match gql_status.starts_with("01") {
        true => Severity::Warning,
        false => Severity::Information,
    };
    if !filter.wants(severity, category) {
        return None;
    }
    let name = &advice.name;
    let (title, description, condition) = match advice.kind {
        AdviceKind::UnknownLabel => (
            "The label is not in the database",
            format!("no node has the label `{name}`, so nothing matches it; is it misspelt?"),
            "label does not exist",
        ),
        AdviceKind::UnknownType => (
            "The relationship type is not in the database",
            format!("no relationship has the type `{name}`, so nothing matches it; is it misspelt?"),
            "relationship type does not exist",
        ),
        AdviceKind::UnknownKey => (
            "The property is not in the database",
            format!("nothing has the property `{name}`, so it is null wherever it is read; is it misspelt?"),
            "property key does not exist",
        ),
        AdviceKind::CartesianProduct => (
            "The patterns of this MATCH have nothing in common",
            "each match of one pattern is combined with each match of the others, which can be very many rows; connect the patterns, or match them in subqueries of their own".to_owned(),
            "cartesian product",
        ),
        AdviceKind::UnboundedLength => (
            "The length of this path has no upper bound",
            "all paths of any length are walked, which can take very long; give a largest length, as in `*..5`".to_owned(),
            "unbounded variable length pattern",
        ),
        AdviceKind::NoSuchIndex => (
            "A hint names an index that does not exist",
            format!("there is no index {name}, so the hint changes nothing; SHOW INDEX INFO lists those there are"),
            "hinted index not found",
        ),
        AdviceKind::MissingIndex => (
            "All nodes of a label are read to find some",
            format!("an index on {name} would find them without reading the others: CREATE INDEX ON {name}"),
            "no applicable index",
        ),
    };
    let word = match severity {
        Severity::Warning => "warn",
        Severity::Information => "info",
    };
    let place = text.map(|text| {
        let start = advice.span.start as usize;
        let at = position(text, advice.span.start);
        Position {
            offset: text.get(..start).unwrap_or(text).chars().count() as u32,
            line: at.line,
            column: at.column,
        }
    });
    Some(Notification {
        code: format!("Neo.ClientNotification.{code}").into(),
        gql_status: gql_status.into(),
        title: title.into(),
        status_description: format!("{word}: {condition}. {description}").into(),
        description: description.into(),
        severity,
        category,
        position: place,
    })
}
