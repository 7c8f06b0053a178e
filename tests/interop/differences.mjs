// What the npm client makes of values, as JavaScript shows them:
//   node differences.mjs read '{"key":"…"}'     prints [what `get`, what `hgetall` returns] of each key, or null
//                                               where both are what the expression gives
//   node differences.mjs write '{"key":"…"}'    stores what each expression gives, under its key
import { inspect, isDeepStrictEqual } from "node:util";
import { connect } from "./check.mjs";

const redis = connect();
const [what, given] = process.argv.slice(2);
const evaluate = (expression) => new Function(`return (${expression})`)();
const show = (value) => inspect(value, { breakLength: Infinity, maxStringLength: 32 });

const entries = Object.entries(JSON.parse(given));

if (what === "read") {
  const pairs = entries.map(async ([key, expression]) => {
    const wanted = evaluate(expression);
    const read = [await redis.get(key), (await redis.hgetall(`hash:${key}`)).field];
    return read.every((value) => isDeepStrictEqual(value, wanted)) ? null : read.map(show);
  });
  console.log(JSON.stringify(await Promise.all(pairs)));
} else if (what === "write") {
  const written = entries.map(async ([key, expression]) => {
    const value = evaluate(expression);
    await redis.set(key, value);
    return JSON.stringify(value) ?? null;
  });
  console.log(JSON.stringify(await Promise.all(written)));
} else {
  throw new Error(`read or write, not ${what}`);
}
