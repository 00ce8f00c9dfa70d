//! The pages for users, held against the code: what clients can call and be told, every code, path and setting stands on
//! them, and nothing that there is not. What exposes no list of its own is read from the source. Each rule is shown a page
//! that breaks it, too.

#![allow(clippy::wildcard_enum_match_arm, reason = "what is not looked for is passed over")]

use bytes::Bytes;
use parlor_protocol::action::Action;
use parlor_protocol::http::RequestHead;
use parlor_protocol::ids::RequestId;
use parlor_protocol::input::Input;
use parlor_protocol::refusal::{Code, Refusal};
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::time::Timestamp;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The protocol's page.
const WIRE: &str = "docs/wire.md";
/// Pages that name tests.
const WITH_TESTS: [&str; 1] = ["docs/guarantees.md"];
/// Pages that name settings.
const WITH_SETTINGS: [&str; 3] = [WIRE, "docs/guarantees.md", "docs/operations.md"];
/// Pages with links.
const WITH_LINKS: [&str; 8] = [
    "README.md",
    WIRE,
    "docs/guarantees.md",
    "docs/threats.md",
    "docs/operations.md",
    "docs/configuration.md",
    "docs/architecture.md",
    "docs/performance.md",
];
/// Where calls are read.
const CALLS: [&str; 5] = [
    "protocol/src/apps/chat/command.rs",
    "protocol/src/apps/documents/command.rs",
    "protocol/src/apps/drafts/command.rs",
    "protocol/src/apps/projects/command.rs",
    "protocol/src/apps/dashboards/parsing.rs",
];
/// Events that have no word in JSON: they are bytes of a Yjs provider, or the gate's own.
const UNSPOKEN: [&str; 3] = ["authenticated", "denied", "events"];
/// What stands before names where a connection has several apps.
const FAMILIES: [&str; 3] = ["document:", "dashboard:", "draft:"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files under a folder, without what is for tests alone.
fn sources(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("a source can be read");
                texts.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_string());
            }
        }
    }
    texts
}

/// The insides of a page's code, inline and fenced, line by line.
fn spans(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut spans = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            spans.push(line.to_string());
        } else {
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| span.replace("\\|", "|")));
        }
    }
    spans
}

/// The words of a page's code.
fn words(page: &str) -> BTreeSet<String> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "_:-".contains(char);
    let spans = spans(page);
    let words = spans.iter().flat_map(|span| span.split(|char| !is_part(char)));
    words.map(|word| word.trim_matches(':').to_string()).filter(|word| !word.is_empty()).collect()
}

/// The rows of the tables under a heading: what stands in their cells.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let begun = page.lines().skip_while(|line| *line != heading).skip(1);
    let section = begun.take_while(|line| !line.starts_with("## "));
    let cells = section.filter(|line| line.starts_with("| ")).map(cells);
    cells.filter(|cells| !cells[0].starts_with("---")).collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// The literals of a source that stand where a pattern does: before `=>` or on either side of `|`.
fn patterns(source: &str) -> BTreeSet<String> {
    let pieces: Vec<&str> = source.split('"').collect();
    let triples = pieces.windows(3).enumerate().filter(|(at, _)| at % 2 == 0);
    let found = triples.filter_map(|(_, three)| {
        let [before, literal, after] = three else { return None };
        let (before, after) = (before.trim_end(), after.trim_start());
        let is_first = after.starts_with("=>") || after.starts_with('|') && !after.starts_with("||");
        let is_later = before.ends_with('|') && !before.ends_with("||") && after.starts_with([')', ',']);
        (is_first || is_later).then(|| (*literal).to_string())
    });
    found.filter(|literal| !literal.is_empty() && !literal.contains(' ')).collect()
}

/// The names of events that a source makes.
fn events(source: &str) -> BTreeSet<String> {
    let makers = ["Event::new(", "Event::refusal(", "Event::named("];
    let made = makers.iter().flat_map(|maker| source.split(maker).skip(1));
    let literals = made.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    literals.map(str::to_string).collect()
}

/// All that servers say and are told in the stories of `tests/transcripts`.
fn stories() -> String {
    let snapshots = fs::read_dir(root().join("tests/transcripts/snapshots")).expect("the folder is there");
    let story = |path: PathBuf| fs::read_to_string(path).expect("a story can be read");
    snapshots.flatten().map(|snapshot| story(snapshot.path())).collect()
}

/// The names of what servers say in stories.
fn told(stories: &str) -> BTreeSet<String> {
    let said = stories.lines().filter_map(|line| line.split_once(" < ")).map(|(_, said)| said);
    let names = said.filter_map(|said| {
        let begins = ["{\"event\":\"", "{\"type\":\"", "42[\""];
        begins.iter().find_map(|begin| said.strip_prefix(begin)?.split('"').next())
    });
    names
        .map(|name| FAMILIES.iter().find_map(|family| name.strip_prefix(family)).unwrap_or(name).to_string())
        .collect()
}

