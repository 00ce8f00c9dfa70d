//! Servers whose public keys come from somewhere else (WIRE §0.2): what they do while that answers, answers late, answers
//! nonsense, or does not; and when the keys change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_host::jwks::Jwks;
use parlor_protocol::y_sync::hocuspocus::{self, Said, Token};
use parlor_tests::ai_stand_in::{AiStandIn, Play};
use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::signing::{Signer, key_set};
use parlor_tests::wire::{BINARY, CLOSE, FIN, TEXT, Wire, frame};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long a server waits at least between two fetches: long enough for what is to happen within, on a busy machine.
const INTERVAL: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

fn token(signer: Signer, kid: &str, lasts: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    signer.token(kid, &json!({"sub": "ada", "firmId": "acme", "aud": "us", "exp": now + lasts}))
}

fn a() -> String {
    token(Signer::Rsa, "a", 3_600)
}

fn b() -> String {
    token(Signer::P256, "b", 3_600)
}

fn set_of_a() -> Play {
    Play::Reply(key_set([Signer::Rsa.jwk("a")]))
}

fn set_of_b() -> Play {
    Play::Reply(key_set([Signer::P256.jwk("b")]))
}

struct Served {
    process: Process,
    keys: AiStandIn,
    folder: Folder,
}

impl Served {
    /// A server whose first fetch is answered so.
    fn start(binary: &str, first: Play) -> Self {
        let (keys, folder) = (AiStandIn::start([first]).unwrap(), Folder::new());
        let url = format!("{}/jwks?tenant=x", keys.url());
        let interval = INTERVAL.as_millis().to_string();
        let flags = ["--jwt-jwks-url", &url, "--jwt-jwks-interval", &interval, "--jwt-audience", "us"];
        let process = Process::start(binary, &folder, &[&flags[..], &["--create-on-open", "true"]].concat());
        let served = Self { process, keys, folder };
        served.keys.wait_for(1, PATIENCE);
        served
    }

    fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// The status for a user with this token, what `Retry-After` says, and the error's code.
    fn ask(&self, token: &str) -> (u16, Option<u64>, Value) {
        let head =
            format!("GET /api/rooms?kind=chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.request(&head)
    }

    fn request(&self, head: &str) -> (u16, Option<u64>, Value) {
        let mut wire = Wire::connect(self.address());
        wire.write(head.as_bytes()).unwrap();
        let (head, body) = wire.read_response();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let retry_after = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, retry_after.map(|wait| wait.parse().unwrap()), body["error"]["code"].clone())
    }

    fn status(&self, token: &str) -> u16 {
        self.ask(token).0
    }

    /// What `/health` says of the keys.
    fn health(&self) -> Value {
        let mut wire = Wire::connect(self.address());
        wire.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        serde_json::from_slice::<Value>(&wire.read_response().1).unwrap()["checks"]["auth"].clone()
    }

