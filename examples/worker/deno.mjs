// The same module under Deno, which runs Supabase functions: `deno run --allow-net --allow-env --allow-read deno.mjs`. Its
// bindings are environment variables.
import { handle, initSync } from './app.js';

const bytes = Deno.readFileSync(new URL('./app_bg.wasm', import.meta.url));
initSync({ module: new WebAssembly.Module(bytes) });

// Supabase keeps a function alive for what this takes; a server goes on anyway.
const waitUntil = globalThis.EdgeRuntime
  ? (promise) => globalThis.EdgeRuntime.waitUntil(promise)
  : (promise) => promise.catch((error) => console.error(String(error)));

Deno.serve(
  {
    port: Number(Deno.env.get('PORT') ?? 8787),
    hostname: '127.0.0.1',
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
  },
  (request) => handle(request, Deno.env.toObject(), { waitUntil }),
);
