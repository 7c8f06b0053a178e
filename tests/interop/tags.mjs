// The tags of runtime/docs/interop.md, as another service would use them:
//   node tags.mjs invalidate <tag>
//   node tags.mjs get <key>            prints the plain form, or null
import { connect } from "./check.mjs";

const redis = connect({ automaticDeserialization: false });
const keys = {};

function open(key, stored) {
  return stored.slice(stored.indexOf("\n") + 1);
}

async function get(key) {
  const stored = await redis.get(key);
  if (!stored?.startsWith('{"millpond":')) return stored;
  const { tags = {} } = JSON.parse(stored.slice(0, stored.indexOf("\n")));
  const names = Object.keys(tags);
  const words = names.length > 0 ? await redis.mget(names.map((name) => `@tag:${name}`)) : [];
  return names.every((name, at) => tags[name] === words[at]) ? open(key, stored, keys) : null;
}

const [what, name] = process.argv.slice(2);
if (what === "invalidate") {
  await redis.set(`@tag:${name}`, crypto.randomUUID(), { px: 300_000 });
} else if (what === "get") {
  console.log(JSON.stringify(await get(name)));
} else {
  throw new Error(`invalidate or get, not ${what}`);
}
