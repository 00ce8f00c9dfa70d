//! How many may come in: in all, for one address, and per second for one address (WIRE §0.3).

use crate::auth::AuthFailure;
use crate::connection::{Bucket, Window};
use crate::http::RequestHead;
use crate::settings::Settings;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How many addresses are counted; beyond, new ones are refused until some are forgotten.
const ADDRESSES_MAX: usize = 65_536;

/// What the addresses use.
#[derive(Debug, Default)]
pub struct Addresses(BTreeMap<IpAddr, Used>);

#[derive(Debug, Default)]
struct Used {
    connections: u32,
    arrivals: Bucket,
    failures: [Window; KINDS],
}

/// What somebody shows. Each kind is counted by itself: who comes with bad tokens locks out neither a backend behind
/// the same address nor those who are in already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The token of a user who comes in.
    Token,
    /// The service key, or a signature in its place.
    Service,
    /// A new token for a connection that goes on.
    Refresh,
}

/// How many kinds of credentials there are.
const KINDS: usize = 3;

/// The address that a request comes from: the peer's, or what a trusted proxy says of it.
pub fn address(peer: IpAddr, head: &RequestHead, settings: &Settings) -> IpAddr {
    let trusted = |address: &IpAddr| settings.trusted_proxies.contains(address);
    if !trusted(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = head.all("x-forwarded-for").flat_map(|value| value.split(',')).collect();
    // From the right, where the nearest proxy wrote. Left of what cannot be read stands what anybody may write.
    let mut named = forwarded.into_iter().rev().map_while(|part| forwarded_address(part.trim()));
    named.find(|address| !trusted(address)).unwrap_or(peer)
}

/// Whose address this is, as far as one can tell: one line of IPv6 has a network of 64 bits to choose from.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// An address as proxies write it: bare, in brackets, or either with a port.
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

impl Addresses {
    /// Whether one more connection may come from this address now; counts the try.
    pub fn may_come(&mut self, address: IpAddr, settings: &Settings, now: Timestamp) -> bool {
        if is_exempt(address, settings) {
            return true;
        }
        if !self.0.contains_key(&address) && self.0.len() >= ADDRESSES_MAX {
            return false;
        }
        let used = self.0.entry(address).or_default();
        let (most, rate) = (settings.connections_per_address, settings.connection_rate_per_address);
        (most == 0 || used.connections < most) && (rate == 0 || used.arrivals.take(rate, rate, now))
    }

    /// A credential from this address was none. Only what may have been guessed counts: who comes with a token that is
    /// over, or for somebody else, has had a good one.
    pub fn failed(
        &mut self,
        (address, shown): (IpAddr, Credential),
        why: &AuthFailure,
        settings: &Settings,
        now: Timestamp,
    ) {
        if settings.auth_failures_per_address == 0 || is_exempt(address, settings) || !why.may_be_a_guess() {
            return;
        }
        let network = network(address);
        // Who only guesses takes no room from those who come in.
        if self.0.contains_key(&network) || self.0.len() < ADDRESSES_MAX / 2 {
            self.0.entry(network).or_default().failures[shown as usize].count(now);
        }
    }

    /// How long no such credential of this address is looked at, if as many of them were none as may be.
    pub fn failures_end(
        &self,
        (address, shown): (IpAddr, Credential),
        settings: &Settings,
        now: Timestamp,
    ) -> Option<Duration> {
        let most = settings.auth_failures_per_address;
        let used = self.0.get(&network(address)).filter(|_| most > 0 && !is_exempt(address, settings))?;
        used.failures[shown as usize].reached(most, now)
    }

    /// Whether as many connections come from this address as may.
    pub fn is_full(&self, address: IpAddr, settings: &Settings) -> bool {
        let most = settings.connections_per_address;
        !is_exempt(address, settings)
            && most > 0
            && self.0.get(&address).is_some_and(|used| used.connections >= most)
    }

    /// A connection from this address came in.
    pub fn came(&mut self, address: IpAddr, settings: &Settings) {
        if !is_exempt(address, settings) {
            self.0.entry(address).or_default().connections += 1;
        }
    }

    /// A connection from this address is gone.
    pub fn went(&mut self, address: IpAddr) {
        if let Some(used) = self.0.get_mut(&address) {
            used.connections = used.connections.saturating_sub(1);
        }
    }

    /// How many addresses are counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets addresses that use nothing.
    pub fn tidy(&mut self, now: Timestamp) {
        self.0.retain(|_, used| {
            used.connections > 0
                || !used.arrivals.is_full(now)
                || used.failures.iter().any(|failures| failures.is_recent(now))
        });
    }
}

fn is_exempt(address: IpAddr, settings: &Settings) -> bool {
    address.is_loopback() || settings.trusted_proxies.contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_and_first_connection_and_the_eleventh_in_a_second_are_refused() {
        let (mut addresses, settings) = (Addresses::default(), Settings::default());
        let address = IpAddr::from([203, 0, 113, 1]);
        let mut now = Timestamp(1_000_000);
        let at_once = (0..20).filter(|_| addresses.may_come(address, &settings, now)).count();
        assert_eq!(at_once, 10);
        for _ in 0..100 {
            now = now + std::time::Duration::from_secs(1);
            assert!(addresses.may_come(address, &settings, now));
            addresses.came(address, &settings);
        }
        now = now + std::time::Duration::from_secs(1);
        assert!(!addresses.may_come(address, &settings, now));
        addresses.went(address);
        assert!(addresses.may_come(address, &settings, now));
        assert!(addresses.may_come(IpAddr::from([127, 0, 0, 1]), &settings, now));
    }

    #[test]
    fn an_address_that_guesses_is_not_listened_to_for_the_rest_of_the_minute() {
        let (mut addresses, settings) = (Addresses::default(), Settings::default());
        let (guesser, other) = (IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2]));
        let at = |second: u64| Timestamp(second * 1_000_000);
        for why in [AuthFailure::Missing, AuthFailure::Expired, AuthFailure::Claim("aud".into())] {
            (0..20).for_each(|_| addresses.failed((guesser, Credential::Token), &why, &settings, at(100)));
        }
        for second in 0..10 {
            assert_eq!(
                addresses.failures_end((guesser, Credential::Token), &settings, at(100 + second)),
                None
            );
            addresses.failed((guesser, Credential::Token), &AuthFailure::Bad, &settings, at(100 + second));
        }
        // A line of IPv6 has 2^64 addresses, which are one here.
        let ipv6 = |text: &str| text.parse::<IpAddr>().unwrap();
        for host in 0..10 {
            let guesser = ipv6(&format!("2001:db8:1:2::{host:x}"));
            addresses.failed((guesser, Credential::Token), &AuthFailure::Bad, &settings, at(100));
        }
        let ends =
            |address, second| addresses.failures_end((address, Credential::Token), &settings, at(second));
        assert_eq!(ends(guesser, 110), Some(Duration::from_secs(50)));
        assert_eq!((ends(guesser, 160), ends(other, 110)), (None, None));
        assert!(ends(ipv6("2001:db8:1:2:ffff::1"), 110).is_some());
        assert_eq!(ends(ipv6("2001:db8:1:3::1"), 110), None);
        for other in [Credential::Service, Credential::Refresh] {
            assert_eq!(addresses.failures_end((guesser, other), &settings, at(110)), None);
        }
        let off = Settings { auth_failures_per_address: 0, ..Settings::default() };
        assert_eq!(addresses.failures_end((guesser, Credential::Token), &off, at(110)), None);
        let here = IpAddr::from([127, 0, 0, 1]);
        (0..20)
            .for_each(|_| addresses.failed((here, Credential::Token), &AuthFailure::Bad, &settings, at(110)));
        assert_eq!(addresses.failures_end((here, Credential::Token), &settings, at(110)), None);
        addresses.tidy(at(159));
        assert_eq!(addresses.len(), 2);
        addresses.tidy(at(160));
        assert_eq!(addresses.len(), 0);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let text =
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7, 203.0.113.9, 10.0.0.1\r\n\r\n";
        let (head, _) = crate::http::parse_head(text.as_bytes()).expect("a good head");
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let trusting = Settings { trusted_proxies: vec![proxy], ..Settings::default() };
        assert_eq!(address(proxy, &head, &trusting), IpAddr::from([203, 0, 113, 9]));
        assert_eq!(address(proxy, &head, &Settings::default()), proxy);
    }

    #[test]
    fn what_a_client_forged_left_of_what_its_proxy_wrote_is_not_believed() {
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let trusting = Settings { trusted_proxies: vec![proxy], ..Settings::default() };
        let (client, six) = (IpAddr::from([203, 0, 113, 9]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9]));
        for (forwarded, from) in [
            ("198.51.100.7, 203.0.113.9:4711", client),
            ("198.51.100.7, 203.0.113.9:4711, 10.0.0.1:80", client),
            ("198.51.100.7, ::ffff:203.0.113.9", client),
            ("198.51.100.7, 2001:db8::9", six),
            ("198.51.100.7, [2001:db8::9]", six),
            ("198.51.100.7, [2001:db8::9]:4711", six),
            ("198.51.100.7, unknown", proxy),
            ("198.51.100.7, ", proxy),
            ("198.51.100.7, unknown, 10.0.0.1", proxy),
            ("10.0.0.1", proxy),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
            let (head, _) = crate::http::parse_head(text.as_bytes()).expect("a good head");
            assert_eq!(address(proxy, &head, &trusting), from, "{forwarded}");
        }
    }
}
