//! SIGTERM, SIGINT and SIGHUP end the session: the peer sees the connection go, and this process says why it ends.
//!
//! The first signal cuts the connection, whatever the session is doing; the work fails, and files are written whole or
//! not at all. The second one ends the process.

use crate::Ui;
use ezpc_core::transport::Transport;
use std::sync::{Arc, Mutex, PoisonError};

/// The signal that came, and what to cut when it comes.
struct State {
    signal: Option<&'static str>,
    connection: Option<Arc<dyn Transport>>,
}

static STATE: Mutex<State> = Mutex::new(State { signal: None, connection: None });

fn with<T>(act: impl FnOnce(&mut State) -> T) -> T {
    act(&mut STATE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Cuts `connection` when a signal comes, or has come.
pub(crate) fn at_signal(connection: Arc<dyn Transport>) {
    with(|state| {
        if state.signal.is_some() {
            connection.shutdown();
        }
        state.connection = Some(connection);
    });
}

/// Why everything ends, if a signal came.
pub(crate) fn reason() -> Option<String> {
    with(|state| state.signal.map(|name| format!("stopped by {name}")))
}

/// Waits for signals from now on.
#[cfg(unix)]
pub(crate) fn install(ui: &Ui) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::process;

    let mut signals = match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => return ui.warn(&format!("signals end this process at once: {error}")),
    };
    let wait = move || {
        for signal in signals.forever() {
            let name = match signal {
                SIGINT => "SIGINT",
                SIGHUP => "SIGHUP",
                _ => "SIGTERM",
            };
            let connected = with(|state| {
                let first = state.signal.is_none();
                state.signal = Some(name);
                state.connection.as_ref().filter(|_| first).map(|connection| connection.shutdown()).is_some()
            });
            if !connected {
                // Nobody is connected, and nothing is written yet that could stay behind.
                crate::ui::print_error(&format!("stopped by {name}"));
                process::exit(1);
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("signals".into()).spawn(wait) {
        ui.warn(&format!("signals do nothing: {error}"));
    }
}

#[cfg(not(unix))]
pub(crate) fn install(_: &Ui) {}
