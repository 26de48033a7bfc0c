export default async function tearDown() {
  await globalThis.queueServerKeeper?.close();
}
