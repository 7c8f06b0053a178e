// Hammers budgets with the published @upstash/ratelimit for so long, and prints how many each window admitted: a line
// `limit window-end count` for each. The limits are those of tests/limit_hammer.rs.
import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'

const redis = new Redis({ url: process.env.UPSTASH_REDIS_REST_URL, token: process.env.UPSTASH_REDIS_REST_TOKEN })
const limiters = [
  Ratelimit.fixedWindow(10, '1 s'),
  Ratelimit.fixedWindow(10, '500 ms'),
  Ratelimit.slidingWindow(10, '1 s'),
  Ratelimit.tokenBucket(1, '1 s', 5),
].map((limiter, at) => new Ratelimit({ redis, limiter, prefix: `hammer:${at}`, ephemeralCache: false, timeout: 0 }))

const until = Date.now() + Number(process.env.HAMMER_MS)
const admitted = new Map()
const task = async (at) => {
  while (Date.now() < until) {
    const { success, reset } = await limiters[at].limit('everybody')
    const window = `${at} ${reset}`
    if (success) admitted.set(window, (admitted.get(window) ?? 0) + 1)
  }
}
await Promise.all(limiters.flatMap((_, at) => [task(at), task(at), task(at), task(at)]))
for (const [window, count] of admitted) console.log(`${window} ${count}`)
