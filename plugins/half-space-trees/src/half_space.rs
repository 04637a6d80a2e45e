//! Half-space trees (Tan, Ting & Liu, IJCAI 2011): random cuts, drawn before any row is seen, and counts of how many rows
//! of the last window fell on either side. What falls where few did is unusual.
//!
//! Smaller than the native detector of the same name and simpler: cuts lie in the middle of a side that is drawn
//! uniformly, as in the paper, and ranges come from the rows of `fit`.
//!
//! A walk down a tree is slow in WebAssembly: every step computes a 32-bit address twice. But all cuts of a column halve
//! its range again and again, so that a value is told by the one of 64 parts that it lies in, a byte. 16 rows of bytes
//! are compared with a cut by one instruction, and with all 63 cuts of a tree in less time than walks take.

/// Cuts between root and leaf.
const HEIGHT: usize = 6;
const LEAVES: usize = 1 << HEIGHT;
/// Sides of three levels of cuts, half of a tree's height.
const SIDES: usize = 1 << (HEIGHT / 2);
/// Parts of a column's range that [`HEIGHT`] cuts can tell apart.
const PARTS: usize = 1 << HEIGHT;
/// Rows that are compared at once.
const LANES: usize = 16;
/// So few rows are faster one by one.
const WALKERS_MAX: usize = 4;
/// A byte of each of these rows.
type Lanes = [i8; LANES];
/// Columns that a byte can name, so that no read of a row has to be checked.
pub const COLUMNS_MAX: usize = 256;
/// What the range exceeds that of the first rows by, at either end, as a share of it.
const MARGIN: f32 = 0.25;

/// How many trees, and rows a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub trees: usize,
    pub window: u32,
}

/// A tree's cuts: the three uppermost levels, then what lies below each of their eight sides.
type Cuts = [Group; 1 + SIDES];

/// Three levels of cuts, heaps from node 1 on. A cut is one of the columns, and the last part of its range to the left, as
/// often as a vector takes it.
#[derive(Clone, Copy, Debug)]
struct Group {
    columns: [u8; SIDES - 1],
    at: [Lanes; SIDES - 1],
}

/// A column's range, cut into parts.
#[derive(Clone, Copy, Debug)]
struct Parts {
    low: f32,
    /// Parts in 1, for a first guess.
    scale: f32,
    /// Part `i` is what lies above `bounds[i]` and not above `bounds[i + 1]`.
    bounds: [f32; PARTS + 1],
}

/// The trees and what they have counted.
#[derive(Clone, Debug)]
pub struct HalfSpaceTrees {
    size: Size,
    seed: u64,
    /// Lowest and highest value of every column, with the margin.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Parts of every column, and cuts of every tree; they follow from seed and ranges.
    parts: Vec<Parts>,
    cuts: Vec<Cuts>,
    /// What each leaf of each tree adds to a row's mass, from the last full window.
    masses: Vec<[u32; LEAVES]>,
    /// Rows of the current window in each leaf of each tree.
    latest: Vec<[u32; LEAVES]>,
    filled: u32,
    warm: bool,
}

impl HalfSpaceTrees {
    /// Knows nothing: every score is 0. `columns` are at most [`COLUMNS_MAX`].
    pub fn new(size: Size, columns: usize, seed: u64) -> Self {
        let mut trees = Self {
            size,
            seed,
            low: vec![0.0; columns],
            high: vec![1.0; columns],
            parts: Vec::new(),
            cuts: Vec::new(),
            masses: vec![[0; LEAVES]; size.trees],
            latest: vec![[0; LEAVES]; size.trees],
            filled: 0,
            warm: false,
        };
        trees.cut();
        trees
    }

