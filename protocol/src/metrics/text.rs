//! The text format 0.0.4 of Prometheus: for each name a line that says what it is, one that says of which type, and its
//! samples.

use super::{ByApp, Measured, Snapshot, Spread};
use std::fmt::{Display, Write};
use std::time::Duration;

/// The media type of what `text` writes.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, as they are sent.
pub fn text(core: &Snapshot, host: &Measured) -> String {
    let mut page = Page::default();
    page.connections(core, host);
    page.messages(core, host);
    page.failures(core, host);
    page.spans(core, host);
    page.load(core, host);
    page.process(core, host);
    page.0
}

/// What is written so far.
#[derive(Default)]
struct Page(String);

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    fn connections(&mut self, core: &Snapshot, host: &Measured) {
        self.gauge("parlor_connections", "Connections of clients.", core.connections);
        let help = "How many connections there may be; 0 is no limit.";
        self.gauge("parlor_connections_max", help, core.connections_max);
        self.gauge("parlor_lines", "TCP connections, whatever they are used for.", host.lines);
        self.gauge("parlor_rooms", "Rooms in memory.", core.rooms);
        let help = "Connections in rooms; one in two rooms counts twice.";
        self.gauge("parlor_room_members", help, core.room_members);
    }

    fn messages(&mut self, core: &Snapshot, host: &Measured) {
        let help = "Messages of clients (in), and frames to clients (out), one to many counted for each.";
        self.family("parlor_messages_total", "counter", help);
        for (direction, counts) in [("in", &core.messages_in), ("out", &core.messages_out)] {
            for (app, count) in counts.iter() {
                let labels = [("app", app.as_str()), ("direction", direction)];
                self.sample("parlor_messages_total", &labels, count);
            }
        }
        let help = "Signals that were dropped because their receivers were slow.";
        self.by_app("parlor_dropped_total", help, &host.dropped);
        let help = "Messages that were not what their endpoint speaks.";
        self.counter("parlor_malformed_total", help, core.malformed);
    }

    fn failures(&mut self, core: &Snapshot, host: &Measured) {
        self.family("parlor_errors_total", "counter", "Errors that connections were told, by code.");
        for (code, count) in &core.errors {
            self.sample("parlor_errors_total", &[("code", code)], *count);
        }
        let help = "Answers over HTTP, by the class of their status.";
        self.family("parlor_responses_total", "counter", help);
        for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(core.responses) {
            self.sample("parlor_responses_total", &[("status", class)], count);
        }
        let help = "Tokens and keys that were refused.";
        self.counter("parlor_auth_failures_total", help, core.auth_failures);
        let help = "How often something was refused, paused or closed because of a limit.";
        self.family("parlor_limit_hits_total", "counter", help);
        for (limit, count) in core.limits.iter() {
            let count = count + host.limits.of(limit);
            self.sample("parlor_limit_hits_total", &[("limit", limit.as_str())], count);
        }
    }

    fn spans(&mut self, core: &Snapshot, host: &Measured) {
        let help = "From a message taken in to its frames queued for all who hear it.";
        self.histogram("parlor_delivery_seconds", help, &core.delivery);
        let help = "From a commit queued for the store to its outcome.";
        self.histogram("parlor_append_seconds", help, &host.appends);
        self.histogram("parlor_ai_seconds", "Attempts at the AI service.", &core.ai);
        self.histogram("parlor_connection_seconds", "How long connections lasted.", &core.lasted);
        let help = "How long one fact held the core's lock.";
        self.histogram("parlor_core_held_seconds", help, &host.held);
    }

    fn load(&mut self, core: &Snapshot, host: &Measured) {
        let up = |up: bool| u64::from(up);
        let help = "Whether the store did what it was asked last: 1, or 0.";
        self.gauge("parlor_store_up", help, up(core.store_up));
        if let Some(ai_up) = core.ai_up {
            self.gauge("parlor_ai_up", "Whether the last attempt at the AI service succeeded.", up(ai_up));
        }
        self.gauge("parlor_draining", "Whether the server is stopping.", up(core.draining));
        let help = "Bytes that wait to be sent to clients.";
        self.gauge("parlor_outbox_bytes", help, host.outbox_bytes + core.polled_bytes);
        self.gauge("parlor_body_bytes", "Bytes of request bodies in memory.", host.body_bytes);
        let help = "About how much memory the open documents of drafts take.";
        self.gauge("parlor_draft_bytes", help, core.draft_bytes);
        let help = "Answers of the store, of jobs and of services that are waited for.";
        self.gauge("parlor_answers_awaited", help, core.awaited);
        self.family("parlor_jobs_waiting", "gauge", "What waits for a thread, by queue.");
        let jobs = host.jobs;
        for (queue, count) in [
            ("work", jobs.work),
            ("documents", jobs.documents),
            ("store_commits", jobs.commits),
            ("store_reads", jobs.reads),
        ] {
            self.sample("parlor_jobs_waiting", &[("queue", queue)], count);
        }
        let help = "Jobs of documents that took too long.";
        self.counter("parlor_documents_given_up_total", help, host.documents_given_up);
        let help = "Lines of the log that could not be written.";
        self.counter("parlor_log_lines_dropped_total", help, host.log_lines_dropped);
    }

    fn process(&mut self, core: &Snapshot, host: &Measured) {
        self.family("parlor_build_info", "gauge", "The program's version, as a label; always 1.");
        self.sample("parlor_build_info", &[("version", &core.version)], 1);
        let help = "When the process began, in seconds since 1970.";
        self.gauge("process_start_time_seconds", help, core.started_at.0 as f64 / 1e6);
        self.gauge("process_resident_memory_bytes", "Resident memory.", host.memory_bytes);
        let help = "How much memory the process may take, by its cgroup or the machine; 0 is unknown.";
        self.gauge("parlor_memory_max_bytes", help, host.memory_max_bytes);
        let help = "When the certificate of TLS ends, in seconds since 1970; 0 is no TLS.";
        self.gauge("parlor_tls_certificate_expiry_seconds", help, host.certificate_expiry);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn by_app(&mut self, name: &str, help: &str, counts: &ByApp) {
        self.family(name, "counter", help);
        counts.iter().for_each(|(app, count)| self.sample(name, &[("app", app.as_str())], count));
    }

    /// Buckets hold all that is below their bound, so that each holds those before it.
    fn histogram(&mut self, name: &str, help: &str, spread: &Spread) {
        self.family(name, "histogram", help);
        let (bucket, mut below) = (format!("{name}_bucket"), 0);
        for (bound, count) in &spread.buckets {
            below += count;
            self.sample(&bucket, &[("le", &seconds(*bound))], below);
        }
        self.sample(&bucket, &[("le", "+Inf")], below + spread.beyond);
        self.sample(&format!("{name}_sum"), &[], seconds(spread.total));
        self.sample(&format!("{name}_count"), &[], below + spread.beyond);
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let said: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        match said.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", said.join(","))),
        }
    }

    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("memory takes any text");
    }
}

fn seconds(span: Duration) -> String {
    span.as_secs_f64().to_string()
}

/// The value of a label, as it may stand between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
