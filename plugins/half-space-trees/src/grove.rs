//! Trees that share their cuts, and the leaves that rows fall into.
//!
//! Written for a compiler that keeps loads in their order and computes as late as it can, as wasmtime's does, and that
//! puts all vectors of a loop onto the stack once a round, where fuel is counted: functions without loops, and few
//! vectors between two stores.

use std::cell::RefCell;

use super::parts::{HEIGHT, PARTS};

pub const LEAVES: usize = 1 << HEIGHT;
/// Rows whose bytes are a vector of 128 bits.
pub const VECTOR: usize = 16;
/// Vectors that go through the trees together where there are so many rows: where a node's cut is, is read once for all.
pub const MANY: usize = 4;
/// Rows that there is room for.
pub const LANES: usize = MANY * VECTOR;
/// A byte of each of these rows.
pub type Lanes = [i8; LANES];
/// Columns that a byte can name, so that no read of a row has to be checked.
pub const COLUMNS_MAX: usize = 256;
/// The part that each value of these rows lies in.
pub type Block = [Lanes; COLUMNS_MAX];
/// Different cuts of a grove, at most.
const CUTS: usize = 256;
/// Trees of a grove.
pub const TREES_MAX: usize = 32;
/// The leaf of each row in each tree.
pub type Leaves = [[u8; LANES]; TREES_MAX];

/// Trees whose leaves are weighed together.
const TOGETHER: usize = 8;
/// Bytes that a cut can lie at, and its lanes from there on: no read at 16 bits has to be checked.
const ABOVE: usize = (1 << 16) + LANES;

/// Sides of three levels of cuts, half of a tree's height.
const SIDES: usize = 1 << (HEIGHT / 2);
/// What comes up to each of them, of a vector of rows.
type Sides = [[u8; VECTOR]; SIDES];

/// Room to work in.
#[repr(align(64))]
pub struct Room {
    pub block: Block,
    /// For each cut of a grove, one after the other, which rows lie above it: -1, or 0. What is past the last cut is
    /// never touched.
    above: [i8; ABOVE],
    /// What comes up to the middle of a tree.
    sides: [Sides; MANY],
    pub leaves: Leaves,
}

thread_local! {
    /// Not on the stack, where it would be cleared every time, but at an address that the compiler knows, which in
    /// WebAssembly saves an addition for every read.
    pub static ROOM: RefCell<Room> = const {
        RefCell::new(Room {
            block: [[0; LANES]; COLUMNS_MAX],
            above: [0; ABOVE],
            sides: [[[0; VECTOR]; SIDES]; MANY],
            leaves: [[0; LANES]; TREES_MAX],
        })
    };
}

/// Two nodes a number, the left one in its lower half: a read less for every other node.
type Nodes = [u32; LEAVES / 2];

/// Some trees, which have no more than [`CUTS`] different cuts together. There are few, since most cuts halve the whole
/// range of one of the columns. Rows are compared with each once, however many nodes it is the cut of.
#[derive(Clone, Debug)]
pub struct Grove {
    /// How many cuts there are; of each, the column, and the last part of its range that lies below.
    count: usize,
    columns: [u8; CUTS],
    at: [i8; CUTS],
    /// Where the lanes of the cut of every node of every tree are, heaps from node 1 on.
    trees: Vec<Nodes>,
}

/// Draws the cuts of so many trees over so many columns: for every node a column, and the middle of what is left of it.
pub fn plant(trees: usize, columns: usize, seed: u64) -> Vec<Grove> {
    let mut bits = seed;
    let mut groves: Vec<Grove> = Vec::new();
    for _ in 0..trees {
        let mut tree = [(0, 0); LEAVES];
        cut(&mut tree, 1, &mut vec![(0, PARTS as u8); columns], &mut bits);
        if !groves.last_mut().is_some_and(|grove| grove.add(&tree)) {
            let mut grove = Grove { count: 0, columns: [0; CUTS], at: [0; CUTS], trees: Vec::new() };
            assert!(grove.add(&tree), "a tree has fewer cuts than a grove has room for");
            groves.push(grove);
        }
    }
    groves
}

/// Cuts a side, `(first, parts)` of every column, and what lies below.
fn cut(tree: &mut [(u8, i8); LEAVES], node: usize, sides: &mut [(u8, u8)], bits: &mut u64) {
    if node >= LEAVES {
        return;
    }
    let column = (split_mix(bits) % sides.len() as u64) as usize;
    let (first, parts) = sides[column];
    let middle = first + parts / 2;
    tree[node] = (column as u8, middle as i8 - 1);
    sides[column] = (first, parts / 2);
    cut(tree, 2 * node, sides, bits);
    sides[column] = (middle, parts / 2);
    cut(tree, 2 * node + 1, sides, bits);
    sides[column] = (first, parts);
}

