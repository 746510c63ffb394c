// States worth a look, each as the lines that lead to it.

import { byId, element } from "dom";
import { toFragment } from "link";

const STORIES = [
  ["A first touch: a page, and a table for it", ["alloc 4000_0000 8M", "read 4040_0000"]],
  ["One address, two spaces, two words", ["alloc 4000_0000 4K", "write 4000_1000 7", "space new", "space load 2",
    "alloc 4000_0000 4K", "write 4000_1000 9", "space load 1", "read 4000_1000"]],
  ["Entry 1023, followed twice: the directory, seen as a page", ["walk FFFF_F000"]],
  ["The second window: a directory is made that is not the current one", ["space new"]],
  ["A clone: the first write copies the page", ["alloc 4000_0000 4K", "write 4000_1000 7", "duplicate",
    "write 4000_1000 9"]],
  ["One word past the end of a region", ["alloc 4000_0000 8K", "touch 4000_1000 2", "read 4000_3000"]],
  ["A pointer that outlived its region", ["alloc 4000_0000 8K", "touch 4000_1000 2", "free 4000_1000", "read 4000_1000"]],
  ["A flush that was left out: a word is read from a frame that was given back", ["alloc 4000_0000 4K",
    "write 4000_1000 7", "break flush", "free 4000_1000 page", "read 4000_1000"]],
  ["A table that was not cleared", ["alloc 4000_0000 8M", "break clear", "touch 4040_0000"]],
  ["A page that no region holds", ["alloc 4000_0000 4K", "break legitimacy", "touch 4000_2000"]],
];

export function drawStories() {
  byId("stories").replaceChildren(...STORIES.map(([words, lines]) =>
    element("li", {}, element("a", { href: toFragment(lines) }, words))));
}
