//! Log lines for the host, on standard error (docs/internals/protocol.md, "Log lines").

mod layer;
mod line;

pub(super) use layer::HostLayer;
pub(super) use line::Line;

use std::io;
use std::io::Write as _;
use std::panic;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// Sends the events of this crate and of `engine`, the crate of the secrets engine, to standard error:
/// `debug` and up, or all of them.
///
/// Other crates' events are dropped: those of HTTP libraries may carry request headers.
pub(super) fn install(engine: &str, everything: bool) {
    let level = if everything {
        LevelFilter::TRACE
    } else {
        LevelFilter::DEBUG
    };
    let own = module_path!().split("::").next().unwrap_or_default();
    let targets = Targets::new().with_targets([(own, level), (engine, level)]);
    let layer = HostLayer::new(write).with_filter(targets);
    // It fails if there is a subscriber already, which then stays.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    panic::set_hook(Box::new(|info| {
        write(panic_line(info).into_bytes().as_slice())
    }));
}

/// One write for one line, so that lines never mix.  The host may have closed its end, or be gone:
/// that is no reason to stop.
fn write(line: &[u8]) {
    let _ = io::stderr().lock().write_all(line);
}

/// Where a panic happened.  Only a literal message is logged: a formatted one may hold anything, a
/// secret included.
fn panic_line(info: &panic::PanicHookInfo<'_>) -> Line {
    let message = info
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(message withheld)");
    let mut line = Line::new(Level::ERROR, module_path!(), format!("panic: {message}"));
    if let Some(location) = info.location() {
        line.field("location", location.to_string().into());
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
