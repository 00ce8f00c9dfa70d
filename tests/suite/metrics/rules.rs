//! The dashboard and the alerts in `deploy`: Prometheus takes them, they fire when they should, and what they speak of is
//! what both servers print.

use super::scraped::Scraped;
use parlor_tests::process::{BINARIES, Folder, Process};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How names of ours begin.
const OURS: [&str; 2] = ["parlor_", "process_"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

fn deployed(name: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(name)).expect("it can be read")
}

/// Where `PARLOR_PROMTOOL` says it is, where `tests/run setup` puts it, or where the system has it.
fn promtool() -> PathBuf {
    let named = std::env::var_os("PARLOR_PROMTOOL").map(PathBuf::from);
    let unpacked = Some(root().join("target/prometheus/usr/bin/promtool")).filter(|path| path.exists());
    named.or(unpacked).unwrap_or_else(|| "promtool".into())
}

/// Runs promtool on this; what it says where it is not content.
fn run_promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new(promtool())
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}; `tests/run setup` installs it"));
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it is ours");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

/// The names of metrics in a file: words that begin as ours do.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| OURS.iter().any(|begin| word.starts_with(begin))).collect()
}

#[test]
fn prometheus_takes_the_rules_and_they_fire_when_they_should() {
    run_promtool(&["check", "rules", "deploy/alerts.yml"], "");
    run_promtool(&["test", "rules", "tests/suite/metrics/alerts.yml"], "");
}

#[test]
fn every_rule_is_tested() {
    let tests =
        std::fs::read_to_string(root().join("tests/suite/metrics/alerts.yml")).expect("it can be read");
    let rules = deployed("alerts.yml");
    let rules: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(rules.len() >= 9, "{rules:?}");
    for rule in rules {
        assert!(tests.contains(&format!("alertname: {rule}\n")), "{rule} is not tested");
    }
}

#[test]
fn the_dashboard_is_json_whose_panels_all_ask_for_something() {
    let dashboard: serde_json::Value = serde_json::from_str(&deployed("grafana-parlor.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let shown = panels.iter().filter(|panel| panel["type"] != "row");
    assert!(shown.clone().count() >= 10);
    for panel in shown {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(
            !targets.is_empty()
                && targets
                    .iter()
                    .all(|target| !named(target["expr"].as_str().unwrap_or_default()).is_empty()),
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn what_the_dashboard_and_the_alerts_speak_of_is_what_both_servers_print() {
    let (dashboard, alerts) = (deployed("grafana-parlor.json"), deployed("alerts.yml"));
    let wanted: BTreeSet<_> = named(&dashboard).union(&named(&alerts)).copied().collect();
    assert!(wanted.len() > 20, "{wanted:?}");
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &["--ai-service-url", "http://127.0.0.1:1"]);
        let scraped = Scraped::of(process.address());
        let printed: BTreeSet<_> = scraped.names().collect();
        let missing: Vec<_> = wanted.difference(&printed).collect();
        assert!(missing.is_empty(), "{binary} does not print {missing:?}");
        run_promtool(&["check", "metrics"], &scraped.text);
    }
}
