// What is shown, in steps. Here: the machine and what was typed at it. The machine does the same each time, so a state is the lines that led to it: going
// back is starting again.

import { bytesOf } from "dom";
import init, { Explorer, keep_last_words, last_words } from "droste";
import { fromFragment, toFragment } from "link";

/** Compiles the kernel, which is in the page. */
export async function loadKernel() {
  await init({ module_or_path: bytesOf("wasm") });
  keep_last_words();
  return Explorer.commands();
}

export class Session {
  /** Milliseconds between steps that are played. */
  pace = 800;
  first = "the prompt after boot";
  /** All lines, undone ones too. */
  lines = [];
  /** How many of them are carried out. */
  at = 0;
  /** What the machine said to each. */
  said = [];
  /** Why there is no machine: what the kernel said when it gave up before its prompt. */
  failed = null;
  /** Whether the last line that was carried out stopped the machine. The machine is then as it was before that line. */
  dead = false;

  constructor() {
    this.start();
  }

  start() {
    // After a panic the old machine is left alone: its memory is borrowed for ever.
    if (!this.dead) this.machine?.free();
    try {
      this.machine = new Explorer();
    } catch (error) {
      this.failed = last_words() || String(error);
    }
    this.at = 0;
    this.dead = false;
  }

  /** Carries out a line. Lines that were undone are gone. */
  type(line) {
    if (this.dead) return;
    this.lines.splice(this.at, Infinity, line);
    this.step();
  }

  /** Goes to the state after so many lines. */
  goTo(step) {
    if (step < this.at) this.start();
    while (this.at < Math.min(step, this.lines.length) && !this.dead) this.step();
  }

  /** Goes to the state that a link leads to. */
  open(fragment) {
    this.start();
    this.lines = fromFragment(fragment);
    this.said = [];
    this.goTo(this.lines.length);
  }

  step() {
    const line = this.lines[this.at];
    try {
      this.said[this.at] = this.machine.carry_out(line);
      this.at += 1;
    } catch (error) {
      const step = this.at;
      const words = last_words() || String(error);
      this.dead = true;
      this.start();
      this.goTo(step);
      this.said[step] = `the machine stopped: ${words}\nundo to go on\n`;
      this.at = step + 1;
      this.dead = true;
    }
  }

  get done() {
    return this.lines.slice(0, this.at);
  }

  /** What the console shows: what was typed, and what the machine said to it. */
  get console() {
    return this.done.map((line, step) => [`droste> ${line}`, this.said[step]]);
  }

  get fragment() {
    return toFragment(this.done);
  }
}
