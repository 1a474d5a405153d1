//! Level by level: for each number of edges the set of vertices that some trail of that many reaches.
//!
//! A level is a [`Stage`]: one edge of one segment of the chain. For each vertex of it one trail is remembered, its *witness*, by the vertex before. An
//! edge that the witness of its beginning does not use proves its end. If the witness may use it, the end is in doubt: should nothing
//! else prove it, [`Settle`] looks for a trail backwards, through the vertices of the levels before, all of which are proven.
//!
//! Where the vertices of the level before are many, the last level is asked the other way round: each vertex that may be an end is, along its edges
//! backwards, until one of them comes from there.
//!
//! What always holds: when a level is done, its vertices are those that trails reach, no more and no fewer. A witness is the vertices that it comes
//! through, no pair of which it may use twice by what arrows allow, so that any edges between them make a trail; where there is no such
//! witness the edges themselves are kept (`tangled`), and so for all that is reached from there.

use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use quoit_cypher::error::Error;
use quoit_graph::Direction;
use quoit_graph::ids::{PAGE_SLOTS, PageId, VertexId};
use quoit_graph::value::Value;
use smallvec::SmallVec;

use super::super::Context;
use super::super::expand::{Types, type_ids};
use super::super::scan::label_id;
use super::settle::Settle;
use super::vertex_set::VertexSet;
use super::{EdgeIds, FIRST_VERTICES, Progress, VERTICES_PER_LOOK};
use crate::expression::evaluate::holds;
use crate::plan;

/// A member of a level, by its number among all.
pub(super) type Member = u32;
/// The member before a start.
const NONE: Member = Member::MAX;
/// So many members are looked for one by one before a level gets a table of its members.
const LOOKED_FOR: u32 = 8;

/// What following an edge to anywhere costs, beside ...
const COST_OF_EDGE: u64 = 8;
/// ... finding the list of the next vertex of a page ...
const COST_OF_LIST: u64 = 12;
/// ... and a look at an entry of it.
const COST_OF_LOOK: u64 = 2;

/// One edge of the chain.
pub(super) struct Stage {
    /// Of the chain; the first stage, which has no edge, has none.
    pub(super) segment: usize,
    /// The stages that it may follow.
    pub(super) before: SmallVec<[usize; 2]>,
    /// What is reached by it is an end of the chain.
    is_last: bool,
    /// Something follows.
    leads_on: bool,
}

/// The members of a stage.
#[derive(Default)]
struct Level {
    /// What has been reached, members or not.
    seen: VertexSet,
    members: Range<Member>,
    table: HashMap<VertexId, Member>,
    looked_for: u32,
}

/// What is being done to the stage at work.
enum Work {
    /// Following the edges of the members of a stage before: which, and how many of them are done.
    Expand(usize, usize),
    /// Noting what the witnesses of the stage before use, from this member on, before ends are asked.
    Bar(Member),
    /// Asking the vertices of the pages whether an edge from the stage before leads to them, from this page on.
    Ask(usize),
    /// Deciding what is in doubt.
    Settle,
    /// Asking the conditions of members, from this one on; those before `kept` stay.
    Filter { next: Member, kept: Member },
}

/// See the module.
pub(super) struct Levels {
    plan: Rc<plan::Reach>,
    stages: Vec<Stage>,
    levels: Vec<Level>,
    /// By segment.
    types: Vec<Option<Types>>,
    stage: usize,
    work: Work,
    /// Members of all levels, one level behind the other.
    vertices: Vec<VertexId>,
    parents: Vec<Member>,
    /// The edges of witnesses that are not told by their vertices.
    tangled: HashMap<Member, EdgeIds>,
    /// Vertices in doubt, each with nothing that proves it yet.
    doubts: Vec<VertexId>,
    settle: Option<Settle>,
    /// Given out, where several stages are last.
    given: VertexSet,
    /// Buffers of one piece of work.
    piece: Vec<VertexId>,
    /// Where ends are asked: the pages that have them, and the pairs of vertices that a witness of the first may have used.
    pages: Vec<PageId>,
    used: HashSet<(VertexId, VertexId)>,
    piece_members: Vec<Member>,
    barred: Vec<(u32, VertexId)>,
    scratch: Vec<Value>,
}

