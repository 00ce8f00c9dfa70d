//! The TCP connections that are open: how many there may be in all and from one address, whatever they are used
//! for. What the core counts are WebSockets; a line that never asks for one is counted only here.

use crate::lock::locked;
use parlor_protocol::settings::Settings;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many lines there may be beyond the connections that may be open: those that ask for something over REST,
/// those that are just coming in, and those that are on their way out.
const LINES_SPARE: usize = 1_000;
/// The same for one address.
const LINES_SPARE_PER_ADDRESS: usize = 64;

/// Counts the TCP connections.
#[derive(Debug)]
pub struct OpenLines {
    count: AtomicUsize,
    /// Holds an address as long as it has a line.
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    lines_max: usize,
    lines_per_address_max: usize,
    exempt: Vec<IpAddr>,
}

impl OpenLines {
    pub(super) fn new(settings: &Settings) -> Self {
        let limit = |connections: u32, spare| match connections {
            0 => usize::MAX,
            connections => connections as usize + spare,
        };
        Self {
            count: AtomicUsize::new(0),
            by_address: Mutex::default(),
            lines_max: limit(settings.connections_max, LINES_SPARE),
            lines_per_address_max: limit(settings.connections_per_address, LINES_SPARE_PER_ADDRESS),
            exempt: settings.trusted_proxies.clone(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// How many there may be.
    pub(crate) fn lines_max(&self) -> usize {
        self.lines_max
    }

    /// The limit for one address, if this one has reached it.
    pub(crate) fn limit_reached_by(&self, address: IpAddr) -> Option<usize> {
        let exempt = address.is_loopback() || self.exempt.contains(&address);
        let count = || locked(&self.by_address).get(&address).copied().unwrap_or_default();
        (!exempt && count() >= self.lines_per_address_max).then_some(self.lines_per_address_max)
    }

    pub(crate) fn entered(&self, address: IpAddr) {
        self.count.fetch_add(1, SeqCst);
        *locked(&self.by_address).entry(address).or_default() += 1;
    }

    pub(crate) fn left(&self, address: IpAddr) {
        self.count.fetch_sub(1, SeqCst);
        let mut by_address = locked(&self.by_address);
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_64_lines_more_than_connections_and_a_trusted_one_any_number() {
        let (client, proxy) = (IpAddr::from([203, 0, 113, 1]), IpAddr::from([10, 0, 0, 1]));
        let settings = Settings { trusted_proxies: vec![proxy], ..Settings::default() };
        let lines = OpenLines::new(&settings);
        for _ in 0..163 {
            lines.entered(client);
        }
        assert_eq!(lines.limit_reached_by(client), None);
        lines.entered(client);
        assert_eq!(lines.limit_reached_by(client), Some(164));
        assert_eq!(lines.limit_reached_by(IpAddr::from([203, 0, 113, 2])), None);
        for exempt in [proxy, IpAddr::from([127, 0, 0, 1])] {
            (0..1_000).for_each(|_| lines.entered(exempt));
            assert_eq!(lines.limit_reached_by(exempt), None);
        }
        lines.left(client);
        assert_eq!((lines.limit_reached_by(client), lines.count()), (None, 2_163));
        (0..163).for_each(|_| lines.left(client));
        assert_eq!(locked(&lines.by_address).len(), 2);
    }

    #[test]
    fn there_are_a_thousand_lines_more_than_connections_and_zero_is_no_limit() {
        assert_eq!(OpenLines::new(&Settings::default()).lines_max(), 11_000);
        let off = Settings { connections_max: 0, connections_per_address: 0, ..Settings::default() };
        let lines = OpenLines::new(&off);
        assert_eq!((lines.lines_max(), lines.lines_per_address_max), (usize::MAX, usize::MAX));
    }
}
