// A detector: the largest deviation of a feature from its mean, in standard deviations, of all rows so far.
//
// Means and variances are updated row by row (Welford 1962). The score is z / (1 + z).

import { alloc, cabi_realloc, error, keep, list, ok, reset, utf8 } from "./phalanx";

export { cabi_realloc, load_state as load };

let columns: u32 = 0;
// The state: number of rows, then mean and sum of squared deviations of every column (f64).
let state: usize = 0;

const info: usize = memory.data(20, 8);

export function describe(): usize {
  store<u32>(info, <u32>utf8("PLUGIN"));
  store<u32>(info + 4, "PLUGIN".length);
  store<u32>(info + 8, <u32>utf8("0.1.0"));
  store<u32>(info + 12, 5);
  store<u8>(info + 16, 1); // it learns from every row as it passes
  return info;
}

export function init(config: usize, settings: u32, names: usize, count: u32, seed: u64): usize {
  if (settings > 0) return error("there are no settings");
  columns = count;
  state = alloc(size());
  memory.fill(state, 0, size());
  return ok();
}

function size(): u32 {
  return 8 + 16 * columns;
}

export function fit(rows: usize, length: u32): usize {
  memory.fill(state, 0, size());
  return update(rows, length);
}

export function update(rows: usize, length: u32): usize {
  for (let row = rows; row < rows + 4 * length; row += 4 * columns) {
    const count = load<f64>(state) + 1.0;
    store<f64>(state, count);
    for (let i: u32 = 0; i < columns; i++) {
      const at = state + 8 + 16 * i;
      const x = <f64>load<f32>(row + 4 * i);
      const off = x - load<f64>(at);
      const mean = load<f64>(at) + off / count;
      store<f64>(at, mean);
      store<f64>(at + 8, load<f64>(at + 8) + off * (x - mean));
    }
  }
  return ok();
}

export function score(rows: usize, length: u32): usize {
  const count = length / columns;
  const scores = alloc(4 * count);
  for (let r: u32 = 0; r < count; r++) {
    let far = 0.0;
    for (let i: u32 = 0; i < columns; i++) {
      const at = state + 8 + 16 * i;
      const deviation = Math.sqrt(load<f64>(at + 8) / load<f64>(state));
      const off = Math.abs(<f64>load<f32>(rows + 4 * (r * columns + i)) - load<f64>(at));
      const z = off == 0.0 ? 0.0 : off / deviation;
      if (z > far) far = z;
    }
    if (far > 1e9) far = 1e9;
    store<f32>(scores + 4 * r, <f32>(far / (1.0 + far)));
  }
  return list(scores, count);
}

export function save(): usize {
  return list(state, size());
}

function load_state(from: usize, length: u32): usize {
  if (length != size()) return error("not a state of this many columns");
  let fine = load<f64>(from) >= 0.0;
  for (let i: u32 = 0; i < columns; i++) {
    const at = from + 8 + 16 * i;
    fine = fine && isFinite(load<f64>(at)) && load<f64>(at + 8) >= 0.0 && isFinite(load<f64>(at + 8));
  }
  if (!fine) return error("a state with impossible numbers");
  memory.copy(state, from, length);
  return ok();
}

export function cabi_post_describe(answer: usize): void { reset(); }
export function cabi_post_init(answer: usize): void { keep(); }
export function cabi_post_fit(answer: usize): void { reset(); }
export function cabi_post_update(answer: usize): void { reset(); }
export function cabi_post_score(answer: usize): void { reset(); }
export function cabi_post_save(answer: usize): void { reset(); }
export function cabi_post_load(answer: usize): void { reset(); }
