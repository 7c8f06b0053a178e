// The backplane of runtime/docs/interop.md, as another service would use it:
//   node told.mjs publish <key>        tells the processes that keep it
//   node told.mjs listen <number>      prints the keys of so many messages
import { connect } from "./check.mjs";

const redis = connect({});
const [what, argument] = process.argv.slice(2);
if (what === "publish") {
  await redis.publish("millpond:moved", { v: 1, keys: [argument] });
} else if (what === "listen") {
  let left = Number(argument);
  const kept = { delete: (key) => console.log(key) };
  const moved = redis.subscribe("millpond:moved");
  moved.on("message", ({ message }) => message.keys.forEach((key) => kept.delete(key)));
  moved.on("message", () => {
    left -= 1;
    if (left === 0) process.exit(0);
  });
  moved.on("subscribe", () => console.log("subscribed"));
} else {
  throw new Error(`publish or listen, not ${what}`);
}
