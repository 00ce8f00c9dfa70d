use super::*;
use crate::engine::{Answer, Calls, Commit, Fatal, Outside, Stores};
use crate::keyring::Keyring;
use crate::transport::Transport;
use parlor_protocol::action::{CloseCause, SocketLimits};
use parlor_protocol::auth::{Keys, Shown};
use parlor_protocol::call::Call;
use parlor_protocol::docs::Docs;
use parlor_protocol::http::Listed;
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Query, StoreRequest};
use parlor_protocol::time::Timestamp;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: 64,
    fragments_max: 4,
    message_wait_max: Duration::ZERO,
    for_providers: false,
};

/// Tells what it is asked, and answers when it is allowed to.
struct Gate {
    asked: Sender<usize>,
    go: Receiver<()>,
}

impl Commit for Gate {
    fn commit(
        &mut self,
        _now: Timestamp,
        batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal> {
        // Nobody listens any more when the test is over.
        self.asked.send(batch.len()).unwrap_or_default();
        self.go.recv().unwrap_or_default();
        Ok(batch.into_iter().map(|(ticket, _)| (ticket, StoreReply::Committed(Vec::new()))).collect())
    }

    fn close(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

impl Answer for Gate {
    fn answer(&mut self, _request: &StoreRequest) -> StoreReply {
        self.asked.send(1).unwrap_or_default();
        StoreReply::Found(Vec::new())
    }
}

struct NoCalls;

impl Calls for NoCalls {
    fn start(&self, _call: Call, _tell: Tell) {}
    fn cancel(&self, _ticket: Ticket) {}
}

struct Bench {
    engine: Arc<Engine>,
    commits: Receiver<usize>,
    reads: Receiver<usize>,
    go: Sender<()>,
}

fn bench() -> Bench {
    let ((commits, reads), (go, unused)) = ((channel(), channel()), (channel(), channel()));
    let stores = Stores {
        writer: Box::new(Gate { asked: commits.0, go: go.1 }),
        readers: vec![Box::new(Gate { asked: reads.0, go: unused.1 })],
    };
    let outside = Outside {
        now: Box::new(|| Timestamp(1)),
        log: Box::new(|_| {}),
        calls: Box::new(NoCalls),
        keys: Keyring::new(Keys::default(), Duration::from_secs(60)),
        jwks: None,
        document_job_max: Duration::from_secs(10),
        memory_max: 0,
        recorder: None,
        asset: |name| (name == "app.js").then_some(("text/javascript", b"run()")),
    };
    let engine = Engine::start(Server::new(Settings::default(), [0; 32]), outside, stores).unwrap();
    assert_eq!(reads.1.recv(), Ok(1), "a server that starts looks for overdue replies");
    Bench { engine, commits: commits.1, reads: reads.1, go: go.0 }
}

impl Bench {
    fn perform(&self, actions: Vec<Action>) -> After {
        let mut after = After::default();
        let mut core = crate::lock::locked(&self.engine.core);
        core.actions = actions;
        core.perform(&self.engine, &mut after);
        let Core { dirty, .. } = &mut *core;
        self.engine.dirty.append(dirty);
        after
    }

    fn request(&self, without_body: bool) -> (RequestId, Arc<Line>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let line = Arc::new(Line::new(Transport::Plain(stream), peer.ip()));
        let accept = Some("accepted=".to_string());
        let pending = Pending { line: line.clone(), accept, keep_alive: true, without_body };
        (crate::lock::locked(&self.engine.core).requests.insert(pending), line, client)
    }

    fn written(&self, line: &Line, mut client: TcpStream) -> Vec<u8> {
        self.engine.flush_dirty();
        line.shut();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

fn socket(slot: u32, generation: u32) -> SocketId {
    SocketId { slot, generation }
}

fn upgrade(request: RequestId, socket: SocketId) -> Action {
    Action::Upgrade { request, socket, subprotocol: Some("bearer".into()), limits: LIMITS }
}

fn send(to: Recipients, text: &str) -> Action {
    Action::Send { to, frame: Frame::text(text), class: Class::Kept }
}

#[test]
fn frames_of_the_same_batch_follow_the_upgrade_and_a_close_frame_follows_them() {
    let bench = bench();
    let (request, line, client) = bench.request(false);
    bench.perform(vec![
        upgrade(request, socket(2, 5)),
        send(Recipients::One(socket(2, 5)), "first"),
        Action::Close { socket: socket(2, 5), cause: CloseCause::Finished },
        send(Recipients::One(socket(2, 5)), "too late"),
    ]);
    let upgraded = Decision::Upgraded { socket: socket(2, 5), limits: LIMITS };
    assert_eq!((line.take_decision(), line.take_decision()), (Some(upgraded), None));
    assert_eq!(line.ending(), Some(Ending::ByServer));
    let head = switching_head("accepted=", Some("bearer"));
    let expected = [head.as_bytes(), b"\x81\x05first", b"\x88\x0a\x03\xe8finished"].concat();
    assert_eq!(bench.written(&line, client), expected);
}

#[test]
fn a_frame_for_many_leaves_one_out_and_a_late_name_finds_nobody() {
    let bench = bench();
    let lines: Vec<_> = (0..3).map(|_| bench.request(false)).collect();
    let upgrades = lines.iter().zip(0..).map(|((request, ..), slot)| upgrade(*request, socket(slot, 1)));
    bench.perform(upgrades.collect());
    bench.engine.flush_dirty();
    let sockets: Arc<[SocketId]> = [socket(0, 1), socket(1, 1), socket(2, 0), socket(9, 1)].into();
    bench.perform(vec![send(Recipients::Many { sockets, except: Some(socket(0, 1)) }, "x")]);
    let dirty = bench.engine.dirty.take();
    assert_eq!(dirty.len(), 1);
    assert!(Arc::ptr_eq(&dirty[0], &lines[1].1));
}

#[test]
fn an_upgrade_of_a_request_that_is_gone_ends_in_a_disconnection() {
    let bench = bench();
    let (request, line, _client) = bench.request(false);
    bench.engine.forget_request(request, &line);
    let mut after = bench.perform(vec![upgrade(request, socket(0, 0))]);
    let lost = Input::Disconnected { socket: socket(0, 0), why: Ending::Lost };
    assert_eq!(after.next_input(&bench.engine), Some(lost));
    assert_eq!(after.next_input(&bench.engine), None);
}

#[test]
fn a_response_carries_its_body_unless_only_the_head_was_asked_for() {
    let bench = bench();
    for (without_body, name, status, end) in [
        (
            false,
            "app.js",
            "200 OK",
            "content-length: 5\r\nconnection: keep-alive\r\nx-content-type-options: nosniff\r\n\r\nrun()",
        ),
        (
            true,
            "app.js",
            "200 OK",
            "content-length: 5\r\nconnection: keep-alive\r\nx-content-type-options: nosniff\r\n\r\n",
        ),
        (
            false,
            "none.js",
            "404 Not Found",
            "\r\n\r\n{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no such file\",\"recoverable\":false}}",
        ),
    ] {
        let (request, line, client) = bench.request(without_body);
        let mut response = Response::empty(200);
        response.body = Body::Asset(name.into());
        bench.perform(vec![Action::Respond { request, response }]);
        assert_eq!(line.take_decision(), Some(Decision::Responded { keep_alive: true }));
        let written = String::from_utf8(bench.written(&line, client)).unwrap();
        assert!(written.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{written}");
        assert!(written.ends_with(end), "{written}");
    }
}

#[test]
fn a_large_body_follows_its_head_as_it_is() {
    let bench = bench();
    for (without_body, length) in [(false, LARGE_BODY_BYTES_MIN), (true, 0)] {
        let (request, line, client) = bench.request(without_body);
        let response = Response::new(200, "text/plain", vec![b'.'; LARGE_BODY_BYTES_MIN]);
        bench.perform(vec![Action::Respond { request, response }]);
        let written = bench.written(&line, client);
        let end = written.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(written.len() - end, length);
    }
}

#[test]
fn what_queues_up_behind_a_commit_goes_into_the_next_one_together_and_reads_do_not_wait() {
    let bench = bench();
    let commit = |slot| Action::Store {
        ticket: Ticket { slot, generation: 0 },
        request: StoreRequest::Commit { appends: Vec::new(), rows: Vec::new() },
    };
    bench.perform(vec![commit(0)]);
    assert_eq!(bench.commits.recv(), Ok(1));
    bench.perform((1..=500).map(commit).collect());
    let read = StoreRequest::Look(Query::Templates(None));
    bench.perform(vec![Action::Store { ticket: Ticket { slot: 501, generation: 0 }, request: read }]);
    assert_eq!(bench.reads.recv(), Ok(1));
    bench.go.send(()).unwrap();
    assert_eq!(bench.commits.recv(), Ok(500));
    bench.go.send(()).unwrap();
}

#[test]
fn what_does_not_fit_into_the_stores_queue_is_unavailable_at_once() {
    let bench = bench();
    let commit = |slot| Action::Store {
        ticket: Ticket { slot, generation: 0 },
        request: StoreRequest::Commit { appends: Vec::new(), rows: Vec::new() },
    };
    bench.perform(vec![commit(0)]);
    assert_eq!(bench.commits.recv(), Ok(1));
    let mut after = bench.perform((1..=65_537).map(commit).collect());
    let refused = Input::Stored(vec![(Ticket { slot: 65_537, generation: 0 }, StoreReply::Unavailable)]);
    assert_eq!(after.next_input(&bench.engine), Some(refused));
    assert_eq!(after.next_input(&bench.engine), None);
}

#[test]
fn a_cheap_job_is_the_next_fact_of_the_same_thread() {
    let bench = bench();
    let ticket = Ticket { slot: 7, generation: 0 };
    let job = Job::VerifyService { shown: Shown::Key("wrong".into()) };
    let mut after = bench.perform(vec![Action::Work { ticket, job: job.clone() }]);
    let outcome = job.run(&Keys::default(), Timestamp(1), &mut Docs::default());
    assert_eq!(after.next_input(&bench.engine), Some(Input::Worked { ticket, outcome }));
}

#[test]
fn what_only_the_process_knows_is_added_once_the_lock_is_free() {
    let bench = bench();
    let (upgrading, slow, _slow) = bench.request(false);
    bench.perform(vec![
        upgrade(upgrading, socket(0, 0)),
        send(Recipients::One(socket(0, 0)), "a frame that waits to be written"),
    ]);
    let queued = slow.queued_bytes();
    assert!(queued > 32, "{queued}");
    let row = |socket| (serde_json::json!({"connectionId": "c0.0", "queuedBytes": 0}), Some(socket));
    let rows = vec![row(socket(0, 0)), row(socket(0, 9))];
    let body = Body::Connections(Box::new(Listed { rows, next: Some("c0.9".into()) }));
    let (request, line, client) = bench.request(false);
    let mut after =
        bench.perform(vec![Action::Respond { request, response: Response { body, ..Response::empty(200) } }]);
    assert_eq!(line.take_decision(), None);
    assert_eq!(bench.engine.outbox_bytes(), queued);
    after.tell_others(&bench.engine);
    assert_eq!(line.take_decision(), Some(Decision::Responded { keep_alive: true }));
    let written = String::from_utf8(bench.written(&line, client)).unwrap();
    let row = |queued| format!("{{\"connectionId\":\"c0.0\",\"queuedBytes\":{queued}}}");
    let page = format!("\r\n\r\n{{\"connections\":[{},{}],\"next\":\"c0.9\"}}", row(queued), row(0));
    assert!(written.starts_with("HTTP/1.1 200 ") && written.ends_with(&page), "{written}");
}

#[test]
fn commits_are_timed_from_when_they_are_queued() {
    let bench = bench();
    let commit = |slot| Action::Store {
        ticket: Ticket { slot, generation: 0 },
        request: StoreRequest::Commit { appends: Vec::new(), rows: Vec::new() },
    };
    bench.perform(vec![commit(0)]);
    assert_eq!(bench.commits.recv(), Ok(1));
    bench.perform((1..=3).map(commit).collect());
    assert_eq!((bench.engine.store.waiting().0, bench.engine.store.appends().count()), (3, 0));
    std::thread::sleep(Duration::from_millis(20));
    bench.go.send(()).unwrap();
    assert_eq!(bench.commits.recv(), Ok(3));
    let spread = bench.engine.store.appends();
    assert_eq!((bench.engine.store.waiting().0, spread.count()), (0, 1));
    assert!(spread.total >= Duration::from_millis(20), "{spread:?}");
    bench.go.send(()).unwrap();
}
