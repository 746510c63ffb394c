// What is shown, in steps: here the whole kernel, as it is on a disk, in an emulator of a PC that runs in the page, v86. Each
// line typed at its prompt is a step. After each the emulator's memory is looked at from outside, and the words that have
// changed become a step of a recording: so it is drawn as one. A step back shows what was; what is typed goes on from the last.

import { bytesOf } from "dom";
import { Recorded } from "recorded";

const PROMPT = "droste> ";
const MEBIBYTE = 1 << 20;
const PAGE = 4096;
const PRESENT = 1;
/** An entry's mark of a page of the kernel's own records (kernel/src/paging/entry.rs). */
const KEPT = 1 << 9;
/** Directory entries of page tables; the others are the windows'. */
const TABLES = 1022;
/** Words of an event (kernel/src/events.rs). */
const EVENT_WORDS = 4;
/** What a terminal would take for colours and places of the cursor, and not show. */
const UNSEEN = /\x1b\[[0-9;?]*[A-Za-z]|\r/g;

export class Emulated extends Recorded {
  /** What is typed goes to the emulator. */
  recorded = "emulated";
  first = "the prompt after boot";
  pace = 800;
  /** When all that was typed is carried out. */
  typed = Promise.resolve();

  /** Boots the kernel up to its prompt. `changed` is called after each step. */
  static async boot(places, changed) {
    const machine = await Emulator.start();
    await machine.prompt();
    const outside = new Outside(machine, places);
    const begin = { test: "v86", ...outside.books(), layout: places.layout, steps: [outside.look(null)] };
    return new Emulated(JSON.stringify(begin), machine, outside, changed);
  }

  constructor(recording, emulator, outside, changed) {
    super(recording);
    Object.assign(this, { emulator, outside, changed });
  }

  get about() {
    return "The whole kernel, in an emulator of a PC that runs in this page. Type at its prompt, or choose an entry.";
  }

  /** Types a line, once the machine is back at its prompt. */
  type(line) {
    this.typed = this.typed.then(async () => {
      this.emulator.send(`${line}\n`);
      await this.emulator.prompt();
      this.machine.add(JSON.stringify(this.outside.look(line)));
      this.lines = this.machine.steps();
      this.goTo(this.lines.length);
      this.changed();
    });
  }

  /** A link leads to the machine as it is. */
  open() {
    this.goTo(this.lines.length);
  }

  get fragment() {
    return "";
  }
}

/** The machine in which the kernel runs: its memory, CR3, and the serial line. */
class Emulator {
  said = "";
  waiting = null;

  static async start() {
    const { V86 } = await import("v86");
    const wasm = bytesOf("emulator");
    return new Emulator(new V86({
      wasm_fn: async (imports) => (await WebAssembly.instantiate(wasm, imports)).instance.exports,
      memory_size: 32 * MEBIBYTE,
      vga_memory_size: 2 * MEBIBYTE,
      multiboot: { buffer: bytesOf("kernel").buffer },
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      autostart: true,
    }));
  }

  constructor(machine) {
    this.machine = machine;
    machine.add_listener("serial0-output-byte", (byte) => {
      this.said += String.fromCharCode(byte);
      if (this.waiting && this.said.endsWith(PROMPT)) {
        this.waiting();
        this.waiting = null;
      }
    });
  }

  /** Waits until the kernel asks for a line. */
  prompt() {
    return new Promise((resolve) => { this.waiting = resolve; });
  }

  send(words) {
    this.machine.serial0_send(words);
  }

  get root() {
    return this.machine.v86.cpu.cr[3] / PAGE;
  }

  /** Returns words of physical memory as they are now. */
  words(address, count) {
    return new Uint32Array(this.machine.read_memory(address, 4 * count).slice().buffer);
  }
}

/** What tells of address spaces, seen from outside: as `scripts/gdb/record.py` looks at QEMU's. */
class Outside {
  seen = new Map();
  said = 0;
  recorded = 0;

  constructor(emulator, places) {
    Object.assign(this, { emulator, places });
  }

  word(place) {
    return this.emulator.words(this.places[place], 1)[0];
  }

  /** Where the pool's frames and the books of them are. */
  books() {
    const pool = [this.word("pool_start"), this.word("pool_end")];
    return { pool, map: this.word("map"), uses: this.word("uses") };
  }

  /** Returns the numbers of the frames that tell of the current address space: directory, tables, pages of pools' own. */
  frames() {
    const { pool: [start, end], map, uses } = this.books();
    const pages = (from, bytes) => {
      const first = Math.floor(from / PAGE);
      return Array.from({ length: Math.floor((from + bytes - 1) / PAGE) - first + 1 }, (_, page) => first + page);
    };
    const found = new Set([this.emulator.root, ...pages(map, (end - start) / 4), ...pages(uses, end - start)]);
    for (const table of this.ledTo(this.emulator.root, PRESENT, TABLES)) {
      found.add(table);
      for (const page of this.ledTo(table, PRESENT | KEPT, TABLES + 2)) found.add(page);
    }
    return found;
  }

  ledTo(frame, flags, count) {
    const entries = this.emulator.words(frame * PAGE, count);
    return Array.from(entries).filter((entry) => (entry & flags) === flags).map((entry) => entry >>> 12);
  }

  /** Returns the events since the last look; of many, those that the kernel still knows. */
  events() {
    const { counter, ring, kept } = this.places;
    const now = this.emulator.words(counter, 1)[0];
    const first = Math.max(this.recorded, now - kept);
    this.recorded = now;
    return Array.from({ length: now - first }, (_, more) =>
      Array.from(this.emulator.words(ring + (first + more) % kept * 4 * EVENT_WORDS, EVENT_WORDS)));
  }

  /** Returns a step: what has changed since the last one. */
  look(typed) {
    const words = [];
    for (const frame of this.frames()) {
      const now = this.emulator.words(frame * PAGE, PAGE / 4);
      const before = this.seen.get(frame);
      const changed = Array.from(now, (word, at) => [at, word]).filter(([at, word]) => word !== (before?.[at] ?? 0));
      if (changed.length > 0) words.push([frame, changed]);
      this.seen.set(frame, now);
    }
    const events = this.events();
    const said = this.emulator.said.slice(this.said).replace(UNSEEN, "");
    this.said = this.emulator.said.length;
    return { event: events.pop() ?? null, before: events, root: this.emulator.root, words, said, typed };
  }
}
