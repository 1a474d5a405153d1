//! Writes of vertices: creation, new versions, deletion.

use super::Pen;
use crate::adjacency::{self, Walk};
use crate::constraint::Claims;
use crate::delta::Labels;
use crate::draft::Draft;
use crate::error::{Entity, WriteError};
use crate::ids::{LabelId, LabelSetId, ShardId, VertexId};
use crate::mutants::Mutant;
use crate::page::Slot;
use crate::shard::Hold;
use crate::stamp::{Standing, in_flight};
use crate::state::{PropertiesRef, State};
use crate::statistics::{End, EndKey};
use crate::value::codec::Properties;
use crate::version::{self, Record};
use smallvec::{SmallVec, smallvec};

const NO_MORE_IDS: WriteError = WriteError::LimitExceeded("all vertex ids have been used");

/// Whether a version is the author's first of a vertex: then settling and undoing have to come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    First,
    Again,
}

impl<'a> Pen<'a> {
    /// A new vertex in a shard.
    pub(crate) fn create_vertex(
        &self,
        shard: ShardId,
        labels: LabelSetId,
        properties: Properties<'_>,
    ) -> Result<VertexId, WriteError> {
        let all = self.graph().label_sets.labels(labels);
        let (mut hold, claims) = self.hold_for_new(shard, all, properties);
        let may_last = self.admit(None, all, |key| properties.get(key), &claims)?;
        let (id, slot) = hold
            .shard(shard)
            .next_slot(self.graph(), labels, self.guard)
            .ok_or(NO_MORE_IDS)?;
        self.link_first(id, slot, labels, properties);
        claims.take(self.graph(), id, self.guard);
        self.note_unfinished(id, may_last);
        Ok(id)
    }

    /// New vertices in a shard, whose token is taken once; those that a constraint concerns are made one by one, since their unique keys
    /// ask for other tokens too. Appends their ids: after an error those that were made before it.
    pub(crate) fn create_vertices<'p>(
        &self,
        shard: ShardId,
        new: impl IntoIterator<Item = (LabelSetId, Properties<'p>)>,
        ids: &mut Vec<VertexId>,
    ) -> Result<(), WriteError> {
        let mut held = None;
        // The last set of labels that a constraint concerned: to be asked for no longer than it goes on.
        let mut constrained = None;
        for (labels, properties) in new {
            if constrained != Some(labels) {
                let hold = held.get_or_insert_with(|| self.hold([shard]));
                // The schema changes only while all tokens are held, so not before this vertex is made.
                let all = self.graph().label_sets.labels(labels);
                if self.schema().constraints(all).next().is_none() {
                    let shard = hold.shard(shard);
                    let next = shard.next_slot(self.graph(), labels, self.guard);
                    let (id, slot) = next.ok_or(NO_MORE_IDS)?;
                    self.link_first(id, slot, labels, properties);
                    ids.push(id);
                    constrained = None;
                    continue;
                }
                held = None;
                constrained = Some(labels);
            }
            ids.push(self.create_vertex(shard, labels, properties)?);
        }
        Ok(())
    }

    /// Takes the tokens of a shard and of the unique keys of a vertex that is going to be made in it.
    fn hold_for_new(
        &self,
        shard: ShardId,
        labels: &'a [LabelId],
        properties: Properties<'_>,
    ) -> (Hold<'a>, Claims<'a>) {
        loop {
            let schema = self.schema();
            let property = |key| properties.get(key);
            let claims = Claims::new(self.graph(), schema, labels, property, None);
            let hold = self.hold(claims.shards().chain([shard]));
            // It changes only while all tokens are held, so not any more.
            if std::ptr::eq(schema, self.schema()) {
                return (hold, claims);
            }
        }
    }

    /// A vertex that the log names; `false` if there is one already.
    pub(crate) fn restore_vertex(
        &self,
        id: VertexId,
        labels: LabelSetId,
        properties: Properties<'_>,
    ) -> bool {
        let all = self.graph().label_sets.labels(labels);
        let shard = self.graph().shard_of(id);
        let (mut hold, claims) = self.hold_for_new(shard, all, properties);
        let present = self.page(id).map(|page| page.newest(id.slot(), self.guard));
        if present.flatten().is_some() {
            return false;
        }
        let shard = hold.shard(shard);
        let slot = shard.slot_of(self.graph(), id, labels, self.guard);
        shard.list_for(self.graph(), id.page(), all, self.guard);
        self.link_first(id, slot, labels, properties);
        claims.take(self.graph(), id, self.guard);
        true
    }