    /// Begins anew with the ranges of these rows, and learns from them.
    pub fn fit(&mut self, rows: &[f32]) {
        let columns = self.low.len();
        for i in 0..columns {
            let (mut low, mut high) = (f32::MAX, f32::MIN);
            for value in rows.iter().skip(i).step_by(columns) {
                low = if *value < low { *value } else { low };
                high = if *value > high { *value } else { high };
            }
            // Halves, so that the range of the greatest floats is still one.
            let margin = (high * 0.5 - low * 0.5) * (2.0 * MARGIN);
            self.low[i] = (low - margin).max(f32::MIN);
            self.high[i] = (high + margin).min(f32::MAX);
        }
        self.cut();
        self.masses.fill([0; LEAVES]);
        self.latest.fill([0; LEAVES]);
        (self.filled, self.warm) = (0, false);
        self.update(rows);
        // What came in before the first window was full is better than nothing.
        if !self.warm && self.filled > 0 {
            self.turn();
        }
    }

    /// Learns from rows as they pass.
    pub fn update(&mut self, rows: &[f32]) {
        let columns = self.low.len();
        let mut block = [[0; LANES]; COLUMNS_MAX];
        let mut rest = rows;
        while !rest.is_empty() {
            // No further than the window reaches.
            let count = (rest.len() / columns).min(LANES).min((self.size.window - self.filled) as usize);
            let (now, later) = rest.split_at(count * columns);
            self.place(now, &mut block);
            for (cuts, latest) in self.cuts.iter().zip(&mut self.latest) {
                leaves(cuts, &block, count)[..count]
                    .iter()
                    .for_each(|leaf| latest[usize::from(*leaf) % LEAVES] += 1);
            }
            self.filled += count as u32;
            if self.filled == self.size.window {
                self.turn();
            }
            rest = later;
        }
    }

    /// 1 - mass / the greatest possible mass.
    pub fn score(&self, rows: &[f32]) -> Vec<f32> {
        let columns = self.low.len();
        if !self.warm {
            return vec![0.0; rows.len() / columns];
        }
        let most = self.size.trees as f64 * f64::from(self.size.window) * (1u64 << HEIGHT) as f64;
        let mut scores = Vec::with_capacity(rows.len() / columns);
        let mut block = [[0; LANES]; COLUMNS_MAX];
        for rows in rows.chunks(LANES * columns) {
            let count = rows.len() / columns;
            self.place(rows, &mut block);
            // 256 trees of 65,536 rows at a depth of 6 weigh 2^30 at most.
            let mut masses = [0u32; LANES];
            for (cuts, weights) in self.cuts.iter().zip(&self.masses) {
                let leaves = leaves(cuts, &block, count);
                for (mass, leaf) in masses.iter_mut().zip(leaves) {
                    *mass += weights[usize::from(leaf) % LEAVES];
                }
            }
            let score = |mass: &u32| {
                let share = f64::from(*mass) / most;
                (1.0 - if share < 1.0 { share } else { 1.0 }) as f32
            };
            scores.extend(masses[..count].iter().map(score));
        }
        scores
    }

    /// Writes down the part that every value of up to [`LANES`] rows lies in.
    fn place(&self, rows: &[f32], block: &mut [Lanes; COLUMNS_MAX]) {
        for (lane, row) in rows.chunks_exact(self.low.len()).enumerate() {
            for ((value, parts), lanes) in row.iter().zip(&self.parts).zip(block.iter_mut()) {
                lanes[lane % LANES] = parts.of(*value);
            }
        }
    }

    /// Ranges, counts, and how full the window is; the cuts follow from the ranges.
    pub fn save(&self) -> Vec<u8> {
        let mut state = Vec::with_capacity(8 + self.low.len() * 8 + self.masses.len() * LEAVES * 8);
        state.extend(self.filled.to_le_bytes());
        state.extend(u32::from(self.warm).to_le_bytes());
        state.extend(self.low.iter().chain(&self.high).flat_map(|value| value.to_le_bytes()));
        let counts = self.masses.iter().chain(&self.latest).flatten();
        state.extend(counts.flat_map(|count| count.to_le_bytes()));
        state
    }

