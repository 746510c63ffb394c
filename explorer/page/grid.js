// A table of 1024 entries as a grid of 32 by 32, for the mouse and for the keyboard.

import { element } from "dom";
import { ENTRIES, NOTE_ENTRY, SELF_ENTRY, entryInWords, entryLetter, isPresent } from "numbers";

const SIDE = 32;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE };

export class Grid {
  /** Fills `parent`; `choose` is called with the number of an entry. */
  constructor(parent, label, choose) {
    this.choose = choose;
    this.bits = [];
    this.chosen = 0;
    this.cells = Array.from({ length: ENTRIES }, (_, index) =>
      element("span", { role: "gridcell", tabindex: index === 0 ? 0 : -1, "data-entry": index }));
    parent.setAttribute("role", "grid");
    parent.setAttribute("aria-label", label);
    for (let row = 0; row < ENTRIES; row += SIDE) {
      parent.append(element("div", { role: "row" }, ...this.cells.slice(row, row + SIDE)));
    }
    parent.addEventListener("click", (event) => this.take(event.target));
    parent.addEventListener("keydown", (event) => this.key(event));
  }

  /** Draws entries, and underlines those whose numbers are in `changed`. `special` says whether it is the directory. */
  draw(bits, changed, special) {
    this.cells.forEach((cell, index) => {
      const entry = bits[index] ?? 0;
      cell.classList.toggle("changed", changed.includes(index));
      if (this.bits[index] === entry && this.special === special) return;
      const isSelf = special && index === SELF_ENTRY;
      cell.textContent = isSelf && isPresent(entry) ? "∞" : entryLetter(entry, special);
      cell.dataset.kind = cell.textContent;
      const name = isSelf ? ", the directory itself" : special && index === NOTE_ENTRY ? ", the note" : "";
      cell.setAttribute("aria-label", `entry ${index}${name}: ${entryInWords(entry)}`);
      cell.title = `${index}: ${entryInWords(entry)}`;
    });
    this.bits = Array.from(bits);
    this.special = special;
  }

  /** Marks the entry that is looked at. */
  mark(index) {
    this.cells[this.chosen].setAttribute("aria-selected", "false");
    this.cells[this.chosen].tabIndex = -1;
    this.chosen = index;
    this.cells[index].setAttribute("aria-selected", "true");
    this.cells[index].tabIndex = 0;
  }

  /** Marks the entry that a walk goes by, or none. */
  way(index) {
    this.cells.forEach((cell, number) => cell.classList.toggle("way", number === index));
  }

  take(cell) {
    if (cell.dataset.entry !== undefined) this.choose(Number(cell.dataset.entry));
  }

  key(event) {
    const index = Number(event.target.dataset.entry);
    const step = STEPS[event.key];
    if (step !== undefined) {
      const next = this.cells[index + step];
      if (next === undefined) return;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      this.take(event.target);
    } else {
      return;
    }
    event.preventDefault();
  }
}