    fn link_first(
        &self,
        id: VertexId,
        slot: &'a Slot,
        labels: LabelSetId,
        properties: Properties<'_>,
    ) {
        let new = version::build(
            self.guard.heap(),
            self.author.stamp,
            None,
            labels,
            false,
            &Draft::of(properties),
        );
        self.mark(id);
        let none = slot.recent.set(new);
        debug_assert!(none.is_none(), "{id:?} is created in a slot in use");
        self.graph().index_record(
            id,
            &slot.recent.load(self.guard).expect("it was just set"),
            self.guard,
        );
    }

    /// A version is about to be linked.
    fn mark(&self, id: VertexId) {
        let page = self.page(id).expect("it has a slot");
        page.header().columns.mark(id.slot());
    }

    /// Puts a new version in front; of two in the same clause only the later stays.
    fn push(
        &self,
        hold: &mut Hold<'_>,
        (id, slot): (VertexId, &'a Slot),
        newest: State<'a>,
        (labels, deleted): (LabelSetId, bool),
        properties: &Draft<'_>,
    ) -> Touch {
        let stamp = newest.stamp();
        let heap = self.guard.heap();
        if labels != newest.label_set() {
            let all = self.graph().label_sets.labels(labels);
            hold.shard(self.graph().shard_of(id)).list_for(
                self.graph(),
                id.page(),
                all,
                self.guard,
            );
        }
        let same_clause = stamp == self.author.stamp && in_flight(stamp).is_some();
        let previous = match newest.version() {
            Some(head) if same_clause => head.header().previous.load(self.guard),
            head => head,
        };
        self.mark(id);
        let old = slot.recent.set(version::build(
            heap,
            self.author.stamp,
            previous,
            labels,
            deleted,
            properties,
        ));
        self.graph().index_record(
            id,
            &slot.recent.load(self.guard).expect("it was just set"),
            self.guard,
        );
        if same_clause {
            self.graph().unindex_record(id, &newest, self.guard);
            if let Some(old) = old {
                version::retire(old, heap);
            }
        }
        match self.author.standing(stamp) {
            Standing::Mine => Touch::Again,
            _ => Touch::First,
        }
    }

    /// New properties, made from the present ones by `change`, if it makes any; it may be asked more than once.
    pub(crate) fn change_properties<'d>(
        &self,
        id: VertexId,
        mut change: impl FnMut(PropertiesRef<'a>) -> Option<Draft<'d>>,
    ) -> Result<Option<Touch>, WriteError> {
        self.change(id, |newest| {
            let draft = change(newest.properties());
            Ok(draft.map(|draft| (newest.label_set(), draft)))
        })
    }

    /// New labels, made from the present ones by `change`; `intern` gives a set its number. Both may be asked more than once.
    pub(crate) fn change_labels(
        &self,
        id: VertexId,
        mut change: impl FnMut(&mut Labels) -> bool,
        intern: impl Fn(&Labels) -> Option<LabelSetId>,
    ) -> Result<Option<Touch>, WriteError> {
        self.change(id, |newest| {
            let mut labels: Labels = self.graph().label_sets.labels(newest.label_set()).into();
            if !change(&mut labels) {
                return Ok(None);
            }
            let set = intern(&labels)
                .ok_or(WriteError::LimitExceeded("too many combinations of labels"))?;
            let same = newest.properties().overlaid(Properties::default());
            Ok(Some((set, same)))
        })
    }

    /// Puts the state that `next` makes from the newest one in front, if it makes one.
    fn change<'d>(
        &self,
        id: VertexId,
        mut next: impl FnMut(State<'a>) -> Result<Option<(LabelSetId, Draft<'d>)>, WriteError>,
    ) -> Result<Option<Touch>, WriteError> {
        let mut shards: SmallVec<[ShardId; 4]> = smallvec![self.graph().shard_of(id)];
        loop {
            let mut hold = self.hold(shards.iter().copied());
            let (slot, newest) = self.to_change(&mut hold, id)?;
            let Some((set, draft)) = next(newest)? else {
                return Ok(None);
            };
            let labels = self.graph().label_sets.labels(set);
            let property = |key| draft.get(key);
            let claims = Claims::new(self.graph(), self.schema(), labels, property, Some(newest));
            let known = shards.len();
            shards.extend(claims.shards());
            if !shards[known..]
                .iter()
                .all(|shard| shards[..known].contains(shard))
            {
                // Which keys it takes is known only now: all tokens again, in order, and everything anew.
                continue;
            }
            let may_last = self.admit(Some(id), labels, property, &claims)?;
            let before = newest.label_set();
            let touch = self.push(&mut hold, (id, slot), newest, (set, false), &draft);
            if before != set {
                self.tally_new_labels(slot, before, set);
            }
            claims.take(self.graph(), id, self.guard);
            self.note_unfinished(id, may_last);
            return Ok(Some(touch));
        }
    }

