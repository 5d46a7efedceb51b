/** Runs what a command does, and turns however it ends into words and an exit status. */
export type RunTask = (task: (signal: AbortSignal) => Promise<number>) => Promise<void>;