    /// Takes over what [`Self::save`] gave; `None` if it cannot have.
    pub fn load(&mut self, state: &[u8]) -> Option<()> {
        let (columns, leaves) = (self.low.len(), self.masses.len() * LEAVES);
        if state.len() != 8 + 8 * columns + 8 * leaves {
            return None;
        }
        let words: Vec<u32> = state
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let (head, rest) = words.split_at(2);
        let (ranges, counts) = rest.split_at(2 * columns);
        let ranges: Vec<f32> = ranges.iter().map(|word| f32::from_bits(*word)).collect();
        let (low, high) = ranges.split_at(columns);
        let (masses, latest) = counts.split_at(leaves);
        // A leaf of the last window cannot weigh more than all its rows at the full depth.
        let heaviest = u64::from(self.size.window) << HEIGHT;
        let fine = head[0] < self.size.window
            && head[1] < 2
            && low.iter().zip(high).all(|(low, high)| low.is_finite() && high.is_finite() && low <= high)
            && masses.iter().all(|mass| u64::from(*mass) <= heaviest)
            && latest
                .chunks_exact(LEAVES)
                .all(|tree| tree.iter().map(|count| u64::from(*count)).sum::<u64>() == u64::from(head[0]));
        if !fine {
            return None;
        }
        (self.filled, self.warm) = (head[0], head[1] == 1);
        self.low.copy_from_slice(low);
        self.high.copy_from_slice(high);
        self.masses.copy_from_slice(masses.as_chunks().0);
        self.latest.copy_from_slice(latest.as_chunks().0);
        self.cut();
        Some(())
    }

    /// Draws all cuts: for every node a column, and the middle of what is left of its range.
    fn cut(&mut self) {
        let mut bits = self.seed;
        let tree = |_| {
            let group = Group { columns: [0; SIDES - 1], at: [[0; LANES]; SIDES - 1] };
            let mut cuts = [group; 1 + SIDES];
            let mut sides = vec![(0, PARTS as u8); self.low.len()];
            cut_node(&mut cuts, 1, &mut sides, &mut bits);
            cuts
        };
        self.cuts = (0..self.size.trees).map(tree).collect();
        self.parts = self.low.iter().zip(&self.high).map(|(low, high)| Parts::new(*low, *high)).collect();
    }

    /// The window is full: its counts become masses. A leaf's is that of the first region on its path with less than a
    /// tenth of the window, times 2^depth (the paper's size limit).
    fn turn(&mut self) {
        let limit = self.size.window / 10;
        for (latest, masses) in self.latest.iter().zip(&mut self.masses) {
            let mut counts = [0u32; 2 * LEAVES];
            counts[LEAVES..].copy_from_slice(latest);
            for node in (1..LEAVES).rev() {
                counts[node] = counts[2 * node] + counts[2 * node + 1];
            }
            for leaf in 0..LEAVES {
                let (mut depth, mut node) = (0, 1);
                while counts[node] >= limit && depth < HEIGHT {
                    depth += 1;
                    node = (LEAVES + leaf) >> (HEIGHT - depth);
                }
                masses[leaf] = counts[node] << depth;
            }
        }
        self.latest.fill([0; LEAVES]);
        (self.filled, self.warm) = (0, true);
    }
}

const LAST: f32 = (PARTS - 1) as f32;
const WHOLE: f32 = 1.5 * (1u32 << 23) as f32;

impl Parts {
    fn new(low: f32, high: f32) -> Self {
        let mut bounds = [f32::INFINITY; PARTS + 1];
        bounds[0] = f32::NEG_INFINITY;
        halve(&mut bounds, 0, PARTS, low, high);
        let scale = PARTS as f32 / (high - low);
        Self { low, scale: if scale.is_finite() { scale } else { 0.0 }, bounds }
    }

    /// The part that a value lies in.
    fn of(&self, value: f32) -> i8 {
        let guess = (value - self.low) * self.scale - 0.5;
        let guess = if guess > 0.0 { guess } else { 0.0 };
        let guess = if guess < LAST { guess } else { LAST };
        // Adding this leaves the nearest whole number in the lowest bits.
        let guess = ((guess + WHOLE).to_bits() % PARTS as u32) as usize;
        if value > self.bounds[guess] && value <= self.bounds[guess + 1] {
            return guess as i8;
        }
        // Rounding led astray, or the range is none that can be divided.
        let mut part = 0;
        for level in (0..HEIGHT).rev() {
            let right = part + (1 << level);
            part = if value > self.bounds[right] { right } else { part };
        }
        part as i8
    }
}

