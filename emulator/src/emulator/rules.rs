//! Knobs and fault rules of a running emulator.

use std::sync::atomic::Ordering;

use crate::emulator::handle::Emulator;
use crate::error::Error;
use crate::fault::ActiveRule;
use crate::fault::Fault;
use crate::fault::FaultRule;
use crate::knobs::Knobs;
use crate::tls::Certificate;

impl Emulator {
    /// The knobs as they are.
    pub fn knobs(&self) -> Knobs {
        self.inner.service.lock().knobs.general().clone()
    }

    /// Changes the knobs named in a JSON object and returns all of them.
    ///
    /// # Errors
    ///
    /// A knob is unknown or its value has the wrong type; nothing is changed then.
    pub fn set_knobs(&self, changes: serde_json::Value) -> Result<Knobs, Error> {
        let mut state = self.inner.service.lock();
        state.knobs.set(changes)?;
        Ok(state.knobs.general().clone())
    }

    /// The knobs of one organization: the general ones, and in their place those it has of its own.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn org_knobs(&self, org_id: &str) -> Result<Knobs, Error> {
        let state = self.inner.service.lock();
        match state.records.org(org_id) {
            Some(_) => Ok(state.knobs.of(Some(org_id)).clone()),
            None => Err(Error::unknown("organization", org_id)),
        }
    }

    /// Sets the knobs that one organization has of its own, in place of those set before, and
    /// returns all its knobs. They apply to callers whose token belongs to the organization.
    ///
    /// # Errors
    ///
    /// There is no such organization, a knob is unknown or its value has the wrong type; nothing is
    /// changed then.
    pub fn set_org_knobs(&self, org_id: &str, own: serde_json::Value) -> Result<Knobs, Error> {
        let mut state = self.inner.service.lock();
        if state.records.org(org_id).is_none() {
            return Err(Error::unknown("organization", org_id));
        }
        state.knobs.set_org(org_id, own)?;
        Ok(state.knobs.of(Some(org_id)).clone())
    }

    /// Adds a fault rule and returns its id.
    ///
    /// # Errors
    ///
    /// The rule makes no sense; or it is about TLS and the emulator does not speak it.
    pub fn add_fault(&self, rule: FaultRule) -> Result<u64, Error> {
        let tls = matches!(
            rule.fault,
            Fault::TlsWrongHost {} | Fault::TlsExpired {} | Fault::TlsUnknownCa {}
        );
        if tls && !self.inner.options.tls {
            return Err(Error::Fault(format!(
                "{}: this emulator serves its API without TLS; start it with TLS or ask for a \
                 listener",
                rule.fault.kind()
            )));
        }
        let id = self.inner.service.lock().faults.add(rule)?;
        self.apply_listener_faults()?;
        Ok(id)
    }

    /// Removes one rule; `false` if there is none of that id.
    ///
    /// # Errors
    ///
    /// The API's port cannot be opened again.
    pub fn remove_fault(&self, id: u64) -> Result<bool, Error> {
        let removed = self.inner.service.lock().faults.remove(id);
        self.apply_listener_faults()?;
        Ok(removed)
    }

    /// Removes all rules. If another process took the port meanwhile, it stays closed and a warning is logged.
    pub fn clear_faults(&self) {
        self.inner.service.lock().faults.clear();
        if let Err(error) = self.apply_listener_faults() {
            tracing::warn!(%error, "the API port stays closed");
        }
    }

    /// The rules in force.
    pub fn faults(&self) -> Vec<ActiveRule> {
        self.inner.service.lock().faults.all()
    }

    pub(super) fn apply_listener_faults(&self) -> Result<(), Error> {
        let (mut open, mut certificate) = (true, Certificate::Good);
        for fault in self.inner.service.lock().faults.listener_faults() {
            match fault {
                Fault::NoListen {} => open = false,
                Fault::TlsWrongHost {} => certificate = Certificate::WrongHost,
                Fault::TlsExpired {} => certificate = Certificate::Expired,
                Fault::TlsUnknownCa {} => certificate = Certificate::UnknownCa,
                _ => {}
            }
        }
        let changed = self
            .inner
            .certificate
            .swap(certificate as u8, Ordering::SeqCst);
        if changed != certificate as u8 {
            // Connections made under the other certificate would go on.
            self.inner
                .api
                .cut
                .send_modify(|generation| *generation += 1);
        }
        let _context = self.inner.runtime.enter();
        self.inner.api.set_open(open)
    }
}
