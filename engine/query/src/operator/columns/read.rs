//! One property of many vertices as a column.
//!
//! Called by [`super::super::row::Project`]. Vertices that follow one another on one page are read from the page's column, which is looked up once for them. What always
//! holds: the values are those that reading vertex by vertex gives, and so are the errors.

use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, VertexId};
use quoit_graph::value::ValueRef;
use quoit_graph::{ColumnValues, Floats, Offsets, PageColumn, PageView, SlotBits};

use super::SLOTS;
use crate::expression::NameRef;
use crate::operator::Context;
use crate::operator::vectors::Vector;

/// So many vertices of one page are worth looking up its column.
const PAGE_VERTICES: usize = 4;

/// Fills a column with the values of a key, one for each vertex.
///
/// # Errors
/// A vertex was deleted.
pub fn property(
    vertices: &[VertexId],
    key: &NameRef,
    cx: &Context<'_>,
    out: &mut Vector,
) -> Result<(), Error> {
    out.begin_ints();
    let key = key.id(|name| cx.key_id(name));
    let mut left = vertices;
    while let Some(first) = left.first() {
        let on_page = |vertex: &&VertexId| vertex.page() == first.page();
        let (here, further) = left.split_at(left.iter().take_while(on_page).count());
        left = further;
        let read = match (key, cx.view.page(first.page())) {
            (Some(key), Some(page)) if here.len() >= PAGE_VERTICES => {
                of_page(&page, here, KeyId(key), out)
            }
            _ => false,
        };
        if !read {
            for vertex in here {
                out.push(cx.vertex_property(*vertex, key)?);
            }
        }
    }
    Ok(())
}

/// Reads vertices of one page; false, and nothing done, if one of them is not seen.
fn of_page(page: &PageView<'_>, vertices: &[VertexId], key: KeyId, out: &mut Vector) -> bool {
    let mut wanted: SlotBits = [0; SLOTS / 64];
    for vertex in vertices {
        wanted[vertex.slot() / 64] |= 1 << (vertex.slot() % 64);
    }
    let selection = page.select_of(&wanted, None);
    if selection.bits() != wanted {
        return false;
    }
    let column = page.column(&selection, key);
    if let (ColumnValues::Ints(base, offsets), Vector::Ints(ints)) = (&column.values, &mut *out)
        && column.settled == wanted
    {
        let slots = vertices.iter().map(|vertex| vertex.slot());
        match offsets {
            Offsets::Equal => ints.extend(slots.map(|_| *base)),
            Offsets::U8(all) => ints.extend(slots.map(|at| base.wrapping_add(i64::from(all[at])))),
            Offsets::U16(all) => ints.extend(slots.map(|at| base.wrapping_add(i64::from(all[at])))),
            Offsets::U32(all) => ints.extend(slots.map(|at| base.wrapping_add(i64::from(all[at])))),
            Offsets::U64(all) => ints.extend(slots.map(|at| base.wrapping_add(all[at] as i64))),
        }
        return true;
    }
    for vertex in vertices {
        let value = value(page, &column, vertex.slot(), key);
        out.push(value.map(|value| value.to_value()).unwrap_or_default());
    }
    true
}

/// What a slot of a column has.
fn value<'e>(
    page: &PageView<'e>,
    column: &PageColumn<'e>,
    slot: usize,
    key: KeyId,
) -> Option<ValueRef<'e>> {
    let is_in = |slots: &SlotBits| slots[slot / 64] >> (slot % 64) & 1 == 1;
    if is_in(&column.asked) {
        return page.property(slot, key);
    }
    if !is_in(&column.settled) {
        return None;
    }
    let int = |base: i64, offset: u64| ValueRef::Int(base.wrapping_add(offset as i64));
    Some(match &column.values {
        ColumnValues::None => return None,
        ColumnValues::Ints(base, offsets) => match offsets {
            Offsets::Equal => int(*base, 0),
            Offsets::U8(all) => int(*base, u64::from(all[slot])),
            Offsets::U16(all) => int(*base, u64::from(all[slot])),
            Offsets::U32(all) => int(*base, u64::from(all[slot])),
            Offsets::U64(all) => int(*base, all[slot]),
        },
        ColumnValues::Floats(Floats::F32(all)) => ValueRef::Float(f64::from(all[slot])),
        ColumnValues::Floats(Floats::F64(all)) => ValueRef::Float(all[slot]),
        ColumnValues::Codes(codes) => codes.value(codes.codes()[slot]),
        ColumnValues::Each(values) => return values.get(slot),
    })
}
