import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyCheckout, linkNodeModules, run } from './checkout.js';

export interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** Builds a copy of this checkout in `folder`/checkout, and puts the tarball that npm would publish into `folder`. */
export async function packCheckout(folder: string): Promise<Packed> {
  const checkout = join(folder, 'checkout');
  mkdirSync(checkout);
  copyCheckout(checkout);
  linkNodeModules(checkout);
  // What a former build, or a careless one, could have left behind.
  mkdirSync(join(checkout, 'dist'));
  writeFileSync(join(checkout, 'dist/left-over.js'), '');
  const { stdout } = await run(`npm pack --json --silent --pack-destination '${folder}'`, {
    cwd: checkout,
    seconds: 120,
  });
  // npm's report is the last thing written; the build may have printed before it.
  return (JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as Packed[])[0]!;
}