    /// Asks until the answer is this one.
    fn until(&self, token: &str, status: u16) {
        let until = Instant::now() + PATIENCE;
        while self.status(token) != status {
            assert!(Instant::now() < until, "never {status}: {:?}", self.ask(token));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The end: neither tokens nor addresses are in the log.
    fn done(self) {
        let log = self.folder.log();
        for secret in
            [a(), b()].iter().flat_map(|token| token.split('.').take(1)).chain(["tenant=x", "/jwks"])
        {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        assert!(log.contains("auth.keys"), "{log}");
    }
}

fn not_now(answer: &(u16, Option<u64>, Value)) {
    let (status, retry_after, code) = answer;
    assert_eq!((*status, code), (503, &json!("OVERLOADED")), "{answer:?}");
    assert!(retry_after.is_some_and(|wait| (1..=INTERVAL.as_secs()).contains(&wait)), "{answer:?}");
}

fn on_both(story: fn(&str)) {
    BINARIES.iter().for_each(|binary| story(binary));
}

#[test]
fn keys_that_rotate_are_followed_at_most_once_in_an_interval() {
    on_both(|binary| {
        let served = Served::start(binary, set_of_a());
        assert_eq!(served.status(&a()), 200);
        served.keys.then([set_of_b()]);
        assert_eq!(served.status(&b()), 200, "the first fetch that a token asks for waits for nothing");
        let fetched = Instant::now();
        for _ in 0..20 {
            not_now(&served.ask(&a()));
        }
        assert_eq!(served.status(&b()), 200, "held keys are good meanwhile");
        assert!(fetched.elapsed() < INTERVAL, "a machine too busy for this test");
        assert_eq!(served.keys.asked().len(), 2);
        thread::sleep(INTERVAL.saturating_sub(fetched.elapsed()));
        served.keys.then([set_of_b()]);
        served.until(&a(), 401);
        assert_eq!(served.ask(&token(Signer::OtherP256, "b", 3_600)).2, json!("AUTH_FAILED"));
        let asked = served.keys.asked();
        assert_eq!((asked.len(), asked[0].line.as_str()), (3, "GET /jwks?tenant=x"));
        assert!(asked.iter().all(|asked| !asked.headers.contains_key("authorization")));
        served.done();
    });
}

#[test]
fn while_keys_cannot_be_fetched_nobody_is_told_that_a_token_is_bad() {
    on_both(|binary| {
        let served = Served::start(binary, Play::Status(503, None));
        let down = Instant::now() + PATIENCE;
        while served.health() != "down" {
            assert!(Instant::now() < down);
        }
        not_now(&served.ask(&b()));
        let upgrade = |target: &str| {
            format!(
                "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Protocol: bearer, {}\r\n\r\n",
                b()
            )
        };
        not_now(&served.request(&upgrade("/chat")));
        for target in ["/ws?draftId=d", "/yjs/d", "/chat?refuse=close"] {
            let mut wire = Wire::connect(served.address());
            wire.write(upgrade(target).as_bytes()).unwrap();
            let head = wire.read_head();
            assert!(head.contains(" 101 ") && head.contains("sec-websocket-protocol: bearer\r\n"), "{head}");
            let (first, payload) = wire.read_frame().unwrap();
            assert_eq!((first & 0x0f, &payload[..2]), (CLOSE, &1013u16.to_be_bytes()[..]), "{target}");
        }
        let mut wire = Wire::open(served.address(), "/socket.io/?EIO=4&transport=websocket");
        wire.read_frame().unwrap();
        wire.write(&frame(FIN | TEXT, format!("40{{\"token\":\"{}\"}}", b()).as_bytes())).unwrap();
        let (_, refused) = wire.read_frame().unwrap();
        let refused: Value = serde_json::from_slice(refused.strip_prefix(b"44").unwrap()).unwrap();
        assert_eq!(
            (&refused["data"]["code"], &refused["data"]["recoverable"]),
            (&json!("SERVER_ERROR"), &json!(true))
        );
        let mut wire = Wire::open(served.address(), "/hocuspocus");
        let said = Said::Auth { token: Token(b()), version: None };
        wire.write(&frame(FIN | BINARY, &hocuspocus::Frame::Said { document: "d".into(), said }.write()))
            .unwrap();
        let (first, payload) = wire.read_frame().unwrap();
        assert_eq!((first & 0x0f, &payload[..2]), (CLOSE, &1013u16.to_be_bytes()[..]));
        // Nothing is held against a token that no key could verify: it is bad whatever is fetched.
        assert_eq!(served.status(&Signer::P256.sign(r#"{"alg":"none","kid":"b"}"#, "{}")), 401);
        assert_eq!(served.status("nonsense"), 401);
        served.keys.then([set_of_b()].into_iter().cycle().take(3));
        served.until(&b(), 200);
        assert_eq!(served.health(), "ok");
        served.done();
    });
}

#[test]
fn a_slow_answer_is_waited_for_by_those_alone_who_need_it() {
    on_both(|binary| {
        let served = Served::start(binary, set_of_a());
        served.until(&a(), 200);
        let (slow, a, b) = (Duration::from_secs(3), a(), b());
        served.keys.then([Play::Slowly(slow, Box::new(set_of_b()))]);
        let begun = Instant::now();
        thread::scope(|scope| {
            let waiting: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (served.status(&b), begun.elapsed()))).collect();
            served.keys.wait_for(2, PATIENCE);
            let held = (0..5).filter(|_| served.status(&a) == 200).count();
            assert!(begun.elapsed() < slow, "others waited: {:?}", begun.elapsed());
            assert_eq!(held, 5);
            for asked in waiting {
                let (status, after) = asked.join().unwrap();
                assert!(status == 200 && after >= slow, "{status} after {after:?}");
            }
        });
        assert_eq!(served.keys.asked().len(), 2, "one fetch for all");
        served.done();
    });
}

#[test]
fn an_answer_that_is_no_set_leaves_the_held_keys_as_they_are() {
    on_both(|binary| {
        let served = Served::start(binary, set_of_a());
        served.until(&a(), 200);
        served.keys.then([Play::NotJson]);
        not_now(&served.ask(&b()));
        assert_eq!((served.status(&a()), served.health()), (200, json!("down")));
        assert!(served.folder.log().contains("no key set"), "{}", served.folder.log());
        // A set that gives its keys to another algorithm, or lists the old one as a secret, gives nothing, and takes
        // nothing away; no more than one without keys.
        let mut lie = Signer::Rsa.jwk("a");
        lie["alg"] = json!("HS256");
        let secret = json!({"kty": "oct", "kid": "b", "k": "c2VjcmV0", "alg": "HS256"});
        for set in [key_set([lie, secret]), key_set([])] {
            thread::sleep(INTERVAL);
            served.keys.then([Play::Reply(set)]);
            not_now(&served.ask(&b()));
            assert_eq!((served.status(&a()), served.health()), (200, json!("down")));
        }
        assert_eq!(
            served.folder.log().matches("the key set holds no key").count(),
            2,
            "{}",
            served.folder.log()
        );
        served.keys.then([set_of_b()]);
        served.until(&b(), 200);
        served.done();
    });
}

#[test]
fn a_connection_outlives_its_key_and_renews_its_token_when_that_can_be_verified() {
    on_both(|binary| {
        let served = Served::start(binary, set_of_a());
        served.until(&a(), 200);
        let short = token(Signer::Rsa, "a", 45);
        let mut wire = Wire::open(served.address(), &format!("/chat?token={short}"));
        let mut hear = |say: Option<String>| {
            if let Some(token) = say {
                let refresh = json!({"event": "auth:refresh", "data": {"token": token}, "requestId": "r"});
                wire.write(&frame(FIN | TEXT, refresh.to_string().as_bytes())).unwrap();
            }
            serde_json::from_slice::<Value>(&wire.read_frame().unwrap().1).unwrap()
        };
        assert_eq!(hear(None)["event"], "auth:expiring");
        served.keys.then([Play::Close]);
        let refused = hear(Some(b()));
        let error = refused.to_string();
        assert!(error.contains("SERVER_ERROR") && error.contains(r#""recoverable":true"#), "{error}");
        assert!(!error.contains("AUTH_FAILED"), "{error}");
        served.keys.then([set_of_b()]);
        served.until(&b(), 200);
        assert_eq!(hear(Some(b()))["event"], "auth:refreshed");
        assert!(hear(Some(token(Signer::OtherP256, "b", 99))).to_string().contains("AUTH_FAILED"));
        served.done();
    });
}

#[test]
fn a_fetch_takes_one_answer_within_its_limits_and_says_without_the_address_why_not() {
    let fetched = |play: Play| {
        let keys = AiStandIn::start([play]).unwrap();
        let jwks =
            Jwks::new(&format!("{}/secret-path", keys.url())).with_patience(Duration::from_millis(500));
        let begun = Instant::now();
        let fetched = jwks.fetch().map(|set| set.len());
        assert!(begun.elapsed() < PATIENCE);
        assert_eq!(keys.asked().len(), 1, "nothing is tried twice or followed elsewhere");
        assert!(!format!("{fetched:?}{jwks:?}").contains("secret-path"));
        fetched
    };
    assert_eq!(fetched(set_of_a()), Ok(1));
    assert_eq!(fetched(Play::Reply(json!({"keys": []}))), Ok(0));
    assert_eq!(fetched(Play::Twice(key_set([Signer::P256.jwk("b")]), json!({"keys": []}))), Ok(1));
    for (play, why) in [
        (Play::Status(404, None), "the key set was answered with status 404"),
        (Play::Status(503, Some(1)), "the key set was answered with status 503"),
        (Play::Redirect(302), "the key set was answered with status 302"),
        (Play::Hang, "no key set within 500 ms"),
        (Play::Slowly(Duration::from_secs(2), Box::new(set_of_a())), "no key set within 500 ms"),
        (Play::Trickle(Duration::from_millis(20)), "no key set within 500 ms"),
        (Play::Large(1 << 20), "a key set of over 262144 bytes"),
        (Play::BreakOff, "the key set broke off, or took over 500 ms"),
        (Play::NotHttp, "what answers at the key set's address is not HTTP"),
    ] {
        assert_eq!(fetched(play.clone()), Err(why.to_string()), "{play:?}");
    }
    for play in [Play::NotJson, Play::Babble, Play::Reply(json!([])), Play::Reply(json!({"keys": "all"}))] {
        assert!(fetched(play.clone()).unwrap_err().starts_with("no key set: "), "{play:?}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Jwks::new(&format!("http://{nobody}/")).fetch().unwrap_err();
    assert_eq!(refused, "no connection to where the key set is");
}
