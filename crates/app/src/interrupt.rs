//! Ctrl-C.

use anyhow::Context;
use f5tts_engine::Stop;

use crate::failure::say;

/// A stop that Ctrl-C pulls. A second Ctrl-C ends the process at once.
///
/// Call it once, and when everything is read that may be waited for.
pub(crate) fn stop_on_ctrl_c() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let pulled = stop.clone();
    ctrlc::set_handler(move || {
        if pulled.is_stopped() {
            leave();
        }
        pulled.stop();
        say("stopping; press Ctrl-C again to stop at once");
    })
    .context("could not listen to Ctrl-C")?;
    Ok(stop)
}

#[expect(clippy::exit, reason = "what a second Ctrl-C asks for")]
fn leave() -> ! {
    std::process::exit(130)
}