/// The stages of a chain: an edge of each segment, for each number of them that it may have.
fn stages_of(plan: &plan::Reach) -> Vec<Stage> {
    let first = Stage {
        segment: 0,
        before: SmallVec::new(),
        is_last: false,
        leads_on: true,
    };
    let mut stages = vec![first];
    let mut ends: SmallVec<[usize; 2]> = SmallVec::from_slice(&[0]);
    for (number, segment) in plan.segments.iter().enumerate() {
        let mut before = ends.clone();
        if segment.min > 0 {
            ends.clear();
        }
        for length in 1..=segment.max {
            let stage = stages.len();
            for before in &before {
                stages[*before].leads_on = true;
            }
            stages.push(Stage {
                segment: number,
                before: std::mem::take(&mut before),
                is_last: false,
                leads_on: false,
            });
            before.push(stage);
            if length >= segment.min {
                ends.push(stage);
            }
        }
    }
    for end in ends {
        stages[end].is_last = true;
    }
    stages
}

/// The pairs of vertices, source first, that an edge from one vertex to another may join.
pub(super) fn joined(
    from: VertexId,
    to: VertexId,
    direction: Direction,
) -> SmallVec<[(VertexId, VertexId); 2]> {
    match direction {
        Direction::Out => SmallVec::from_slice(&[(from, to)]),
        Direction::In => SmallVec::from_slice(&[(to, from)]),
        Direction::Both => SmallVec::from_slice(&[(from, to), (to, from)]),
    }
}