/// SplitMix64 (Steele, Lea & Flood 2014).
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

impl Grove {
    /// Adds a tree, given column and place of every cut; not if there is no room.
    fn add(&mut self, tree: &[(u8, i8); LEAVES]) -> bool {
        let (mut count, mut nodes) = (self.count, [0; LEAVES / 2]);
        for (node, (column, at)) in tree.iter().enumerate().skip(1) {
            let same = |cut: &usize| (self.columns[*cut], self.at[*cut]) == (*column, *at);
            let cut = (0..count).find(same).unwrap_or(count);
            if cut == CUTS {
                return false;
            }
            if cut == count {
                (self.columns[cut], self.at[cut]) = (*column, *at);
                count += 1;
            }
            nodes[node / 2] |= ((cut * LANES) as u32) << (16 * (node % 2));
        }
        if self.trees.len() == TREES_MAX {
            return false;
        }
        self.count = count;
        self.trees.push(nodes);
        true
    }

    /// How many trees there are.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// The column that a node of a tree is cut at.
    #[cfg(test)]
    pub fn column(&self, tree: usize, node: usize) -> usize {
        usize::from(self.columns[usize::from(at(&self.trees[tree], node)) / LANES])
    }

    /// Finds the leaf of each row of the block's first vectors, 1 or [`MANY`] of them, in each tree.
    pub fn find(&self, room: &mut Room, vectors: usize) {
        if vectors == MANY { self.find_in::<MANY>(room) } else { self.find_in::<1>(room) }
    }

    fn find_in<const VECTORS: usize>(&self, room: &mut Room) {
        self.compare::<VECTORS>(&room.block, &mut room.above);
        for (tree, leaves) in self.trees.iter().zip(&mut room.leaves) {
            let sides = room.sides.first_chunk_mut::<VECTORS>().expect("no more than many");
            let leaves = leaves.as_chunks_mut().0.first_chunk_mut().expect("no more than many");
            climb::<VECTORS>(tree, &room.above, sides, leaves);
        }
    }

    /// Four cuts a round; those past the last are no node's.
    fn compare<const VECTORS: usize>(&self, block: &Block, above: &mut [i8; ABOVE]) {
        let above: &mut [Lanes] = above.as_chunks_mut().0;
        let fours = self.columns.as_chunks::<4>().0.iter().zip(self.at.as_chunks::<4>().0);
        for ((columns, at), above) in fours.zip(above.as_chunks_mut::<4>().0).take(self.count.div_ceil(4)) {
            for i in 0..4 {
                let values = &block[usize::from(columns[i])];
                for lane in 0..VECTORS * VECTOR {
                    above[i][lane] = if values[lane] > at[i] { -1 } else { 0 };
                }
            }
        }
    }
}

/// What comes up to a node of the lower half: the number, from the right, of the leaf below that of eight it belongs to.
/// Each star is a level of nodes below. Written out, so that the numbers of nodes are known to the compiler, which
/// makes fixed offsets of them.
macro_rules! lower {
    ($tree:ident, $above:ident, $vector:literal, $node:expr;) => {{
        const LEFT: u8 = (SIDES - 1 - 2 * ($node - LEAVES / 2) % SIDES) as u8;
        lanes($above, at($tree, $node), $vector).map(|above| LEFT.wrapping_add_signed(above))
    }};
    ($tree:ident, $above:ident, $vector:literal, $node:expr; * $($level:tt)*) => {{
        let left = lower!($tree, $above, $vector, 2 * ($node); $($level)*);
        let right = lower!($tree, $above, $vector, 2 * ($node) + 1; $($level)*);
        choose(lanes($above, at($tree, $node), $vector), left, right)
    }};
}

/// What comes up to a node of the upper half.
macro_rules! upper {
    ($tree:ident, $above:ident, $vector:literal, $sides:ident, $node:expr;) => {
        $sides[$node - SIDES]
    };
    ($tree:ident, $above:ident, $vector:literal, $sides:ident, $node:expr; * $($level:tt)*) => {{
        let left = upper!($tree, $above, $vector, $sides, 2 * ($node); $($level)*);
        let right = upper!($tree, $above, $vector, $sides, 2 * ($node) + 1; $($level)*);
        choose(lanes($above, at($tree, $node), $vector), left, right)
    }};
}

