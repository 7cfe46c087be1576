//! The end, as the operating system announces it.

use std::io;

use tokio_util::sync::CancellationToken;

/// A token that SIGTERM and SIGINT cancel. Make it before a model is loaded: until then a signal kills.
///
/// # Errors
/// The signals cannot be caught.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let stop = token.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    Ok(token)
}
