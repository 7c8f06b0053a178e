// The invalidation of runtime/docs/interop.md, as another service would run it.
import { Redis } from "@upstash/redis";

const redis = Redis.fromEnv();

await redis
  .pipeline()
  .set("{user:42}:guard", crypto.randomUUID(), { px: 300_000 })
  .del("user:42")
  .exec();
