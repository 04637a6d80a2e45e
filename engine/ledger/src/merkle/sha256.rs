//! SHA-256 of a prefix byte and something behind it, block by block.
//!
//! `sha2::Sha256` collects its input in a buffer, which costs a third of the time of a node: 65 bytes are two blocks,
//! and where everything stands in them is known. The compression is that of `sha2`, with the processor's SHA
//! instructions where it has them.

use sha2::block_api::compress256;

use super::Hash;

/// Where SHA-256 starts (FIPS 180-4, §5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const BLOCK: usize = 64;

/// `SHA-256(prefix ‖ left ‖ right)`.
pub(super) fn node(prefix: u8, left: &Hash, right: &Hash) -> Hash {
    let mut blocks = [[0; BLOCK]; 2];
    blocks[0][0] = prefix;
    blocks[0][1..33].copy_from_slice(left);
    blocks[0][33..].copy_from_slice(&right[..31]);
    blocks[1][0] = right[31];
    blocks[1][1] = 0x80;
    blocks[1][BLOCK - 2..].copy_from_slice(&(8 * 65u16).to_be_bytes());
    let mut state = START;
    compress256(&mut state, &blocks);
    bytes(&state)
}

/// `SHA-256(prefix ‖ data)`.
pub(super) fn prefixed(prefix: u8, data: &[u8]) -> Hash {
    let mut state = START;
    let mut block = [0; BLOCK];
    block[0] = prefix;
    let mut used = 1;
    let mut rest = data;
    if let Some((first, behind)) = data.split_at_checked(BLOCK - 1) {
        block[1..].copy_from_slice(first);
        let (blocks, end) = behind.as_chunks();
        compress256(&mut state, &[block]);
        compress256(&mut state, blocks);
        (rest, used) = (end, 0);
    }
    // What is left, the bit that ends it, and the number of bits in the last eight bytes.
    let mut last = [[0; BLOCK]; 2];
    last[0][..used].fill(prefix);
    last[0][used..used + rest.len()].copy_from_slice(rest);
    last[0][used + rest.len()] = 0x80;
    let count = if used + rest.len() < BLOCK - 8 { 1 } else { 2 };
    let bits = 8 * (data.len() as u64 + 1);
    last[count - 1][BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &last[..count]);
    bytes(&state)
}

fn bytes(state: &[u32; 8]) -> Hash {
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_length_is_hashed_as_the_library_does() {
        let data: Vec<u8> = (0..4100u32).map(|i| (i * 7 + i / 251) as u8).collect();
        for len in (0..400).chain([1023, 1024, 4095, 4096, 4100]) {
            let expected: Hash = Sha256::new().chain_update([3]).chain_update(&data[..len]).finalize().into();
            assert_eq!(prefixed(3, &data[..len]), expected, "{len} bytes");
        }
    }

    #[test]
    fn nodes_are_hashed_as_the_library_does() {
        let (left, right) = (Sha256::digest(b"left").into(), Sha256::digest(b"right").into());
        let expected: Hash =
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into();
        assert_eq!(node(1, &left, &right), expected);
    }
}
