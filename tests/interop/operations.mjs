// Counters, hashes, locks and hashed keys as the guide has them, on the database of a Rust test:
//   node operations.mjs write   before the Rust side reads
//   node operations.mjs read    after the Rust side has written
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "./check.mjs";

const redis = connect();
// The key of a prompt: the hash of its JSON, so that text, numbers and objects go the same way.
const promptKey = (prompt) =>
  `ai:${createHash("sha256").update(JSON.stringify(prompt)).digest("hex")}`;

if (process.argv[2] === "write") {
  await redis.incr("views:home");
  await redis.incrby("score:ada", 10);
  await redis.hset("prefs:1", { theme: "dark", language: "en", size: 12, wide: true });
  await redis.set("lock:job:1", Date.now(), { nx: true, ex: 30 });
  await redis.setex(promptKey("Was kostet die Wäsche? 🧺"), 3600, "Ein Körbchen.");
} else {
  assert.equal(await redis.get("views:home"), 3);
  assert.equal(await redis.get("score:ada"), 3);
  const prefs = { theme: "light", language: "en", size: 13, wide: true, tags: ["a"] };
  assert.deepEqual(await redis.hgetall("prefs:1"), prefs);
  assert.equal(await redis.set("lock:job:2", Date.now(), { nx: true, ex: 30 }), null);
  assert.equal(await redis.get(promptKey("Say \"hi\"\n")), "hi");
  console.log("read");
}
