// A small web site: a page for each package, with the package's own build for browsers.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(process.env.PKG_DIR ?? process.cwd(), 'node_modules');
const scripts = (folder) => ({
  '/nexmo-client.build.js': join(PACKAGES, 'nexmo-client/dist/nexmoClient.js'),
  '/nexmo-client.js': join(folder, 'nexmo_client.js'),
  '/client-sdk.build.js': join(PACKAGES, '@vonage/client-sdk/dist/vonageClientSDK.js'),
  '/client-sdk.js': join(folder, 'client_sdk.js'),
});
const page = (name) => `<!doctype html><meta charset="utf-8"><title>${name}</title>
<link rel="icon" href="data:,"><script src="/${name}.build.js"></script><script src="/${name}.js"></script>`;

/** `folder` holds what the pages do. */
export async function serve(folder = HERE) {
  const known = scripts(folder);
  const server = createServer((request, response) => {
    const script = known[request.url];
    const name = /^\/([\w-]+)\.html$/.exec(request.url)?.[1];
    response.writeHead(script || name ? 200 : 404, { 'Content-Type': script ? 'text/javascript' : 'text/html' });
    response.end(script ? readFileSync(script) : page(name));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
