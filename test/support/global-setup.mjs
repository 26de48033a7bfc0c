import { ServerKeeper } from './server-keeper.mjs';

/** Starts no server: the first spec that needs one does. */
export default async function setUp() {
  const keeper = new ServerKeeper();
  globalThis.queueServerKeeper = keeper;
  process.env.QUEUE_TEST_KEEPER = await keeper.open();
}
