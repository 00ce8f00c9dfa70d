//! The envelope of `/socket.io/`: Socket.IO's events in the default namespace. A call's data is its first argument,
//! an answer is an ack where the client asked for one, and what is named differently from the call comes besides,
//! as the event it is. An argument that is itself a `WebSocketEvent` is unwrapped, and answered in that form.

use super::{Call, Event, Malformed, ReplyId, event, general_data, general_name, quoted};
use crate::frame::Frame;
use crate::json;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// What an answer over Socket.IO needs to know of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// The call's name.
    pub name: String,
    /// The id of the ack that the client waits for.
    pub ack: Option<u64>,
    /// Set when the argument was a `WebSocketEvent`; with its `requestId`.
    pub wrapped: Option<Option<Arc<str>>>,
}

/// Reads an event's arguments: the name, and the data in the first one after it. Further ones are not read.
pub fn decode<'a>(
    arguments: &'a str,
    ack: Option<u64>,
    attachments: &'a [Bytes],
) -> Result<Call<'a>, Malformed> {
    let bare = |name: &str| ReplyId::SocketIo(Arc::new(Emitted { name: name.into(), ack, wrapped: None }));
    let failed = |why: String| Malformed { reply_to: ack.map(|_| bare("")), ..Malformed::because(why) };
    let is_large = json::check_with_layouts(arguments.as_bytes()).map_err(failed)?;
    let items: Vec<&RawValue> = serde_json::from_str(arguments).map_err(|error| failed(error.to_string()))?;
    let name = items.first().ok_or_else(|| failed("no name".to_string()))?;
    let name: Cow<'_, str> = serde_json::from_str::<Name<'_>>(name.get())
        .map(|Name(name)| name)
        .map_err(|_| failed("a name that is no string".to_string()))?;
    let data = items.get(1).map_or("null", |data| data.get());
    let Some(inner) = wrapped(&name, data) else {
        let reply_to = ack.map(|_| bare(&name));
        return Call { name, data, reply_to, attachments }.with_layout(is_large);
    };
    let inner = inner.map_err(|malformed| Malformed { reply_to: ack.map(|_| bare(&name)), ..malformed })?;
    let request_id = match inner.reply_to {
        Some(ReplyId::Request(id)) => Some(id),
        Some(ReplyId::SocketIo(_)) | None => None,
    };
    let emitted = Emitted { name: name.to_string(), ack, wrapped: Some(request_id) };
    let reply_to = Some(ReplyId::SocketIo(Arc::new(emitted)));
    Call { name, data: inner.data, reply_to, attachments }.with_layout(is_large)
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The call in a `WebSocketEvent` of this name, if the data is one.
fn wrapped<'a>(name: &str, data: &'a str) -> Option<Result<Call<'a>, Malformed>> {
    #[derive(Deserialize)]
    struct Looks<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
        #[serde(borrow, rename = "data")]
        _data: &'a RawValue,
    }
    let looks: Looks<'_> = json::object(data).ok()?;
    (looks.event == name).then(|| event::decode(data))
}

/// An event as everybody hears it, with its place for connection state recovery.
pub fn encode(event: &Event, offset: Option<u64>) -> Frame {
    emit(event, &general_data(event), offset)
}

/// Whether a frame is an event, and no ack.
pub fn is_event(frame: &Frame) -> bool {
    frame.payload().starts_with(b"42")
}

fn emit(event: &Event, data: &str, offset: Option<u64>) -> Frame {
    let offset = offset.map(|offset| format!(",\"{offset}\"")).unwrap_or_default();
    Frame::text(&format!("42[{},{data}{offset}]", quoted(&general_name(event))))
}

/// The frames that answer a call.
pub fn answer(event: &Event, call: &Emitted, offset: Option<u64>) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(2);
    if let Some(id) = call.ack {
        frames.push(Frame::text(&format!("43{id}[{}]", acked(event))));
    }
    let refused = event.refusal.is_some();
    let asked_in_form = call.wrapped.as_ref().is_some_and(Option::is_some);
    let besides = !refused && general_name(event) != call.name;
    if call.ack.is_none() || asked_in_form || besides {
        let data = match &call.wrapped {
            Some(id) => event::spelled(event, id.as_deref()),
            None => general_data(event).into_owned(),
        };
        frames.push(emit(event, &data, offset));
    }
    frames
}

