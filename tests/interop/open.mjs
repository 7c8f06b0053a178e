// The opening of runtime/docs/interop.md, as another service would do it, and its reverse:
//   node open.mjs <keys> open <key>…            prints the plain forms as one JSON array
//   node open.mjs <keys> seal <key> <id> <json>  stores a compressed and encrypted value
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { connect } from "./check.mjs";

function open(key, stored, keys) {
  if (!stored.startsWith('{"millpond":')) return stored;
  const end = stored.indexOf("\n");
  const line = stored.slice(0, end);
  const { millpond, gzip, aes256gcm, tags, until, from, took, ...unknown } = JSON.parse(line);
  if (millpond !== 1 || Object.keys(unknown).length > 0) throw new Error("not of version 1");
  if (until <= Date.now()) return null; // its lifetime is over
  if (!gzip && !aes256gcm) return stored.slice(end + 1);
  let bytes = Buffer.from(stored.slice(end + 1), "base64");
  if (aes256gcm) {
    const decipher = createDecipheriv("aes-256-gcm", keys[aes256gcm], bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from(`${key}\n${line}`));
    decipher.setAuthTag(bytes.subarray(-16));
    bytes = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
  }
  if (gzip) bytes = gunzipSync(bytes, { maxOutputLength: 32 * 1024 * 1024 });
  return bytes.toString();
}

function seal(key, plain, id, keys) {
  const line = `{"millpond":1,"gzip":true,"aes256gcm":"${id}"}`;
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keys[id], nonce);
  cipher.setAAD(Buffer.from(`${key}\n${line}`));
  const sealed = [nonce, cipher.update(gzipSync(plain)), cipher.final(), cipher.getAuthTag()];
  return `${line}\n${Buffer.concat(sealed).toString("base64")}`;
}

const redis = connect({ automaticDeserialization: false });
const [given, what, ...rest] = process.argv.slice(2);
const keys = Object.fromEntries(
  Object.entries(JSON.parse(given)).map(([id, key]) => [id, Buffer.from(key, "base64")]),
);

if (what === "open") {
  const stored = await Promise.all(rest.map((key) => redis.get(key)));
  console.log(JSON.stringify(rest.map((key, at) => open(key, stored[at], keys))));
} else if (what === "seal") {
  const [key, id, plain] = rest;
  await redis.set(key, seal(key, plain, id, keys));
} else {
  throw new Error(`open or seal, not ${what}`);
}
