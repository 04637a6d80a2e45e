//! Scoring in vector registers: every node of a tree for many rows, instead of one path for each row.
//!
//! A row's path is a chain of loads that depend on each other, and processors of today gather slowly. But most trees
//! of 256 rows have far fewer than 255 cuts (54 on `10_cover`, 43 on `16_http`), and to compare all of them with 8 or
//! 16 rows takes one instruction each. So a tree is compiled to a list of operations, from the leaves up: a node's
//! value is that of the child that a row goes to. It is kept relative to the node's leftmost leaf, modulo 2^32, so that
//! leaves need no constants: theirs is 0.
//!
//! Compiling costs about as much as scoring a few hundred rows, so it is done for larger batches, by
//! [`super::descend::path_sums`]. The sums are the same integers. Measured on one core of a Zen 5, ns a row on `10_cover`
//! and `16_http` (100 trees): walks 385 and 380, AVX2 300 and 245, AVX-512 170 and 140.
//!
//! # What did not help
//! - Operations in depth-first order, with registers as on a stack: each waits for the store of the one before (620 ns).
//! - A register for every node: 27 KiB of them leave the first-level cache no room (225 to 300 ns).
//! - 16-bit ranks of thresholds in place of 32-bit keys: half the vectors, but ranks of 10 features and 100 look-ups of
//!   leaves a row cost what that saves.
//! - Registers that are not aligned to cache lines: 290 ns.

use pulp::{Simd, WithSimd};

use super::tree::{NODES, Node, halves, key};

/// Rows that are scored together. Fewer pay more for reading operations, more leave the first-level cache.
const BLOCK: usize = 128;

/// The register of leaves, which is always 0.
const ZERO: u8 = 0;

/// A tree as operations.
pub(super) struct Program {
    /// Nodes above two leaves. They need no other node, so they come first.
    cherries: Vec<Operation>,
    /// All other nodes, children before parents.
    joins: Vec<Operation>,
    root: u8,
    /// Path length of the leftmost leaf.
    base: u32,
}

/// `out = if column[feature] > key { right + jump } else { left }`, for all rows of a block.
struct Operation {
    key: u32,
    /// Path length of the leftmost leaf on the right, less that of the leftmost leaf on the left.
    jump: u32,
    feature: u8,
    left: u8,
    right: u8,
    out: u8,
}

/// What the compiler knows of a node.
#[derive(Clone, Copy)]
struct Value {
    shape: Shape,
    /// Where its value is: in no register but [`ZERO`] until its operation is written.
    register: u8,
    /// Path length of its leftmost leaf.
    base: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Leaf,
    Cherry,
    Join,
}

/// What compiles a forest: room that its trees share.
pub(super) struct Compiler {
    /// By place; those of the tree at hand are written before they are read.
    values: Vec<Value>,
    /// Registers that hold nothing.
    free: Vec<u8>,
}

impl Compiler {
    /// For trees of fewer than [`NODES`] nodes.
    pub(super) fn new() -> Self {
        let value = Value { shape: Shape::Leaf, register: ZERO, base: 0 };
        Self { values: vec![value; NODES], free: (1..=u8::MAX).rev().collect() }
    }

    /// Compiles a tree of fewer than [`NODES`] nodes whose features are below 256.
    pub(super) fn compile(&mut self, tree: &[Node]) -> Program {
        let Self { values, free } = self;
        let (cuts, leaves) = halves(tree);
        for (leaf, value) in leaves.iter().zip(&mut values[cuts.len()..]) {
            *value = Value { shape: Shape::Leaf, register: ZERO, base: leaf.key };
        }
        let mut program = Program {
            cherries: Vec::with_capacity(cuts.len()),
            joins: Vec::with_capacity(cuts.len()),
            root: ZERO,
            base: 0,
        };
        for (place, cut) in cuts.iter().enumerate().rev() {
            let (left, right) = (values[cut.left as usize], values[cut.right as usize]);
            let end = left.shape == Shape::Leaf && right.shape == Shape::Leaf;
            // A cut between equal paths is none.
            values[place] = if end && left.base == right.base {
                left
            } else if end {
                let register = free.pop().expect("a tree has at most 128 cherries");
                program.cherries.push(Operation::of(*cut, left, right, register));
                Value { shape: Shape::Cherry, register, base: left.base }
            } else {
                Value { shape: Shape::Join, register: ZERO, base: left.base }
            };
        }
        for (place, cut) in cuts.iter().enumerate().rev() {
            if values[place].shape != Shape::Join {
                continue;
            }
            let (left, right) = (values[cut.left as usize], values[cut.right as usize]);
            let register = free.pop().expect("a join is written when fewer than 255 values are kept");
            free.extend([left.register, right.register].into_iter().filter(|register| *register != ZERO));
            program.joins.push(Operation::of(*cut, left, right, register));
            values[place].register = register;
        }
        let root = values[0];
        (program.root, program.base) = (root.register, root.base);
        free.extend((root.register != ZERO).then_some(root.register));
        program
    }
}

impl Operation {
    fn of(node: Node, left: Value, right: Value, out: u8) -> Self {
        Self {
            key: node.key,
            jump: right.base.wrapping_sub(left.base),
            feature: node.feature as u8,
            left: left.register,
            right: right.register,
            out,
        }
    }
}

/// Vector instructions that this machine has and that are worth compiling for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lanes {
    Avx2(pulp::x86::V3),
    Avx512(pulp::x86::V4),
}

