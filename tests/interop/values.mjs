// What the npm client makes of values, for a Rust test on the same database:
//   node values.mjs read <key>…         prints the values as one JSON array
//   node values.mjs write '{"key":…}'   stores each value under its key
import assert from "node:assert/strict";
import { connect } from "./check.mjs";

const redis = connect();
const [what, ...rest] = process.argv.slice(2);

if (what === "read") {
  const values = await Promise.all(rest.map((key) => redis.get(key)));
  assert.deepEqual(await redis.mget(...rest), values);
  console.log(JSON.stringify(values));
} else if (what === "write") {
  const entries = Object.entries(JSON.parse(rest[0]));
  await Promise.all(entries.map(([key, value]) => redis.set(key, value)));
} else {
  throw new Error(`read or write, not ${what}`);
}