fn is_among(words: &BTreeSet<String>, name: &str) -> bool {
    words.contains(name) || FAMILIES.iter().any(|family| words.contains(&format!("{family}{name}")))
}

/// The calls and events of the core that a page does not have.
fn unsaid_names(page: &str) -> Vec<String> {
    let words = words(page);
    let calls = CALLS.iter().flat_map(|path| patterns(&text(path)));
    let sources = sources("protocol/src");
    let made = sources.iter().flat_map(|source| events(source));
    let known = sources.concat();
    // Backends' events have names of their own.
    let told = told(&stories()).into_iter().filter(|name| known.contains(&format!("\"{name}\"")));
    let names: BTreeSet<String> = calls.chain(made).chain(told).collect();
    assert!(names.len() > 60, "only {} names were found: {names:?}", names.len());
    let unsaid = names.into_iter().filter(|name| !UNSPOKEN.contains(&&**name) && !is_among(&words, name));
    unsaid.collect()
}

/// The calls and events in the tables of a page that the core does not have.
fn invented_names(page: &str) -> Vec<String> {
    let mut known = sources("protocol/src").concat();
    told(&stories()).iter().for_each(|name| known.push_str(&format!(" \"{name}\"")));
    let mut invented = Vec::new();
    let mut in_table = false;
    for row in page.lines() {
        let first = if row.starts_with("| ") { cells(row)[0] } else { "" };
        match first {
            "C→S" | "S→C" | "S→C besides" | "call" => in_table = true,
            "" => in_table = false,
            names if in_table => {
                let names = names
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|name| name.split(' ').next().unwrap_or_default());
                let is_name =
                    |name: &&str| !name.is_empty() && name.chars().next().is_some_and(char::is_alphabetic);
                invented
                    .extend(names.filter(is_name).filter(|name| !is_known(name, &known)).map(str::to_string));
            }
            _ => {}
        }
    }
    invented
}

fn is_known(name: &str, known: &str) -> bool {
    let is_method = ["GET", "PUT", "POST", "DELETE"].contains(&name);
    let bare = FAMILIES.iter().find_map(|family| name.strip_prefix(family)).unwrap_or(name);
    is_method || known.contains(&format!("\"{bare}\""))
}

/// The errors that a page says otherwise than the core, and those that there are not.
fn wrong_codes(page: &str) -> Vec<String> {
    let said: Vec<String> =
        rows(page, "## Errors").iter().skip(1).map(|cells| cells[..3].join(" ")).collect();
    let are = Code::ALL.iter().map(|code| {
        let recoverable = if Refusal::new(*code, "").recoverable { "yes" } else { "no" };
        format!("`{}` {} {recoverable}", code.as_str(), code.status())
    });
    let are: Vec<String> = are.collect();
    let unsaid = are.iter().filter(|code| !said.contains(code));
    unsaid.chain(said.iter().filter(|code| !are.contains(code))).cloned().collect()
}

/// The close codes and their reasons that a page lacks, and the codes that there are not.
fn wrong_closes(page: &str) -> Vec<String> {
    let source = text("protocol/src/action.rs");
    let arms = source.split("=>").skip(1).map(|arm| arm.trim_start());
    let codes: BTreeSet<&str> = arms
        .clone()
        .filter_map(|arm| arm.get(..4).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())))
        .collect();
    let reasons = arms.filter_map(|arm| arm.strip_prefix('"')?.split('"').next());
    assert!(codes.len() > 10, "only {codes:?}");
    let rows = rows(page, "## Close codes");
    let said: BTreeSet<&str> = rows.iter().skip(1).map(|cells| cells[0]).collect();
    let listed = rows.iter().map(|cells| cells[1]).collect::<String>();
    let unsaid = reasons.filter(|reason| !listed.contains(&format!("`{reason}`")));
    codes.symmetric_difference(&said).copied().chain(unsaid).map(str::to_string).collect()
}

/// The paths that the core's source names, each with its method where it has one.
fn paths() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for path in ["protocol/src/door/route.rs", "protocol/src/apps/drafts/rest.rs"] {
        let comments = text(path);
        let comments = comments.lines().filter_map(|line| line.trim().strip_prefix("/// "));
        paths.extend(comments.flat_map(spans).filter(|span| span.contains('/') && !span.ends_with('…')));
    }
    let source = text("protocol/src/connection/mod.rs");
    paths.extend(
        source.split("=> \"/").skip(1).filter_map(|rest| Some(format!("/{}", rest.split('"').next()?))),
    );
    paths
}

