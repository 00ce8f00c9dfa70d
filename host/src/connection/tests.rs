use super::*;
use crate::engine::{Answer, Asset, Calls, Commit, Fatal, Outside, Stores, Tell};
use crate::keyring::Keyring;
use crate::trial;
use parlor_protocol::auth::Keys;
use parlor_protocol::call::Call;
use parlor_protocol::ids::Ticket;
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(20);
static LARGE: [u8; 10 << 20] = [7; 10 << 20];

/// Answers reads when it is allowed to, and keeps nothing.
struct Gate {
    asked: Sender<()>,
    go: Receiver<()>,
}

impl Answer for Gate {
    fn answer(&mut self, _request: &StoreRequest) -> StoreReply {
        // Nobody listens any more when the test is over.
        self.asked.send(()).unwrap_or_default();
        self.go.recv().unwrap_or_default();
        StoreReply::Found(Vec::new())
    }
}

struct Nothing;

impl Commit for Nothing {
    fn commit(
        &mut self,
        _now: Timestamp,
        _batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal> {
        Ok(Vec::new())
    }

    fn close(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

impl Calls for Nothing {
    fn start(&self, _call: Call, _tell: Tell) {}
    fn cancel(&self, _ticket: Ticket) {}
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a server that starts looks for: overdue replies of documents and of the robot, and forsaken files.
const LOOKS_AT_START: usize = 3;

/// A connection that the test drives by hand.
struct Bench {
    connection: Connection,
    client: TcpStream,
    asked: Receiver<()>,
    go: Sender<()>,
}

fn bench() -> Bench {
    let ((tell, asked), (go, gone)) = (channel(), channel());
    let stores =
        Stores { writer: Box::new(Nothing), readers: vec![Box::new(Gate { asked: tell, go: gone })] };
    let keys = Keys { secret: Some(SECRET.to_vec()), ..Keys::default() };
    let outside = Outside {
        now: Box::new(|| Timestamp(1_763_654_400_000_000)),
        log: Box::new(|_| {}),
        calls: Box::new(Nothing),
        keys: Keyring::new(keys, Duration::from_secs(60)),
        jwks: None,
        document_job_max: Duration::from_secs(10),
        memory_max: 0,
        recorder: None,
        asset: |_| -> Option<Asset> { Some(("application/octet-stream", &LARGE)) },
    };
    let engine = Engine::start(Server::new(Settings::default(), [0; 32]), outside, stores).unwrap();
    for _ in 0..LOOKS_AT_START {
        asked.recv_timeout(PATIENCE).expect("a server that starts looks for what the one before it left");
        go.send(()).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let connection = Connection::new(engine, Transport::Plain(stream), peer.ip());
    connection.line().listen(&Waker::from(Arc::new(Unpark(thread::current()))));
    Bench { connection, client, asked, go }
}

impl Bench {
    /// Steps with what there is to read until this is what is waited for.
    fn step_until(&mut self, wanted: impl Fn(&Connection, Wait) -> bool) -> Wait {
        let until = Instant::now() + PATIENCE;
        let mut ready = Ready::default();
        loop {
            let step = self.connection.step(ready);
            self.connection.engine().flush_dirty();
            match step {
                Step::Wait(wait) if wanted(&self.connection, wait) => return wait,
                Step::Wait(wait) => {
                    ready = Ready { readable: wait.readable, writable: wait.writable, late: false };
                }
                Step::Open(_) | Step::Over => panic!("{:?}", self.connection),
            }
            assert!(Instant::now() < until, "it never came");
        }
    }

    /// Asks for something that waits for the store, and steps until it does.
    fn wait_for_store(&mut self, behind: &str) -> Wait {
        let claims = serde_json::json!({"sub": "ada", "exp": 1_763_654_500});
        let token = trial::token(SECRET, &claims);
        let request = format!("GET /api/templates?token={token} HTTP/1.1\r\nHost: a\r\n\r\n{behind}");
        self.client.write_all(request.as_bytes()).unwrap();
        let wait = self.step_until(|connection, _| matches!(connection.stage, Stage::Undecided { .. }));
        self.asked.recv_timeout(PATIENCE).expect("the store is asked");
        wait
    }

    fn response(&mut self) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.client.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.client.read_exact(&mut body).unwrap();
        (head, body)
    }
}

fn is_idle(connection: &Connection, _: Wait) -> bool {
    matches!(connection.stage, Stage::Reading { stage: Reading::Idle, .. })
}

#[test]
fn a_request_waits_for_its_answer_without_end_and_the_next_ones_are_served_behind_it() {
    for behind in ["", HEALTH] {
        let mut bench = bench();
        let wait = bench.wait_for_store(behind);
        assert_eq!((wait.readable, wait.until), (true, None), "only its end is looked for");
        // Whatever else wakes it: it waits on.
        let late = Ready { late: true, ..Ready::default() };
        assert!(matches!(bench.connection.step(late), Step::Wait(Wait { until: None, .. })));
        bench.go.send(()).unwrap();
        bench.step_until(is_idle);
        assert!(bench.response().0.starts_with("HTTP/1.1 200 OK\r\n"));
        if behind.is_empty() {
            bench.client.write_all(HEALTH.as_bytes()).unwrap();
        }
        let mut client = bench.client.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut status = [0; 15];
            client.read_exact(&mut status).unwrap();
            status
        });
        bench.step_until(|_, _| reader.is_finished());
        assert_eq!(&reader.join().unwrap(), b"HTTP/1.1 200 OK");
    }
}

#[test]
fn a_client_that_hangs_up_while_its_request_waits_ends_the_connection() {
    let mut bench = bench();
    bench.wait_for_store("");
    let engine = bench.connection.engine().clone();
    assert_eq!(engine.lines_open().count(), 1);
    bench.client.shutdown(std::net::Shutdown::Both).unwrap();
    let until = Instant::now() + PATIENCE;
    while !matches!(bench.connection.step(Ready { readable: true, ..Ready::default() }), Step::Over) {
        assert!(Instant::now() < until, "it never ends");
    }
    drop(bench.connection);
    assert_eq!(engine.lines_open().count(), 0);
    // The answer finds nobody, and nothing happens.
    bench.go.send(()).unwrap();
}

#[test]
fn a_large_response_to_a_client_that_does_not_read_waits_10_s_at_a_time_and_then_ends() {
    let mut bench = bench();
    bench.client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let begun = Instant::now();
    let wait = bench
        .step_until(|connection, wait| matches!(connection.stage, Stage::Answering { .. }) && wait.writable);
    assert_eq!(bench.connection.line().ending(), None, "10 MiB are no overflow");
    assert!(wait.until.unwrap() <= Instant::now() + WRITE_LOOK, "it is tried from time to time");
    let first = answered_until(&mut bench.connection);
    assert!((begun + WRITE_WAIT_MAX..=Instant::now() + WRITE_WAIT_MAX).contains(&first));
    let late = Ready { late: true, ..Ready::default() };
    assert!(matches!(bench.connection.step(late), Step::Wait(_)));
    assert_eq!(answered_until(&mut bench.connection), first, "a client that takes nothing has no more time");
    // Little: the kernel would not speak of room.
    bench.client.read_exact(&mut [0; 300_000]).unwrap();
    let patience = Instant::now() + PATIENCE;
    while answered_until(&mut bench.connection) == first {
        assert!(matches!(bench.connection.step(late), Step::Wait(_)));
        assert!(Instant::now() < patience, "a client that takes something is given another 10 s");
    }
    *answered_until_mut(&mut bench.connection) = Instant::now();
    assert!(matches!(bench.connection.step(late), Step::Over));
}

fn answered_until(connection: &mut Connection) -> Instant {
    *answered_until_mut(connection)
}

fn answered_until_mut(connection: &mut Connection) -> &mut Instant {
    let Stage::Answering { until, .. } = &mut connection.stage else { panic!("it answers no more") };
    until
}

#[test]
fn a_large_response_reaches_a_client_that_reads_it_whole() {
    let mut bench = bench();
    bench.client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut client = bench.client.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; LARGE.len()];
        client.read_exact(&mut bytes).unwrap();
        bytes.len()
    });
    bench.step_until(is_idle);
    assert_eq!(reader.join().unwrap(), LARGE.len());
}

#[test]
fn what_a_body_takes_is_given_back_when_its_request_is_answered() {
    let mut bench = bench();
    let bodies = bench.connection.engine().bodies().clone();
    let head = "PUT /api/admin/nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    bench.client.write_all(head.as_bytes()).unwrap();
    bench.client.write_all(&[b' '; 99_999]).unwrap();
    bench.step_until(|_, _| bodies.held_bytes() == 100_000);
    bench.client.write_all(b" ").unwrap();
    bench.step_until(is_idle);
    assert!(bench.response().0.starts_with("HTTP/1.1 404 "));
    assert_eq!(bodies.held_bytes(), 0);
}
