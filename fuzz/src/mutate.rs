//! Inputs made of seeds, for runs of millions without a fuzzer: the same number gives the same input.

use phalanx_core::{Purpose, Stream, Streams, Tick};

/// Words that matter to formats: edges of integers, of memory pages, of floats.
const WORDS: [u32; 12] =
    [0, 1, 2, 8, 2048, 8192, 65_535, 65_536, 0x7F80_0000, 0x7FC0_0001, 0x8000_0000, u32::MAX];

/// Input number `index` of the series `seed`: some seed, one to six edits away.
pub(crate) fn input(seeds: &[Vec<u8>], seed: u64, index: u64) -> Vec<u8> {
    let mut stream = Streams::from_seed(seed).stream(Purpose::SelfTest, 0, Tick(index));
    let mut bytes = pick(seeds, &mut stream).clone();
    // Now and then nothing of a seed is left.
    if stream.below(16) == 0 {
        bytes = (0..stream.below(300)).map(|_| stream.bits32() as u8).collect();
    }
    for _ in 0..=stream.below(6) {
        edit(&mut bytes, seeds, &mut stream);
    }
    bytes
}

fn pick<'s>(seeds: &'s [Vec<u8>], stream: &mut Stream) -> &'s Vec<u8> {
    &seeds[stream.below(seeds.len() as u32) as usize]
}

fn edit(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], stream: &mut Stream) {
    if bytes.is_empty() {
        bytes.push(stream.bits32() as u8);
        return;
    }
    let len = bytes.len();
    let at = stream.below(len as u32) as usize;
    let end = (at + 1 + stream.below(16) as usize).min(len);
    match stream.below(9) {
        0 => bytes[at] ^= 1 << stream.below(8),
        1 => bytes[at] = stream.bits32() as u8,
        2 => bytes[at] = bytes[at].wrapping_add(if stream.below(2) == 0 { 1 } else { 255 }),
        3 => bytes.insert(at, stream.bits32() as u8),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        6 => bytes.truncate(at),
        7 => {
            let word = WORDS[stream.below(WORDS.len() as u32) as usize].to_le_bytes();
            bytes[at..].iter_mut().zip(word).for_each(|(byte, new)| *byte = new);
        }
        _ => {
            let other = pick(seeds, stream);
            let from = stream.below(other.len().max(1) as u32) as usize;
            let to = (from + 1 + stream.below(64) as usize).min(other.len());
            bytes.splice(at..end, other[from.min(to)..to].iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_an_input() {
        let seeds = [b"first seed".to_vec(), Vec::new()];
        let inputs: Vec<Vec<u8>> = (0..2000).map(|i| input(&seeds, 1, i)).collect();
        assert_eq!(input(&seeds, 1, 1234), inputs[1234]);
        assert_ne!(input(&seeds, 2, 1234), inputs[1234]);
        let mut distinct = inputs.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 1000, "{}", distinct.len());
    }
}
