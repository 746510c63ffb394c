// Addresses and entries, written as the kernel writes them.

export const PAGE_SIZE = 4096;
export const ENTRIES = 1024;
export const NOTE_ENTRY = 1022;
export const SELF_ENTRY = 1023;

const PRESENT = 1;
const WRITABLE = 2;
const ACCESSED = 0x20;
const DIRTY = 0x40;
const SHARED = 0x400;
/** The kernel's own marks, in bits that the processor ignores. */
const MARKS = [[0x200, "kept"], [SHARED, "shared"], [0x800, "shares"]];

/** Prints an address: 0x4000_1000. */
export function address(number) {
  const digits = (number >>> 0).toString(16).toUpperCase().padStart(8, "0");
  return `0x${digits.slice(0, 4)}_${digits.slice(4)}`;
}

/** Reads an address as the prompt does, or returns null. */
export function parseAddress(text) {
  const digits = text.trim().replace(/^0x/, "").replaceAll("_", "");
  return /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : null;
}

export const isPresent = (bits) => (bits & PRESENT) !== 0;

/** Prints an entry: its frame's address, a letter for each flag that is set, and a word for each mark. */
export function entryInWords(bits) {
  if (!isPresent(bits)) return `absent(0x${bits.toString(16).padStart(8, "0")})`;
  const flags = [..."PWUTCADSG"].map((letter, bit) => (bits & (1 << bit) ? letter : "-")).join("");
  const marks = MARKS.filter(([bit]) => bits & bit).map(([, word]) => ` ${word}`);
  return `p${address(bits & ~0xfff)} ${flags}${marks.join("")}`;
}

/** Returns one letter for what an entry allows, and what was done by it. */
export function entryLetter(bits, inDirectory) {
  if (!isPresent(bits)) return bits === 0 ? "·" : inDirectory ? "n" : "o";
  if (bits & SHARED) return "s";
  if (bits & DIRTY) return "d";
  if (bits & ACCESSED) return "a";
  return bits & WRITABLE ? "w" : "r";
}

/** Returns a noun's form for a count, with the count before it. */
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
