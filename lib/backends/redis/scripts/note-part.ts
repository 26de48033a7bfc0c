/**
 * What is told of a settlement that is not simply accepted. `noted` has its place in the call and a letter where it was refused, or the
 * flags of its member's end (as `member_flags` has them) where anybody may wait for what came of that.
 */
export const notePart = `
local noted = {}

local function note(place, what)
  noted[#noted + 1], noted[#noted + 2] = place, what
end
`;
