//! One round: rows that collide are found and joined.

use super::pedigree::Pedigree;
use super::rows::{RowLayout, Rows};

/// Sorts the rows of a bucket by their keys.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    /// Numbers of the rows in sorted order.
    order: Vec<u32>,
    /// Where in that order the rows of each key end.
    ends: Vec<u32>,
}

impl Sorter {
    /// Sorts rows by counting.
    fn sort<const S: usize>(&mut self, layout: &RowLayout, rows: &[[u32; S]]) {
        let Self { order, ends } = self;
        ends.clear();
        ends.resize(layout.keys() + 1, 0);
        for row in rows {
            ends[layout.key(row) + 1] += 1;
        }
        let mut start = 0;
        for end in ends.iter_mut() {
            start += *end;
            *end = start;
        }
        order.clear();
        order.resize(rows.len(), 0);
        // Each key's start moves on to become its end.
        for (number, row) in rows.iter().enumerate() {
            let place = &mut ends[layout.key(row)];
            order[*place as usize] = number as u32;
            *place += 1;
        }
    }

    /// Calls `join` for each pair of rows with the same key: with the places
    /// of the two in sorted order, and their numbers.
    #[inline]
    fn for_each_pair(&self, mut join: impl FnMut([usize; 2], [usize; 2])) {
        let mut start = 0;
        for &end in &self.ends {
            let end = end as usize;
            for i in start..end {
                for j in i + 1..end {
                    join([i, j], [self.order[i] as usize, self.order[j] as usize]);
                }
            }
            start = end;
        }
    }
}

/// What a bucket is joined with.
pub(super) struct Join<'a> {
    pub(super) round: u32,
    pub(super) from: &'a Rows,
    pub(super) pedigree: &'a mut Pedigree,
    pub(super) sorter: &'a mut Sorter,
}

impl<'a> Join<'a> {
    /// Joins the rows of a bucket to rows of the next round.
    pub(super) fn bucket(&mut self, bucket: usize, to: &mut Rows) {
        match (self.from.layout().stride(), to.layout().stride()) {
            (9, 9) => self.pairs::<9, 9>(bucket, to),
            (9, 8) => self.pairs::<9, 8>(bucket, to),
            (8, 8) => self.pairs::<8, 8>(bucket, to),
            (8, 7) => self.pairs::<8, 7>(bucket, to),
            (7, 7) => self.pairs::<7, 7>(bucket, to),
            (7, 6) => self.pairs::<7, 6>(bucket, to),
            (6, 6) => self.pairs::<6, 6>(bucket, to),
            (6, 5) => self.pairs::<6, 5>(bucket, to),
            (5, 5) => self.pairs::<5, 5>(bucket, to),
            (5, 4) => self.pairs::<5, 4>(bucket, to),
            (4, 4) => self.pairs::<4, 4>(bucket, to),
            (4, 3) => self.pairs::<4, 3>(bucket, to),
            (3, 3) => self.pairs::<3, 3>(bucket, to),
            (3, 2) => self.pairs::<3, 2>(bucket, to),
            (2, 2) => self.pairs::<2, 2>(bucket, to),
            strides => unreachable!("a round uses up at most one word: {strides:?}"),
        }
    }

    /// Joins the rows of a bucket whose remaining bits are all the same, and
    /// gives the indices of each solution to `found`.
    pub(super) fn last_bucket(&mut self, bucket: usize, found: impl FnMut(Vec<u32>)) {
        match self.from.layout().stride() {
            4 => self.equal_pairs::<4>(bucket, found),
            3 => self.equal_pairs::<3>(bucket, found),
            2 => self.equal_pairs::<2>(bucket, found),
            stride => unreachable!("two collisions fit three words: {stride}"),
        }
    }

    fn pairs<const S: usize, const T: usize>(&mut self, bucket: usize, to: &mut Rows) {
        let (rows, start) = self.sort::<S>(bucket);
        let (round, pedigree) = (self.round, &*self.pedigree);
        self.sorter.for_each_pair(|places, [left, right]| {
            let (left, right) = (&rows[left], &rows[right]);
            let mut row: [u32; S] = std::array::from_fn(|i| left[i] ^ right[i]);
            // A row that is zero already, and that soon, comes from twice the
            // same leaves. Such rows would multiply from round to round.
            let is_zero = row[..S - 1].iter().all(|&word| word == 0);
            let [first, second] = places.map(|place| start + place);
            if is_zero && !pedigree.are_disjoint(round, first, second) {
                return;
            }
            let Some(parents) = pedigree.parents(first, second - first) else { return };
            row[S - 1] = parents;
            if let Some(row) = row.last_chunk::<T>() {
                to.push(row);
            }
        });
    }

    fn equal_pairs<const S: usize>(&mut self, bucket: usize, mut found: impl FnMut(Vec<u32>)) {
        let (rows, start) = self.sort::<S>(bucket);
        let pedigree = &*self.pedigree;
        self.sorter.for_each_pair(|places, [left, right]| {
            if rows[left][..S - 1] == rows[right][..S - 1] {
                let [first, second] = places.map(|place| start + place);
                if let Some(indices) = pedigree.solution(first, second) {
                    found(indices);
                }
            }
        });
    }

    /// Sorts a bucket and records its rows in the pedigree. Returns the rows
    /// as they were, and the position of the first one in sorted order.
    fn sort<const S: usize>(&mut self, bucket: usize) -> (&'a [[u32; S]], usize) {
        let rows = self.from.bucket::<S>(bucket);
        self.sorter.sort(self.from.layout(), rows);
        let start = self.pedigree.len(self.round);
        for &number in &self.sorter.order {
            self.pedigree.push(self.round, rows[number as usize][S - 1]);
        }
        (rows, start)
    }
}
