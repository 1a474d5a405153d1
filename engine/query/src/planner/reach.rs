//! Chains of expansions of which only the last vertex is wanted, and of that only whether it is reached: answered by [`Op::Reach`].
//!
//! Called for a whole plan once it is made. It looks for operators to which rows that come twice are as good as once (`DISTINCT`, aggregates that
//! do not count), goes down from there with the slots that are read above, and replaces, within one frame, what leads from a bound vertex to
//! the last one of a chain. What always holds: an edge or vertex that something else reads is not within a chain, unless it is a condition on that
//! vertex alone, which is asked where the vertex is reached; the rows are the same but for how often they come. Left to others: queries that draw
//! random numbers, which are not rewritten.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use quoit_cypher::functions::Function;
use quoit_graph::Direction;
use smallvec::SmallVec;

use super::{columns, trail_count};
use crate::expression::{Expr, LabelTest, NameRef, PathPart, Slot, SubqueryKind};
use crate::plan::{
    Aggregate, Expand, Op, Other, Plan, Reach, ScanFilter, Segment, VarExpand, Width,
};

/// Most edges of a trail that is followed level by level.
const STAGES_MAX: u64 = 16;

/// What of a frame's rows is read.
pub(super) type Slots = HashSet<Slot>;

/// What is wanted of a plan's rows.
#[derive(Clone)]
struct Wanted {
    /// The slots that are read, if it does not matter how often a row comes.
    slots: Option<Slots>,
    /// The first rows may be all that is asked for.
    first: bool,
}

/// Replaces what can be replaced in a plan whose rows all count.
pub(super) fn improve(plan: Plan) -> Plan {
    let all = Wanted {
        slots: None,
        first: false,
    };
    below(plan, all)
}

/// The plan of a subquery that gives one value.
pub(super) fn improve_subquery(plan: Plan, kind: SubqueryKind) -> Plan {
    let exists = kind == SubqueryKind::Exists;
    let wanted = Wanted {
        slots: exists.then(Slots::new),
        first: exists,
    };
    below(plan, wanted)
}

fn below(plan: Plan, wanted: Wanted) -> Plan {
    let mut plan = trail_count::count(plan);
    let first = wanted.first;
    let slots = match &plan.op {
        Op::Distinct(slots) => Some((0..*slots).collect()),
        Op::Aggregate(aggregate) => is_of_a_set(aggregate).then(|| {
            let args = aggregate.calls.iter().flat_map(|call| &call.args);
            all_reads(aggregate.keys.iter().chain(args))
        }),
        Op::Union => wanted.slots,
        Op::Project(project) => wanted.slots.map(|_| all_reads(&project.items)),
        Op::Limit(_) | Op::Skip(_) | Op::Sort(_) => None,
        _ => return frame(plan, wanted),
    };
    let first = match plan.op {
        Op::Limit(_) => true,
        Op::Aggregate(_) | Op::Sort(_) => false,
        _ => first,
    };
    let wanted = Wanted { slots, first };
    let inputs = std::mem::take(&mut plan.inputs).into_iter();
    plan.inputs = inputs.map(|input| below(input, wanted.clone())).collect();
    plan
}

/// Whether an aggregate gives the same if rows come more than once.
fn is_of_a_set(aggregate: &Aggregate) -> bool {
    aggregate
        .calls
        .iter()
        .all(|call| call.distinct || matches!(call.function, Some(Function::Min | Function::Max)))
}

/// Adds the slots that an expression reads.
fn reads(expr: &Expr, out: &mut Slots) {
    // Nothing is replaced: the copy is looked through.
    expr.clone().rewrite(&mut |part| {
        match part {
            Expr::Slot(slot) => {
                out.insert(*slot);
            }
            Expr::Path(parts) => out.extend(parts.iter().map(|part| match part {
                PathPart::Vertex(slot) | PathPart::Edge(slot) | PathPart::Edges(slot) => *slot,
            })),
            _ => {}
        }
        None
    });
}

/// The slots that some expressions read.
pub(super) fn all_reads<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Slots {
    let mut read = Slots::new();
    exprs.into_iter().for_each(|expr| reads(expr, &mut read));
    read
}

