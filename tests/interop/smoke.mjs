// The published npm clients against the gateway: what they are told must be what Upstash would say.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Ratelimit } from "@upstash/ratelimit";
import { check, connect } from "./check.mjs";

const redis = connect();
const sha1 = (text) => createHash("sha1").update(text).digest("hex");

await check("strings are set, read and deleted", async () => {
  assert.equal(await redis.set("s", "text"), "OK");
  assert.equal(await redis.get("s"), "text");
  assert.equal(await redis.get("s:missing"), null);
  assert.equal(await redis.del("s", "s:missing"), 1);
  assert.equal(await redis.exists("s"), 0);
});

await check("the options of set are understood", async () => {
  assert.equal(await redis.set("o", 1, { nx: true, ex: 100 }), "OK");
  assert.equal(await redis.set("o", 2, { nx: true }), null);
  assert.equal(await redis.set("o", 3, { get: true, keepTtl: true }), 1);
  assert.equal(await redis.ttl("o"), 100);
});

await check("mset and mget keep their order and their gaps", async () => {
  assert.equal(await redis.mset({ "m:1": "a", "m:2": { b: [1] } }), "OK");
  assert.deepEqual(await redis.mget("m:2", "m:missing", "m:1"), [{ b: [1] }, null, "a"]);
});

await check("counters count", async () => {
  assert.equal(await redis.incr("c"), 1);
  assert.equal(await redis.incrby("c", 41), 42);
  assert.equal(await redis.decr("c"), 41);
  assert.equal(await redis.incrbyfloat("c", 0.5), 41.5);
});

await check("a hash is an object", async () => {
  const value = { text: "ü", number: 7, flag: true, nested: { a: [null, 1] } };
  assert.equal(await redis.hset("h", value), 4);
  assert.deepEqual(await redis.hgetall("h"), value);
  assert.equal(await redis.hget("h", "number"), 7);
  assert.equal(await redis.hincrby("h", "number", 3), 10);
  assert.equal(await redis.hdel("h", "text"), 1);
  assert.equal(await redis.hgetall("h:missing"), null);
});

await check("a sorted set gives members and scores", async () => {
  assert.equal(await redis.zadd("z", { score: 1, member: "a" }, { score: 2.5, member: { b: 1 } }), 2);
  assert.deepEqual(await redis.zrange("z", 0, -1, { withScores: true }), ["a", 1, { b: 1 }, 2.5]);
  assert.deepEqual(await redis.zrange("z", "-inf", "+inf", { byScore: true, count: 1, offset: 1 }), [{ b: 1 }]);
  assert.equal(await redis.zscore("z", "a"), 1);
});

await check("lists and sets are arrays", async () => {
  assert.equal(await redis.rpush("l", "a", 1, { b: 2 }), 3);
  assert.deepEqual(await redis.lrange("l", 0, -1), ["a", 1, { b: 2 }]);
  assert.equal(await redis.sadd("set", "x", "y"), 2);
  assert.deepEqual((await redis.smembers("set")).sort(), ["x", "y"]);
});

await check("a scan finds every key once the cursor is back at 0", async () => {
  const keys = Array.from({ length: 100 }, (_, n) => `scan:${n}`);
  await redis.mset(Object.fromEntries(keys.map((key) => [key, 1])));
  const found = new Set();
  let cursor = "0";
  do {
    const [next, page] = await redis.scan(cursor, { match: "scan:*", count: 10 });
    page.forEach((key) => found.add(key));
    cursor = next;
  } while (cursor !== "0");
  assert.deepEqual([...found].sort(), keys.sort());
});

await check("keys expire", async () => {
  await redis.set("e", 1);
  assert.equal(await redis.ttl("e"), -1);
  assert.equal(await redis.expire("e", 60), 1);
  assert.equal(await redis.ttl("e"), 60);
  assert.equal(await redis.persist("e"), 1);
  assert.equal(await redis.pexpire("e", 1), 1);
  while ((await redis.exists("e")) === 1);
  assert.equal(await redis.ttl("e"), -2);
});

