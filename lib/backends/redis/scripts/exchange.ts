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
import { membersPart } from './members-part.js';
import { notePart } from './note-part.js';
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
return { #noted > 0 and noted or 0, lease_end, soonest, #broken > 0 and broken or 0, unpack(taken) }
`;

const acks = `
local function acked(kind, base, at, place, now)
  local n = tonumber(ARGV[at + 2])
  if kind == 'a' then
    ack_many(base, at + 3, n, place)
    return at + 3 + n, place + n
  end
  ack_members(base, KEYS[tonumber(ARGV[at + 3])], at + 4, n, place, now)
  return at + 4 + n, place + n
end
`;

/**
 * Hands in what is finished and takes what is due.
 *
 * KEYS: the queues to take from, in their order, then what the settlements name. ARGV: how many to take, from how many queues, length of
 * the lease in ms, nonce; then settlements, each with a letter and the number of its queue's key: `a`, how many, and their
 * reservations for plain acks, at most 1,000; `m`, how many, the number of a batch's key, and the reservations of its members that have
 * succeeded, at most 1,000; `x` and `r` as `settle_one` reads them.
 *
 * Answers what was noted of settlements (0 for nothing), the end of the leases, in how many ms the next job is due where none was found
 * (-1: none), what was broken (0 for nothing), and the groups of `claim` one behind the other.
 */
export const exchangeScript = new Script(
  'exchange',
  'frees',
  notePart,
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
  ackPart,
  membersPart,
  effectsPart,
  settlePart,
  claimPart,
  acks,
  `
local now = now_ms()
local at, place = 5, 0
while at <= #ARGV do
  local kind, base = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
  if kind == 'a' or kind == 'm' then at, place = acked(kind, base, at, place, now)
  else at, place = settle_one(kind, base, now, at + 2, place), place + 1 end
end
`,
  claims,
);

/** The same for plain acks, and acks of members that have succeeded, alone: nearly all calls are like this. */
export const plainExchangeScript = new Script(
  'plain-exchange',
  'frees',
  notePart,
  leanExchangePart,
  clockPart,
  memberPart,
  ringPart,
  leasePart,
  orderPart,
  ackPart,
  membersPart,
  claimPart,
  acks,
  `
local now = now_ms()
for i = 1, #strangers, 2 do refuse(KEYS[1], ARGV[strangers[i]], strangers[i + 1]) end
for _, one in ipairs(unfinished) do finish_members(one[1], one[2], one[3], one[4], one[5], one[6], one[7], now) end
local at, place = settled and #ARGV + 1 or 5, 0
while at <= #ARGV do at, place = acked(ARGV[at], KEYS[tonumber(ARGV[at + 1])], at, place, now) end
`,
  claims,
);