fn unsaid_paths(page: &str) -> Vec<String> {
    let spans = spans(page);
    // Parameters may be spelled with a value on the page.
    let path = |span: &str| span.split('?').next().unwrap_or_default().to_string();
    let is_said = |wanted: &String| {
        let wanted = path(wanted);
        let method = wanted.starts_with(|char: char| char.is_ascii_uppercase());
        spans.iter().any(|span| match method {
            true => path(span) == wanted || path(span) == wanted.replace("GET ", ""),
            false => path(span).trim_start_matches("GET ").starts_with(&wanted),
        })
    };
    paths().into_iter().filter(|wanted| !is_said(wanted)).collect()
}

/// The calls over REST in a page's tables at whose path, or under whose method, the core has nothing.
fn invented_paths(page: &str) -> Vec<String> {
    let calls = page.lines().filter(|line| line.starts_with("| `")).flat_map(|row| spans(cells(row)[0]));
    let calls = calls.filter(|call| {
        call.split_once(" /").is_some_and(|(method, _)| ["GET", "PUT", "POST", "DELETE"].contains(&method))
    });
    calls.filter(|call| is_nowhere(call)).collect()
}

fn is_nowhere(call: &str) -> bool {
    let Some((method, target)) = call.split_once(' ') else { return true };
    let target = target.replace("{kind}", "chat").replace("{seq}", "1").replace("=K", "=chat");
    let target =
        target.replace("limit=", "limit=1").replace("before=", "before=1").replace("after=&", "after=1&");
    let target = target.replace("room=&after=1", "room=").replace("{", "").replace("}", "");
    let headers = vec![("host".to_string(), "a".to_string())];
    let head = RequestHead { method: method.into(), target, headers, keep_alive: true };
    let request = RequestId { slot: 0, generation: 0 };
    let mut server = Server::new(Settings::default(), [7; 32]);
    let mut actions = Vec::new();
    let asked = Input::Requested { request, peer: [192, 0, 2, 1].into(), head, body: Bytes::new() };
    server.handle(Timestamp(1_800_000_000_000_000), asked, &mut actions);
    actions.iter().any(|action| match action {
        Action::Respond { response, .. } => matches!(response.status, 400 | 404 | 405),
        _ => false,
    })
}

/// Words in capitals on a page that are no setting, no code and nothing that the core says.
fn invented_settings(page: &str) -> Vec<String> {
    let settings = words(&text("docs/configuration.md"));
    let known = sources("protocol/src").concat();
    let is_capital = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let capitals = words(page).into_iter().filter(|word| word.contains('_') && is_capital(word));
    let is_known = |word: &String| settings.contains(word) || known.contains(&format!("\"{word}\""));
    // Those of the client libraries, of Linux, and of who renews certificates.
    let others = ["CONNECTION_LOST", "CAP_NET_BIND_SERVICE", "RENEWED_LINEAGE"];
    capitals.filter(|word| !is_known(word) && !others.contains(&word.as_str())).collect()
}

/// The metrics and the actions of log lines that a page does not explain.
fn unsaid_to_operators(page: &str) -> Vec<String> {
    let core = sources("protocol/src").concat();
    let all = core.clone() + &sources("host/src").concat();
    let is_metric = |name: &&str| {
        let bare = name.strip_prefix("parlor_").or_else(|| name.strip_prefix("process_"));
        bare.is_some_and(|bare| bare.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let metrics = core.split(['"', ' ', '{']).filter(is_metric);
    let records =
        all.split("Record::new(").skip(1).filter_map(|rest| rest.split_once(", \"")?.1.split('"').next());
    // These two are handed on by name.
    let actions =
        records.filter(|name| name.contains('.') && name.len() < 32).chain(["room.join", "room.leave"]);
    let names: BTreeSet<&str> = metrics.chain(actions).collect();
    assert!(names.len() > 40, "only {names:?}");
    let spans = spans(page);
    let is_said = |name: &str| spans.iter().any(|span| span.split(['{', ' ', '=']).next() == Some(name));
    names.into_iter().filter(|name| !is_said(name)).map(str::to_string).collect()
}

/// What a page names as `file::test` or `file::law` and is not there.
fn absent_tests(page: &str) -> Vec<String> {
    let named = spans(page).into_iter().filter(|span| span.contains("::") && span.contains('/'));
    let is_absent = |named: &String| {
        let Some((path, what)) = named.split_once("::") else { return true };
        let Ok(source) = fs::read_to_string(root().join(path)) else { return true };
        let held =
            [format!("fn {what}("), format!("| {what} |"), format!("('{what}'"), format!("(\"{what}\"")];
        let made_by_macro = path.starts_with("store/") && source.contains(&format!("    {what}"));
        !held.iter().any(|held| source.contains(held)) && !made_by_macro
    };
    named.filter(is_absent).collect()
}

/// Links of a page to files or headings that are not there.
fn broken_links(path: &str, page: &str) -> Vec<String> {
    let folder = root().join(path).parent().map(Path::to_path_buf).unwrap_or_default();
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_broken = |target: &&str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() { root().join(path) } else { folder.join(file) };
        let has = |page: &str| page.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
        !file.exists() || !heading.is_empty() && !fs::read_to_string(&file).is_ok_and(|page| has(&page))
    };
    let own = targets.filter(|target| !target.contains("://"));
    own.filter(is_broken).map(str::to_string).collect()
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|char| char.is_alphanumeric() || "-_".contains(*char)).collect()
}

