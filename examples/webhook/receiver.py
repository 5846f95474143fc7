"""Receives what `zego-record serve` forwards: python3 receiver.py"""
import base64, hashlib, hmac, http.server, json, os, time

KEYS = [base64.b64decode(s.strip().removeprefix("whsec_")) for s in os.environ["ZEGO_RECORD_FORWARD_SECRET"].split(",")]

def is_genuine(headers, body):
    id, sent, given = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    if not sent.isdigit() or abs(time.time() - int(sent)) > 300:
        return False
    signed = f"{id}.{sent}.".encode() + body
    right = ["v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in KEYS]
    return any(hmac.compare_digest(a.encode(), b.encode()) for a in given.split(" ") for b in right)

class App(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        genuine = is_genuine(self.headers, body)
        if genuine:  # webhook-id is the same for every attempt: put a unique column on it
            print(self.headers["webhook-id"], json.loads(body)["data"]["stream_alias"], flush=True)
        self.send_response(200 if genuine else 401)
        self.send_header("content-length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8000))), App).serve_forever()