/// Cuts a side in the middle, and its halves, until there are parts.
fn halve(bounds: &mut [f32; PARTS + 1], first: usize, parts: usize, low: f32, high: f32) {
    if parts > 1 {
        let at = low * 0.5 + high * 0.5;
        bounds[first + parts / 2] = at;
        halve(bounds, first, parts / 2, low, at);
        halve(bounds, first + parts / 2, parts / 2, at, high);
    }
}

/// What lies below a node, given that of every side: a star for each level of cuts. Written out, so that the numbers of
/// all nodes are known to the compiler, which makes fixed offsets of them.
macro_rules! below {
    ($group:ident, $block:ident, $node:expr, $side:expr;) => {
        $side($node - SIDES)
    };
    ($group:ident, $block:ident, $node:expr, $side:expr; * $($level:tt)*) => {{
        const NODE: usize = $node;
        let left = below!($group, $block, 2 * $node, $side; $($level)*);
        let right = below!($group, $block, 2 * $node + 1, $side; $($level)*);
        pick($group.columns[NODE - 1], &$group.at[NODE - 1], $block, left, right)
    }};
}

/// The leaf of each of the first `count` rows. All cuts, from the lowest up, pass on the leaf of that side which a row
/// lies on; a few rows walk down instead.
fn leaves(cuts: &Cuts, block: &[Lanes; COLUMNS_MAX], count: usize) -> [u8; LANES] {
    let mut found = [0; LANES];
    if count <= WALKERS_MAX {
        for (lane, leaf) in found.iter_mut().enumerate().take(count) {
            let upper = walk(&cuts[0], block, lane);
            *leaf = (SIDES * upper + walk(&cuts[1 + upper], block, lane)) as u8;
        }
        return found;
    }
    // In two halves, so that what is loaded for one fits into registers: a compiler of WebAssembly keeps the order of loads
    // and computes as late as it can.
    let mut lower = [[0; LANES]; SIDES];
    for (i, (lower, group)) in lower.iter_mut().zip(&cuts[1..]).enumerate() {
        let leaf = below!(group, block, 1, |leaf: usize| [leaf as u8; LANES]; * * *);
        *lower = leaf.map(|leaf| (SIDES * i) as u8 + leaf);
    }
    let (lower, upper) = (std::hint::black_box(&lower), &cuts[0]);
    below!(upper, block, 1, |side: usize| lower[side]; * * *)
}

/// The side that a row leaves a group on.
fn walk(group: &Group, block: &[Lanes; COLUMNS_MAX], lane: usize) -> usize {
    let mut node = 1;
    while node < SIDES {
        let value = block[usize::from(group.columns[node - 1])][lane];
        node = 2 * node + usize::from(value > group.at[node - 1][0]);
    }
    node - SIDES
}

#[inline(always)]
fn pick(
    column: u8,
    at: &Lanes,
    block: &[Lanes; COLUMNS_MAX],
    left: [u8; LANES],
    right: [u8; LANES],
) -> [u8; LANES] {
    let values = &block[usize::from(column)];
    let mut leaf = left;
    for lane in 0..LANES {
        leaf[lane] = if values[lane] > at[lane] { right[lane] } else { left[lane] };
    }
    leaf
}

