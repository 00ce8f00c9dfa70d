//! The driver on smol: one task carries out orders and keeps the time, one more lives as long as each connection.

mod wire;

use crate::config::Config;
use crate::connection::{Connection, Events};
use crate::desk::{Desk, Order, Outgoing, poll_read};
use crate::error::Error;
use crate::input::Input;
use crate::target::{Target, failed, heard, limits, seed};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream, client_async_with_config};
use smol::future::{FutureExt, pending, poll_fn};
use smol::stream::Stream;
use smol::{Timer, spawn};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tungstenite::Message;
use wire::{Wire, reach};

/// How long a connection that ends may take to send what is left.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Begins to connect, on smol's own executor. `token` is asked for a token before each connect and whenever one ends.
pub fn open<F, T, E>(config: Config, token: F) -> Result<(Connection, Events), Error>
where
    F: FnMut() -> T + Send + 'static,
    T: Future<Output = Result<String, E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let target = Target::read(&config)?;
    let desk = Arc::new(Desk::new(config, seed()));
    spawn(drive(desk.clone(), target, token)).detach();
    Ok(Connection::new(&desk))
}

async fn drive<F, T, E>(desk: Arc<Desk>, target: Target, mut token: F)
where
    F: FnMut() -> T,
    T: Future<Output = Result<String, E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    loop {
        match next_order(&desk).await {
            Order::AskToken => {
                let (desk, token) = (desk.clone(), token());
                let told =
                    async move { desk.tell(token.await.map_or(Input::TokenFailed, Input::TokenGiven)) };
                spawn(told).detach();
            }
            Order::Open { line, token, .. } => {
                spawn(live(desk.clone(), line, target.clone(), token)).detach()
            }
            Order::End => return,
        }
    }
}

async fn next_order(desk: &Desk) -> Order {
    let mut timer = Timer::never();
    poll_fn(|cx| {
        loop {
            let deadline = match desk.poll_order(cx) {
                Ok(order) => return Poll::Ready(order),
                Err(deadline) => deadline,
            };
            timer = deadline.map_or(Timer::never(), Timer::at);
            if Pin::new(&mut timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// One connection, from its first byte to its end.
async fn live(desk: Arc<Desk>, line: u64, target: Target, token: String) {
    let opened = connect(&target, &token).or(async {
        Timer::after(desk.config.open_wait_max).await;
        Err(Input::Failed { status: None, retry_after: None })
    });
    let how = match opened.await {
        Ok(socket) => {
            desk.report(line, Input::Opened);
            let (sender, receiver) = socket.split();
            let code = read(&desk, line, receiver).or(write(&desk, line, sender)).await;
            Input::Closed { code }
        }
        Err(failed) => failed,
    };
    desk.end_line(line, how);
}

async fn connect(target: &Target, token: &str) -> Result<WebSocketStream<Wire>, Input> {
    let nothing = Input::Failed { status: None, retry_after: None };
    let stream = reach(target).await.map_err(|_| nothing)?;
    let request = target.request(token).map_err(|error| failed(&error))?;
    let opened = client_async_with_config(request, stream, Some(limits())).await;
    opened.map(|(socket, _)| socket).map_err(|error| failed(&error))
}

async fn read(desk: &Desk, line: u64, mut receiver: WebSocketReceiver<Wire>) -> Option<u16> {
    loop {
        let next = poll_fn(|cx| poll_read(desk, line, cx, |cx| Pin::new(&mut receiver).poll_next(cx)));
        match next.await?.ok().map(heard)? {
            Ok(input) => desk.report(line, input),
            Err(code) => {
                // Whoever polls on answers the close frame.
                let answered = poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx).map(|_| ()));
                answered.or(after(GOODBYE_MAX)).await;
                return code;
            }
        }
    }
}

async fn write(desk: &Desk, line: u64, mut sender: WebSocketSender<Wire>) -> Option<u16> {
    let mut writing = pin!(async {
        while let Some(outgoing) = poll_fn(|cx| desk.poll_outgoing(line, cx)).await {
            let message = match outgoing {
                Outgoing::Text(text) => Message::text(text),
                Outgoing::Ping => Message::Ping(Vec::new().into()),
            };
            if sender.send(message).await.is_err() {
                // The reader knows better why.
                pending::<()>().await;
            }
        }
        sender.close(None).await.unwrap_or_default();
    });
    let hurried = async {
        poll_fn(|cx| desk.poll_ending(line, cx)).await;
        after(GOODBYE_MAX).await;
    };
    writing.as_mut().or(hurried).await;
    None
}

async fn after(wait: Duration) {
    Timer::after(wait).await;
}
