/** Where one image holds all services: the first argument says which one runs. */

const services = {
  payments: () => import('./payments.ts'),
  ledger: () => import('./ledger.ts'),
  'customer-analytics': () => import('./customer-analytics.ts'),
  store: () => import('./store.ts'),
  stranger: () => import('./stranger.ts'),
} as const;

const [name = process.env['BANK_SERVICE'] ?? ''] = process.argv.slice(2);
const names = Object.keys(services).join(', ');

if (name === '--help') {
  process.stdout.write(`usage: bank SERVICE, or BANK_SERVICE=SERVICE; services: ${names}\n`);
} else if (name in services) {
  await services[name as keyof typeof services]();
} else {
  process.stderr.write(`There is no service "${name}" in this bank; services: ${names}.\n`);
  process.exitCode = 2;
}