/// The leaf of each row: from the lowest up, each node passes on what came up on the side that the row lies on. Written
/// out for every vector, too, as a loop would put them all onto the stack.
#[inline(never)]
fn climb<const VECTORS: usize>(
    tree: &Nodes,
    above: &[i8; ABOVE],
    sides: &mut [Sides; VECTORS],
    found: &mut [[u8; VECTOR]; VECTORS],
) {
    macro_rules! store {
        ($($side:literal)*) => {$(
            const { assert!($side < SIDES) };
            store!($side: 0 1 2 3);
        )*};
        ($side:literal: $($vector:literal)*) => {$(
            if $vector < VECTORS {
                // Numbers from the right: a row above its cut has -1 added.
                let side = lower!(tree, above, $vector, SIDES + $side; * *);
                sides[$vector][$side] = side.map(|leaf| leaf + (SIDES * (SIDES - 1 - $side)) as u8);
            }
        )*};
    }
    store!(0 1 2 3 4 5 6 7);
    let sides = std::hint::black_box(&*sides);
    macro_rules! find {
        ($($vector:literal)*) => {$(
            if $vector < VECTORS {
                let sides = &sides[$vector];
                let leaves = upper!(tree, above, $vector, sides, 1; * * *);
                found[$vector] = leaves.map(|leaf| leaf ^ (LEAVES - 1) as u8);
            }
        )*};
    }
    find!(0 1 2 3);
}

/// Where the lanes of a node's cut are.
#[inline(always)]
fn at(tree: &Nodes, node: usize) -> u16 {
    (tree[node / 2] >> (16 * (node % 2))) as u16
}

/// A vector of the lanes of a cut.
#[inline(always)]
fn lanes(above: &[i8; ABOVE], at: u16, vector: usize) -> &[i8; VECTOR] {
    above[usize::from(at) + vector % MANY * VECTOR..]
        .first_chunk()
        .expect("there is room behind the last one")
}

#[inline(always)]
fn choose(above: &[i8; VECTOR], left: [u8; VECTOR], right: [u8; VECTOR]) -> [u8; VECTOR] {
    let mut leaf = left;
    for lane in 0..VECTOR {
        leaf[lane] = if above[lane] < 0 { right[lane] } else { left[lane] };
    }
    leaf
}

/// Adds to each row's mass what its leaf in each of the trees that there are weights of weighs.
pub fn weigh(leaves: &Leaves, weights: &[[u32; LEAVES]], masses: &mut [u32]) {
    let (three, mut leaves_left) = leaves.split_first_chunk().expect("a grove has room for so many");
    let mut weights_left = weights;
    if let Some((weights, rest)) = weights.split_first_chunk() {
        weigh_three(three, weights, masses);
        weights_left = rest;
    } else {
        leaves_left = leaves;
    }
    for (leaves, weights) in leaves_left.iter().zip(weights_left) {
        for (mass, leaf) in masses.iter_mut().zip(leaves) {
            *mass += weights[usize::from(*leaf) % LEAVES];
        }
    }
}

#[inline(never)]
fn weigh_three(
    leaves: &[[u8; LANES]; 3 * TOGETHER],
    weights: &[[u32; LEAVES]; 3 * TOGETHER],
    masses: &mut [u32],
) {
    let (leaves, weights) = (leaves.as_chunks::<TOGETHER>().0, weights.as_chunks::<TOGETHER>().0);
    // Of a lane that it does not know, the compiler makes no vectors, into which every weight would have to be put.
    for (lane, mass) in (std::hint::black_box(0)..).zip(masses) {
        *mass += weight(&leaves[0], &weights[0], lane);
        // It would read all weights before it adds any, and run out of registers.
        let mass = std::hint::black_box(mass);
        *mass += weight(&leaves[1], &weights[1], lane);
        let mass = std::hint::black_box(mass);
        *mass += weight(&leaves[2], &weights[2], lane);
    }
}

/// What a row's leaves weigh together.
#[inline(always)]
fn weight(leaves: &[[u8; LANES]; TOGETHER], weights: &[[u32; LEAVES]; TOGETHER], lane: usize) -> u32 {
    let mut sum = 0;
    for tree in 0..TOGETHER {
        sum += weights[tree][usize::from(leaves[tree][lane % LANES]) % LEAVES];
    }
    sum
}
