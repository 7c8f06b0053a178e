// The session management of the guide, on the database of a Rust test:
//   node sessions.mjs <id>   reads that session, then starts one of its own and prints its id
import assert from "node:assert/strict";
import { connect } from "./check.mjs";

const redis = connect();

async function createSession(userId) {
  const sessionId = crypto.randomUUID();
  const session = { userId, createdAt: Date.now() };
  await redis.setex(`session:${sessionId}`, 86400, JSON.stringify(session));
  return sessionId;
}

async function getSession(sessionId) {
  return (await redis.get(`session:${sessionId}`)) ?? null;
}

const session = await getSession(process.argv[2]);
assert.deepEqual(session, { userId: "ada", createdAt: 1767225600000 });
console.log(await createSession("grace"));
