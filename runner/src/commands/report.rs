//! `runner report`.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::document::gather::Gathered;
use crate::document::{html, markdown};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::output::write_whole;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Output folder of a campaign
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Write one page that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown for a comment [default: to standard output]
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Writes the document of a campaign.
///
/// # Errors
/// If the folder is none of a campaign, or a file cannot be written.
pub fn report(args: &ReportArgs) -> Result<Exit, RunnerError> {
    let gathered = Gathered::read(&args.dir)?;
    if let Some(file) = &args.html {
        write_whole(file, &html::page(&gathered))?;
        print(&format!("{}\n", file.display()))?;
    }
    if let Some(file) = &args.markdown {
        write_whole(file, &markdown::comment(&gathered))?;
        print(&format!("{}\n", file.display()))?;
    }
    if args.html.is_none() && args.markdown.is_none() {
        print(&markdown::comment(&gathered))?;
    }
    Ok(Exit::Ok)
}
