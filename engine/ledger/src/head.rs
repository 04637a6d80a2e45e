//! Heads: the signed statement "at this tick the ledger had this many entries and this root".

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use phalanx_core::Tick;
use sha2::{Digest, Sha256};

use crate::entry::Entry;
use crate::merkle::{Frontier, Hash};
use crate::wire::{DecodeError, Reader};

/// First bytes of every signed head, so that a signature made here means nothing anywhere else.
const HEAD_DOMAIN: &[u8; 23] = b"phalanx ledger head v1\n";
/// The only version so far of a head's bytes.
const VERSION: u8 = 1;
/// First bytes of what a run's key is derived from.
const KEY_DOMAIN: &[u8; 22] = b"phalanx ledger key v1\n";

/// A signed tree head.
///
/// Whoever keeps one can later tell whether any entry before it was changed: the root commits to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Tick of the newest entries.
    pub tick: Tick,
    /// Ed25519 signature over the other three fields.
    pub signature: [u8; 64],
}

impl Head {
    /// Length of a head's bytes.
    pub const BYTES: usize = 113;

    /// Version, size, root, tick and signature: the form in which a head is kept and handed to others.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let size = self.size.to_be_bytes();
        let parts = [&[VERSION], size.as_slice(), &self.root, &self.tick.0.to_be_bytes(), &self.signature];
        parts.concat().try_into().expect("the parts are 113 bytes long")
    }

    /// Reads what [`Head::to_bytes`] wrote. Whether the signature holds is another question.
    ///
    /// # Errors
    /// If the bytes are of another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(DecodeError::NonCanonical { field: "head version" });
        }
        let head = Self {
            size: reader.u64("size")?,
            root: reader.array("root")?,
            tick: Tick(reader.u64("tick")?),
            signature: reader.array("signature")?,
        };
        reader.finish()?;
        Ok(head)
    }

    /// The bytes that are signed: domain, then size, root and tick.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        head_message(self.size, &self.root, self.tick)
    }

    /// Whether the signature is that of this key. Strict: weak keys and malleable signatures are refused.
    #[must_use]
    pub fn is_signed_by(&self, verifying_key: &[u8; 32]) -> bool {
        VerifyingKey::from_bytes(verifying_key)
            .and_then(|key| key.verify_strict(&self.message(), &Signature::from_bytes(&self.signature)))
            .is_ok()
    }
}

/// The key that signs a run's heads.
///
/// It is derived from the run's seed, and the seed stands in the genesis entry: the signature ties a head to
/// its run and shows damage, it does not keep out a forger, who can derive the key as well. What does is a
/// head that somebody else holds.
#[derive(Clone, Debug)]
pub struct LedgerKey(SigningKey);

impl LedgerKey {
    /// The key of a run with this seed: `SHA-256("phalanx ledger key v1\n" ‖ be64(seed))` as Ed25519 secret.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let secret: [u8; 32] =
            Sha256::new().chain_update(KEY_DOMAIN).chain_update(seed.to_be_bytes()).finalize().into();
        Self(SigningKey::from_bytes(&secret))
    }

    /// The public half, as the genesis entry names it.
    #[must_use]
    pub fn verifying_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs the head of the tree that has this frontier.
    #[must_use]
    pub fn sign(&self, frontier: &Frontier, tick: Tick) -> Head {
        let (size, root) = (frontier.size(), frontier.root());
        let signature = self.0.sign(&head_message(size, &root, tick)).to_bytes();
        Head { size, root, tick, signature }
    }

    /// The entry that holds the head of the tree that has this frontier, to stand directly behind its entries.
    #[must_use]
    pub fn head_entry(&self, frontier: &Frontier, tick: Tick) -> Entry {
        Entry::SignedHead { tick, signer: Entry::LEDGER, head: self.sign(frontier, tick) }
    }
}

fn head_message(size: u64, root: &Hash, tick: Tick) -> Vec<u8> {
    [HEAD_DOMAIN.as_slice(), &size.to_be_bytes(), root, &tick.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    fn head() -> (Head, [u8; 32]) {
        let mut frontier = Frontier::new();
        frontier.push(leaf_hash(b"entry"));
        let key = LedgerKey::from_seed(42);
        (key.sign(&frontier, Tick(3)), key.verifying_key())
    }

    #[test]
    fn a_signature_binds_every_field_and_the_key() {
        let (head, key) = head();
        assert!(head.is_signed_by(&key));
        assert!(!head.is_signed_by(&LedgerKey::from_seed(43).verifying_key()));
        assert!(!Head { size: 2, ..head }.is_signed_by(&key));
        assert!(!Head { tick: Tick(4), ..head }.is_signed_by(&key));
        assert!(!Head { root: leaf_hash(b"other"), ..head }.is_signed_by(&key));
        for bit in 0..512 {
            let mut signature = head.signature;
            signature[bit / 8] ^= 1 << (bit % 8);
            assert!(!Head { signature, ..head }.is_signed_by(&key), "bit {bit}");
        }
    }

    #[test]
    fn bytes_are_read_as_they_were_written() {
        let (head, _) = head();
        let bytes = head.to_bytes();
        assert_eq!(Head::from_bytes(&bytes), Ok(head));
        assert!(Head::from_bytes(&bytes[1..]).is_err());
        assert!(Head::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Head::from_bytes(&[&[2], &bytes[1..]].concat()).is_err());
    }

    #[test]
    fn weak_keys_are_refused() {
        // The neutral point: under it any message has a valid signature by the lax rule.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let signature = std::array::from_fn(|i| u8::from(i == 0));
        assert!(!Head { signature, ..head().0 }.is_signed_by(&neutral));
    }

    #[test]
    fn key_and_message_are_pinned() {
        // The key was recomputed with Python: hashlib for the secret, RFC 8032's reference code for the
        // point.
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (head, key) = head();
        assert_eq!(hex(&key), PINNED_KEY);
        let root = hex(&head.root);
        let domain = hex(b"phalanx ledger head v1\n");
        assert_eq!(hex(&head.message()), format!("{domain}0000000000000001{root}0000000000000003"));
    }

    const PINNED_KEY: &str = "1c10c5299e461f4e991283886e58bb68ca0a13ccde1dfd5ffa3347ce1d4155d5";
}