await check("a pipeline gives a result each, and keeps errors apart", async () => {
  const results = await redis.pipeline().set("p", 1).incr("p").get("p").exec();
  assert.deepEqual(results, ["OK", 2, 2]);
  const kept = await redis.pipeline().lpush("p", 1).get("p").exec({ keepErrors: true });
  assert.match(kept[0].error, /^WRONGTYPE /);
  assert.equal(kept[1].result, 2);
  await assert.rejects(redis.pipeline().get("p").lpush("p", 1).exec(), /Command 2 \[ lpush \] failed: WRONGTYPE/);
});

await check("a transaction gives a result each, or is discarded as a whole", async () => {
  assert.deepEqual(await redis.multi().set("t", 1).incr("t").exec(), ["OK", 2]);
  await assert.rejects(redis.multi().incr("t").eval("return 1", []).hset("t", {}).exec(), /wrong number of arguments/);
  assert.equal(await redis.get("t"), 2);
});

await check("many transactions at once do not mix", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, () => connect().multi().incr("many").incr("many").exec()),
  );
  for (const [first, second] of results) assert.equal(second, first + 1);
  assert.equal(await redis.get("many"), 40);
});

await check("scripts run by text and by hash", async () => {
  const script = "return {KEYS[1], ARGV[1], 7, redis.status_reply('OK')}";
  const expected = ["k", "a", 7, "OK"];
  await assert.rejects(redis.evalsha(sha1(script), ["k"], ["a"]), /NOSCRIPT/);
  assert.deepEqual(await redis.eval(script, ["k"], ["a"]), expected);
  assert.deepEqual(await redis.evalsha(sha1(script), ["k"], ["a"]), expected);
  assert.equal(await redis.scriptLoad(script), sha1(script));
  assert.deepEqual(await redis.scriptExists(sha1(script), sha1("")), [1, 0]);
  assert.deepEqual(await redis.createScript(script).exec(["k"], ["a"]), expected);
  await assert.rejects(redis.eval("return redis.error_reply('MINE no')", [], []), /MINE no/);
});

await check("scripts with the flag of Upstash run by text and by hash", async () => {
  const script = "#!lua flags=allow-key-locking\nreturn redis.call('INCR', KEYS[1])";
  assert.equal(await redis.eval(script, ["flagged"], []), 1);
  assert.equal(await redis.evalsha(sha1(script), ["flagged"], []), 2);
  assert.equal(await redis.scriptLoad(script), sha1(script));
  assert.deepEqual(await redis.scriptExists(sha1(script)), [1]);
  const both = script.replace("flags=", "flags=no-writes,").replace("INCR", "GET");
  assert.equal(await redis.evalRo(both, ["flagged"], []), 2);
  assert.equal(await redis.evalshaRo(sha1(both), ["flagged"], []), 2);
});

await check("a subscriber gets what is published", async () => {
  const subscriber = redis.subscribe("channel");
  const heard = new Promise((resolve, reject) => {
    subscriber.on("message", resolve);
    subscriber.on("error", reject);
  });
  await new Promise((resolve) => subscriber.on("subscribe", resolve));
  assert.equal(await redis.publish("channel", { text: "a,b ü" }), 1);
  assert.deepEqual(await heard, { channel: "channel", message: { text: "a,b ü" } });
  await subscriber.unsubscribe();
});

await check("a pattern gets what is published", async () => {
  const subscriber = redis.psubscribe("pattern:*");
  const heard = new Promise((resolve, reject) => {
    subscriber.on("pmessage", resolve);
    subscriber.on("error", reject);
  });
  await new Promise((resolve) => subscriber.on("psubscribe", resolve));
  assert.equal(await redis.publish("pattern:1", { n: 1 }), 1);
  assert.deepEqual(await heard, { pattern: "pattern:*", channel: "pattern:1", message: { n: 1 } });
  await subscriber.unsubscribe();
});