/// An operator that rows of one frame come through, and what it reads of them; `None`: another frame, or one that needs all rows.
fn reads_of(op: &Op) -> Option<Slots> {
    let mut read = Slots::new();
    let mut others = |others: &[Other], slots: &[Slot]| {
        read.extend(
            others
                .iter()
                .map(|other| other.slot)
                .chain(slots.iter().copied()),
        );
    };
    match op {
        Op::Filter(conditions) => conditions.iter().for_each(|expr| reads(expr, &mut read)),
        Op::Extend(items) | Op::Compute(items) => {
            items.iter().for_each(|(_, expr)| reads(expr, &mut read));
        }
        Op::Expand(expand) => {
            others(&expand.unique, &[expand.from]);
            read.extend(expand.into.then_some(expand.to));
        }
        Op::Intersect(intersect) => {
            let [one, two] = &intersect.sides;
            others(&intersect.unique, &[one.from, two.from]);
        }
        Op::VarExpand(expand) => {
            others(&expand.unique, &[expand.from]);
            read.extend(expand.into.then_some(expand.to));
            let computed = expand.computed.exprs();
            let properties = expand
                .properties
                .iter()
                .map(|(_, expr)| expr)
                .chain(computed);
            let filter = expand.filter.iter().map(|filter| &filter.body);
            properties
                .chain(filter)
                .for_each(|expr| reads(expr, &mut read));
        }
        Op::BoundEdge(bound) => {
            others(&bound.unique, &[bound.edge, bound.from, bound.to]);
            bound
                .computed
                .exprs()
                .for_each(|expr| reads(expr, &mut read));
        }
        Op::Reach(reach) => {
            others(&reach.excluded, &[reach.from]);
            read.extend(reach.into.then_some(reach.to));
        }
        Op::TrailCount(count) => others(&count.unique, &[count.from]),
        _ => return None,
    }
    Some(read)
}

/// The operators of one frame, from a plan down.
fn frame(plan: Plan, wanted: Wanted) -> Plan {
    // From the top down: each operator without its input.
    let mut operators = Vec::new();
    let mut base = plan;
    while reads_of(&base.op).is_some() {
        let Some(input) = base.inputs.pop() else {
            break;
        };
        operators.push(std::mem::replace(&mut base, input));
    }
    base = match base.op {
        Op::Distinct(_)
        | Op::Aggregate(_)
        | Op::Union
        | Op::Project(_)
        | Op::Limit(_)
        | Op::Skip(_)
        | Op::Sort(_) => below(base, wanted.clone()),
        _ => {
            let inputs = std::mem::take(&mut base.inputs).into_iter();
            base.inputs = inputs.map(improve).collect();
            base
        }
    };
    if let (Some(slots), Some(width)) = (&wanted.slots, width_of(&base)) {
        while let Some(chain) = Frame::of(&operators, slots).find_chain() {
            replace(&mut operators, chain, &width);
        }
        if !wanted.first {
            share(&mut operators, slots);
        }
    }
    // Depths and inputs anew.
    operators.into_iter().rev().fold(base, |input, operator| {
        Plan::over(operator.op, input).expecting(operator.estimate)
    })
}

/// The width of a plan's rows.
fn width_of(plan: &Plan) -> Option<Width> {
    match &plan.op {
        Op::Unit(width) | Op::Argument(width) => Some(width.clone()),
        Op::Project(project) => Some(project.width.clone()),
        Op::Aggregate(aggregate) => Some(aggregate.width.clone()),
        Op::ColumnAggregate(aggregate) => Some(aggregate.width.clone()),
        Op::Union => None,
        _ => width_of(plan.inputs.first()?),
    }
}

/// The operators of a frame, the topmost first, and who reads which slot.
struct Frame<'a> {
    operators: &'a [Plan],
    wanted: &'a Slots,
    readers: HashMap<Slot, SmallVec<[usize; 4]>>,
}

/// A chain that is to be replaced.
struct Chain {
    reach: Reach,
    /// Places of its expansions, the first one first.
    places: Vec<usize>,
    /// Conditions that are asked within it, by the place of their filter and their number.
    asked: Vec<(usize, usize)>,
}

