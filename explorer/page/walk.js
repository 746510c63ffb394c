// A walk from an address to its page, one step at a time, drawn on the grids.

import { byId, element } from "dom";
import { address, parseAddress } from "numbers";

export class Walk {
  constructor(tables) {
    Object.assign(this, { tables, step: 0, target: null });
    byId("walk-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const target = parseAddress(byId("walk-address").value);
      if (target !== null) this.to(target);
    });
    byId("walk-next").addEventListener("click", () => this.move(1));
    byId("walk-back").addEventListener("click", () => this.move(-1));
  }

  /** Proposes an address, unless a walk has begun. */
  offer(target) {
    if (this.target === null) byId("walk-address").value = address(target);
  }

  /** Begins a walk. */
  to(target) {
    Object.assign(this, { target, step: 1 });
    byId("walk-address").value = address(target);
    this.update(this.tables.machine);
  }

  move(by) {
    if (this.target === null) return;
    this.step = Math.min(Math.max(this.step + by, 1), this.steps.length);
    this.draw();
  }

  /** Walks again: the machine has changed. */
  update(machine) {
    if (this.target === null) return;
    this.way = JSON.parse(machine.way(this.target));
    const { split, first, second, present, physical, place } = this.way;
    this.steps = [`${this.way.address} is ${split}`, first];
    if (present[0]) this.steps.push(second);
    if (present[1]) this.steps.push(`the byte is at ${physical}`);
    this.steps.push(place);
    this.step = Math.min(this.step, this.steps.length);
    this.draw();
  }

  draw() {
    const shown = this.steps.slice(0, this.step);
    byId("walk-steps").replaceChildren(...shown.map((words, index) =>
      element("li", { "aria-current": index + 1 === this.step ? "step" : undefined }, words)));
    const [upper, lower] = this.way.parts;
    const inTable = this.step >= 3 && this.way.present[0];
    if (inTable) this.tables.look(this.target);
    this.tables.draw();
    this.tables.directory.way(this.step >= 2 ? upper : null);
    this.tables.table.way(inTable ? lower : null);
  }
}