#[test]
fn every_call_and_every_event_is_on_the_page_and_no_other() {
    let page = text(WIRE);
    assert_eq!(unsaid_names(&page), [""; 0], "{WIRE} lacks these");
    assert_eq!(invented_names(&page), [""; 0], "{WIRE} has what the core has not");
    let lacking = page.replace("chat:typing:stop", "").replace("comment-resolved", "");
    assert_eq!(unsaid_names(&lacking), ["chat:typing:stop", "comment-resolved"]);
    let more = "| C→S | data |\n| --- | --- |\n| `chat:room:paint` | |\n| `draft:open`, `dance` | |\n";
    assert_eq!(invented_names(more), ["chat:room:paint", "dance"]);
}

#[test]
fn every_error_and_every_close_is_on_the_page_as_it_is() {
    let page = text(WIRE);
    assert_eq!(wrong_codes(&page), [""; 0]);
    assert_eq!(wrong_closes(&page), [""; 0]);
    let wrong = page.replace("| `CONFLICT` | 409 | yes |", "| `CONFLICT` | 408 | yes |");
    assert_eq!(wrong_codes(&wrong), ["`CONFLICT` 409 yes", "`CONFLICT` 408 yes"]);
    let wrong = page.replace("| 4002 |", "| 4003 |").replace("`too slow`", "`slow`");
    assert_eq!(wrong_closes(&wrong), ["4002", "4003", "too slow"]);
}

#[test]
fn every_path_is_on_the_page_and_no_other() {
    let page = text(WIRE);
    assert_eq!(unsaid_paths(&page), [""; 0], "{WIRE} lacks these");
    assert_eq!(invented_paths(&page), [""; 0], "there is nothing at these");
    let lacking = page.replace("POST /api/admin/disconnect", "").replace("`/hocuspocus`", "");
    assert_eq!(unsaid_paths(&lacking), ["/hocuspocus", "POST /api/admin/disconnect"]);
    let more = "| `POST /api/documents` | |\n| `GET /api/nowhere` | |\n| `GET /health` | |\n";
    assert_eq!(invented_paths(more), ["POST /api/documents", "GET /api/nowhere"]);
}

#[test]
fn every_setting_that_is_named_is_one() {
    for path in WITH_SETTINGS {
        assert_eq!(invented_settings(&text(path)), [""; 0], "{path} names what is no setting");
    }
    assert_eq!(
        invented_settings("`HEARTBEAT_INTERVAL`, `NOT_FOUND`, `HEARTBEET_INTERVAL=1`"),
        ["HEARTBEET_INTERVAL"]
    );
}

#[test]
fn every_metric_and_every_line_of_the_log_is_explained() {
    let page = text("docs/operations.md");
    assert_eq!(unsaid_to_operators(&page), [""; 0]);
    let lacking =
        page.replace("`yjs.update`", "").replace("`parlor_draining`", "").replace("`parlor_draining", "`");
    assert_eq!(unsaid_to_operators(&lacking), ["parlor_draining", "yjs.update"]);
}

#[test]
fn every_test_that_is_named_is_there() {
    for path in WITH_TESTS {
        let page = text(path);
        assert_eq!(absent_tests(&page), [""; 0], "{path} names tests that are not there");
        assert!(
            spans(&page).iter().filter(|span| span.contains("::")).count() > 10,
            "{path} names hardly any"
        );
    }
    let here = "tests/suite/pages.rs::every_test_that_is_named_is_there";
    let law = "tests/suite/laws/chat.rs::a call is answered once";
    let (gone, nowhere) = ("tests/suite/pages.rs::none", "tests/suite/nowhere.rs::none");
    let page = format!("`{here}` `{law}` `{gone}` `{nowhere}`");
    assert_eq!(absent_tests(&page), [gone, nowhere]);
}

#[test]
fn every_link_leads_somewhere() {
    for path in WITH_LINKS {
        assert_eq!(broken_links(path, &text(path)), [""; 0], "{path} has links that lead nowhere");
    }
    let page = "[a](wire.md#close-codes) [b](wire.md#none) [c](none.md) [d](https://parlor.example/none)";
    assert_eq!(broken_links(WIRE, page), ["wire.md#none", "none.md"]);
}