impl Lanes {
    /// All there are, the best first.
    pub(super) fn detect() -> impl Iterator<Item = Self> {
        let best = pulp::x86::V4::try_new().map(Self::Avx512);
        best.into_iter().chain(pulp::x86::V3::try_new().map(Self::Avx2))
    }

    /// Rows from which on they pay for compiling: a tree takes 0.4 µs, and each row saves 1.8 ns, with AVX2 less than 1.
    pub(super) fn rows_min(self) -> usize {
        match self {
            Self::Avx2(_) => 1024,
            Self::Avx512(_) => 320,
        }
    }

    /// Operations a tree, on average, up to which they beat walks.
    pub(super) fn operations_max(self) -> usize {
        match self {
            Self::Avx2(_) => 60,
            Self::Avx512(_) => 110,
        }
    }

    /// Hands the sums of a row's path lengths over all trees to `done`, for a block of rows after the other.
    pub(super) fn path_sums(
        self,
        programs: &[Program],
        rows: &[f32],
        width: usize,
        done: &mut dyn FnMut(&[u64]),
    ) {
        match self {
            Self::Avx2(simd) => Simd::vectorize(simd, Batch::<16> { programs, rows, width, done }),
            Self::Avx512(simd) => Simd::vectorize(simd, Batch::<8> { programs, rows, width, done }),
        }
    }
}

/// Rows to score with `VECTORS` vectors a block.
struct Batch<'a, const VECTORS: usize> {
    programs: &'a [Program],
    rows: &'a [f32],
    width: usize,
    done: &'a mut dyn FnMut(&[u64]),
}

/// A value of each row of a block, in whole cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Column<T, const VECTORS: usize>([T; VECTORS]);

impl<const VECTORS: usize> WithSimd for Batch<'_, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const { assert!(VECTORS * S::U32_LANES == BLOCK) };
        let zero = simd.splat_u32s(0);
        let mut columns = vec![Column([zero; VECTORS]); self.width];
        let mut registers = vec![Column([zero; VECTORS]); 256];
        let registers: &mut [_; 256] = registers.as_mut_slice().try_into().expect("there are 256");
        for rows in self.rows.chunks(BLOCK * self.width) {
            turn(simd, rows, &mut columns);
            // Path lengths have 32 bits; their sums are kept in two halves.
            let (mut low, mut high) = ([zero; VECTORS], [zero; VECTORS]);
            for program in self.programs {
                run(simd, program, &columns, registers);
                let base = simd.splat_u32s(program.base);
                let root = &registers[program.root as usize].0;
                for v in 0..VECTORS {
                    let path = simd.add_u32s(root[v], base);
                    low[v] = simd.add_u32s(low[v], path);
                    let carry = simd.less_than_u32s(low[v], path);
                    high[v] = simd.select_u32s(carry, simd.add_u32s(high[v], simd.splat_u32s(1)), high[v]);
                }
            }
            let mut sums = [0; BLOCK];
            let mut halves = [[0; 16]; 2];
            for v in 0..VECTORS {
                simd.partial_store_u32s(&mut halves[0][..S::U32_LANES], low[v]);
                simd.partial_store_u32s(&mut halves[1][..S::U32_LANES], high[v]);
                for (i, sum) in sums[v * S::U32_LANES..][..S::U32_LANES].iter_mut().enumerate() {
                    *sum = u64::from(halves[1][i]) << 32 | u64::from(halves[0][i]);
                }
            }
            (self.done)(&sums[..rows.len() / self.width]);
        }
    }
}

/// Writes the keys of up to [`BLOCK`] rows by feature. Places without a row get any key.
#[inline(always)]
fn turn<S: Simd, const VECTORS: usize>(simd: S, rows: &[f32], columns: &mut [Column<S::u32s, VECTORS>]) {
    let width = columns.len();
    let count = rows.len() / width;
    let mut keys = [0; 16];
    for (feature, column) in columns.iter_mut().enumerate() {
        for (v, vector) in column.0.iter_mut().enumerate() {
            let first = v * S::U32_LANES;
            for (i, out) in keys[..S::U32_LANES].iter_mut().enumerate() {
                if first + i < count {
                    *out = key(rows[(first + i) * width + feature]);
                }
            }
            *vector = simd.partial_load_u32s(&keys[..S::U32_LANES]);
        }
    }
}

/// Runs a tree's operations on a block.
#[inline(always)]
fn run<S: Simd, const VECTORS: usize>(
    simd: S,
    program: &Program,
    columns: &[Column<S::u32s, VECTORS>],
    registers: &mut [Column<S::u32s, VECTORS>; 256],
) {
    let zero = simd.splat_u32s(0);
    for cherry in &program.cherries {
        let column = &columns[cherry.feature as usize].0;
        let (key, jump) = (simd.splat_u32s(cherry.key), simd.splat_u32s(cherry.jump));
        let out = &mut registers[cherry.out as usize].0;
        for v in 0..VECTORS {
            out[v] = simd.select_u32s(simd.greater_than_u32s(column[v], key), jump, zero);
        }
    }
    for join in &program.joins {
        let column = &columns[join.feature as usize].0;
        let (key, jump) = (simd.splat_u32s(join.key), simd.splat_u32s(join.jump));
        let (left, right) = (&registers[join.left as usize].0, &registers[join.right as usize].0);
        let mut out = [zero; VECTORS];
        for v in 0..VECTORS {
            let right = simd.add_u32s(right[v], jump);
            out[v] = simd.select_u32s(simd.greater_than_u32s(column[v], key), right, left[v]);
        }
        registers[join.out as usize].0 = out;
    }
}
