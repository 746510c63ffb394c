// What is shown, in steps: here those of a run of the real machine, which was recorded. Nothing can be typed at it.

import { Replay } from "droste";

export class Recorded {
  /** Milliseconds between steps that are played. */
  pace = 150;
  first = "the test begins";
  at = 0;
  failed = null;
  dead = false;
  /** Nothing can be typed. */
  recorded = "yes";

  constructor(recording) {
    this.machine = new Replay(recording);
    /** What happened at each step, in words. */
    this.lines = this.machine.steps();
  }

  get about() {
    return `What the test ${this.machine.test()} did to the memory of a real machine, QEMU’s, event by event.`;
  }

  type() {}

  goTo(step) {
    this.at = Math.min(Math.max(step, 0), this.lines.length);
    this.machine.go_to(this.at);
  }

  /** Goes to the step whose number a link has. */
  open(fragment) {
    this.goTo(Number.parseInt(fragment.slice(1), 10) || 0);
  }

  get done() {
    return this.lines.slice(0, this.at);
  }

  get console() {
    return [["", this.machine.said()]];
  }

  get fragment() {
    return this.at === 0 ? "" : `#${this.at}`;
  }
}
