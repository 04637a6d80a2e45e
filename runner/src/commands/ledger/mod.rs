//! `runner ledger …`: verify, look into, prove, export, seal and watch ledgers.

mod arguments;
mod export;
mod list;
mod output;
mod prove;
mod seal;
mod verify;

use clap::Subcommand;

use crate::error::RunnerError;
use crate::exit::Exit;

/// Ledgers of finished runs. DIR is an output folder of one run, the folder of one ledger, or a sealed file.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Read ledgers back from the first entry and check them against their signed heads, and heads against each other
    Verify(verify::VerifyArgs),
    /// Print the newest head, for somebody else to keep
    Head(prove::HeadArgs),
    /// List entries, all or those of a kind, an agent, some ticks, an indicator
    List(list::ListArgs),
    /// Show one entry in full
    Show(list::ShowArgs),
    /// Make a proof: that an entry is in the ledger, or that it grew out of a smaller one
    Prove(prove::ProveArgs),
    /// Check a proof with nothing but a head
    VerifyProof(prove::VerifyProofArgs),
    /// Write all entries in the format of other programs
    Export(export::ExportArgs),
    /// Make a ledger out of a sealed file or an export
    Import(export::ImportArgs),
    /// Write a verified ledger to one plain file that is named after its digest
    Seal(seal::SealArgs),
    /// Remember a ledger's head, and refuse a later one that did not grow out of it
    Witness(seal::WitnessArgs),
}

/// Runs the command.
///
/// # Errors
/// If there is no ledger, one cannot be read, or an output cannot be written. A ledger, proof or head that does not
/// hold is reported, and exit code 4.
pub fn ledger(command: &LedgerCommand) -> Result<Exit, RunnerError> {
    match command {
        LedgerCommand::Verify(args) => verify::verify(args),
        LedgerCommand::Head(args) => prove::head(args),
        LedgerCommand::List(args) => list::list(args),
        LedgerCommand::Show(args) => list::show(args),
        LedgerCommand::Prove(args) => prove::prove(args),
        LedgerCommand::VerifyProof(args) => prove::verify_proof(args),
        LedgerCommand::Export(args) => export::export(args),
        LedgerCommand::Import(args) => export::import(args),
        LedgerCommand::Seal(args) => seal::seal(args),
        LedgerCommand::Witness(args) => seal::witness(args),
    }
}
