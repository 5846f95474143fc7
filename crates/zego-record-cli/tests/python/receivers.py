"""Receivers as people write them, for the tests of `zego-record check`.

    receivers.py --list     prints a line for each: its name, and the promise that it breaks
    receivers.py NAME       runs one on a free loopback port, and prints that port

`Receiver` is good. Those below it have one bug each, except for the good ones at the end. Only the standard
library is used.
"""

import hashlib
import hmac
import http.server
import json
import os
import re
import sys
import threading
import time
import urllib.parse

SECRET = os.environ.get("ZEGO_CALLBACK_SECRET", "")
SIGNED = ("timestamp", "nonce", "signature")
REQUIRED = ("appid", "stream_alias", "replay_url", "begin_time", "end_time")
KNOWN = SIGNED + REQUIRED + ("event", "extra_params")


class Rejected(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Receiver:
    breaks = "nothing"
    ok = (200, "1")
    limit = 64 * 1024

    def __init__(self):
        self.lock = threading.Lock()
        self.guard, self.done, self.runs = {}, set(), 0

    def post(self, headers, stream):
        body = self.read(headers, stream)
        fields = self.parse(body, headers.get("Content-Type", ""))
        self.verify(fields)
        self.check_reuse(fields)
        if fields.get("event") != "record":
            return self.ok
        if not all(fields.get(name) for name in REQUIRED):
            raise Rejected(422, "invalid")
        return self.deliver(fields)

    def get(self, _path):
        raise Rejected(405, "method_not_allowed")

    def read(self, headers, stream):
        if headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
                self.check_size(len(body))
            stream.readline()
            return body
        size = int(headers.get("Content-Length", 0))
        self.check_size(size)
        return stream.read(size)

    def check_size(self, size):
        if size > self.limit:
            raise Rejected(413, "body_too_large")

    def parse(self, body, _content_type):
        try:
            text = body.decode()
            if text[:3].upper() == "%7B":
                text = urllib.parse.unquote_plus(text, errors="strict")
            return self.json(text) if text.startswith("{") else self.form(text)
        except (ValueError, RecursionError) as error:
            raise Rejected(400, "malformed") from error

    def json(self, text):
        # Numbers as text: a nonce keeps its digits.
        fields = json.loads(text, object_pairs_hook=self.pairs, parse_int=str, parse_float=str)
        return self.check_types(fields)

    def form(self, text):
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
        return self.pairs(pairs)

    def pairs(self, pairs):
        names = [name for name, _ in pairs]
        if any(names.count(name) > 1 for name in KNOWN):
            raise ValueError("a field twice")
        return dict(pairs)

    def check_types(self, fields):
        for name in KNOWN[:-1]:
            if not isinstance(fields.get(name), (str, type(None))):
                raise ValueError("not a text")
        return fields

    def verify(self, fields):
        if not all(fields.get(name) for name in SIGNED):
            raise Rejected(401, "unsigned")
        self.check_syntax(fields)
        if not self.matches(self.expected(fields), fields["signature"]):
            self.wrong_signature(fields)
        self.check_age(int(time.time()) - int(fields["timestamp"]))

    def check_syntax(self, fields):
        if not re.fullmatch(r"[1-9]\d{9}", fields["timestamp"], re.ASCII):
            raise Rejected(400, "malformed")
        if not re.fullmatch(r"[\w-]{1,128}", fields["nonce"], re.ASCII):
            raise Rejected(400, "malformed")

    def expected(self, fields):
        return sha1("".join(sorted([SECRET, fields["timestamp"], fields["nonce"]])))

    def matches(self, expected, signature):
        return hmac.compare_digest(expected.encode(), signature.lower().encode())

    def wrong_signature(self, _fields):
        raise Rejected(401, "bad_signature")

    def check_age(self, age):
        if abs(age) > 300:
            raise Rejected(401, "stale")

    def check_reuse(self, fields):
        content = self.content(fields)
        with self.lock:
            if self.guard.setdefault(self.guarded(fields), content) != content:
                raise Rejected(422, "signature_reused")

    def guarded(self, fields):
        return fields["signature"].lower()

    def content(self, fields):
        return tuple(sorted((name, str(value)) for name, value in fields.items() if name not in SIGNED))

    def deliver(self, fields):
        with self.lock:
            key = self.key(fields)
            if key in self.done:
                return self.duplicate()
            self.handle(fields)
            self.done.add(key)
        return self.ok

    def key(self, fields):
        return self.content(fields)

    def duplicate(self):
        return self.ok

    def handle(self, _fields):
        self.runs += 1

    def crashed(self):
        return 500, "failed"


def sha1(text):
    return hashlib.sha1(text.encode() if isinstance(text, str) else text).hexdigest()


# What is signed.


class AcceptsMissingSignature(Receiver):
    breaks = "unsigned"

    def verify(self, fields):
        if "signature" in fields:
            super().verify(fields)
        else:
            fields["signature"] = str(self.runs)


class SkipsEmptySignature(Receiver):
    breaks = "unsigned"

    def verify(self, fields):
        if fields.get("signature") != "":
            super().verify(fields)


class ComparesPrefix(Receiver):
    breaks = "bad-signature"

    def matches(self, expected, signature):
        return expected.startswith(signature)


class LogsWrongSignature(Receiver):
    breaks = "bad-signature"

    def wrong_signature(self, fields):
        print("wrong signature", file=sys.stderr)


class LeaksSignature(Receiver):
    breaks = "bad-signature"

    def wrong_signature(self, fields):
        raise Rejected(401, "expected " + self.expected(fields))


class AnyAge(Receiver):
    breaks = "stale"

    def check_age(self, age):
        super().check_age(min(age, 0))


class AnyFuture(Receiver):
    breaks = "future"

    def check_age(self, age):
        super().check_age(max(age, 0))


class SortsNumbers(Receiver):
    breaks = "nonces"

    def expected(self, fields):
        parts = [SECRET, fields["timestamp"], fields["nonce"]]
        return sha1("".join(sorted(parts, key=lambda part: int(part) if part.isdigit() and part != SECRET else -1)))


class JoinsUnsorted(Receiver):
    breaks = "nonces"

    def expected(self, fields):
        return sha1(SECRET + fields["timestamp"] + fields["nonce"])


class HashesBytes(Receiver):
    """Reads a form as bytes, as PHP does, and checks no syntax."""

    breaks = "length-extension"

    def parse(self, body, content_type):
        if body[:1] in (b"{", b"%"):
            return super().parse(body, content_type)
        pairs = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, encoding="latin-1")
        return self.pairs(pairs)

    def check_syntax(self, fields):
        if not fields["timestamp"].isdigit():
            raise Rejected(400, "malformed")

    def expected(self, fields):
        parts = [part.encode("latin-1", "replace") for part in (SECRET, fields["timestamp"], fields["nonce"])]
        return sha1(b"".join(sorted(parts)))


