// The same module under Node 18 or newer: `node node.mjs`. Its bindings are environment variables.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { handle, initSync } from './app.js';

const bytes = readFileSync(new URL('./app_bg.wasm', import.meta.url));
initSync({ module: new WebAssembly.Module(bytes) });

// A server goes on after a response, so there is nothing to wait for.
const context = { waitUntil: (promise) => promise.catch((error) => console.error(String(error))) };

async function answer(incoming) {
  const { method, headers } = incoming;
  const url = new URL(incoming.url, `http://${headers.host}`);
  const body = method === 'GET' || method === 'HEAD' ? undefined : Readable.toWeb(incoming);
  const request = new Request(url, { method, headers, body, duplex: 'half' });
  return handle(request, process.env, context);
}

const server = createServer(async (incoming, outgoing) => {
  try {
    const response = await answer(incoming);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  } catch (error) {
    console.error(String(error));
    outgoing.writeHead(500).end();
  }
});
server.listen(Number(process.env.PORT ?? 8787), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
