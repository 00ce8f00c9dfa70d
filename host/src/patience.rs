//! How long an attempt is waited for where time begins anew with each event: a point in time until which a service has
//! to say something, which moves on while it is read.

use crate::lock::locked;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// Until when something has to come. Its copies are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// So long from now on.
    pub(crate) fn after(patience: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + patience)))
    }

    /// So long from now on, whatever it was before.
    pub(crate) fn set(&self, patience: Duration) {
        *locked(&self.0) = Instant::now() + patience;
    }

    /// What is left; `None` when nothing is.
    pub(crate) fn left(&self) -> Option<Duration> {
        let until = *locked(&self.0);
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

/// Stands between the socket and what is read from it: no read waits longer than the deadline.
impl<In: Transport> Connector<In> for Deadline {
    type Out = Until<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Until<In>>, Error> {
        Ok(chained.map(|inner| Until { inner, deadline: self.clone() }))
    }
}

/// A transport that is read until a deadline.
pub(crate) struct Until<In> {
    inner: In,
    deadline: Deadline,
}

impl<In> fmt::Debug for Until<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<In: Transport> Transport for Until<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        let left = self.deadline.left().ok_or(Error::Timeout(Timeout::PerRead))?;
        timeout.after = timeout.after.min(left.into());
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
