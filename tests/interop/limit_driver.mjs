// Drives the published @upstash/ratelimit, one JSON line in for one JSON line out. The clock stands
// where the last line put it.
import { createInterface } from 'node:readline'
import { Ratelimit } from '@upstash/ratelimit'
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
  const name = JSON.stringify([step.prefix, step.algorithm, step.units, step.window, step.refill])
  if (!limiters.has(name)) {
    const { prefix, analytics = false } = step
    const limiter = algorithms[step.algorithm](step)
    limiters.set(name, new Ratelimit({ redis, prefix, limiter, analytics, ephemeralCache: false, timeout: 0 }))
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
  usage: (step) => limiter(step).analytics.getUsage(now - 3_600_000),
}

for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line)
  now = step.now
  const answer = await operations[step.do](step).catch((error) => ({ error: `${error}` }))
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
