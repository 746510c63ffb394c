// The directory, and the page table that is chosen in it.

import { byId, commandButton, element } from "dom";
import { Grid } from "grid";
import { PAGE_SIZE, SELF_ENTRY, address, entryInWords, isPresent } from "numbers";

const WINDOW = 0xffc00000;
/** What the table of the self-entry is seen as, for each time the entry was followed. */
const AS_TABLE = "Entry 1023 leads to the directory: followed as any other, it makes the directory a page table.";

export class Tables {
  /** `type` carries out a line, `walk` goes to an address. */
  constructor(type, walk) {
    Object.assign(this, { type, walk, index: 256, entry: 0 });
    this.directory = new Grid(byId("directory"), "Directory, 1024 entries", (index) => this.chooseTable(index));
    this.table = new Grid(byId("table"), "Page table, 1024 entries", (index) => this.chooseEntry(index));
  }

  /** Chooses the table and the entry of an address, without drawing them. */
  look(target) {
    Object.assign(this, { index: target >>> 22, entry: (target >>> 12) & 1023 });
  }

  chooseTable(index) {
    this.index = index;
    this.draw();
  }

  chooseEntry(index) {
    this.entry = index;
    this.draw();
  }

  /** Draws the state of `machine`. */
  update(machine, picture) {
    this.machine = machine;
    byId("directory-text").textContent = `In the frame at ${picture.root}, which CR3 holds; seen at 0xFFFF_F000.`;
    this.draw();
  }

  draw() {
    const directory = this.machine.table(SELF_ENTRY);
    const entries = this.machine.table(this.index);
    this.directory.draw(directory, this.machine.changed(SELF_ENTRY), true);
    this.table.draw(entries, this.machine.changed(this.index), this.index === SELF_ENTRY);
    this.directory.mark(this.index);
    this.table.mark(this.entry);
    this.tell(directory, entries);
  }

  tell(directory, entries) {
    const first = this.index * PAGE_SIZE * 1024;
    const seen = address(WINDOW + this.index * PAGE_SIZE);
    const there = isPresent(directory[this.index]);
    const text = there ? `Seen at ${seen}.` : `There is none: nothing is seen at ${seen}.`;
    const self = this.index === SELF_ENTRY ? ` ${AS_TABLE}` : "";
    byId("table-text").textContent = `Entry ${this.index}, of pages from ${address(first)} on. ${text}${self}`;
    const page = (first + this.entry * PAGE_SIZE) >>> 0;
    const words = entryInWords(entries[this.entry] ?? 0);
    const asPage = this.index === SELF_ENTRY && this.entry === SELF_ENTRY
      ? " Followed twice, entry 1023 makes the directory a page: the one that you see here." : "";
    byId("entry-text").replaceChildren(`Entry ${this.entry} maps ${address(page)}: `, element("code", {}, words), `.${asPage}`);
    byId("entry-actions").replaceChildren(
      ...["touch", "read", "why", "free"].map((verb) => {
        const line = `${verb} ${address(page)}${verb === "free" ? " page" : ""}`;
        return commandButton(this.type, line);
      }),
      element("button", { type: "button", click: () => this.walk(page) }, `walk to ${address(page)}`),
    );
  }
}
