/** `@peculiar/x509` with what it needs to load; import it from here only. */
import './reflect-metadata.ts';

export * from '@peculiar/x509';
