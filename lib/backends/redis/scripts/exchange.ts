import { Script } from '../script.js';
import { ackPart } from './ack-part.js';
import { claimPart } from './claim-part.js';
import { clockPart } from './clock-part.js';
import { effectsPart } from './effects-part.js';
import { factsPart } from './facts-part.js';
import { failurePart } from './failure-part.js';
import { leanExchangePart } from './lean-exchange-part.js';
import { leasePart } from './lease-part.js';
import { lockPart } from './lock-part.js';
import { memberPart } from './member-part.js';
import { orderPart } from './order-part.js';
import { ringPart } from './ring-part.js';
import { settlePart } from './settle-part.js';
import { storePart } from './store-part.js';
import { unlockPart } from './unlock-part.js';

const claims = `
wanted, lease_end, nonce = tonumber(ARGV[1]), now + ARGV[3], ARGV[4] .. '.'
local queues, soonest = tonumber(ARGV[2]), -1
if wanted > 0 then
  for number = 1, queues do
    claim(KEYS[number], number, now)
    if wanted == 0 then break end
  end
  if served == 0 then
    for number = 1, queues do
      local wait = due_in(KEYS[number], now)
      if wait and (soonest < 0 or wait < soonest) then soonest = wait end
    end
  end
end
return { #refused > 0 and refused or 0, lease_end, soonest, #broken > 0 and broken or 0, unpack(taken) }
`;

/**
 * Hands in what is finished and takes what is due.
 *
 * KEYS: the queues to take from, in their order, then what the settlements name. ARGV: how many to take, from how many queues, length of
 * the lease in ms, nonce; then settlements, each with a letter and the number of its queue's key: `a`, how many, and their
 * reservations for plain acks, at most 1,000; `x` and `r` as `settle_one` reads them.
 *
 * Answers what was refused (0 for none), the end of the leases, in how many ms the next job is due where none was found (-1: none),
 * what was broken (0 for nothing), and the groups of `claim` one behind the other.
 */
export const exchangeScript = new Script(
  'exchange',
  'frees',
  clockPart,
  factsPart,
  lockPart,
  unlockPart,
  memberPart,
  failurePart,
  ringPart,
  leasePart,
  orderPart,
  storePart,
  effectsPart,
  ackPart,
  settlePart,
  claimPart,
  `
local now = now_ms()
local at, place = 5, 0
while at <= #ARGV do
  local kind, base = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
  if kind == 'a' then
    local n = tonumber(ARGV[at + 2])
    ack_many(base, at + 3, n, place)
    at, place = at + 3 + n, place + n
  else
    at, place = settle_one(kind, base, now, at + 2, place), place + 1
  end
end
`,
  claims,
);

/** The same for plain acks alone: nearly all calls are like this. */
export const plainExchangeScript = new Script(
  'plain-exchange',
  'frees',
  leanExchangePart,
  clockPart,
  ringPart,
  leasePart,
  orderPart,
  ackPart,
  claimPart,
  `
local now = now_ms()
for _, at in ipairs(strangers) do refuse(KEYS[1], ARGV[at], at - 8) end
local at, place = settled and #ARGV + 1 or 5, 0
while at <= #ARGV do
  local n = tonumber(ARGV[at + 2])
  ack_many(KEYS[tonumber(ARGV[at + 1])], at + 3, n, place)
  at, place = at + 3 + n, place + n
end
`,
  claims,
);
