//! Starting an emulator: the API and the control API.

use crate::control;
use crate::emulator::Emulator;
use crate::error::Error;
use crate::options::Options;

impl Emulator {
    /// Starts an emulator on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// An address is not loopback or is taken, a certificate cannot be made, or the CQL server is not
    /// there.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let emulator = Self::start_api(options)?;
        emulator.join_upstream().await?;
        // The control API must not keep the emulator running.
        tokio::spawn(control::serve(
            emulator.control_listener(),
            emulator.stop_signal(),
            emulator.downgrade(),
        ));
        Ok(emulator)
    }
}
