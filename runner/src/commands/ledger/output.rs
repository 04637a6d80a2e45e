//! Where a verb writes: standard output, whose reader may go away, or a file that is whole or absent.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::RunnerError;
use crate::output::Pending;

/// Standard output, or a file on its way.
pub(super) enum Out {
    Stdout(BufWriter<io::Stdout>),
    File(Pending),
}

impl Out {
    /// `None` and `-` are standard output. A file that exists is not overwritten.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, RunnerError> {
        match path {
            None => Ok(Self::Stdout(BufWriter::new(io::stdout()))),
            Some(path) if path == Path::new("-") => Self::open(None),
            Some(path) if path.exists() => Err(RunnerError::OutputTaken { path: path.to_owned() }),
            Some(path) => Ok(Self::File(Pending::begin(path.to_owned())?)),
        }
    }

    /// Runs a writer. That the reader of standard output went away (`| head`) is no error.
    pub(super) fn write(
        self,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), RunnerError>,
    ) -> Result<(), RunnerError> {
        match self {
            Self::Stdout(mut out) => {
                let written = write(&mut out);
                // The buffer's own flush at drop would try once more, and say nothing.
                let flushed = out.flush().map_err(RunnerError::io("write to", "standard output".as_ref()));
                match written.and(flushed) {
                    Err(RunnerError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
                        Ok(())
                    }
                    result => result,
                }
            }
            Self::File(mut file) => {
                write(&mut file)?;
                file.finish()
            }
        }
    }
}
