// A state's address: the lines that lead to it, in the fragment.

export const toFragment = (lines) => (lines.length === 0 ? "" : `#${lines.map(encodeURIComponent).join(";")}`);

/** Reads a fragment; one that is no state's is the first state. */
export function fromFragment(fragment) {
  try {
    return fragment.replace(/^#/, "").split(";").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}
