//! What the user sees while an example works.

use crate::Common;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write as _;
use std::sync::Mutex;

/// Progress, notes and errors, all on stderr.
#[derive(Debug)]
pub struct Ui {
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Ui {
    pub(crate) fn new(common: &Common) -> Self {
        Self { quiet: common.quiet || common.json, bar: Mutex::new(None) }
    }

    /// A progress bar of `steps` steps; hidden when stderr is no terminal, and under `--quiet` and `--json`.
    #[must_use]
    pub fn progress(&self, steps: u64) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}, {eta} left {msg}")
            .expect("the template is well-formed")
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(steps), target).with_style(style);
        *self.bar.lock().expect("nothing panics under this lock") = Some(bar.clone());
        bar
    }

    /// A line about what is going on.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// A line that no flag hides.
    pub(crate) fn warn(&self, line: &str) {
        self.clear();
        eprintln!("warning: {line}");
    }

    pub(crate) fn error(&self, message: &str) {
        self.clear();
        print_error(message);
    }

    pub(crate) fn clear(&self) {
        if let Some(bar) = self.bar.lock().expect("nothing panics under this lock").take() {
            bar.finish_and_clear();
        }
    }
}

/// One line, whatever the message.
pub(crate) fn print_error(message: &str) {
    let line = message.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    // The exit code says it even where stderr takes nothing.
    let _ = writeln!(std::io::stderr(), "error: {line}");
}
