//! People on their way through a template, and the laws that are held against all they see and all that is
//! stored. What a law is and which fault it catches stands in `suite/laws/documents.rs`.

mod witness;

use super::dice::Dice;
use super::socket::Pace;
use super::{BEGINNING, Step, World};
use parlor_protocol::call::{AiReply, Call, CallFailure, Document, Role, Said};
use parlor_protocol::input::Input;
use parlor_protocol::settings::{Interviewer, Settings};
use parlor_protocol::store::{Change, Question, Row, StoreRequest, TemplateRow};
use serde_json::{Value, json};
use std::time::Duration;
use witness::Witness;

/// Who is here: two tabs of one user, and another user; and both once more on connections that speak every app.
pub const CLIENTS: [&str; 5] = ["ann", "ann", "bob", "ann", "bob"];
/// From this client on they come over `/api/connect`.
pub const GENERAL_FROM: usize = 3;
/// Who hears questions while the AI speaks them.
pub const LISTENERS: [usize; 2] = [0, 3];
/// What every question begins with when the AI speaks it.
pub const OPENING: char = '«';
/// What there is to be written; `/documents` is opened for the first.
const TEMPLATES: [&str; 2] = ["t", "u"];
/// How many questions there are.
const QUESTIONS: usize = 3;
/// How long the world runs until all has settled: longer than every wait and every takeover.
const SETTLING: Duration = Duration::from_secs(617);

/// A whole case: a template, and people.
#[derive(Debug)]
pub struct Documents {
    /// The world.
    pub world: World,
    /// Who holds the laws.
    pub witness: Witness,
    said: u64,
}

impl Documents {
    /// A template, and who asks its questions.
    pub fn new(seed: u64, interviewer: Interviewer) -> Self {
        let settings = Settings {
            interviewer,
            rate_limit_calls: 0,
            refusals_max: 0,
            // Left for so long, sessions go when a process has started.
            session_idle_max: Duration::from_secs(60),
            ..Settings::default()
        };
        let mut world = World::new(settings, seed);
        world.ai = moody;
        let question = |place: usize| Question {
            key: format!("k{place}"),
            question: format!("{place}?"),
            help: None,
            required: true,
        };
        let template = |id: &str| TemplateRow {
            id: id.into(),
            name: id.to_uppercase(),
            firm: None,
            questions: (0..QUESTIONS).map(question).collect(),
            body: "{{k0}} {{k1}}".into(),
        };
        let rows = TEMPLATES.map(|id| Change::Put(Row::Template(template(id)))).to_vec();
        world.store.answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        world.handle(Input::Started);
        Self { world, witness: Witness::default(), said: 0 }
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let client = usize::from(a) % CLIENTS.len();
        match kind % 32 {
            0..=4 if self.is_general(client) => self.open(client, b % 4 == 0, c),
            0..=4 => self.connect(client, b % 4 == 0),
            5..=6 => self.cut(client),
            7..=16 => self.answer(client, b),
            18 if client >= GENERAL_FROM => self.call(client, json!({"type": "close"})),
            17..=18 => self.call(client, json!({"type": "retry"})),
            19 => self.pace(client, b),
            20 if c < 96 => self.crash(),
            21 => {
                self.world.store.stands_still_until = self.world.now + Duration::from_millis(u64::from(c) * 8)
            }
            22 => self.wait(Duration::from_secs(u64::from(c))),
            _ => self.wait(Duration::from_millis(u64::from(c) * 4)),
        }
        self.wait(Duration::ZERO);
    }

    /// Lets everything come to rest, finishes what was begun, and holds the laws of the end.
    pub fn settle(&mut self) {
        self.world.store.fails = false;
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        sockets.iter().for_each(|socket| self.world.pace(*socket, Pace::Fast));
        self.world.ai = kind;
        self.wait(SETTLING);
        self.witness.assert_all_answered(&self.world);
        for client in [0, 2, 3, 4] {
            self.finish(client);
        }
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        for socket in sockets {
            let step = self.world.cut(socket);
            self.look(&step);
        }
        self.wait(SETTLING);
        self.witness.assert_logs(&self.world);
        // The look for overdue sessions comes every minute and may be out just now.
        if self.world.server.counts().held() > 0 {
            self.wait(Duration::from_secs(1));
        }
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
    }

