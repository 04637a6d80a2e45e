// A voting rule: voters who have agreed with the outcome of earlier polls weigh more.
//
// A voter's weight is its trust, as the simulation knows it, times its own record here: (agreed + 1) / (polls + 2), the
// mean of a Beta distribution (Jøsang & Ismail 2002), where an outcome is what the trusted majority of a poll said.
// A report is confirmed once the yes weight exceeds the quorum of all the weight that there can be, a ballot still to
// come counting 1; and rejected once no ballot can change that, or all have come.
//
// Settings: `forgetting`, what an earlier poll is still worth, from 0 to 1 (default 1: as much as the last).

import { NUMBER, SETTING, alloc, cabi_realloc, error, is, keep, keepUntil, list, ok, reset, utf8, verdict } from "./phalanx";

export { cabi_realloc, load_state as load };

// A record of a voter: agreed and polls, each f64, at 16 * voter.
const VOTERS_MAX: u32 = 1 << 16;
const RECORD: u32 = 16;
// A ballot: voter u32 at 0, yes u8 at 4, score f32 at 8, confidence f32 at 12.
const BALLOT: u32 = 16;
// A standing: trust, uncertainty, tpr, fpr, each f64.
const STANDING: u32 = 32;

let forgetting: f64 = 1.0;
// Records of voters 0 to `voters` - 1; they lie at the end of all that is kept.
let records: usize = 0;
let voters: u32 = 0;

const info: usize = memory.data(16, 8);

export function describe(): usize {
  store<u32>(info, <u32>utf8("reputation"));
  store<u32>(info + 4, 10);
  store<u32>(info + 8, <u32>utf8("0.1.0"));
  store<u32>(info + 12, 5);
  return info;
}

export function init(config: usize, settings: u32, seed: u64): usize {
  for (let at = config; at < config + settings * SETTING; at += SETTING) {
    if (!is(at, "forgetting") || load<u8>(at + 8) != NUMBER) {
      return error("the only setting is `forgetting`, a number");
    }
    forgetting = load<f64>(at + 16);
    if (!(forgetting >= 0.0 && forgetting <= 1.0)) return error("`forgetting` must be from 0 to 1");
  }
  records = alloc(0);
  return ok();
}

function record(voter: u32): f64 {
  if (voter >= voters) return 0.5;
  const at = records + voter * RECORD;
  return (load<f64>(at) + 1.0) / (load<f64>(at + 8) + 2.0);
}

function weight(ballot: usize, standing: usize): f64 {
  return load<f64>(standing) * record(load<u32>(ballot));
}

export function decide(
  author: u32, eligible: u32, eligibleTrust: f64, quorum: f64, prior: f64, expired: u32, attempt: u32,
  ballots: usize, count: u32, standings: usize, known: u32
): usize {
  let yes = 0.0, total = 0.0;
  for (let i: u32 = 0; i < count; i++) {
    const w = weight(ballots + i * BALLOT, standings + i * STANDING);
    total += w;
    if (load<u8>(ballots + i * BALLOT, 4)) yes += w;
  }
  const missing = expired || count >= eligible ? 0.0 : <f64>(eligible - count);
  if (count == 0) return verdict(0);
  if (yes > quorum * (total + missing)) return verdict(1);
  if (missing == 0.0 || yes + missing <= quorum * (total + missing)) return verdict(2);
  return verdict(0);
}

// Memory for the records of so many voters, behind what the call has received.
function room(needed: u32): bool {
  if (needed <= voters) return true;
  if (needed > VOTERS_MAX) return false;
  moved = alloc(needed * RECORD);
  grown = needed;
  memory.copy(moved, records, voters * RECORD);
  memory.fill(moved + voters * RECORD, 0, (needed - voters) * RECORD);
  return true;
}

// Records that are to be moved to their place once the call's answer has been read.
let moved: usize = 0;
let grown: u32 = 0;

export function learn(ballots: usize, count: u32, standings: usize, known: u32): usize {
  let yes = 0.0, total = 0.0;
  for (let i: u32 = 0; i < count; i++) {
    const w = weight(ballots + i * BALLOT, standings + i * STANDING);
    total += w;
    if (load<u8>(ballots + i * BALLOT, 4)) yes += w;
  }
  const outcome: u8 = yes + yes > total ? 1 : 0;
  // Ballots are in the order of voters.
  const needed = load<u32>(ballots + (count - 1) * BALLOT) + 1;
  if (!room(needed)) return error("voters are numbered below 65,536");
  const at = moved ? moved : records;
  for (let i: u32 = 0; i < count; i++) {
    const ballot = ballots + i * BALLOT;
    const mine = at + load<u32>(ballot) * RECORD;
    const agreed: f64 = load<u8>(ballot, 4) == outcome ? 1.0 : 0.0;
    store<f64>(mine, load<f64>(mine) * forgetting + agreed);
    store<f64>(mine + 8, load<f64>(mine + 8) * forgetting + 1.0);
  }
  return ok();
}

export function save(): usize {
  return list(records, voters * RECORD);
}

function load_state(state: usize, length: u32): usize {
  if (length % RECORD != 0 || length / RECORD > VOTERS_MAX) return error("not a state of voters");
  for (let at = state; at < state + length; at += RECORD) {
    const agreed = load<f64>(at), polls = load<f64>(at + 8);
    if (!(agreed >= 0.0 && agreed <= polls && polls <= 1e15)) return error("a state with impossible numbers");
  }
  moved = state;
  grown = length / RECORD;
  return ok();
}

// Takes over what `learn` or `load` has left, and keeps it.
function settle(): void {
  if (moved) {
    memory.copy(records, moved, grown * RECORD);
    voters = grown;
    moved = 0;
  }
  keepUntil(records + voters * RECORD);
}

export function cabi_post_describe(answer: usize): void { reset(); }
export function cabi_post_init(answer: usize): void { keep(); records = alloc(0); }
export function cabi_post_decide(answer: usize): void { reset(); }
export function cabi_post_learn(answer: usize): void { settle(); }
export function cabi_post_save(answer: usize): void { reset(); }
export function cabi_post_load(answer: usize): void { settle(); }