/// One expansion of a chain.
pub(super) enum Link<'a> {
    Single(&'a Expand),
    Variable(&'a VarExpand),
}

impl<'a> Link<'a> {
    pub(super) fn of(op: &'a Op) -> Option<Link<'a>> {
        match op {
            Op::Expand(expand) if !expand.into => Some(Link::Single(expand)),
            Op::VarExpand(expand)
                if expand.properties.is_empty()
                    && expand.filter.is_none()
                    && !expand.computed.are_any() =>
            {
                Some(Link::Variable(expand))
            }
            _ => None,
        }
    }

    pub(super) fn from(&self) -> Slot {
        match self {
            Link::Single(expand) => expand.from,
            Link::Variable(expand) => expand.from,
        }
    }

    pub(super) fn to(&self) -> Slot {
        match self {
            Link::Single(expand) => expand.to,
            Link::Variable(expand) => expand.to,
        }
    }

    pub(super) fn edge(&self) -> Slot {
        match self {
            Link::Single(expand) => expand.edge,
            Link::Variable(expand) => expand.edges,
        }
    }

    pub(super) fn into(&self) -> bool {
        matches!(self, Link::Variable(expand) if expand.into)
    }

    pub(super) fn unique(&self) -> &'a [Other] {
        match self {
            Link::Single(expand) => &expand.unique,
            Link::Variable(expand) => &expand.unique,
        }
    }

    pub(super) fn range(&self) -> (u64, u64) {
        match self {
            Link::Single(_) => (1, 1),
            Link::Variable(expand) => (expand.min, expand.max),
        }
    }

    pub(super) fn segment(&self, conditions: Vec<Expr>) -> Segment {
        let (direction, types): (Direction, &[NameRef]) = match self {
            Link::Single(expand) => (expand.direction, &expand.types),
            Link::Variable(expand) => (expand.direction, &expand.types),
        };
        let (min, max) = self.range();
        Segment {
            direction,
            types: types.to_vec(),
            min,
            max,
            vertex: self.to(),
            conditions,
        }
    }
}

impl<'a> Frame<'a> {
    fn of(operators: &'a [Plan], wanted: &'a Slots) -> Frame<'a> {
        let mut readers: HashMap<Slot, SmallVec<[usize; 4]>> = HashMap::new();
        for (place, operator) in operators.iter().enumerate() {
            for slot in reads_of(&operator.op).into_iter().flatten() {
                readers.entry(slot).or_default().push(place);
            }
        }
        Frame {
            operators,
            wanted,
            readers,
        }
    }

    /// The lowest chain.
    fn find_chain(&self) -> Option<Chain> {
        let mut places = (0..self.operators.len()).rev();
        places.find_map(|first| self.chain_from(first))
    }

    /// Whether a slot is read above, or by other operators than some.
    fn is_read(&self, slot: Slot, except: impl Fn(usize) -> bool) -> bool {
        let mut readers = self.readers.get(&slot).into_iter().flatten();
        self.wanted.contains(&slot) || readers.any(|place| !except(*place))
    }

    /// The conditions of a filter that read a vertex and nothing else; `None` if another reads it too.
    fn conditions_on(&self, place: usize, vertex: Slot) -> Option<Vec<(usize, Expr)>> {
        let Op::Filter(predicates) = &self.operators[place].op else {
            return None;
        };
        let mut alone = Vec::new();
        for (number, predicate) in predicates.iter().enumerate() {
            let read = all_reads([predicate]);
            if read.contains(&vertex) {
                if read.len() > 1 {
                    return None;
                }
                alone.push((number, predicate.clone()));
            }
        }
        Some(alone)
    }

    /// The vertex between two expansions of a chain: the conditions on it, if nothing else reads it.
    fn between(&self, vertex: Slot, before: usize, next: usize) -> Option<Vec<Asked>> {
        let mut asked = Vec::new();
        if self.wanted.contains(&vertex) {
            return None;
        }
        for &place in self.readers.get(&vertex).into_iter().flatten() {
            if place == next {
                continue;
            }
            // Only a filter that is asked before the chain goes on.
            if place > before || place < next {
                return None;
            }
            let conditions = self.conditions_on(place, vertex)?;
            asked.extend(conditions.into_iter().map(|(number, condition)| Asked {
                place,
                number,
                condition,
            }));
        }
        Some(asked)
    }

    /// The chain that begins with the expansion at a place, as long as it can be; `None` if there is none that is worth it.
    fn chain_from(&self, first: usize) -> Option<Chain> {
        let start = Link::of(&self.operators[first].op)?;
        let excluded = start.unique().to_vec();
        let mut links = vec![(first, start)];
        // What is asked behind each link but the last.
        let mut asked: Vec<Vec<Asked>> = Vec::new();
        for place in (0..first).rev() {
            let op = &self.operators[place].op;
            if matches!(op, Op::Filter(_)) {
                continue;
            }
            let Some(next) = Link::of(op) else {
                break;
            };
            let (last_place, last) = links.last().expect("it has a first");
            let stages = links.iter().map(|(_, link)| link.range().1);
            let stages = stages.fold(next.range().1, u64::saturating_add);
            let goes_on = next.from() == last.to()
                && !last.into()
                && next.range().0 > 0
                && last.range().0 > 0
                && stages <= STAGES_MAX
                && is_same_trail(&links, &excluded, next.unique());
            if !goes_on {
                break;
            }
            let Some(conditions) = self.between(last.to(), *last_place, place) else {
                break;
            };
            // Where the length varies, the vertices on the way are not asked.
            if !conditions.is_empty() && last.range() != (1, 1) {
                break;
            }
            asked.push(conditions);
            links.push((place, next));
        }
        // A chain is cut before an edge that something else reads.
        while links.iter().any(|(_, link)| {
            self.is_read(link.edge(), |at| {
                links.iter().any(|(place, _)| *place == at)
            })
        }) {
            links.pop();
            asked.truncate(links.len().saturating_sub(1));
        }
        let (_, last) = links.last()?;
        let (to, into) = (last.to(), last.into());
        let conditions = asked.iter().map(|asked| {
            let conditions = asked.iter().map(|asked| asked.condition.clone());
            conditions.collect::<Vec<_>>()
        });
        let conditions = conditions.chain(std::iter::once(Vec::new()));
        let reach = Reach {
            from: links[0].1.from(),
            to,
            into,
            segments: links
                .iter()
                .zip(conditions)
                .map(|((_, link), conditions)| link.segment(conditions))
                .collect(),
            labels: Vec::new(),
            filter: None,
            excluded,
            shared: false,
            width: Width::default(),
        };
        let stages = links.iter().map(|(_, link)| link.range().1);
        let stages = stages.fold(0, u64::saturating_add);
        // One hop needs no set.
        if stages <= 1 || (stages > STAGES_MAX && !reach.is_nearest()) {
            return None;
        }
        Some(Chain {
            reach,
            places: links.iter().map(|(place, _)| *place).collect(),
            asked: asked
                .into_iter()
                .flatten()
                .map(|asked| (asked.place, asked.number))
                .collect(),
        })
    }
}