# What is read.


class JsonOnly(Receiver):
    breaks = "form"

    def form(self, text):
        return self.json(text)


class FormOnly(Receiver):
    breaks = "json"

    def json(self, text):
        return self.form(text)


class GoesByContentType(Receiver):
    breaks = "content-type"

    def parse(self, body, content_type):
        is_form = content_type.startswith("application/x-www-form-urlencoded")
        if is_form == body.startswith(b"{"):
            raise Rejected(400, "malformed")
        return super().parse(body, content_type)


class FloatNumbers(Receiver):
    breaks = "json-numbers"

    def json(self, text):
        fields = json.loads(text, object_pairs_hook=self.pairs, parse_int=lambda digits: "%.0f" % float(digits))
        return self.check_types(fields)


class DecodesEverything(Receiver):
    """The documentation says that JSON has to be URL-decoded, so it is, whatever it looks like."""

    breaks = "values"

    def json(self, text):
        return super().json(urllib.parse.unquote_plus(text))


class AsciiOnly(Receiver):
    breaks = "values"

    def handle(self, fields):
        fields["stream_alias"].encode("ascii")
        super().handle(fields)


class NeedsExtraParams(Receiver):
    breaks = "optional-fields"

    def handle(self, fields):
        json.loads(fields["extra_params"])
        super().handle(fields)


class NeedsFileId(Receiver):
    breaks = "vendors"

    def handle(self, fields):
        extra = json.loads(fields.get("extra_params") or "{}") if "{" in str(fields.get("extra_params")) else {}
        if extra and "FileID" not in extra:
            raise KeyError("FileID")
        super().handle(fields)


class LastFieldWins(Receiver):
    breaks = "ambiguous"

    def pairs(self, pairs):
        return dict(pairs)


class NoChunked(Receiver):
    breaks = "transport"

    def read(self, headers, stream):
        if "Content-Length" not in headers:
            raise Rejected(411, "length_required")
        return super().read(headers, stream)


class NoLimit(Receiver):
    breaks = "oversize"
    limit = 1 << 30