    /// Whatever happened before: whoever comes back can answer what is asked until the document is there.
    fn finish(&mut self, client: usize) {
        self.witness.begins(client);
        for _ in 0..=4 * QUESTIONS {
            if self.witness.has_finished(client) {
                return;
            }
            self.connect(client, false);
            self.wait(Duration::from_secs(5));
            if self.is_general(client) && !self.witness.has_session(client) {
                self.open(client, false, 0);
                self.wait(Duration::from_secs(5));
            }
            match self.witness.is_asked(client) {
                true => self.answer(client, 0),
                false => self.call(client, json!({"type": "retry"})),
            }
            self.wait(Duration::from_secs(5));
        }
        panic!("a session can always be finished: {:?}", self.witness);
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(&step);
        }
        self.world.now = until;
    }

    fn look(&mut self, step: &Step) {
        self.witness.look(&self.world, step);
    }

    /// A client comes, even if it is here: then it is there twice.
    pub fn connect(&mut self, client: usize, fresh: bool) {
        if self.witness.socket(client).is_some() {
            return;
        }
        self.witness.comes(client, fresh && client < GENERAL_FROM);
        let target = match (fresh, LISTENERS.contains(&client)) {
            _ if client >= GENERAL_FROM => "/api/connect",
            (true, true) => "/documents?templateId=t&session=new&stream=1",
            (true, false) => "/documents?templateId=t&session=new",
            (false, true) => "/documents?templateId=t&stream=1",
            (false, false) => "/documents?templateId=t",
        };
        let step =
            self.world.request(client, "GET", target, &format!("{}:firm:employee", CLIENTS[client]), "");
        self.look(&step);
    }

    /// Whether a client is here with a connection that speaks every app.
    fn is_general(&self, client: usize) -> bool {
        client >= GENERAL_FROM && self.witness.socket(client).is_some()
    }

    fn open(&mut self, client: usize, fresh: bool, which: u8) {
        let template = TEMPLATES[usize::from(which) % TEMPLATES.len()];
        let mut call = json!({"type": "open", "templateId": template});
        if fresh {
            call["session"] = json!("new");
        }
        if LISTENERS.contains(&client) {
            call["stream"] = json!(true);
        }
        self.call(client, call);
    }

    /// A client's connection is cut off, if it is here.
    pub fn cut(&mut self, client: usize) {
        if let Some(socket) = self.witness.socket(client) {
            let step = self.world.cut(socket);
            self.look(&step);
        }
    }

    /// The process is killed, and another one starts.
    pub fn crash(&mut self) {
        let step = self.world.crash();
        self.look(&step);
    }

    /// A client answers: mostly anew, sometimes what was answered before, sometimes else under an old id.
    pub fn answer(&mut self, client: usize, how: u8) {
        self.said += 1;
        let content = format!("answer {}", self.said);
        let earlier = self.witness.earlier(client, usize::from(how));
        let call = match (how % 8, earlier) {
            (4..=5, Some(earlier)) => earlier,
            (6, Some(mut earlier)) => {
                earlier["content"] = json!(content);
                earlier
            }
            (7, _) => json!({"type": "user_response", "content": content}),
            _ => json!({"type": "user_response", "content": content, "id": format!("id-{}", self.said)}),
        };
        self.call(client, call);
    }

    fn call(&mut self, client: usize, call: Value) {
        let Some(socket) = self.witness.socket(client) else { return };
        let text = self.witness.calls(&self.world, socket, client, call);
        let step = self.world.say(socket, text);
        self.look(&step);
    }

    fn pace(&mut self, client: usize, how: u8) {
        if let Some(socket) = self.witness.socket(client) {
            self.world.pace(socket, [Pace::Fast, Pace::Slow, Pace::Stalled][usize::from(how) % 3]);
        }
    }
}

/// An AI service on a bad day: it fails, is late, answers twice, answers twice differently, and breaks off.
fn moody(dice: &mut Dice, call: &Call) -> Vec<(Duration, Said)> {
    let mut said = moody_ends(dice, call);
    if let Call::NextQuestion { spoken: true, .. } = call
        && dice.chance(80)
    {
        let end = said.first().map_or(Duration::ZERO, |(end, _)| *end);
        let deltas = dice.below(4) as u32;
        let nonce = dice.below(1_000);
        for place in 0..deltas {
            let text = if place == 0 { format!("{OPENING}{nonce}") } else { format!(" {place}") };
            said.insert(place as usize, (end / (deltas + 1) * (place + 1), Said::Delta(text)));
        }
    }
    said
}

fn moody_ends(dice: &mut Dice, call: &Call) -> Vec<(Duration, Said)> {
    let late = Duration::from_millis(dice.below(3_000));
    let failure = match dice.below(12) {
        0..=2 => {
            Some(CallFailure::Passing { retry_after: dice.chance(30).then_some(Duration::from_secs(2)) })
        }
        3 => Some(CallFailure::Refused { status: 500 }),
        4 => Some(CallFailure::BadReply("no JSON".into())),
        _ => None,
    };
    let said = |dice: &mut Dice| match failure.clone() {
        Some(failure) => Said::Failed(failure),
        None => reply(dice, call),
    };
    match dice.below(10) {
        0 => vec![(late, said(dice)), (late * 2, said(dice))],
        1 => vec![(late, said(dice)), (late, reply(dice, call))],
        // Later than anybody waits for it.
        2 => vec![(Duration::from_secs(40 + dice.below(10)), said(dice))],
        _ => vec![(late, said(dice))],
    }
}

/// An AI service on a good day.
fn kind(dice: &mut Dice, call: &Call) -> Vec<(Duration, Said)> {
    vec![(Duration::from_millis(100), reply(dice, call))]
}

fn reply(dice: &mut Dice, call: &Call) -> Said {
    let Call::NextQuestion { request, .. } = call else { panic!("{call:?}") };
    let answered = request.history.iter().filter(|turn| turn.role == Role::User).count();
    let nonce = dice.below(u64::MAX);
    Said::NextQuestion(match answered >= QUESTIONS {
        // Now and then an id that another document has.
        true => AiReply::Complete {
            document_id: format!("doc-{}", if dice.chance(10) { 0 } else { nonce }).into(),
            document: Some(Document { title: None, markdown: "done".into() }),
        },
        false => AiReply::Question { question: format!("{answered}? {nonce}"), progress: None },
    })
}
