export { open } from './bullmq.mjs';
