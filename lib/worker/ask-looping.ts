import type { EventHub } from '../connections/event-hub.js';
import type { Looping } from '../contracts/queue-events.js';
import { pause } from '../support/abort.js';
import type { Clock } from '../support/clock.js';
import type { Alarm } from './alarm.js';

/** How long a listener may take to say no. */
const LIMIT_MS = 5_000;

/** False when a listener wants this look skipped. One that does not answer in time has nothing against it. */
export async function askLooping(event: Looping, hub: EventHub, alarm: Alarm, clock: Clock): Promise<boolean> {
  const limit = new AbortController();
  const late = pause(LIMIT_MS, limit.signal, clock).then(() => true);
  const answer = await alarm.unlessTold(Promise.race([hub.ask(event), late]));
  limit.abort();
  return answer ?? true;
}
