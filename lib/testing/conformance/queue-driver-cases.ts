import type { ConformanceCase } from './conformance-case.js';
import { contentionCases } from './contention-cases.js';
import { effectsCases } from './effects-cases.js';
import { memberEffectsCases } from './member-effects-cases.js';
import { membersTogetherCases } from './members-together-cases.js';
import { exchangeCases } from './exchange-cases.js';
import { hostileInputCases } from './hostile-input-cases.js';
import { inspectionCases } from './inspection-cases.js';
import { leaseCases } from './lease-cases.js';
import { orderCases } from './order-cases.js';
import { pushCases } from './push-cases.js';
import { reserveCases } from './reserve-cases.js';
import { settleCases } from './settle-cases.js';
import { sizeCases } from './size-cases.js';
import { waitingCases } from './waiting-cases.js';

/** What every queue driver must do. */
export const queueDriverCases: readonly ConformanceCase[] = [
  ...pushCases,
  ...orderCases,
  ...reserveCases,
  ...waitingCases,
  ...settleCases,
  ...leaseCases,
  ...effectsCases,
  ...memberEffectsCases,
  ...membersTogetherCases,
  ...exchangeCases,
  ...sizeCases,
  ...inspectionCases,
  ...hostileInputCases,
  ...contentionCases,
];
