//! Sets of cells in several dimensions, put together from boxes: as few as are easily found, without overlap.

use std::collections::BTreeSet;

/// A cell, or a box of them: by method, address, country and time.
pub(super) type Box4 = [BTreeSet<usize>; 4];

/// Joins neighbours until there are none.
pub(super) fn joined(cells: &[[usize; 4]]) -> Vec<Box4> {
    let mut boxes: Vec<Box4> = cells.iter().map(|cell| cell.map(|index| BTreeSet::from([index]))).collect();
    loop {
        let before = boxes.len();
        for dimension in (0..4).rev() {
            boxes = along(boxes, dimension);
        }
        if boxes.len() == before {
            return boxes;
        }
    }
}

fn along(boxes: Vec<Box4>, dimension: usize) -> Vec<Box4> {
    let mut merged: Vec<Box4> = Vec::new();
    let alike = |one: &Box4, other: &Box4| {
        one.iter().zip(other).enumerate().all(|(index, (one, other))| index == dimension || one == other)
    };
    for new in boxes {
        match merged.iter_mut().find(|known| alike(known, &new)) {
            None => merged.push(new),
            Some(known) => {
                for (own, other) in known.iter_mut().zip(new) {
                    own.extend(other);
                }
            }
        }
    }
    merged
}
