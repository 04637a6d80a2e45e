//! Writing to people: standard output that may be a closed pipe, colour where it is wanted, errors in full.

use std::io::{self, IsTerminal, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// If the output is a file or device that cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to standard error; if that is gone there is nobody left to tell.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// An error with its source, place and remedy: drawn on a terminal, plain ASCII in a file.
#[must_use]
pub fn render(error: &dyn Diagnostic) -> String {
    let handler = if io::stderr().is_terminal() {
        let theme =
            if colour_is_wanted() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        GraphicalReportHandler::new_themed(theme)
    } else {
        // Lines stay whole, so that a search finds what it looks for.
        GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_wrap_lines(false)
    };
    // Messages name their causes themselves.
    let handler = handler.without_cause_chain();
    let mut text = String::new();
    match handler.render_report(&mut text, error) {
        Ok(()) => text,
        Err(_) => format!("error: {error}\n"),
    }
}

fn colour_is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Emphasis, where standard output shows it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// For standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self { coloured: io::stdout().is_terminal() && colour_is_wanted() }
    }

    /// Without any.
    #[must_use]
    pub fn plain() -> Self {
        Self { coloured: false }
    }

    /// Headings.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Names of blocks.
    #[must_use]
    pub fn heading(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// What matters less than what it stands beside.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Good news.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Bad news.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
