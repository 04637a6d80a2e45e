// The contract of phalanx:plugin@0.1.0 for AssemblyScript: memory of calls, and answers. See plugins/wit/plugin.wit.
//
// Whatever a call receives, and whatever `alloc` gives during a call, lives until that call's answer has been read;
// during `init`, as long as the instance. Use `alloc`, `load` and `store`, not `new`: the runtime of AssemblyScript is
// left out, since its memory would grow with every call.

let base: usize = 0;
let top: usize = 0;

export function cabi_realloc(old: usize, was: usize, align: usize, size: usize): usize {
  if (base == 0) base = top = __heap_base;
  const at = (top + align - 1) & ~(align - 1);
  const end = at + size;
  const have = <usize>memory.size() << 16;
  if (end < at) unreachable();
  if (end > have && memory.grow(<i32>((end - have + 0xffff) >> 16)) < 0) unreachable();
  top = end;
  return at;
}

export function alloc(size: usize): usize {
  return cabi_realloc(0, 0, 8, size);
}

// What `init` has allocated stays.
export function keep(): void {
  base = top;
}

// What lies before `end` stays.
export function keepUntil(end: usize): void {
  base = top = end;
}

export function reset(): void {
  top = base;
}

const answer: usize = memory.data(16, 8);

export function ok(): usize {
  store<u8>(answer, 0);
  return answer;
}

// A list: `length` elements (scores or bytes) at `at`.
export function list(at: usize, length: usize): usize {
  store<u8>(answer, 0);
  store<u32>(answer + 4, <u32>at);
  store<u32>(answer + 8, <u32>length);
  return answer;
}

// Verdict: 0 open, 1 confirm, 2 reject.
export function verdict(which: u8): usize {
  store<u8>(answer, 0);
  store<u8>(answer + 4, which);
  return answer;
}

// A text for people.
export function error(text: string): usize {
  list(utf8(text), text.length);
  store<u8>(answer, 1);
  return answer;
}

// An ASCII text as bytes.
export function utf8(text: string): usize {
  const at = alloc(text.length);
  for (let i = 0; i < text.length; i++) store<u8>(at + i, <u8>text.charCodeAt(i));
  return at;
}

// Whether the text at `at` (pointer, then length) is this one.
export function is(at: usize, text: string): bool {
  if (load<u32>(at + 4) != <u32>text.length) return false;
  const bytes = <usize>load<u32>(at);
  for (let i = 0; i < text.length; i++) {
    if (load<u8>(bytes + i) != <u8>text.charCodeAt(i)) return false;
  }
  return true;
}

// Settings are 24 bytes each: name at 0 (pointer, length), kind at 8, value at 16.
export const SETTING: u32 = 24;
export const NUMBER: u8 = 1;
