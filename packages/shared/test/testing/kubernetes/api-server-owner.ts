/** Starts an API server, says of which processes it is made, and waits to be killed. */
import { ApiServer } from '../../../src/testing/kubernetes/api-server.ts';

const { pids, directory } = await ApiServer.start();
console.log(JSON.stringify({ pids, directory }));
