use super::*;
use parlor_protocol::call::{AiReply, NextQuestionRequest, TemplateBrief};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

const PATIENCE: Duration = Duration::from_secs(20);

fn ticket(slot: u32) -> Ticket {
    Ticket { slot, generation: 1 }
}

fn call(key: &str) -> Call {
    let template =
        TemplateBrief { id: "t".into(), name: "T".into(), questions: Vec::new(), body: String::new() };
    let request = NextQuestionRequest {
        session_id: "s".into(),
        user_id: "u".into(),
        template,
        history: Vec::new(),
        message: None,
    };
    Call::NextQuestion { idempotency_key: key.to_string(), request: Box::new(request), spoken: false }
}

fn said(text: &str) -> Said {
    Said::NextQuestion(AiReply::Question { question: text.to_string(), progress: None })
}

/// Calls whose attempts say that they have begun, and end with what the test sends them.
struct Stage {
    calls: Calls,
    begun: Receiver<String>,
    end: Sender<Said>,
    tell: Sender<(Ticket, Said)>,
    told: Receiver<(Ticket, Said)>,
}

fn stage() -> Stage {
    let (begin, begun) = channel();
    let (end, ends) = channel::<Said>();
    let (tell, told) = channel();
    let (begin, ends) = (Mutex::new(begin), Mutex::new(ends));
    let attempt = move |call: &Call, _: &Hearing<'_>| {
        let Call::NextQuestion { idempotency_key, .. } = call else { panic!("{call:?}") };
        begin.lock().unwrap().send(idempotency_key.clone()).unwrap();
        ends.lock().unwrap_or_else(PoisonError::into_inner).recv().expect("a stage that still stands")
    };
    Stage { calls: Calls::new(attempt), begun, end, tell, told }
}

impl Stage {
    fn start(&self, slot: u32, key: &str) {
        let tell = self.tell.clone();
        let tell = Box::new(move |said| tell.send((ticket(slot), said)).unwrap_or_default());
        self.calls.start(ticket(slot), call(key), tell);
    }

    fn told(&self) -> (Ticket, Said) {
        self.told.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn what_a_call_said_is_told_under_its_ticket() {
    let stage = stage();
    stage.start(7, "s:1");
    assert_eq!(stage.begun.recv_timeout(PATIENCE).unwrap(), "s:1");
    stage.end.send(said("Where?")).unwrap();
    assert_eq!(stage.told(), (ticket(7), said("Where?")));
}

#[test]
fn as_many_run_as_there_are_threads_a_thousand_wait_and_the_next_one_is_answered_at_once() {
    let stage = stage();
    let threads = u32::try_from(THREADS_MAX).unwrap();
    for slot in 0..threads {
        stage.start(slot, "running");
        stage.begun.recv_timeout(PATIENCE).unwrap();
    }
    for slot in 0..u32::try_from(QUEUED_MAX).unwrap() {
        stage.start(threads + slot, "waiting");
    }
    let passing = Said::Failed(CallFailure::Passing { retry_after: None });
    stage.start(9_998, "over");
    stage.start(9_999, "over");
    assert_eq!(stage.told(), (ticket(9_998), passing.clone()));
    assert_eq!(stage.told(), (ticket(9_999), passing));
    assert_eq!(stage.calls.shared.lock().threads, THREADS_MAX);
    assert!(stage.begun.try_recv().is_err());
    stage.end.send(said("one is done")).unwrap();
    stage.told();
    assert_eq!(stage.begun.recv_timeout(PATIENCE).unwrap(), "waiting");
}

#[test]
fn a_cancelled_call_is_not_begun_or_not_told() {
    let stage = stage();
    let threads = u32::try_from(THREADS_MAX).unwrap();
    for slot in 0..threads {
        stage.start(slot, "running");
        stage.begun.recv_timeout(PATIENCE).unwrap();
    }
    stage.start(100, "cancelled");
    stage.start(101, "kept");
    stage.calls.cancel(ticket(100));
    (0..threads).for_each(|slot| stage.calls.cancel(ticket(slot)));
    stage.end.send(said("to nobody")).unwrap();
    assert_eq!(stage.begun.recv_timeout(PATIENCE).unwrap(), "kept");
    (0..threads).for_each(|_| stage.end.send(said("late")).unwrap());
    assert_eq!(stage.told(), (ticket(101), said("late")));
}

#[test]
fn a_thread_is_used_again_and_a_second_one_made_only_for_a_second_call() {
    let stage = stage();
    for turn in 0..3 {
        stage.start(turn, "one after the other");
        stage.begun.recv_timeout(PATIENCE).unwrap();
        stage.end.send(said("yes")).unwrap();
        stage.told();
        while stage.calls.shared.lock().idle == 0 {
            thread::yield_now();
        }
    }
    assert_eq!(stage.calls.shared.lock().threads, 1);
}

#[test]
fn an_attempt_that_panics_is_a_failed_one_and_its_thread_lives_on() {
    let mut stage = stage();
    stage.start(1, "s:1");
    stage.begun.recv_timeout(PATIENCE).unwrap();
    stage.end = channel().0;
    let passing = Said::Failed(CallFailure::Passing { retry_after: None });
    assert_eq!(stage.told(), (ticket(1), passing.clone()));
    stage.start(2, "s:2");
    assert_eq!(stage.told(), (ticket(2), passing));
}

#[test]
fn after_the_end_nothing_is_told() {
    let stage = stage();
    stage.start(1, "s:1");
    stage.begun.recv_timeout(PATIENCE).unwrap();
    let Stage { calls, end, tell, told, .. } = stage;
    drop((calls, tell));
    end.send(said("too late")).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "its thread has ended");
}

#[test]
fn what_a_call_says_before_its_end_is_told_in_order_until_it_is_cancelled() {
    let (tell, told) = channel();
    let (step, steps) = channel::<()>();
    let steps = Mutex::new(steps);
    let calls = Calls::new(move |_, hearing| {
        (hearing.delta)(Said::Delta("one".into()));
        (hearing.delta)(Said::Delta("two".into()));
        steps.lock().unwrap().recv().unwrap();
        (hearing.delta)(Said::Delta("to nobody".into()));
        said("to nobody")
    });
    for (slot, cancelled) in [(1, false), (2, true)] {
        let tell = tell.clone();
        calls.start(ticket(slot), call("s:1"), Box::new(move |said| tell.send(said).unwrap_or_default()));
        for text in ["one", "two"] {
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Said::Delta(text.into()));
        }
        if cancelled {
            calls.cancel(ticket(slot));
        }
        step.send(()).unwrap();
        if !cancelled {
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Said::Delta("to nobody".into()));
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), said("to nobody"));
        }
    }
    drop((calls, tell));
    assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}
