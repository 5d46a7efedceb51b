/** The longest interval a timer takes (2^31 - 1 ms). */
const never = 2_147_483_647;

/** Holds this process open until the promise settles: clock timers do not, and what is awaited has no handle of its own. */
export async function keepAliveFor<T>(awaited: Promise<T>): Promise<T> {
  const handle = setInterval(() => {}, never);
  try {
    return await awaited;
  } finally {
    clearInterval(handle);
  }
}