/// Cuts a side, `(first, parts)` of every column, and what lies below.
fn cut_node(cuts: &mut Cuts, node: usize, sides: &mut [(u8, u8)], bits: &mut u64) {
    if node >= LEAVES {
        return;
    }
    let column = (split_mix(bits) % sides.len() as u64) as usize;
    let (first, parts) = sides[column];
    let middle = first + parts / 2;
    // The node's number in its group, and the one that the group hangs on.
    let (group, local) = match node < SIDES {
        true => (0, node),
        false => {
            let depth = node.ilog2() - SIDES.ilog2();
            (1 + (node >> depth) - SIDES, node & ((1 << depth) - 1) | 1 << depth)
        }
    };
    cuts[group].columns[local - 1] = column as u8;
    cuts[group].at[local - 1] = [middle as i8 - 1; LANES];
    sides[column] = (first, parts / 2);
    cut_node(cuts, 2 * node, sides, bits);
    sides[column] = (middle, parts / 2);
    cut_node(cuts, 2 * node + 1, sides, bits);
    sides[column] = (first, parts);
}

/// SplitMix64 (Steele, Lea & Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_where_few_did_is_unusual() {
        let mut trees = HalfSpaceTrees::new(Size { trees: 20, window: 64 }, 2, 7);
        let usual: Vec<f32> = (0..64).flat_map(|i| [i as f32 % 8.0, 100.0]).collect();
        trees.fit(&[&usual[..], &[40.0, 0.0]].concat());
        let scores = trees.score(&[3.0, 100.0, 40.0, 0.0]);
        assert!(scores[1] > scores[0], "{scores:?}");
        let mut loaded = HalfSpaceTrees::new(Size { trees: 20, window: 64 }, 2, 7);
        loaded.load(&trees.save()).unwrap();
        assert_eq!(loaded.score(&usual), trees.score(&usual));
        assert!(loaded.load(&trees.save()[1..]).is_none());
    }

    /// The definition: a walk from the root, comparing values with the middle of what is left of a side.
    fn defined(row: &[f32], sides: &mut [(f32, f32)], cuts: &Cuts) -> usize {
        let mut leaf = 0;
        for level in 0..HEIGHT {
            let (group, node) = match level < HEIGHT / 2 {
                true => (&cuts[0], (1 << level) + leaf),
                false => {
                    let below = level - HEIGHT / 2;
                    (&cuts[1 + (leaf >> below)], (1 << below) + leaf % (1 << below))
                }
            };
            let column = usize::from(group.columns[node - 1]);
            let (low, high) = sides[column];
            let at = low * 0.5 + high * 0.5;
            let right = row[column] > at;
            sides[column] = if right { (at, high) } else { (low, at) };
            leaf = 2 * leaf + usize::from(right);
        }
        leaf
    }

    #[test]
    fn rows_fall_where_a_walk_leads() {
        let mut bits = 5;
        let mut unit = move || (split_mix(&mut bits) >> 40) as f32 / (1 << 24) as f32;
        for (columns, scale) in [(1, 1.0), (3, 1e-38), (5, 0.0), (7, f32::MAX), (16, 250.0)] {
            let mut trees = HalfSpaceTrees::new(Size { trees: 9, window: 50 }, columns, 11);
            trees.fit(&(0..40 * columns).map(|_| unit() * scale).collect::<Vec<_>>());
            let mut rows: Vec<f32> = (0..200 * columns).map(|_| (unit() * 1.6 - 0.3) * scale).collect();
            // On a bound, beside it, and far out.
            for (i, value) in rows.iter_mut().enumerate().step_by(3) {
                let bound = trees.parts[i % columns].bounds[1 + i % (PARTS - 1)];
                *value = [bound, bound.next_up(), bound.next_down(), f32::MAX, f32::MIN][i % 5];
            }
            rows.iter_mut().for_each(|value| *value = value.clamp(f32::MIN, f32::MAX));
            let mut block = [[0; LANES]; COLUMNS_MAX];
            for rows in rows.chunks(LANES * columns).chain(rows.chunks(3 * columns)) {
                trees.place(rows, &mut block);
                for cuts in &trees.cuts {
                    let count = rows.len() / columns;
                    let found = leaves(cuts, &block, count);
                    for (row, leaf) in rows.chunks(columns).zip(found) {
                        let mut sides: Vec<_> =
                            trees.low.iter().copied().zip(trees.high.iter().copied()).collect();
                        assert_eq!(usize::from(leaf), defined(row, &mut sides, cuts), "{row:?}");
                    }
                }
            }
        }
    }
}
