// The prompt: what was typed and said, and the line that is being typed.

import { byId, element } from "dom";

/** What is said before anything was typed. */
const HINT = "Try 'alloc 4000_0000 64K' and then 'touch 4000_1000', or open one of the states to look at.";

export class Prompt {
  constructor(type, commands) {
    this.lines = [];
    this.back = 0;
    this.input = byId("line");
    byId("commands").replaceChildren(...commands.map((name) => element("option", { value: name })));
    byId("line-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const line = this.input.value.trim();
      this.input.value = "";
      if (line !== "") type(line);
    });
    this.input.addEventListener("keydown", (event) => this.recall(event));
  }

  recall(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.back = Math.min(Math.max(this.back + step, 0), this.lines.length);
    this.input.value = this.back === 0 ? "" : this.lines.at(-this.back);
  }

  draw({ console, done, dead }) {
    Object.assign(this, { lines: done, back: 0 });
    const said = console.map(([typed, words]) => element("div", {}, element("b", {}, typed), typed && "\n", words));
    byId("console").replaceChildren(...(said.length > 0 ? said : [element("div", { class: "note" }, HINT)]));
    byId("console").scrollTop = byId("console").scrollHeight;
    this.input.disabled = dead;
  }
}
