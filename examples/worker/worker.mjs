// The entry point on Cloudflare Workers: the module is compiled there, and its bindings come with each request.
import { handle, initSync } from './app.js';
import module from './app_bg.wasm';

initSync({ module });

export default { fetch: handle };
