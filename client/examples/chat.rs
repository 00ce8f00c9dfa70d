//! Talks in a chat room from the terminal: each line that is typed is said, and what others say is shown.
//!
//! ```text
//! PARLOR_TOKEN=… cargo run -p parlor-client --example chat -- ws://127.0.0.1:8080/chat lobby
//! ```

use parlor_client::action::{Event, State};
use parlor_client::config::Config;
use parlor_client::connection::Events;
use parlor_client::threads;
use std::error::Error;
use std::io::{self, BufRead};
use std::{env, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(url), Some(room)) = (arguments.next(), arguments.next()) else {
        return Err("usage: PARLOR_TOKEN=… chat ws://HOST:PORT/chat ROOM".into());
    };
    let (connection, events) = threads::open(Config::new(url), || env::var("PARLOR_TOKEN"))?;
    thread::spawn(move || show(events));
    let joined = connection.join_room(&room).wait()?;
    println!("* {}: {} members", joined.name, joined.member_count);
    for line in io::stdin().lock().lines() {
        if let Err(error) = connection.send_message(&room, line?).wait() {
            println!("! {error}");
        }
    }
    connection.close_and_wait();
    Ok(())
}

fn show(mut events: Events) {
    while let Some(event) = events.wait() {
        if let Some(message) = event.message() {
            let text = message.content.as_str().map_or(message.content.to_string(), str::to_string);
            println!("{}: {text}", message.sender_name.unwrap_or(message.sender_id));
        } else if let Event::State(State::Waiting(wait)) = event {
            println!("* connection lost, again in {wait:.1?}");
        } else if let Event::State(state @ (State::Open | State::Ended(_))) = event {
            println!("* {state:?}");
        }
    }
}