/// A condition on a vertex within a chain, by the place of its filter and its number there.
struct Asked {
    place: usize,
    number: usize,
    condition: Expr,
}

/// Puts a chain in the place of its last expansion.
fn replace(operators: &mut Vec<Plan>, chain: Chain, width: &Width) {
    let Chain {
        mut reach,
        places,
        asked,
    } = chain;
    let last = *places.last().expect("a chain has an expansion");
    reach.width = width.clone();
    // What can be asked of the last vertex a page at a time is asked with it.
    let mut done = asked;
    if !reach.into {
        for place in (0..last).rev() {
            let Op::Filter(predicates) = &operators[place].op else {
                break;
            };
            for (number, predicate) in predicates.iter().enumerate() {
                if let Some(labels) = labels_of(predicate, reach.to) {
                    reach.labels.extend(labels);
                    done.push((place, number));
                } else if let Some(condition) = columns::condition(predicate, reach.to) {
                    let filter = reach.filter.get_or_insert_with(ScanFilter::default);
                    filter.conditions.push(condition);
                    filter.predicates.push(predicate.clone());
                    done.push((place, number));
                }
            }
        }
    }
    operators[last].op = Op::Reach(Rc::new(reach));
    for (place, operator) in operators.iter_mut().enumerate() {
        if let Op::Filter(predicates) = &operator.op {
            let left = predicates.iter().enumerate();
            let left = left.filter(|(number, _)| !done.contains(&(place, *number)));
            let left: Vec<Expr> = left.map(|(_, predicate)| predicate.clone()).collect();
            if left.len() < predicates.len() {
                operator.op = Op::Filter(Rc::new(left));
            }
        }
    }
    let mut place = 0;
    operators.retain(|operator| {
        let is_empty = matches!(&operator.op, Op::Filter(left) if left.is_empty());
        let is_gone = is_empty || (places.contains(&place) && place != last);
        place += 1;
        !is_gone
    });
}

