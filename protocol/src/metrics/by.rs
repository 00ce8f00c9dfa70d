//! Counts by something of which there are few: the values that a label may have.

use serde::{Deserialize, Serialize};

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum App {
    /// Guided documents (WIRE §1).
    Documents,
    /// Chat (WIRE §2).
    Chat,
    /// Projects and feeds, and what is nobody's where all apps are spoken (WIRE §5).
    Projects,
    /// Dashboards (WIRE §3).
    Dashboards,
    /// Drafts (WIRE §4).
    Drafts,
    /// None's: the hello and the pings of a protocol, the end of a token, the end of the server.
    #[default]
    Server,
}

impl App {
    /// Every app there is.
    pub const ALL: [Self; 6] =
        [Self::Documents, Self::Chat, Self::Projects, Self::Dashboards, Self::Drafts, Self::Server];

    /// Its name, as a label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Chat => "chat",
            Self::Projects => "projects",
            Self::Dashboards => "dashboards",
            Self::Drafts => "drafts",
            Self::Server => "server",
        }
    }
}

/// What was reached when something was refused, paused or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// `CONNECTIONS_MAX`
    Connections,
    /// `CONNECTIONS_PER_USER`
    ConnectionsPerUser,
    /// `CONNECTIONS_PER_ADDRESS`, or its rate of new ones
    ConnectionsPerAddress,
    /// TCP connections, in all or from one address
    Lines,
    /// `RATE_LIMIT_CALLS`
    Calls,
    /// `RATE_LIMIT_SIGNALS`
    Signals,
    /// `RATE_LIMIT_DASHBOARD`
    DashboardCalls,
    /// Pings, and calls that cost nothing
    Pings,
    /// `REFUSALS_MAX`
    Refusals,
    /// Malformed messages in a minute
    Malformed,
    /// Requests or answers that are waited for
    Waiting,
    /// What may wait for one connection
    Outbox,
    /// Request bodies in memory
    Bodies,
    /// TLS handshakes: those that took too long, and those that failed otherwise
    Handshakes,
    /// `AUTH_FAILURES_PER_ADDRESS`
    AuthFailures,
    /// The memory of the process
    Memory,
}

impl Limit {
    /// Every limit that is counted.
    pub const ALL: [Self; 16] = [
        Self::Connections,
        Self::ConnectionsPerUser,
        Self::ConnectionsPerAddress,
        Self::Lines,
        Self::Calls,
        Self::Signals,
        Self::DashboardCalls,
        Self::Pings,
        Self::Refusals,
        Self::Malformed,
        Self::Waiting,
        Self::Outbox,
        Self::Bodies,
        Self::Handshakes,
        Self::AuthFailures,
        Self::Memory,
    ];

    /// Its name, as a label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerUser => "connections_per_user",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Lines => "lines",
            Self::Calls => "calls",
            Self::Signals => "signals",
            Self::DashboardCalls => "dashboard_calls",
            Self::Pings => "pings",
            Self::Refusals => "refusals",
            Self::Malformed => "malformed",
            Self::Waiting => "waiting",
            Self::Outbox => "outbox",
            Self::Bodies => "bodies",
            Self::Handshakes => "handshakes",
            Self::AuthFailures => "auth_failures",
            Self::Memory => "memory",
        }
    }
}

macro_rules! counts_by {
    ($(#[$doc:meta])* $name:ident by $key:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub struct $name([u64; $key::ALL.len()]);

        impl $name {
            /// So many more.
            pub fn add(&mut self, of: $key, count: u64) {
                self.0[of as usize] += count;
            }

            /// How many.
            pub fn of(&self, key: $key) -> u64 {
                self.0[key as usize]
            }

            /// All together.
            pub fn total(&self) -> u64 {
                self.0.iter().sum()
            }

            /// Each with its count.
            pub fn iter(&self) -> impl Iterator<Item = ($key, u64)> {
                $key::ALL.into_iter().zip(self.0)
            }
        }
    };
}

counts_by!(
    /// Counts by app.
    ByApp by App
);
counts_by!(
    /// Counts by limit.
    ByLimit by Limit
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_and_every_limit_has_a_place_of_its_own() {
        assert!(App::ALL.iter().enumerate().all(|(at, app)| *app as usize == at));
        assert!(Limit::ALL.iter().enumerate().all(|(at, limit)| *limit as usize == at));
        let mut counts = ByApp::default();
        counts.add(App::Chat, 2);
        counts.add(App::Server, 1);
        assert_eq!((counts.of(App::Chat), counts.of(App::Drafts), counts.total()), (2, 0, 3));
    }
}
