"""python-socketio over each transport: in, out, acks, rooms, bytes, and back after the server was killed."""

import queue
import signal
import unittest

import socketio

from parlor import PATIENCE, Parlor, token


class Person:
    """A client with what it hears."""

    def __init__(self, test, server, user, transports, auth=None):
        self.client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.3, handle_sigint=False)
        self.heard = queue.Queue()
        self.connects = queue.Queue()
        self.refusals = queue.Queue()
        self.disconnects = queue.Queue()
        self.client.on("connect", lambda: self.connects.put(self.client.sid))
        self.client.on("connect_error", self.refusals.put)
        self.client.on("disconnect", lambda reason: self.disconnects.put(reason))
        self.client.on("*", lambda name, data=None, *_: self.heard.put((name, data)))
        self.connect = lambda: self.client.connect(
            server.url, transports=transports, auth=auth or {"token": token(user)}, wait_timeout=PATIENCE
        )
        test.addCleanup(self.leave)

    def leave(self):
        """Goes, also while it tries to come back."""
        self.client.shutdown()

    def call(self, name, data=None):
        """A call with an ack; its data."""
        return self.client.call(name, data, timeout=PATIENCE)

    def hears(self, name):
        """The next event of this name."""
        while True:
            heard, data = self.heard.get(timeout=PATIENCE)
            if heard == name:
                return data


class Cases:
    """What is shown for each way to connect."""

    transports = None

    @classmethod
    def setUpClass(cls):
        cls.server = Parlor()
        cls.server.room("team", "ada", "ben")

    @classmethod
    def tearDownClass(cls):
        cls.server.end()

    def person(self, user, server=None, **besides):
        person = Person(self, server or self.server, user, self.transports, **besides)
        person.connect()
        return person

    def test_it_is_on_the_transport_it_wants(self):
        ada = self.person("ada")
        self.assertEqual(ada.client.transport(), (self.transports or ["websocket"])[0])
        self.assertEqual(ada.call("ping")["ok"], True)

    def test_it_is_refused_with_a_token_that_nobody_signed(self):
        eve = Person(self, self.server, "eve", self.transports, auth={"token": token("eve", secret="another")})
        with self.assertRaises(socketio.exceptions.ConnectionError):
            eve.connect()
        refusal = eve.refusals.get(timeout=PATIENCE)
        self.assertEqual(refusal, {"message": "authentication failed", "data": {"code": "AUTH_FAILED"}})

    def test_members_of_a_room_hear_each_other_in_order(self):
        ada, ben = self.person("ada"), self.person("ben")
        for member in (ada, ben):
            joined = member.call("chat:room:join", {"roomId": "team"})
            self.assertEqual((joined["ok"], joined["roomId"]), (True, "team"))
            self.assertEqual(member.hears("chat:room:joined")["roomId"], "team")
        answers = [ada.call("chat:message:send", {"roomId": "team", "content": f"m{at}"}) for at in range(10)]
        first = answers[0]["seq"]
        self.assertEqual([answer["seq"] for answer in answers], list(range(first, first + 10)))
        heard = [ben.hears("chat:message:received") for _ in answers]
        self.assertEqual([(it["seq"], it["content"]) for it in heard], [(first + at, f"m{at}") for at in range(10)])

    def test_a_refusal_comes_in_the_ack(self):
        ada = self.person("ada")
        refused = ada.call("chat:room:join", {"roomId": "nowhere"})
        self.assertEqual((refused["ok"], refused["error"]["code"]), (False, "ROOM_ACCESS_DENIED"))
        ada.client.emit("chat:room:join", {"roomId": "nowhere"})
        self.assertEqual(ada.hears("chat:error")["code"], "ROOM_ACCESS_DENIED")

    def test_bytes_go_to_the_server_as_they_are(self):
        ada, ben = self.person("ada"), self.person("ben")
        for member in (ada, ben):
            member.call("chat:room:join", {"roomId": "team"})
        png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
        file = {"roomId": "team", "name": "dots.png", "mimeType": "image/png", "data": png}
        uploaded = ada.call("chat:file:upload", file)
        self.assertEqual(uploaded["ok"], True, uploaded)
        heard = ben.hears("chat:file:uploaded")
        self.assertEqual((heard["content"]["size"], heard["content"]["mimeType"]), (len(png), "image/png"))
        refused = ada.call("chat:message:send", {"roomId": "team", "content": b"\x00\xff"})
        self.assertEqual((refused["ok"], refused["error"]["code"]), (False, "CLIENT_ERROR"))

    def test_it_comes_back_to_a_server_that_was_killed_and_misses_nothing(self):
        server = Parlor()
        self.addCleanup(server.end)
        server.room("team", "ada", "ben")
        ada, ben = self.person("ada", server), self.person("ben", server)
        for member in (ada, ben):
            member.call("chat:room:join", {"roomId": "team"})
            member.connects.get(timeout=PATIENCE)
        ada.call("chat:message:send", {"roomId": "team", "content": "before"})
        seen = ben.hears("chat:message:received")["seq"]
        server.stop(signal.SIGKILL)
        server.start()
        for member in (ada, ben):
            member.connects.get(timeout=PATIENCE)
        ada.call("chat:message:send", {"roomId": "team", "content": "after"})
        joined = ben.call("chat:room:join", {"roomId": "team", "since": seen})
        self.assertEqual([it["content"] for it in joined["messages"]], ["after"])
        ada.call("chat:message:send", {"roomId": "team", "content": "live"})
        self.assertEqual(ben.hears("chat:message:received")["content"], "live")

    def test_it_hears_of_a_server_that_stops_and_goes_over_to_the_next(self):
        server = Parlor()
        self.addCleanup(server.end)
        ada = self.person("ada", server)
        ada.connects.get(timeout=PATIENCE)
        server.stop(signal.SIGTERM)
        self.assertEqual(ada.hears("server_shutdown"), {"reason": "restarting", "reconnectAfterMs": 1000})
        server.start()
        ada.connects.get(timeout=PATIENCE)
        self.assertEqual(ada.call("ping")["ok"], True)


class ByDefault(Cases, unittest.TestCase):
    """Polling, then the upgrade."""


class OverWebSocketAlone(Cases, unittest.TestCase):
    """No polling."""

    transports = ["websocket"]


class ByPollingAlone(Cases, unittest.TestCase):
    """No upgrade."""

    transports = ["polling"]


if __name__ == "__main__":
    unittest.main()
