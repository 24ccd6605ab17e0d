//! The virtual clock, copies of the state, and starting over.

use std::time::Duration;

use time::OffsetDateTime;

use crate::emulator::handle::Emulator;
use crate::error::Error;
use crate::options::Profile;
use crate::seed;
use crate::state::records::Records;

impl Emulator {
    /// The virtual time.
    pub fn now(&self) -> OffsetDateTime {
        self.inner.service.lock().now()
    }

    /// Moves the clock forward.
    pub fn advance_clock(&self, by: Duration) {
        self.inner.service.lock().clock.advance(by);
        self.inner.service.changed.notify_waiters();
    }

    /// Sets the virtual time.
    pub fn set_clock(&self, at: OffsetDateTime) {
        self.inner.service.lock().clock.set(at);
        self.inner.service.changed.notify_waiters();
    }

    /// How many seconds pass on the virtual clock in one second of the machine.
    pub fn clock_rate(&self) -> f64 {
        self.inner.service.lock().clock.rate()
    }

    /// Lets the virtual clock run faster or slower than the machine's; 0 stops it.
    ///
    /// # Errors
    ///
    /// The rate is not from 0 to a million.
    pub fn set_clock_rate(&self, rate: f64) -> Result<(), Error> {
        self.inner.service.lock().clock.set_rate(rate)?;
        self.inner.service.changed.notify_waiters();
        Ok(())
    }

    /// Keeps a copy of organizations, roles, tokens and databases, and returns its id.
    pub fn snapshot(&self) -> u64 {
        let state = &mut *self.inner.service.lock();
        let id = state.snapshots.last_key_value().map_or(1, |(id, _)| id + 1);
        state.snapshots.insert(id, Records::clone(&state.records));
        id
    }

    /// Goes back to a copy; clock, knobs, faults and journal stay.
    ///
    /// # Errors
    ///
    /// There is no such copy.
    pub fn restore(&self, id: u64) -> Result<(), Error> {
        let state = &mut *self.inner.service.lock();
        match state.snapshots.get(&id) {
            Some(records) => {
                state.records = records.clone();
                Ok(())
            }
            None => Err(Error::unknown("snapshot", &id.to_string())),
        }
    }

    /// Starts over: state, knobs, faults, clock, journal, violations and counters.
    ///
    /// # Errors
    ///
    /// The API port was closed by a fault and cannot be opened again.
    pub fn reset(&self, seed: Option<u64>, profile: Option<Profile>) -> Result<(), Error> {
        let mut options = self.inner.options.clone();
        options.seed = seed.unwrap_or(options.seed);
        options.profile = profile.unwrap_or(options.profile);
        let url = self.url();
        let mut new_state = seed::new_state(&options, url);
        let mut state = self.inner.service.lock();
        new_state.bundles = state.bundles.take();
        *state = new_state;
        drop(state);
        self.inner.service.in_flight.reset();
        self.apply_listener_faults()?;
        self.inner.service.changed.notify_waiters();
        Ok(())
    }
}