/// `{ok:true,…data}` or `{ok:false,error}`.
fn acked(event: &Event) -> String {
    if let Some(refusal) = &event.refusal {
        return format!("{{\"ok\":false,\"error\":{}}}", refusal.as_str());
    }
    let data = general_data(event);
    match data.strip_prefix('{') {
        Some("}") => "{\"ok\":true}".to_string(),
        Some(rest) => format!("{{\"ok\":true,{rest}"),
        None => format!("{{\"ok\":true,\"data\":{data}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::{Code, Refusal};
    use serde_json::json;

    fn texts(frames: &[Frame]) -> Vec<String> {
        frames.iter().map(|frame| String::from_utf8_lossy(frame.payload()).into_owned()).collect()
    }

    fn answered(arguments: &str, ack: Option<u64>, event: &Event) -> Vec<String> {
        let call = decode(arguments, ack, &[]).expect("a call");
        let Some(ReplyId::SocketIo(emitted)) = call.reply_to else {
            return texts(&[encode(event, Some(7))]);
        };
        texts(&answer(event, &emitted, Some(7)))
    }

    #[test]
    fn an_answer_with_a_name_of_its_own_comes_besides_its_ack() {
        let joined = Event::new("joined_project", &json!({"projectId": "p"}));
        let call = r#"["join_project","p"]"#;
        assert_eq!(
            answered(call, Some(3), &joined),
            [r#"433[{"ok":true,"projectId":"p"}]"#, r#"42["joined_project",{"projectId":"p"},"7"]"#]
        );
        assert_eq!(answered(call, None, &joined), [r#"42["joined_project",{"projectId":"p"},"7"]"#]);
    }

    #[test]
    fn an_answer_in_its_calls_name_comes_in_the_ack_alone() {
        let sent = Event::new("chat:message:send", &json!({"seq": 1}));
        let call = r#"["chat:message:send",{"roomId":"r"}]"#;
        assert_eq!(answered(call, Some(0), &sent), [r#"430[{"ok":true,"seq":1}]"#]);
        assert_eq!(answered(call, None, &sent), [r#"42["chat:message:send",{"seq":1},"7"]"#]);
        let nothing = Event::new("chat:message:send", &json!({}));
        assert_eq!(answered(call, Some(9), &nothing), [r#"439[{"ok":true}]"#]);
    }

    #[test]
    fn a_refusal_with_an_ack_comes_in_the_ack_alone() {
        let refusal = Refusal::new(Code::ClientError, "no");
        let event = Event::refusal("chat:error", &refusal, &refusal);
        let error = r#"{"code":"CLIENT_ERROR","message":"no","recoverable":false}"#;
        let call = r#"["chat:room:join",{}]"#;
        assert_eq!(answered(call, Some(1), &event), [format!(r#"431[{{"ok":false,"error":{error}}}]"#)]);
        assert_eq!(answered(call, None, &event), [format!(r#"42["chat:error",{error},"7"]"#)]);
    }

    #[test]
    fn a_wrapped_call_is_unwrapped_and_answered_in_its_form() {
        let call = r#"["chat:room:join",{"event":"chat:room:join","data":{"roomId":"r"},"requestId":"q","version":"1"}]"#;
        assert_eq!(decode(call, None, &[]).expect("a call").data, r#"{"roomId":"r"}"#);
        let joined = Event::new("chat:room:joined", &json!({"roomId": "r"}));
        let form = r#"{"event":"chat:room:joined","data":{"roomId":"r"},"requestId":"q","version":"1"}"#;
        assert_eq!(answered(call, None, &joined), [format!(r#"42["chat:room:joined",{form},"7"]"#)]);
        let data_of_another = r#"["x",{"event":"y","data":1}]"#;
        assert_eq!(decode(data_of_another, None, &[]).expect("a call").data, r#"{"event":"y","data":1}"#);
    }
}
