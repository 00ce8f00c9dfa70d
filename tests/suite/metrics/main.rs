//! Metrics of whole servers: what they count is what their clients did, and what the dashboard and the alerts in `deploy`
//! speak of is what they print.

mod rules;
mod scraped;
mod under_load;
