use super::*;
use parlor_protocol::outbox::OUTBOX_BYTES_MAX;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::time::Duration;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn pair() -> (Line, TcpStream, Arc<Count>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let line = Line::new(Transport::Plain(server), peer.ip());
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    line.listen(&Waker::from(woken.clone()));
    (line, client, woken)
}

/// Pushes until the kernel takes no more.
fn block(line: &Line) -> usize {
    let mut pushed = 0;
    while !line.is_blocked() {
        let frame = Frame::raw(vec![7; OUTBOX_BYTES_MAX / 2].into());
        pushed += frame.len();
        assert!(line.push(&frame, Class::Kept), "it was flushed");
        line.flush();
    }
    pushed
}

#[test]
fn what_is_pushed_is_written_in_order_and_marks_the_line_once() {
    let (line, mut client, _) = pair();
    assert!(line.push(&Frame::raw("HTTP/1.1 101\r\n\r\n".into()), Class::Kept));
    assert!(!line.push(&Frame::text("a"), Class::Kept));
    line.flush();
    assert!(line.push(&Frame::text("b"), Class::Kept));
    line.flush();
    let mut read = [0; 22];
    client.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"HTTP/1.1 101\r\n\r\n\x81\x01a\x81\x01b");
}

#[test]
fn a_line_whose_client_does_not_read_wakes_its_task_and_goes_on_when_it_does() {
    let (line, mut client, woken) = pair();
    let pushed = block(&line);
    assert_eq!((woken.0.load(SeqCst), line.is_written()), (1, false));
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; pushed];
        client.read_exact(&mut read).unwrap();
        read.iter().all(|byte| *byte == 7)
    });
    while !line.is_written() {
        line.flush_writable();
    }
    assert!(reader.join().unwrap());
}

#[test]
fn a_line_whose_outbox_runs_over_ends_with_4002_behind_the_frame_that_has_begun() {
    let (line, mut client, _) = pair();
    let pushed = block(&line);
    let mut marked = 0;
    while line.ending().is_none() {
        let frame = Frame::raw(vec![8; OUTBOX_BYTES_MAX / 2].into());
        marked += usize::from(line.push(&frame, Class::Kept));
    }
    assert_eq!((line.ending(), marked), (Some(Ending::TooSlow), 1));
    let reader = std::thread::spawn(move || {
        let mut read = Vec::new();
        client.read_to_end(&mut read).unwrap();
        read
    });
    while !line.is_written() {
        line.flush_writable();
    }
    line.shut_writing();
    let read = reader.join().unwrap();
    let close = CloseCause::TooSlow.frame();
    assert!(read.ends_with(close.bytes()));
    assert_eq!(read.len() - close.len(), pushed, "nothing of what waited, all of what had begun");
}

#[test]
fn a_page_asks_for_more_when_it_went_out() {
    let (line, _client, _) = pair();
    let socket = SocketId { slot: 3, generation: 1 };
    let limits = SocketLimits {
        message_bytes_max: 1,
        fragments_max: 1,
        message_wait_max: Duration::ZERO,
        for_providers: false,
    };
    line.decide(Decision::Upgraded { socket, limits });
    assert!(line.push(&Frame::text("page"), Class::Page));
    assert_eq!((line.flush(), line.flush()), (Some(socket), None));
}

#[test]
fn a_client_that_is_gone_ends_the_line() {
    let (line, client, _) = pair();
    assert!(line.push(&Frame::text("unread"), Class::Kept));
    line.flush();
    drop(client);
    while line.ending().is_none() {
        assert!(line.push(&Frame::text("x"), Class::Signal) || line.ending().is_some());
        line.flush();
    }
    assert_eq!(line.ending(), Some(Ending::Lost));
}

#[test]
fn a_burst_larger_than_the_outbox_goes_out_to_a_client_that_takes_it() {
    let (line, mut client, _) = pair();
    let frame = Frame::raw(vec![7; OUTBOX_BYTES_MAX * 5 / 8].into());
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; OUTBOX_BYTES_MAX * 5 / 4];
        client.read_exact(&mut read).unwrap();
    });
    assert!(line.push(&frame, Class::Kept));
    assert!(!line.push(&frame, Class::Kept), "marked once");
    assert_eq!(line.ending(), None);
    line.flush();
    while !line.is_written() {
        line.flush_writable();
    }
    reader.join().unwrap();
}
