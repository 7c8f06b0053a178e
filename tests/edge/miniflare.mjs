// A Worker in workerd, until standard input ends. The argument is JSON: the folder of the module, its bindings, and the
// names that are bound to KV namespaces.
import { once } from 'node:events';
import { Miniflare } from 'miniflare';

const { folder, bindings, namespaces } = JSON.parse(process.argv[2]);
const worker = new Miniflare({
  cf: false,
  host: '127.0.0.1',
  port: 0,
  rootPath: folder,
  modules: [
    { type: 'ESModule', path: 'worker.mjs' },
    { type: 'ESModule', path: 'app.js' },
    { type: 'CompiledWasm', path: 'app_bg.wasm' },
  ],
  compatibilityDate: '2026-04-01',
  bindings,
  kvNamespaces: namespaces,
});
console.log(String(await worker.ready));
process.stdin.resume();
await once(process.stdin, 'end');
await worker.dispose();
