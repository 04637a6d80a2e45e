//! The ranges of columns, cut into parts, and the part that each value of a row lies in.

/// Levels of cuts in a tree.
pub const HEIGHT: usize = 6;
/// Parts of a column's range that so many cuts can tell apart.
pub const PARTS: usize = 1 << HEIGHT;
/// Rows that are placed at once.
pub const TOGETHER: usize = 4;
/// Columns whose parts are guessed at once.
const WIDE: usize = 16;

/// The parts of all columns.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    columns: Vec<Column>,
    /// Of every [`WIDE`] columns; those left over go one by one.
    guesses: Vec<Guess>,
}

/// A column's range, cut into parts.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    low: f32,
    /// Parts in 1, for a first guess; 0 where there is none.
    scale: f32,
    /// Part `i` is what lies above `bounds[i]` and not above `bounds[i + 1]`.
    pub bounds: [f32; PARTS + 1],
}

/// A guess at the parts of columns side by side: `(value - low) * scale - 0.5`, rounded.
///
/// It never falls as the value rises. So if the guesses for the bounds themselves are off by no more than some slack, a
/// guess that is nearer to a whole number than half less that slack lies strictly between those for the two bounds of
/// that part, and so does the value. All others, very few, are looked up.
#[derive(Clone, Copy, Debug)]
struct Guess {
    low: [f32; WIDE],
    scale: [f32; WIDE],
    /// Half less the slack, squared.
    near: [f32; WIDE],
}

const LAST: f32 = (PARTS - 1) as f32;
/// Adding this leaves the nearest whole number in the lowest bits.
const WHOLE: f32 = 1.5 * (1u32 << 23) as f32;

impl Parts {
    pub fn new(low: &[f32], high: &[f32]) -> Self {
        let columns: Vec<_> = low.iter().zip(high).map(|(low, high)| Column::new(*low, *high)).collect();
        let guesses = columns.as_chunks().0.iter().map(Guess::new).collect();
        Self { columns, guesses }
    }

    /// Writes the part of every value of some rows into the lanes of its column from one on: so many rows at once that
    /// what a column needs is read once for all.
    pub fn place<const LANES: usize>(
        &self,
        rows: [&[f32]; TOGETHER],
        block: &mut [[i8; LANES]],
        lane: usize,
    ) {
        let [a, b, c, d] = rows.map(|row| row.as_chunks().0);
        let lanes = self.guesses.iter().zip(block.as_chunks_mut().0);
        let mut certain = true;
        for (((((guess, lanes), a), b), c), d) in lanes.zip(a).zip(b).zip(c).zip(d) {
            certain &= guess.place([a, b, c, d], lanes, lane);
        }
        let first = if certain { self.guesses.len() * WIDE } else { 0 };
        if first < self.columns.len() {
            for (i, row) in rows.iter().enumerate() {
                self.look_up(&row[first..], first, block, lane + i);
            }
        }
    }

    /// Values of the columns from `first` on, one by one.
    fn look_up<const LANES: usize>(
        &self,
        values: &[f32],
        first: usize,
        block: &mut [[i8; LANES]],
        lane: usize,
    ) {
        for ((value, column), lanes) in values.iter().zip(&self.columns[first..]).zip(&mut block[first..]) {
            lanes[lane] = column.part(*value);
        }
    }

    /// The parts of one column.
    #[cfg(test)]
    pub fn column(&self, column: usize) -> &Column {
        &self.columns[column]
    }
}

impl Column {
    fn new(low: f32, high: f32) -> Self {
        let mut bounds = [f32::INFINITY; PARTS + 1];
        bounds[0] = f32::NEG_INFINITY;
        halve(&mut bounds, 0, PARTS, low, high);
        let scale = PARTS as f32 / (high - low);
        Self { low, scale: if scale.is_finite() { scale } else { 0.0 }, bounds }
    }

    fn guess(&self, value: f32) -> f32 {
        (value - self.low) * self.scale - 0.5
    }

    /// How near to a whole number a guess is certain, squared.
    fn near(&self) -> f32 {
        let off = |(i, bound): (usize, &f32)| (self.guess(*bound) - (i as f32 + 0.5)).abs();
        let inner = self.bounds[1..PARTS].iter().enumerate();
        // A NaN stays, and makes nothing certain.
        let slack = inner.map(off).fold(0.0, |most, off| if off <= most { most } else { off });
        // A millionth more than rounding can take away here.
        let near = 0.499_999 - slack;
        if self.scale > 0.0 && near > 0.0 { near * near } else { -1.0 }
    }

    /// The part that a value lies in.
    fn part(&self, value: f32) -> i8 {
        let guess = self.guess(value);
        let guess = if guess > 0.0 { guess } else { 0.0 };
        let guess = if guess < LAST { guess } else { LAST };
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

impl Guess {
    fn new(columns: &[Column; WIDE]) -> Self {
        let columns = columns.each_ref();
        Self {
            low: columns.map(|column| column.low),
            scale: columns.map(|column| column.scale),
            near: columns.map(Column::near),
        }
    }

    /// As [`Column::part`] for all columns, without branches; whether all are certain.
    #[inline(always)]
    fn place<const LANES: usize>(
        &self,
        rows: [&[f32; WIDE]; TOGETHER],
        lanes: &mut [[i8; LANES]; WIDE],
        lane: usize,
    ) -> bool {
        let mut certain = [u32::MAX; WIDE];
        // A byte a row, so that they are written at once.
        let mut parts = [0; WIDE];
        for i in 0..WIDE {
            for (row, values) in rows.iter().enumerate() {
                let guess = (values[i] - self.low[i]) * self.scale[i] - 0.5;
                let guess = if guess > 0.0 { guess } else { 0.0 };
                let guess = if guess < LAST { guess } else { LAST };
                let whole = guess + WHOLE;
                let off = guess - (whole - WHOLE);
                certain[i] &= if off * off < self.near[i] { u32::MAX } else { 0 };
                parts[i] |= (whole.to_bits() % PARTS as u32) << (8 * row);
            }
        }
        for (lanes, parts) in lanes.iter_mut().zip(parts) {
            lanes[lane..lane + TOGETHER].copy_from_slice(&parts.to_le_bytes().map(|part| part as i8));
        }
        certain.into_iter().fold(u32::MAX, |all, one| all & one) == u32::MAX
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
