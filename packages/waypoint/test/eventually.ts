/** Waits for what a peer or another turn of the loop brings about; for tests over real sockets. */
export async function until(holds: () => boolean, withinMs = 2_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`it did not come to that within ${withinMs} ms: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
