//! Expanding: the other ends of the edges of one vertex or of a whole batch, at the speed of arrays.
//!
//! Owned here: [`View::neighbours`], [`View::expand`] and [`View::expand_until`]. Called by `query` where only the other end matters: frontiers, degrees, reachability.
//! Always holds: what is given is what [`View::edges`] gives, without ids and properties, in the same order; nothing is allocated; an
//! edge that is seen has both its ends, so they are not looked at.
//! A batch is worked through with the slots of vertices further on and the lists of those nearer asked for ahead, so that several misses
//! are under way at once.
//! Left to others: what is done with the vertices; edges one by one (`view`).

use std::ops::ControlFlow;

use crate::adjacency::{self, LISTS_AHEAD, SLOTS_AHEAD, TAILS_AHEAD};
use crate::ids::{PAGE_SLOTS, PageId, TypeId, VertexId};
use crate::page::Slot;
use crate::view::{Direction, View};

/// Vertices that follow one another in a page are worked through as an array if they are at least so many.
const SIDE_BY_SIDE: usize = 32;
/// So many vertices are worked through before it is looked again whether they follow one another.
const FAR_APART: usize = 1024;

/// How many of the first vertices follow one another in one page.
fn side_by_side(vertices: &[VertexId]) -> usize {
    let Some(&first) = vertices.first() else {
        return 0;
    };
    let in_page = PAGE_SLOTS - first.slot();
    let follows = |(&vertex, at): (&VertexId, u64)| vertex.0 == first.0 + at;
    vertices
        .iter()
        .zip(0..)
        .take(in_page)
        .take_while(|&next| follows(next))
        .count()
}

impl View<'_> {
    /// Gives the other end of every edge of a vertex, once for each edge (a self loop once, in either direction); `types` empty means all.
    pub fn neighbours(
        &self,
        vertex: VertexId,
        direction: Direction,
        types: &[TypeId],
        mut give: impl FnMut(VertexId),
    ) {
        if let Some(slot) = self.slot(vertex) {
            let _ = self.neighbours_of_slot(slot, vertex, direction, types, &mut |neighbour| {
                give(neighbour);
                ControlFlow::Continue(())
            });
        }
    }

    /// As [`View::neighbours`] for each of `vertices`, with its place among them; the fastest way through many vertices.
    pub fn expand(
        &self,
        vertices: &[VertexId],
        direction: Direction,
        types: &[TypeId],
        mut give: impl FnMut(usize, VertexId),
    ) {
        self.expand_until(vertices, direction, types, |at, neighbour| {
            give(at, neighbour);
            ControlFlow::Continue(())
        });
    }

    /// As [`View::expand`], but a vertex of which `Break` is said is left for the next one.
    pub fn expand_until(
        &self,
        vertices: &[VertexId],
        direction: Direction,
        types: &[TypeId],
        mut give: impl FnMut(usize, VertexId) -> ControlFlow<()>,
    ) {
        let mut done = 0;
        while done < vertices.len() {
            let rest = &vertices[done..];
            let near = side_by_side(rest);
            let (n, side_by_side) = match near {
                0..SIDE_BY_SIDE => (rest.len().min(FAR_APART), false),
                _ => (near, true),
            };
            let mut give = |at, neighbour| give(done + at, neighbour);
            if side_by_side {
                self.expand_side_by_side(&rest[..n], direction, types, &mut give);
            } else {
                self.expand_far_apart(&rest[..n], direction, types, &mut give);
            }
            done += n;
        }
    }

    /// For vertices that follow one another in a page: their slots are an array.
    #[inline(always)]
    fn expand_side_by_side(
        &self,
        vertices: &[VertexId],
        direction: Direction,
        types: &[TypeId],
        give: &mut impl FnMut(usize, VertexId) -> ControlFlow<()>,
    ) {
        let outgoing = direction != Direction::In;
        let slots = self.slots_of_page(vertices[0]);
        let first = vertices[0].slot();
        let Some(slots) = slots.get(first..first + vertices.len()) else {
            return;
        };
        for (at, slot) in slots.iter().enumerate() {
            if let Some(near) = slots.get(at + LISTS_AHEAD) {
                near.list(outgoing).prefetch(2);
            }
            if let Some(nearer) = slots.get(at + TAILS_AHEAD) {
                adjacency::prefetch_recent(nearer.list(outgoing), self.guard());
            }
            let give = &mut |neighbour| give(at, neighbour);
            let _ = self.neighbours_of_slot(slot, vertices[at], direction, types, give);
        }
    }

    /// For vertices anywhere: their slots are asked for ahead too.
    #[inline(always)]
    fn expand_far_apart(
        &self,
        vertices: &[VertexId],
        direction: Direction,
        types: &[TypeId],
        give: &mut impl FnMut(usize, VertexId) -> ControlFlow<()>,
    ) {
        let outgoing = direction != Direction::In;
        // Neighbours in `vertices` often share a page.
        let mut page: (Option<PageId>, &[Slot]) = (None, &[]);
        let mut slot = |at: usize| {
            let vertex = *vertices.get(at)?;
            if page.0 != Some(vertex.page()) {
                page = (Some(vertex.page()), self.slots_of_page(vertex));
            }
            page.1.get(vertex.slot())
        };
        // Slots that were asked for, and found, on the way to being used.
        let mut coming: [Option<&Slot>; SLOTS_AHEAD] = [None; SLOTS_AHEAD];
        for (at, coming) in coming.iter_mut().enumerate().take(vertices.len()) {
            *coming = slot(at);
        }
        for (at, &vertex) in vertices.iter().enumerate() {
            let present = coming[at % SLOTS_AHEAD];
            let far = slot(at + SLOTS_AHEAD);
            if let Some(far) = far {
                far.prefetch();
            }
            coming[at % SLOTS_AHEAD] = far;
            if let Some(near) = coming[(at + LISTS_AHEAD) % SLOTS_AHEAD] {
                near.list(outgoing).prefetch(2);
            }
            if let Some(nearer) = coming[(at + TAILS_AHEAD) % SLOTS_AHEAD] {
                adjacency::prefetch_recent(nearer.list(outgoing), self.guard());
            }
            if let Some(slot) = present {
                let give = &mut |neighbour| give(at, neighbour);
                let _ = self.neighbours_of_slot(slot, vertex, direction, types, give);
            }
        }
    }

    /// The slots of the page of a vertex; none if there is no such page.
    fn slots_of_page(&self, vertex: VertexId) -> &[Slot] {
        if vertex > VertexId::MAX {
            return &[];
        }
        let page = self.graph().directory.page(vertex.page(), self.guard());
        page.map_or(&[], |page| page.items())
    }

    #[inline(always)]
    fn neighbours_of_slot(
        &self,
        slot: &Slot,
        vertex: VertexId,
        direction: Direction,
        types: &[TypeId],
        give: &mut impl FnMut(VertexId) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (sight, guard) = (self.sight(), self.guard());
        match direction {
            Direction::Out => adjacency::neighbours(&slot.outgoing, sight, types, guard, give),
            Direction::In => adjacency::neighbours(&slot.incoming, sight, types, guard, give),
            Direction::Both => {
                adjacency::neighbours(&slot.outgoing, sight, types, guard, give)?;
                // A self loop stands in both lists.
                let mut others = |neighbour: VertexId| match neighbour == vertex {
                    true => ControlFlow::Continue(()),
                    false => give(neighbour),
                };
                adjacency::neighbours(&slot.incoming, sight, types, guard, &mut others)
            }
        }
    }
}
