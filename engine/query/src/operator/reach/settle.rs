//! Whether a vertex in doubt is reached by a trail: a search backwards from it, depth first, through the members of the levels before.
//!
//! Called by [`Levels`] for the few vertices that only an edge leads to which the witness of its beginning may have used. The search ends
//! where a member's witness uses none of the edges gone back by. Always holds: it can be left after any step; levels before the vertex's own
//! do not change while it runs.

use quoit_graph::Direction;
use quoit_graph::ids::{EdgeId, VertexId};

use super::super::Context;
use super::EdgeIds;
use super::levels::{Levels, Member};

/// A vertex gone back to, with the edges that lead there.
struct Step {
    /// Edge, the stage and the member that it comes from.
    from: Vec<(EdgeId, usize, Member)>,
    next: usize,
}

/// See the module.
pub(super) struct Settle {
    stage: usize,
    vertex: VertexId,
    begun: bool,
    steps: Vec<Step>,
    /// The edges gone back by: one for each step but the last.
    used: EdgeIds,
}

impl Settle {
    /// Of a vertex that the edge of a stage leads to.
    pub(super) fn new(stage: usize, vertex: VertexId) -> Settle {
        Settle {
            stage,
            vertex,
            begun: false,
            steps: Vec::new(),
            used: EdgeIds::new(),
        }
    }

    /// The vertex in doubt.
    pub(super) fn vertex(&self) -> VertexId {
        self.vertex
    }

    /// Bytes that it keeps, about.
    pub(super) fn bytes(&self) -> u64 {
        let steps = self.steps.iter().map(|step| step.from.capacity() * 24);
        steps.sum::<usize>() as u64
    }

    /// Goes on for so many steps: nothing if they are used up before it is decided, else the edges of a trail if there is one.
    pub(super) fn next(
        &mut self,
        levels: &mut Levels,
        steps: &mut usize,
        cx: &Context<'_>,
    ) -> Option<Option<EdgeIds>> {
        if !self.begun {
            self.begun = true;
            self.go_back(self.stage, self.vertex, levels, steps, cx);
        }
        loop {
            let Some(step) = self.steps.last_mut() else {
                return Some(None);
            };
            let Some((edge, stage, member)) = step.from.get(step.next).copied() else {
                self.steps.pop();
                self.used.pop();
                continue;
            };
            if *steps == 0 {
                return None;
            }
            *steps -= 1;
            step.next += 1;
            if self.used.contains(&edge) {
                continue;
            }
            self.used.push(edge);
            if let Some(mut trail) = levels.witness(stage, member, &self.used, cx) {
                trail.extend_from_slice(&self.used);
                return Some(Some(trail));
            }
            if stage == 0 {
                self.used.pop();
                continue;
            }
            self.go_back(stage, levels.vertex(member), levels, steps, cx);
        }
    }

    /// Looks at the edges that lead to a vertex by the edge of a stage.
    fn go_back(
        &mut self,
        stage: usize,
        vertex: VertexId,
        levels: &mut Levels,
        steps: &mut usize,
        cx: &Context<'_>,
    ) {
        let mut from = Vec::new();
        let (direction, types) = levels.step(stage);
        let back = match direction {
            Direction::Out => Direction::In,
            Direction::In => Direction::Out,
            Direction::Both => Direction::Both,
        };
        if let Some(types) = types.cloned() {
            for incidence in cx.view.edges(vertex, back, &types) {
                *steps = steps.saturating_sub(1);
                for at in 0..levels.stages_before(stage).len() {
                    let before = levels.stages_before(stage)[at];
                    if let Some(member) = levels.member(before, incidence.neighbour) {
                        from.push((incidence.edge.id, before, member));
                    }
                }
            }
        }
        self.steps.push(Step { from, next: 0 });
    }
}