class CrashesOnMalformed(Receiver):
    breaks = "malformed"

    def parse(self, body, content_type):
        try:
            return super().parse(body, content_type)
        except Rejected as rejected:
            raise ValueError(rejected.code) from rejected


class AcceptsGet(Receiver):
    breaks = "get"

    def get(self, path):
        fields = self.form(urllib.parse.urlsplit(path).query)
        self.verify(fields)
        return self.deliver(fields)


# What is remembered.


class NoReplayGuard(Receiver):
    breaks = "tampered"

    def check_reuse(self, fields):
        pass


class GuardsNonce(Receiver):
    breaks = "swapped"

    def guarded(self, fields):
        return fields["nonce"]


class RunsBeforeChecking(Receiver):
    breaks = "forgeries-run"

    def check_reuse(self, fields):
        try:
            super().check_reuse(fields)
        except Rejected:
            self.runs += 1
            raise


class NoDeduplication(Receiver):
    breaks = "runs-once"

    def key(self, fields):
        return object()


class RunsAgainLater(Receiver):
    """A queue that forgets what it has done."""

    breaks = "runs-once"

    def handle(self, fields):
        super().handle(fields)
        threading.Timer(0.2, super().handle, [fields]).start()


class DeduplicatesBySignature(Receiver):
    breaks = "runs-once"

    def key(self, fields):
        return fields["signature"]


class DeduplicatesByStream(Receiver):
    breaks = "runs-each-file"

    def key(self, fields):
        return fields["stream_alias"]


class ConflictOnDuplicate(Receiver):
    breaks = "duplicates"

    def duplicate(self):
        return 409, "duplicate"


class ChecksThenActs(Receiver):
    breaks = "concurrent"

    def deliver(self, fields):
        key = self.key(fields)
        if key not in self.done:
            time.sleep(0.2)
            self.handle(fields)
            self.done.add(key)
        return self.ok


class RunsEveryEvent(Receiver):
    breaks = "other-events"

    def parse(self, body, content_type):
        fields = super().parse(body, content_type)
        return {**fields, "event": "record"} if "event" in fields else fields


class RejectsWithNotFound(Receiver):
    breaks = "unsigned"

    def verify(self, fields):
        try:
            super().verify(fields)
        except Rejected as rejected:
            raise Rejected(404, "not found") from rejected


# Good in another way.


class NoContent(Receiver):
    """Answers 204, rejects with 403 whatever the reason."""

    ok = (204, "")

    def post(self, headers, stream):
        try:
            return super().post(headers, stream)
        except Rejected as rejected:
            if rejected.status == 413:
                raise
            raise Rejected(403, "") from rejected


class KnowsNoGet(Receiver):
    """Answers a GET as Python's own server does where there is no do_GET."""

    def get(self, _path):
        raise Rejected(501, "unsupported method")


class RunsLater(Receiver):
    """Answers at once, and runs the handler after that."""

    def handle(self, fields):
        threading.Timer(0.05, super().handle, [fields]).start()


class AsksForTime(Receiver):
    """Answers 409 while the handler is running."""

    def __init__(self):
        super().__init__()
        self.running = set()

    def deliver(self, fields):
        key = self.key(fields)
        with self.lock:
            if key in self.done:
                return self.ok
            if key in self.running:
                return 409, "in_progress"
            self.running.add(key)
        time.sleep(0.1)
        with self.lock:
            self.handle(fields)
            self.running.discard(key)
            self.done.add(key)
        return self.ok


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.answer(lambda: self.server.receiver.post(self.headers, self.rfile))

    def do_GET(self):
        if self.path == "/runs":
            self.answer(lambda: (200, str(self.server.receiver.runs)))
        else:
            self.answer(lambda: self.server.receiver.get(self.path))

    def answer(self, make):
        try:
            status, text = make()
        except Rejected as rejected:
            status, text = rejected.status, rejected.code
        except Exception:
            status, text = self.server.receiver.crashed()
        body = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
        if status >= 400:
            # Something of the body may be unread.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


def main(name):
    receivers = [Receiver, *Receiver.__subclasses__()]
    if name == "--list":
        for receiver in receivers:
            print(receiver.__name__, receiver.breaks)
        return
    server = Server(("127.0.0.1", 0), Answers)
    server.receiver = next(receiver for receiver in receivers if receiver.__name__ == name)()
    print(server.server_address[1], flush=True)
    # Until the test closes standard input, or is gone.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