impl Levels {
    pub(super) fn new(plan: Rc<plan::Reach>) -> Levels {
        let stages = stages_of(&plan);
        Levels {
            levels: stages.iter().map(|_| Level::default()).collect(),
            stages,
            plan,
            types: Vec::new(),
            stage: 0,
            work: Work::Settle,
            vertices: Vec::new(),
            parents: Vec::new(),
            tangled: HashMap::new(),
            doubts: Vec::new(),
            settle: None,
            given: VertexSet::default(),
            piece: Vec::new(),
            pages: Vec::new(),
            used: HashSet::new(),
            piece_members: Vec::new(),
            barred: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Bytes that it keeps, about.
    pub(super) fn bytes(&self) -> u64 {
        let tables = self.levels.iter().map(|level| level.table.capacity() * 16);
        let members = self.vertices.capacity() * 8 + self.parents.capacity() * 4;
        let rest = self.tangled.capacity() * 96
            + self.doubts.capacity() * 8
            + self.pages.capacity() * 4
            + self.used.capacity() * 17;
        let settle = self.settle.as_ref().map_or(0, Settle::bytes);
        (tables.sum::<usize>() + members + rest) as u64
            + settle
            + self.given.bytes()
            + self
                .levels
                .iter()
                .map(|level| level.seen.bytes())
                .sum::<u64>()
    }

    pub(super) fn begin(&mut self, starts: &[VertexId], excluded: EdgeIds, cx: &Context<'_>) {
        let types = self.plan.segments.iter();
        self.types = types.map(|segment| type_ids(&segment.types, cx)).collect();
        for level in &mut self.levels {
            level.seen.clear();
            level.table.clear();
            (level.members, level.looked_for) = (0..0, 0);
        }
        self.vertices.clear();
        self.parents.clear();
        self.tangled.clear();
        self.doubts.clear();
        self.given.clear();
        self.settle = None;
        for start in starts {
            self.levels[0].seen.insert(*start);
            self.push(*start, NONE);
        }
        self.levels[0].members = 0..self.vertices.len() as Member;
        if !excluded.is_empty() {
            let starts = 0..self.vertices.len() as Member;
            self.tangled
                .extend(starts.map(|start| (start, excluded.clone())));
        }
        self.stage = 0;
        self.work = Work::Settle;
    }

    fn push(&mut self, vertex: VertexId, parent: Member) {
        self.vertices.push(vertex);
        self.parents.push(parent);
    }

    /// Does a piece of the work; vertices that are ends of the chain go to `found`.
    pub(super) fn next(
        &mut self,
        row: &[Value],
        found: &mut VertexSet,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        match self.work {
            Work::Expand(before, done) => self.expand(before, done, found, cx),
            Work::Bar(next) => self.bar(next, cx),
            Work::Ask(page) => self.ask(page, found, cx),
            Work::Settle => {
                if !self.settle_doubts(found, cx) {
                    return Ok(Progress::More);
                }
                let from = self.levels[self.stage].members.start;
                self.levels[self.stage].members = from..self.vertices.len() as Member;
                self.work = Work::Filter {
                    next: from,
                    kept: from,
                };
            }
            Work::Filter { next, kept } => {
                if self.filter(next, kept, row, cx)? {
                    return Ok(self.next_stage(found, cx));
                }
            }
        }
        Ok(Progress::More)
    }

    fn next_stage(&mut self, found: &mut VertexSet, cx: &Context<'_>) -> Progress {
        if self.stage == 0 && self.stages[0].is_last {
            for vertex in &self.vertices {
                self.given.insert(*vertex);
                found.insert(*vertex);
            }
        }
        self.stage += 1;
        if self.stage == self.stages.len() {
            return Progress::End;
        }
        let first = self.vertices.len() as Member;
        self.levels[self.stage].members = first..first;
        self.work = match self.asks_ends(cx) {
            Some(members) => Work::Bar(members.start),
            None => Work::Expand(0, 0),
        };
        Progress::More
    }

    /// Whether the ends of the stage at work are asked for their edges, instead of the members before them: those members.
    fn asks_ends(&self, cx: &Context<'_>) -> Option<Range<Member>> {
        let stage = &self.stages[self.stage];
        let [source] = *stage.before.as_slice() else {
            return None;
        };
        let conditions = &self.plan.segments[self.stages[source].segment].conditions;
        // What has been reached there are the members only if no condition left some out.
        let all_are_members = source == 0 || conditions.is_empty();
        if stage.leads_on || !all_are_members || !self.tangled.is_empty() {
            return None;
        }
        let members = self.levels[source].members.clone();
        let (from, of) = (members.len() as u64, cx.view.graph().vertex_count());
        let degree = cx.view.graph().edge_count() / of.max(1);
        let followed = from * degree * COST_OF_EDGE;
        let asked = of * (COST_OF_LIST + degree.min(of / from.max(1)) * COST_OF_LOOK);
        (followed > asked).then_some(members)
    }

    /// Notes for some members of the stage before what their witnesses use.
    fn bar(&mut self, next: Member, cx: &Context<'_>) {
        let source = self.stages[self.stage].before[0];
        let members = self.levels[source].members.clone();
        if next == members.start {
            self.used.clear();
            let label = self.plan.labels.first();
            self.pages = cx.view.pages(label.and_then(|label| label_id(label, cx)));
        }
        let direction = self.plan.segments[self.stages[self.stage].segment].direction;
        let to = members.end.min(next + VERTICES_PER_LOOK as Member);
        for member in next..to {
            for target in self.used_from(member, source, direction) {
                self.used.insert((self.vertices[member as usize], target));
            }
        }
        self.work = match to == members.end {
            true => Work::Ask(0),
            false => Work::Bar(to),
        };
    }

    /// Asks the vertices of a page whether an edge leads to them from the stage before that its witness does not use.
    fn ask(&mut self, page: usize, found: &mut VertexSet, cx: &Context<'_>) {
        let Stage {
            segment, is_last, ..
        } = self.stages[self.stage];
        let source = self.stages[self.stage].before[0];
        let (Some(page_id), Some(types)) = (self.pages.get(page).copied(), &self.types[segment])
        else {
            self.expanded();
            return;
        };
        self.work = Work::Ask(page + 1);
        let several = self.plan.ends_vary();
        let (levels, at_work) = self.levels.split_at_mut(self.stage);
        let (reached, seen) = (&levels[source].seen, &mut at_work[0].seen);
        let vertices = (0..PAGE_SLOTS).map(|slot| VertexId::new(page_id, slot));
        self.piece.clear();
        self.piece
            .extend(vertices.filter(|vertex| !seen.contains(*vertex)));
        let (piece, used, given) = (&self.piece, &self.used, &mut self.given);
        let doubts = &mut self.doubts;
        let backwards = match self.plan.segments[segment].direction {
            Direction::Out => Direction::In,
            Direction::In => Direction::Out,
            Direction::Both => Direction::Both,
        };
        cx.view
            .expand_until(piece, backwards, types, |at, neighbour| {
                if !reached.contains(neighbour) {
                    return ControlFlow::Continue(());
                }
                let vertex = piece[at];
                if !used.is_empty() && used.contains(&(neighbour, vertex)) {
                    doubts.push(vertex);
                    return ControlFlow::Continue(());
                }
                seen.insert(vertex);
                if is_last && (!several || given.insert(vertex)) {
                    found.insert(vertex);
                }
                ControlFlow::Break(())
            });
    }

    /// All that edges lead to is known, proven or in doubt.
    fn expanded(&mut self) {
        let seen = &self.levels[self.stage].seen;
        self.doubts.retain(|vertex| !seen.contains(*vertex));
        self.doubts.sort_unstable();
        self.doubts.dedup();
        self.work = Work::Settle;
    }

    /// Follows the edges of some members of the stage number `before` among those that the stage at work may follow.
    fn expand(&mut self, before: usize, done: usize, found: &mut VertexSet, cx: &Context<'_>) {
        let stage = &self.stages[self.stage];
        let Some(source) = stage.before.get(before).copied() else {
            self.expanded();
            return;
        };
        let members = self.levels[source].members.clone();
        let from = members.start + done as Member;
        // Of what is found by the last edges the first may be all that is asked for.
        let size = match stage.leads_on {
            true => VERTICES_PER_LOOK,
            false => VERTICES_PER_LOOK.min(FIRST_VERTICES + done),
        };
        let to = members.end.min(from + size as Member);
        self.work = match to == members.end {
            true => Work::Expand(before + 1, 0),
            false => Work::Expand(before, done + size),
        };
        let direction = self.plan.segments[stage.segment].direction;
        if self.types[stage.segment].is_none() {
            return;
        }
        self.piece.clear();
        self.piece_members.clear();
        self.barred.clear();
        let mut tangled = SmallVec::<[Member; 8]>::new();
        for member in from..to {
            if !self.tangled.is_empty() && self.tangled.contains_key(&member) {
                tangled.push(member);
                continue;
            }
            let at = self.piece.len() as u32;
            let used = self.used_from(member, source, direction);
            self.barred.extend(used.into_iter().map(|to| (at, to)));
            self.piece.push(self.vertices[member as usize]);
            self.piece_members.push(member);
        }
        self.expand_piece(direction, found, cx);
        for member in tangled {
            self.expand_tangled(member, direction, found, cx);
        }
    }

    /// To which neighbours of a member an edge may be one that its witness uses.
    fn used_from(
        &self,
        member: Member,
        stage: usize,
        direction: Direction,
    ) -> SmallVec<[VertexId; 4]> {
        let vertex = self.vertices[member as usize];
        let mut neighbours = SmallVec::new();
        let (mut member, mut stage) = (member, stage);
        loop {
            let parent = self.parents[member as usize];
            if parent == NONE {
                return neighbours;
            }
            let before = self.stage_before(stage, parent);
            let used = self.plan.segments[self.stages[stage].segment].direction;
            let (from, to) = (
                self.vertices[parent as usize],
                self.vertices[member as usize],
            );
            if from == vertex || to == vertex {
                for (source, target) in joined(from, to, used) {
                    if source == vertex && direction != Direction::In {
                        neighbours.push(target);
                    }
                    if target == vertex && direction != Direction::Out {
                        neighbours.push(source);
                    }
                }
            }
            (member, stage) = (parent, before);
        }
    }

    /// The stage, of those that a stage may follow, whose member something is.
    fn stage_before(&self, stage: usize, member: Member) -> usize {
        let before = &self.stages[stage].before;
        let mut before = before.iter().copied();
        before
            .find(|before| self.levels[*before].members.contains(&member))
            .unwrap_or(0)
    }

    /// Follows the edges of the vertices of a piece.
    fn expand_piece(&mut self, direction: Direction, found: &mut VertexSet, cx: &Context<'_>) {
        let Stage {
            segment,
            is_last,
            leads_on,
            ..
        } = self.stages[self.stage];
        let Some(types) = &self.types[segment] else {
            return;
        };
        let several = self.plan.ends_vary();
        let seen = &mut self.levels[self.stage].seen;
        let (vertices, parents, given) = (&mut self.vertices, &mut self.parents, &mut self.given);
        let (members, doubts) = (&self.piece_members, &mut self.doubts);
        let mut barred = self.barred.as_slice();
        cx.view
            .expand(&self.piece, direction, types, |at, neighbour| {
                while let Some((of, _)) = barred.first()
                    && (*of as usize) < at
                {
                    barred = &barred[1..];
                }
                let mut here = barred.iter().take_while(|(of, _)| *of as usize == at);
                if here.any(|(_, barred)| *barred == neighbour) {
                    if !seen.contains(neighbour) {
                        doubts.push(neighbour);
                    }
                } else if seen.insert(neighbour) {
                    if leads_on {
                        vertices.push(neighbour);
                        parents.push(members[at]);
                    }
                    if is_last && (!several || given.insert(neighbour)) {
                        found.insert(neighbour);
                    }
                }
            });
    }

    /// Follows the edges of a member whose witness is known by its edges.
    fn expand_tangled(
        &mut self,
        member: Member,
        direction: Direction,
        found: &mut VertexSet,
        cx: &Context<'_>,
    ) {
        let segment = self.stages[self.stage].segment;
        let (Some(types), Some(used)) = (self.types[segment].clone(), self.tangled.get(&member))
        else {
            return;
        };
        let used = used.clone();
        let vertex = self.vertices[member as usize];
        for incidence in cx.view.edges(vertex, direction, &types) {
            if !used.contains(&incidence.edge.id) {
                let mut edges = used.clone();
                edges.push(incidence.edge.id);
                self.prove(incidence.neighbour, edges, found);
            } else if !self.levels[self.stage].seen.contains(incidence.neighbour) {
                self.doubts.push(incidence.neighbour);
            }
        }
    }

    /// Takes a vertex in that a trail of these edges reaches.
    fn prove(&mut self, vertex: VertexId, edges: EdgeIds, found: &mut VertexSet) {
        if !self.levels[self.stage].seen.insert(vertex) {
            return;
        }
        let stage = &self.stages[self.stage];
        let (is_last, leads_on) = (stage.is_last, stage.leads_on);
        if leads_on {
            self.tangled.insert(self.vertices.len() as Member, edges);
            self.push(vertex, NONE);
        }
        if is_last && (!self.plan.ends_vary() || self.given.insert(vertex)) {
            found.insert(vertex);
        }
    }

    /// Decides some of what is in doubt; whether nothing is any more.
    fn settle_doubts(&mut self, found: &mut VertexSet, cx: &Context<'_>) -> bool {
        let mut steps = VERTICES_PER_LOOK;
        loop {
            let mut settle = match self.settle.take() {
                Some(settle) => settle,
                None => {
                    let Some(vertex) = self.doubts.pop() else {
                        return true;
                    };
                    Settle::new(self.stage, vertex)
                }
            };
            match settle.next(self, &mut steps, cx) {
                None => {
                    self.settle = Some(settle);
                    return false;
                }
                Some(None) => {}
                Some(Some(edges)) => self.prove(settle.vertex(), edges, found),
            }
        }
    }

    /// Asks the conditions on some members of the stage at work; whether all have been asked.
    fn filter(
        &mut self,
        next: Member,
        kept: Member,
        row: &[Value],
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let plan = self.plan.clone();
        let segment = &plan.segments[self.stages[self.stage].segment];
        if self.stage == 0 || segment.conditions.is_empty() {
            return Ok(true);
        }
        let width = plan.width.get() as usize;
        if self.scratch.len() != width {
            self.scratch.clear();
            self.scratch.resize(width, Value::Null);
        }
        // Conditions read nothing of the row but the vertex; the row is there for what they do not come to.
        let known = row.len().min(width);
        self.scratch[..known].clone_from_slice(&row[..known]);
        let mut kept = kept;
        let end = self.vertices.len() as Member;
        let until = end.min(next + VERTICES_PER_LOOK as Member);
        for member in next..until {
            let vertex = self.vertices[member as usize];
            self.scratch[segment.vertex as usize] = Value::Vertex(vertex);
            let mut keep = true;
            for condition in &segment.conditions {
                if !holds(condition, cx, &self.scratch)? {
                    keep = false;
                    break;
                }
            }
            let tangle = self.tangled.remove(&member);
            if keep {
                if let Some(edges) = tangle {
                    self.tangled.insert(kept, edges);
                }
                self.vertices[kept as usize] = vertex;
                self.parents[kept as usize] = self.parents[member as usize];
                kept += 1;
            }
        }
        if until < end {
            self.work = Work::Filter { next: until, kept };
            return Ok(false);
        }
        self.vertices.truncate(kept as usize);
        self.parents.truncate(kept as usize);
        self.levels[self.stage].members.end = kept;
        Ok(true)
    }

    /// The stages that a stage may follow.
    pub(super) fn stages_before(&self, stage: usize) -> &[usize] {
        &self.stages[stage].before
    }

    /// In which direction the edge of a stage is followed, and of which types it may be.
    pub(super) fn step(&self, stage: usize) -> (Direction, Option<&Types>) {
        let segment = self.stages[stage].segment;
        (
            self.plan.segments[segment].direction,
            self.types[segment].as_ref(),
        )
    }

    /// The vertex of a member.
    pub(super) fn vertex(&self, member: Member) -> VertexId {
        self.vertices[member as usize]
    }

    /// The member of a stage that a vertex is, if it is one.
    pub(super) fn member(&mut self, stage: usize, vertex: VertexId) -> Option<Member> {
        let level = &mut self.levels[stage];
        if !level.seen.contains(vertex) {
            return None;
        }
        let members = level.members.clone();
        let here = &self.vertices[members.start as usize..members.end as usize];
        if level.looked_for < LOOKED_FOR {
            level.looked_for += 1;
            let at = here.iter().position(|member| *member == vertex)?;
            return Some(members.start + at as Member);
        }
        if level.table.is_empty() {
            level.table.extend(here.iter().copied().zip(members));
        }
        level.table.get(&vertex).copied()
    }

    /// The edges of a trail that leads to a member of a stage and uses none of these; `None` if its witness does.
    pub(super) fn witness(
        &self,
        stage: usize,
        member: Member,
        used: &[quoit_graph::ids::EdgeId],
        cx: &Context<'_>,
    ) -> Option<EdgeIds> {
        if let Some(edges) = self.tangled.get(&member) {
            let is_free = edges.iter().all(|edge| !used.contains(edge));
            return is_free.then(|| edges.clone());
        }
        let mut edges = EdgeIds::new();
        let (mut member, mut stage) = (member, stage);
        while self.parents[member as usize] != NONE {
            let parent = self.parents[member as usize];
            let (direction, types) = self.step(stage);
            let (from, to) = (self.vertex(parent), self.vertex(member));
            let mut between = cx.view.edges_between(from, to, direction, types?);
            let free = between.find(|step| {
                let edge = step.edge.id;
                !used.contains(&edge) && !edges.contains(&edge)
            });
            edges.push(free?.edge.id);
            (stage, member) = (self.stage_before(stage, parent), parent);
        }
        Some(edges)
    }
}
