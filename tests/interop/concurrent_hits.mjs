// Prints the CPU time of this process for one `get`, a thousand of them at once, in ns: the least of some rounds.
//   node concurrent_hits.mjs <prefix of the keys> <rounds> <whether they are sent together>
import { connect } from "./check.mjs";

const [prefix, rounds, pipelines] = process.argv.slice(2);
const redis = connect({ enableAutoPipelining: pipelines === "true" });
const keys = Array.from({ length: 1000 }, (_, id) => `${prefix}:${id}`);

let least = Infinity;
for (let round = 0; round < 2 * Number(rounds); round++) {
  const before = process.cpuUsage();
  const users = await Promise.all(keys.map((key) => redis.get(key)));
  const { user, system } = process.cpuUsage(before);
  if (!users.every((user, id) => user?.id === id)) throw new Error("a user is missing");
  // The first half is for the compiler.
  if (round >= Number(rounds)) least = Math.min(least, user + system);
}
console.log((least * 1000) / keys.length);
