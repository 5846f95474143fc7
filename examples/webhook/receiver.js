// Receives what `zego-record serve` forwards: node receiver.js
const { createHmac, timingSafeEqual } = require("node:crypto");

const keys = process.env.ZEGO_RECORD_FORWARD_SECRET.split(",").map((s) => Buffer.from(s.trim().replace(/^whsec_/, ""), "base64"));

function isGenuine(headers, body) {
  const [id, sent, given] = ["id", "timestamp", "signature"].map((name) => headers["webhook-" + name] ?? "");
  if (!/^\d+$/.test(sent) || Math.abs(Date.now() / 1000 - Number(sent)) > 300) return false;
  const right = keys.map((key) => Buffer.from("v1," + createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest("base64")));
  const same = (a, b) => a.length === b.length && timingSafeEqual(a, b);
  return given.split(" ").some((one) => right.some((good) => same(Buffer.from(one), good)));
}

require("node:http").createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
    const body = Buffer.concat(chunks);
    const genuine = isGenuine(request.headers, body);
    // webhook-id is the same for every attempt: put a unique column on it
    if (genuine) console.log(request.headers["webhook-id"], JSON.parse(body).data.stream_alias);
    response.writeHead(genuine ? 200 : 401).end();
  });
}).listen(process.env.PORT ?? 8000, "127.0.0.1");