await check("commands of one tick leave together and fail apart", async () => {
  await redis.set("auto", "text");
  const settled = await Promise.allSettled([redis.set("auto:1", 1), redis.incr("auto"), redis.incr("auto:1")]);
  assert.deepEqual(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.match(settled[1].reason.message, /Command failed: ERR value is not an integer/);
  assert.equal(settled[2].value, 2);
  const many = await Promise.all(Array.from({ length: 1500 }, (_, n) => redis.set(`auto:many:${n}`, n)));
  assert.equal(many.every((result) => result === "OK"), true);
  assert.equal(await redis.get("auto:many:1499"), 1499);
});

await check("errors carry the words of the server", async () => {
  const direct = connect({ enableAutoPipelining: false });
  await redis.rpush("err", 1);
  await assert.rejects(direct.get("err"), /^UpstashError: WRONGTYPE /);
  await assert.rejects(direct.set("err", undefined), /null args are not supported/);
  await assert.rejects(direct.exec(["NOSUCH"]), /ERR Command is not available: 'NOSUCH'/);
  await assert.rejects(direct.exec(["HELLO", "3"]), /is not allowed in REST or it has a special context path/);
  await assert.rejects(connect({ token: "wrong" }).get("s"), /WRONGPASS invalid or missing auth token/);
});

await check("the read-your-writes token moves with a write", async () => {
  const client = connect();
  assert.equal(client.readYourWritesSyncToken, "");
  await client.set("ryw", 1);
  const first = client.readYourWritesSyncToken;
  assert.notEqual(first, "");
  await client.get("ryw");
  assert.equal(client.readYourWritesSyncToken, first);
  await client.set("ryw", 2);
  assert.notEqual(client.readYourWritesSyncToken, first);
});

// `abcd` and `OK` are where a forgotten or doubled base64 shows.
const texts = ["", "OK", "T0s=", "abcd", "ü€😀\u0000\n\"\\", " ", "007", "1.50", "9007199254740993", "__NULL__"];
for (const [name, client] of [["with", redis], ["without", connect({ responseEncoding: false })]]) {
  await check(`texts survive ${name} base64`, async () => {
    for (const text of texts) {
      await client.set("b64", text);
      assert.equal(await client.get("b64"), text);
      assert.deepEqual(await client.mget("b64", "b64:missing"), [text, null]);
      assert.deepEqual(await client.exec(["MGET", "b64"]), [text]);
    }
  });
}

await check("values keep their type", async () => {
  for (const value of [0, -5, 1.5, 1e21, true, false, null, [], {}, [1, [null, "x"]], { a: { "ü:": [1.5] } }]) {
    await redis.set("v", value);
    assert.deepEqual(await redis.get("v"), value);
  }
});

await check("a large value survives and a too large one is refused", async () => {
  const large = "ü".repeat(2 * 1024 * 1024);
  await redis.set("large", large);
  assert.equal(await redis.get("large"), large);
  const limit = 10 * 1024 * 1024;
  await assert.rejects(redis.set("large", "x".repeat(limit)), /max request size exceeded. Limit: 10485760 bytes/);
});

for (const [name, algorithm] of [
  // So long that no run of the checks meets the end of a window.
  ["fixed window", Ratelimit.fixedWindow(2, "365 d")],
  ["sliding window", Ratelimit.slidingWindow(2, "365 d")],
  ["token bucket", Ratelimit.tokenBucket(1, "365 d", 2)],
]) {
  await check(`a limiter refuses what is over its ${name}`, async () => {
    const limiter = new Ratelimit({
      redis,
      prefix: `limit:${name}`,
      limiter: algorithm,
      ephemeralCache: false,
      analytics: true,
      timeout: 0,
    });
    const outcomes = [];
    for (let n = 0; n < 3; n++) {
      const { success, remaining, pending } = await limiter.limit("user");
      await pending;
      outcomes.push([success, remaining]);
    }
    assert.deepEqual(outcomes, [[true, 1], [true, 0], [false, 0]]);
    assert.equal((await limiter.getRemaining("user")).remaining, 0);
    await limiter.resetUsedTokens("user");
    assert.equal((await limiter.limit("user")).success, true);
  });
}
