use super::*;
use crate::metrics::{App, Buckets, ByLimit, Limit};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeSet;

fn core() -> Snapshot {
    Snapshot {
        version: "1.2.3".into(),
        started_at: Timestamp(1_767_225_600_500_000),
        draining: false,
        connections: 3,
        connections_max: 10_000,
        rooms: 2,
        room_members: 4,
        awaited: 1,
        polled_bytes: 10,
        draft_bytes: 0,
        messages_in: ByApp::default(),
        messages_out: ByApp::default(),
        malformed: 0,
        auth_failures: 7,
        errors: vec![(Cow::Borrowed("NOT_FOUND"), 5)],
        responses: [1, 2, 3, 4, 5],
        limits: ByLimit::default(),
        store_up: true,
        ai_up: Some(false),
        delivery: Buckets::of_moments().spread(),
        ai: Buckets::of_calls().spread(),
        lasted: Buckets::of_lives().spread(),
    }
}

/// What stands in the lines of a metric.
fn lines<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.contains(name)).collect()
}

#[test]
fn a_number_stands_behind_what_it_is_and_of_which_type() {
    let host = Measured { memory_bytes: 52_428_800, outbox_bytes: 5, ..Measured::default() };
    let page = text(&core(), &host);
    assert_eq!(
        lines(&page, "parlor_connections "),
        [
            "# HELP parlor_connections Connections of clients.",
            "# TYPE parlor_connections gauge",
            "parlor_connections 3"
        ]
    );
    for line in [
        "parlor_connections_max 10000",
        "parlor_auth_failures_total 7",
        "parlor_errors_total{code=\"NOT_FOUND\"} 5",
        "parlor_responses_total{status=\"5xx\"} 5",
        "parlor_store_up 1",
        "parlor_ai_up 0",
        "parlor_outbox_bytes 15",
        "process_start_time_seconds 1767225600.5",
        "process_resident_memory_bytes 52428800",
        "parlor_build_info{version=\"1.2.3\"} 1",
    ] {
        assert_eq!(page.lines().filter(|known| *known == line).count(), 1, "{line} in {page}");
    }
    assert!(lines(&text(&Snapshot { ai_up: None, ..core() }, &host), "parlor_ai_up").is_empty());
}

#[test]
fn counts_stand_under_their_labels_and_those_of_both_sides_are_added() {
    let (mut core, mut host) = (core(), Measured::default());
    core.messages_in.add(App::Chat, 2);
    core.messages_out.add(App::Drafts, 3);
    core.limits.add(Limit::Calls, 4);
    host.limits.add(Limit::Calls, 1);
    host.dropped.add(App::Chat, 6);
    let page = text(&core, &host);
    for line in [
        "parlor_messages_total{app=\"chat\",direction=\"in\"} 2",
        "parlor_messages_total{app=\"chat\",direction=\"out\"} 0",
        "parlor_messages_total{app=\"drafts\",direction=\"out\"} 3",
        "parlor_limit_hits_total{limit=\"calls\"} 5",
        "parlor_dropped_total{app=\"chat\"} 6",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} in {page}");
    }
}

#[test]
fn a_histogram_counts_all_that_is_below_each_bound() {
    let mut buckets = Buckets::of_calls();
    for millis in [50, 60, 2_000, 2_500, 60_000] {
        buckets.note(Duration::from_millis(millis));
    }
    let page = text(&Snapshot { ai: buckets.spread(), ..core() }, &Measured::default());
    assert_eq!(
        lines(&page, "parlor_ai_seconds")[2..],
        [
            "parlor_ai_seconds_bucket{le=\"0.05\"} 1",
            "parlor_ai_seconds_bucket{le=\"0.1\"} 2",
            "parlor_ai_seconds_bucket{le=\"0.25\"} 2",
            "parlor_ai_seconds_bucket{le=\"0.5\"} 2",
            "parlor_ai_seconds_bucket{le=\"1\"} 2",
            "parlor_ai_seconds_bucket{le=\"2.5\"} 4",
            "parlor_ai_seconds_bucket{le=\"5\"} 4",
            "parlor_ai_seconds_bucket{le=\"10\"} 4",
            "parlor_ai_seconds_bucket{le=\"15\"} 4",
            "parlor_ai_seconds_bucket{le=\"20\"} 4",
            "parlor_ai_seconds_bucket{le=\"30\"} 4",
            "parlor_ai_seconds_bucket{le=\"+Inf\"} 5",
            "parlor_ai_seconds_sum 64.61",
            "parlor_ai_seconds_count 5"
        ]
    );
}

#[test]
fn every_sample_stands_behind_its_own_help_and_type_and_no_name_comes_twice() {
    let page = text(&core(), &Measured::default());
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let (mut family, mut kind) = ("", "");
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
            assert!(families.insert(family), "{family} comes twice");
            assert!(help.len() > family.len() + 1, "{family} says nothing");
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, of) = of.split_once(' ').unwrap();
            assert_eq!(name, family);
            kind = of;
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(sample), "{sample} comes twice");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = sample.split('{').next().unwrap();
            let ends: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(ends.iter().any(|end| *name == format!("{family}{end}")), "{name} under {family}");
        }
        assert!(
            !line.is_empty() && family.ends_with("_total") == (kind == "counter")
                || line.starts_with("# HELP")
        );
    }
}

#[test]
fn a_label_cannot_end_early() {
    let page = text(&Snapshot { version: "1\"\\\n2".into(), ..core() }, &Measured::default());
    assert!(page.contains("parlor_build_info{version=\"1\\\"\\\\\\n2\"} 1\n"), "{page}");
}
