//! Witnesses: whoever keeps the last head that it saw, and wants proof that the next one grew out of it.
//!
//! A ledger can show different people different pasts. It cannot once they compare heads: two heads of one
//! size and one key with different roots prove that their signer keeps two ledgers, and of two sizes a
//! consistency proof says whether the smaller is a prefix of the larger.

use crate::head::Head;
use crate::ledger::LedgerError;
use crate::merkle::{Hash, verify_consistency};
use crate::prove::Prover;
use crate::store::LedgerReader;
use crate::verify::VerifyFailure;

/// What two signed heads say about their signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gossip {
    /// They are of the same entries.
    Same,
    /// They are of two sizes; whether one grew out of the other takes a proof.
    Grown,
    /// They have one size and two roots: their signer keeps two ledgers.
    Equivocation,
}

/// Compares two heads that are signed by the same key.
///
/// # Errors
/// [`VerifyFailure::HeldSignature`] if one of them is not.
pub fn compare_heads(a: &Head, b: &Head, verifying_key: &Hash) -> Result<Gossip, VerifyFailure> {
    if let Some(forged) = [a, b].into_iter().find(|head| !head.is_signed_by(verifying_key)) {
        return Err(VerifyFailure::HeldSignature { held: forged.size });
    }
    Ok(match (a.size == b.size, a.root == b.root) {
        (true, true) => Gossip::Same,
        (true, false) => Gossip::Equivocation,
        (false, _) => Gossip::Grown,
    })
}

/// Lets a witness that saw `last` look at a ledger: its head, if it is signed by the key and grew out of
/// `last`, which a consistency proof shows. Entries themselves are not read.
///
/// # Errors
/// [`VerifyFailure::RolledBack`] if the ledger is shorter, [`VerifyFailure::Rewritten`] if it did not grow out
/// of `last`, [`VerifyFailure::Signature`] if its head is not signed by this key.
pub fn witness(
    reader: &dyn LedgerReader,
    last: Option<&Head>,
    verifying_key: &Hash,
) -> Result<Head, LedgerError> {
    let stored = reader.head()?.ok_or(LedgerError::Empty)?;
    let new = stored.head;
    if !new.is_signed_by(verifying_key) {
        return Err(VerifyFailure::Signature.into());
    }
    let Some(last) = last else { return Ok(new) };
    let held = last.size;
    if !last.is_signed_by(verifying_key) {
        return Err(VerifyFailure::HeldSignature { held }.into());
    }
    if new.size < held {
        return Err(VerifyFailure::RolledBack { size: new.size, held }.into());
    }
    let proof = Prover::new(reader, new.size).consistency(held, new.size)?;
    if verify_consistency(held, &last.root, new.size, &new.root, &proof) {
        Ok(new)
    } else {
        Err(VerifyFailure::Rewritten { held }.into())
    }
}
