use super::*;

fn decode(text: &str) -> Packet<'_> {
    Packet::decode(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn wrong(text: &str) -> Malformed {
    Packet::decode(text).expect_err(text)
}

#[test]
fn packets_of_real_clients_are_read() {
    assert_eq!(decode("0"), Packet::about(Kind::Connect, "/", None));
    assert_eq!(decode("0/custom"), Packet::about(Kind::Connect, "/custom", None));
    assert_eq!(decode("0/custom,"), Packet::about(Kind::Connect, "/custom", None));
    assert_eq!(
        decode(r#"0/a,{"token":"zz"}"#),
        Packet::about(Kind::Connect, "/a", Some(r#"{"token":"zz"}"#))
    );
    assert_eq!(decode("0/ns?x=1"), Packet::about(Kind::Connect, "/ns", None));
    assert_eq!(decode("1/admin,"), Packet::about(Kind::Disconnect, "/admin", None));
    assert_eq!(decode(r#"20["echo",1,"é"]"#), Packet::event("/", Some(0), r#"["echo",1,"é"]"#, 0));
    assert_eq!(decode(r#"2[7,"numeric"]"#), Packet::event("/", None, r#"[7,"numeric"]"#, 0));
    assert_eq!(decode("30[]"), Packet::ack("/", 0, "[]", 0));
    assert_eq!(decode(r#"3/a,12["ok"]"#), Packet::ack("/a", 12, r#"["ok"]"#, 0));
    let args = r#"["b",{"_placeholder":true,"num":1},{"x":{"num":0,"_placeholder":true}}]"#;
    assert_eq!(decode(&format!("52-/a,1{args}")), Packet::event("/a", Some(1), args, 2));
    assert_eq!(decode(r#"61-9[{"_placeholder":true,"num":0}]"#).attachments, 1);
    assert_eq!(
        decode(r#"4{"message":"no"}"#),
        Packet::about(Kind::ConnectError, "/", Some(r#"{"message":"no"}"#))
    );
}

#[test]
fn a_namespace_without_its_comma_takes_in_what_follows() {
    assert_eq!(decode(r#"0/custom{"token":1}"#).namespace, r#"/custom{"token":1}"#);
    assert_eq!(wrong(r#"2/custom["x"]"#), Malformed::DataType);
}

#[test]
fn a_packet_of_no_known_type_is_refused() {
    for text in ["", "7", "9[]", "abc", " 0", "-1", "é"] {
        assert_eq!(wrong(text), Malformed::PacketType, "{text:?}");
    }
}

#[test]
fn the_number_of_attachments_is_1_to_10_in_plain_digits() {
    let binary = |count: &str, attachments: u32| {
        let places: Vec<_> =
            (0..attachments).map(|num| format!(r#",{{"_placeholder":true,"num":{num}}}"#)).collect();
        format!(r#"5{count}["x"{}]"#, places.concat())
    };
    for (count, attachments) in [("1-", 1), ("10-", 10)] {
        assert_eq!(u32::from(decode(&binary(count, attachments)).attachments), attachments);
    }
    for count in
        ["0-", "11-", "1e1-", "-", "", "1", "01-", "+1-", " 1-", "1.0-", "99999999999999999999-", "a-", "1 -"]
    {
        assert_eq!(wrong(&binary(count, 1)), Malformed::AttachmentCount, "{count:?}");
    }
    assert_eq!(wrong("511-[]"), Malformed::AttachmentCount);
    assert_eq!(wrong(r#"50-["x"]"#), Malformed::AttachmentCount);
    assert_eq!(wrong("60-1[]"), Malformed::AttachmentCount);
}

#[test]
fn an_id_is_a_number_that_every_reader_holds_exactly() {
    assert_eq!(decode(r#"29007199254740991["x"]"#).id, Some(ACK_ID_MAX));
    for id in ["9007199254740992", "99999999999999999", "100000000000000000000000", "00", "01"] {
        assert_eq!(wrong(&format!(r#"2{id}["x"]"#)), Malformed::AckId, "{id}");
    }
    for text in ["3[]", "61-[]", "012{}", "012", "11", "47{}"] {
        let text = text.replace("61-[]", r#"61-[{"_placeholder":true,"num":0}]"#);
        assert_eq!(wrong(&text), Malformed::AckId, "{text}: an acknowledgement has one, others have none");
    }
    for text in [r#"2abc["x"]"#, r#"21e1["x"]"#, r#"2-1["x"]"#, r#"2 ["x"]"#, r#"2 1["x"]"#, r#"21.5["x"]"#] {
        assert_eq!(wrong(text), Malformed::DataType, "{text}");
    }
}

#[test]
fn data_is_of_the_type_that_belongs_to_the_packet() {
    for text in [
        "0[]", "0\"x\"", "01", "0null", "0 {}", "1{}", "1[]", "1/a,[]", "2", "2{}", "2null", "2\"x\"", "30",
        "30{}", "4", "4[]",
    ] {
        let expected = if text == "01" { Malformed::AckId } else { Malformed::DataType };
        assert_eq!(wrong(text), expected, "{text}");
    }
}

#[test]
fn an_event_has_a_name_that_is_not_reserved() {
    for name in RESERVED_EVENTS {
        assert_eq!(wrong(&format!("2[\"{name}\"]")), Malformed::EventName);
    }
    for text in ["2[]", "2[null]", "2[true]", "2[[]]", "2[{}]", r#"2["conn\u0065ct"]"#] {
        assert_eq!(wrong(text), Malformed::EventName, "{text}");
    }
    for text in [r#"2["connected"]"#, "2[0]", "2[-1.5,2]", r#"2[ "x" ]"#, r#"2["__proto__"]"#, r#"2[""]"#] {
        decode(text);
    }
    assert_eq!(decode(r#"31["connect"]"#).id, Some(1));
}

#[test]
fn json_passes_the_gate_or_the_packet_is_refused() {
    let nested = |depth: usize| format!(r#"2["x",{}{}]"#, "[".repeat(depth), "]".repeat(depth));
    decode(&nested(json::DEPTH_MAX - 1));
    for text in [
        nested(json::DEPTH_MAX),
        r#"2["x",{"a":1,"a":2}]"#.into(),
        r#"2["x""#.into(),
        r#"2["x"]]"#.into(),
        r#"2["x",]"#.into(),
        r#"2["x"] 1"#.into(),
        r#"2["x",NaN]"#.into(),
        "2[\"\x1e\"]".into(),
        r#"0{"a":1e400}"#.into(),
        r#"0{"#.into(),
    ] {
        assert!(matches!(wrong(&text), Malformed::Json(_)), "{text}");
    }
}

#[test]
fn every_placeholder_names_an_attachment_of_its_own() {
    let place = |num: &str| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let packet = |count: u8, items: &[String]| format!(r#"5{count}-["x",{}]"#, items.join(","));
    decode(&packet(2, &[place("1"), place("0")]));
    for num in
        ["\"0\"", "-1", "0.5", "1", "0.0", "1e0", "null", "true", "[0]", "18446744073709551616", "\"splice\""]
    {
        assert_eq!(wrong(&packet(1, &[place(num)])), Malformed::Placeholder, "{num}");
    }
    for (count, items) in [
        (1, vec![]),
        (1, vec![place("0"), place("0")]),
        (2, vec![place("0")]),
        (2, vec![place("0"), place("0")]),
        (1, vec![r#"{"_placeholder":true}"#.to_string()]),
        (1, vec![r#"{"_placeholder":true,"num":0,"more":1}"#.to_string()]),
        (1, vec![r#"{"_placeholder":1,"num":0}"#.to_string()]),
        (1, vec![r#"{"_placeholder":"true","num":0}"#.to_string()]),
    ] {
        let text = packet(count, &items).replace(",]", "]");
        assert_eq!(wrong(&text), Malformed::Placeholder, "{text}");
    }
    decode(&packet(1, &[place("0"), r#"{"_placeholder":false,"num":7}"#.into()]));
    decode(&packet(1, &[r#"{"_\u0070laceholder":true,"num":0}"#.into()]));
}

#[test]
fn a_placeholder_in_a_packet_without_attachments_is_data() {
    decode(r#"2["x",{"_placeholder":true,"num":7}]"#);
    decode(r#"31[{"_placeholder":true,"num":"splice"}]"#);
}

#[test]
fn a_namespace_is_short_and_without_control_characters() {
    let name = |bytes: usize| format!("0/{}", "n".repeat(bytes - 1));
    assert_eq!(decode(&name(NAMESPACE_BYTES_MAX)).namespace.len(), NAMESPACE_BYTES_MAX);
    for text in [name(NAMESPACE_BYTES_MAX + 1), "0/a\u{1e}b".into(), "0/\0".into(), "0/a?\u{1e}".into()] {
        assert_eq!(wrong(&text), Malformed::Namespace);
    }
}

#[test]
fn packets_are_written_as_the_reference_writes_them() {
    assert_eq!(event_frame("/", None, r#"["x",1]"#), Frame::text(r#"42["x",1]"#));
    assert_eq!(event_frame("/a", Some(7), r#"["x"]"#), Frame::text(r#"42/a,7["x"]"#));
    assert_eq!(ack_frame("/", 456, "[1]"), Frame::text("43456[1]"));
    assert_eq!(Packet::about(Kind::Disconnect, "/", None).encode(), "1");
    assert_eq!(Packet::about(Kind::Disconnect, "/a", None).encode(), "1/a,");
    let place = r#"[{"_placeholder":true,"num":0}]"#;
    let frames = Packet::ack("/", 789, place, 1).frames(&[Bytes::from_static(&[1, 2])]);
    assert_eq!(frames, [Frame::text(&format!("461-789{place}")), Frame::binary(&[1, 2])]);
}