    /// Its edges are now edges of a vertex with other labels.
    fn tally_new_labels(&self, slot: &Slot, before: LabelSetId, now: LabelSetId) {
        let mut tally = self.tally.borrow_mut();
        for (list, end) in [(&slot.outgoing, End::Source), (&slot.incoming, End::Target)] {
            let walk = Walk::new(
                Some(list),
                self.author.newest_sight(),
                &[],
                None,
                self.guard,
            );
            walk.count_by_type(|type_, edges| {
                tally.end(EndKey::new(before, type_, end), -(edges as i64));
                tally.end(EndKey::new(now, type_, end), edges as i64);
            });
        }
    }

    /// Deletes a vertex without edges. Answers its labels, or `None` if the author has deleted it already.
    pub(crate) fn delete_vertex(
        &self,
        id: VertexId,
    ) -> Result<Option<(LabelSetId, Touch)>, WriteError> {
        let mut hold = self.hold_vertex(id);
        let (slot, newest) = match self.to_change(&mut hold, id) {
            Err(WriteError::VertexDeleted(_)) if self.deleted_by_author(id) => return Ok(None),
            found => found?,
        };
        let mut connected = false;
        for list in [&slot.outgoing, &slot.incoming] {
            for (_, entry) in adjacency::entries(list, self.guard) {
                // A contest further on is told first.
                connected |= self.uncontested(id, entry)?;
            }
        }
        if connected {
            return Err(WriteError::DeleteConnectedVertex(id));
        }
        Ok(Some(self.push_deleted(&mut hold, (id, slot), newest)))
    }

    /// Puts the deletion of a vertex in front.
    pub(super) fn push_deleted(
        &self,
        hold: &mut Hold<'_>,
        place: (VertexId, &'a Slot),
        newest: State<'a>,
    ) -> (LabelSetId, Touch) {
        let labels = newest.label_set();
        let touch = self.push(hold, place, newest, (labels, true), &Draft::default());
        (labels, touch)
    }

    /// Whether the newest version is the author's own deletion.
    pub(super) fn deleted_by_author(&self, id: VertexId) -> bool {
        let page = self.page(id);
        let newest = page.and_then(|page| page.newest(id.slot(), self.guard));
        newest.is_some_and(|newest| {
            newest.is_deleted() && self.author.standing(newest.stamp()) == Standing::Mine
        })
    }

    /// The exclusive right on a vertex, as far as an edge at it goes: its creation and its deletion are not in flight, nor newer than the
    /// snapshot. Answers whether it is live. One that came and went since the snapshot is no contest: it cannot dangle, and housekeeping
    /// may have forgotten it.
    pub(super) fn uncontested(
        &self,
        id: VertexId,
        entry: adjacency::Entry<'a>,
    ) -> Result<bool, WriteError> {
        let created = self.author.standing(entry.created(self.guard));
        let deleted = self.author.standing(entry.deleted(self.guard));
        match (created, deleted) {
            (Standing::Void, _) => Ok(false),
            (Standing::Contested, Standing::Contested)
                if self.author.is_committed(entry.deleted(self.guard)) =>
            {
                Ok(false)
            }
            (Standing::Contested, _) if Mutant::NoExclusiveRight.is_on() => Ok(false),
            (Standing::Contested, _) | (_, Standing::Contested) => Err(WriteError::Conflict {
                entity: Entity::Vertex(id),
            }),
            (_, Standing::Void) => Ok(true),
            _ => Ok(false),
        }
    }
}
