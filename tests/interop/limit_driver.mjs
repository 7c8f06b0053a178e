// Drives the published @upstash/ratelimit, one JSON line in for one JSON line out. The clock stands
// where the last line put it.
import { createInterface } from 'node:readline'
import { MultiRegionRatelimit, Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'

const redis = new Redis({ url: process.env.UPSTASH_REDIS_REST_URL, token: process.env.UPSTASH_REDIS_REST_TOKEN })
let now = 0
Date.now = () => now

const algorithms = {
  fixed: ({ units, window }) => Ratelimit.fixedWindow(units, `${window} ms`),
  sliding: ({ units, window }) => Ratelimit.slidingWindow(units, `${window} ms`),
  bucket: ({ units, window, refill }) => Ratelimit.tokenBucket(refill, `${window} ms`, units),
}

const limiters = new Map()
function limiter(step) {
  const options = { dynamicLimits: step.dynamic ?? false, enableProtection: step.protected ?? false }
  const name = JSON.stringify([step.prefix, step.algorithm, step.units, step.window, step.refill, options])
  if (!limiters.has(name)) {
    const { prefix, analytics = false } = step
    const limiter = algorithms[step.algorithm](step)
    limiters.set(name, new Ratelimit({ redis, prefix, limiter, analytics, ephemeralCache: false, timeout: 0, ...options }))
  }
  return limiters.get(name)
}

const operations = {
  async limit(step) {
    const { success, limit, remaining, reset, pending } = await limiter(step).limit(step.id, { rate: step.cost })
    await pending
    return { success, limit, remaining, reset }
  },
  remaining: (step) => limiter(step).getRemaining(step.id),
  async setDynamicLimit(step) {
    await limiter(step).setDynamicLimit({ limit: step.limit })
    return {}
  },
  async deny(step) {
    // Or it fetches a list of addresses first, which needs a network.
    await redis.set(`${step.prefix}:ipDenyListStatus`, 'disabled')
    await redis.sadd(`${step.prefix}:denyList:all`, step.id)
    return {}
  },
  async regions(step) {
    const limiter = MultiRegionRatelimit.fixedWindow(step.units, `${step.window} ms`)
    const all = new MultiRegionRatelimit({ redis: [redis], prefix: step.prefix, limiter, timeout: 0 })
    const { pending, ...answer } = await all.limit(step.id)
    await pending
    return answer
  },
  usage: (step) => limiter(step).analytics.getUsage(now - 3_600_000),
}

for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line)
  now = step.now
  const answer = await operations[step.do](step).catch((error) => ({ error: `${error}` }))
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
