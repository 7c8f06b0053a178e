// The checks of a script run one after the other; the first that fails ends it with its name.
import { Redis } from "@upstash/redis";

const url = process.env.UPSTASH_REDIS_REST_URL;
const token = process.env.UPSTASH_REDIS_REST_TOKEN;

export const connect = (options = {}) => new Redis({ url, token, ...options });

export async function check(name, body) {
  try {
    await body();
  } catch (error) {
    console.error(`not ok: ${name}`);
    throw error;
  }
  console.log(`ok: ${name}`);
}