/// The labels that a condition asks of a vertex, if it asks for all of some and for nothing else.
pub(super) fn labels_of(predicate: &Expr, vertex: Slot) -> Option<Vec<NameRef>> {
    let Expr::HasLabels(object, test, _) = predicate else {
        return None;
    };
    if **object != Expr::Slot(vertex) {
        return None;
    }
    match test {
        LabelTest::Name(name) => Some(vec![name.clone()]),
        LabelTest::And(tests) => tests
            .iter()
            .map(|test| match test {
                LabelTest::Name(name) => Some(name.clone()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// Lets the lowest chain be answered once for all rows if nothing above it reads anything of them.
fn share(operators: &mut [Plan], wanted: &Slots) {
    let is_reach = |operator: &Plan| matches!(operator.op, Op::Reach(_));
    let Some(place) = operators.iter().rposition(is_reach) else {
        return;
    };
    let Op::Reach(reach) = &operators[place].op else {
        return;
    };
    let only = &reach.segments[0];
    // The way back to a start is looked for from one start.
    let is_for_one = reach.is_nearest() && only.min == 1 && only.direction == Direction::Both;
    let mut own: Slots = HashSet::from_iter([reach.to]);
    let mut is_read = wanted.clone();
    for operator in &operators[..place] {
        is_read.extend(reads_of(&operator.op).into_iter().flatten());
        writes_of(&operator.op, &mut own);
    }
    if reach.into || !reach.excluded.is_empty() || is_for_one || !is_read.is_subset(&own) {
        return;
    }
    let shared = Reach {
        shared: true,
        segments: reach.segments.iter().map(Segment::copy).collect(),
        labels: reach.labels.clone(),
        filter: reach.filter.clone(),
        excluded: Vec::new(),
        width: reach.width.clone(),
        ..**reach
    };
    operators[place].op = Op::Reach(Rc::new(shared));
}

/// Adds the slots that an operator of a frame sets.
fn writes_of(op: &Op, out: &mut Slots) {
    match op {
        Op::Extend(items) | Op::Compute(items) => {
            out.extend(items.iter().map(|(slot, _)| *slot));
        }
        Op::Expand(expand) => {
            out.insert(expand.edge);
            out.extend((!expand.into).then_some(expand.to));
        }
        Op::Intersect(intersect) => {
            out.insert(intersect.to);
            out.extend(intersect.sides.iter().map(|side| side.edge));
        }
        Op::VarExpand(expand) => {
            out.insert(expand.edges);
            out.extend((!expand.into).then_some(expand.to));
            if let Some(filter) = &expand.filter {
                out.extend([filter.edge, filter.vertex]);
                out.extend(filter.path.iter().chain(&filter.weight).copied());
            }
        }
        Op::BoundEdge(bound) => {
            out.extend((!bound.from_bound).then_some(bound.from));
            out.extend((!bound.to_bound).then_some(bound.to));
        }
        Op::Reach(reach) => out.extend((!reach.into).then_some(reach.to)),
        Op::TrailCount(count) => {
            out.insert(count.count);
        }
        _ => {}
    }
}

/// Whether an expansion's edges must differ from those of a chain, and from nothing else that those need not differ from.
pub(super) fn is_same_trail(
    links: &[(usize, Link<'_>)],
    excluded: &[Other],
    unique: &[Other],
) -> bool {
    let of_chain = links.iter().map(|(_, link)| link.edge());
    let count = excluded.len() + links.len();
    unique.len() == count
        && excluded.iter().all(|other| unique.contains(other))
        && of_chain
            .into_iter()
            .all(|edge| unique.iter().any(|other| other.slot == edge))
}
