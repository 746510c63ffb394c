// The page: each line that is typed, by keyboard or by button, is a step; after each, everything is drawn.

import { Prompt } from "console";
import { byId, element } from "dom";
import { Emulated } from "emulated";
import { drawFrames } from "frames";
import { parseAddress } from "numbers";
import { drawPools } from "pools";
import { Recorded } from "recorded";
import { Session, loadKernel } from "session";
import { drawStories } from "stories";
import { Tables } from "tables";
import { drawTlb } from "tlb";
import { Walk } from "walk";

/** What can be broken on purpose: the word that `break` takes, and what it leaves out. */
const SWITCHES = [
  ["flush", "single pages of pools are not flushed from the TLB"],
  ["clear", "new page tables and directories are not cleared"],
  ["legitimacy", "whatever lies in the range of a pool is legitimate"],
];

/** Commands, and events, whose next word is the page that they are about. */
const ABOUT_A_PAGE = ["touch", "read", "write", "free", "why", "walk", "pde", "pte", "backed", "free_page", "unshared"];

let playing = null;
const commands = await loadKernel();
const recording = byId("recording").textContent;
const session = await begin();
const tables = new Tables(type, (target) => walk.to(target));
const walk = new Walk(tables);
const prompt = new Prompt(type, commands);

function begin() {
  if (byId("emulator").textContent !== "") {
    byId("about").textContent = "The whole kernel boots in an emulator of a PC, and does its main job: a few seconds.";
    return Emulated.boot(JSON.parse(recording), follow);
  }
  return recording === "" ? new Session() : new Recorded(recording);
}

function type(line) {
  setPlaying(false);
  session.type(line);
  follow();
}

function goTo(step) {
  session.goTo(step);
  follow();
}

/** Returns the page that a line is about, or null. */
function pageOf(line) {
  const [verb, word] = line.split(/\s+/);
  return ABOUT_A_PAGE.includes(verb) ? parseAddress((word ?? "").replace(",", "")) : null;
}

/** Draws the state, with the page that a line was about last. */
function follow() {
  const target = session.done.map(pageOf).findLast((page) => page !== null);
  if (target !== undefined) {
    tables.look(target);
    walk.offer(target);
  }
  draw();
}

function drawCounts({ free, faults, root, tlb }) {
  const counts = { "free frames": free, "faults answered": faults, "CR3": root };
  if (tlb) counts["stale translations"] = tlb.stale;
  byId("counts").replaceChildren(...Object.entries(counts).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))));
}

function drawSteps() {
  const { at, lines, dead } = session;
  byId("undo").disabled = at === 0;
  byId("play").disabled = lines.length === 0;
  byId("redo").disabled = at === lines.length || dead;
  Object.assign(byId("step"), { max: lines.length, value: at });
  byId("step-name").textContent = `${at} of ${lines.length}: ${at === 0 ? session.first : lines[at - 1]}`;
}

function drawSwitches({ broken }) {
  const buttons = SWITCHES.map(([name, words]) => element("button",
    { type: "button", "aria-pressed": String(broken.includes(name)), click: () => type(`break ${name}`) },
    `break ${name}: ${words}`));
  const mend = element("button", { type: "button", disabled: broken.length === 0, click: () => type("mend") }, "mend");
  byId("switches").replaceChildren(...buttons, mend);
}

function list(id, lines) {
  byId(id).replaceChildren(...lines.map((line) => element("li", {}, line)));
}

function draw() {
  const focused = document.activeElement?.textContent;
  const group = document.activeElement?.parentElement?.id;
  const picture = JSON.parse(session.machine.picture());
  drawCounts(picture);
  drawSteps();
  drawSwitches(picture);
  prompt.draw(session);
  tables.update(session.machine, picture);
  drawPools(type, picture);
  drawFrames(picture.frames);
  if (picture.tlb) drawTlb(picture.tlb);
  list("acts", picture.acts.length > 0 ? picture.acts : ["nothing was changed"]);
  list("events", picture.events);
  walk.update(session.machine);
  history.replaceState(null, "", session.fragment || location.pathname + location.search);
  keepFocus(group, focused);
}

/** A button that was drawn again stays the focused one. */
function keepFocus(group, words) {
  if (!group || !words || document.activeElement !== document.body) return;
  const again = [...byId(group).querySelectorAll("button")].find((button) => button.textContent === words);
  again?.focus();
}

function openLink() {
  session.open(location.hash);
  follow();
}

/** Goes on by a step at a time, until the end or until it is pressed again. */
function play() {
  if (playing === null && session.at === session.lines.length) session.goTo(0);
  setPlaying(playing === null);
  follow();
}

function setPlaying(on) {
  clearInterval(playing);
  playing = on ? setInterval(() => {
    goTo(session.at + 1);
    if (session.at === session.lines.length || session.dead) setPlaying(false);
  }, session.pace) : null;
  byId("play").textContent = on ? "Pause" : "Play";
}

byId("play").addEventListener("click", play);
byId("undo").addEventListener("click", () => goTo(session.at - 1));
byId("redo").addEventListener("click", () => goTo(session.at + 1));
byId("step").addEventListener("input", (event) => goTo(Number(event.target.value)));
if (session.failed === null) addEventListener("hashchange", openLink);
addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=range])") && event.target.value !== "";
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || typing) return;
  event.preventDefault();
  goTo(Math.max(session.at + (event.shiftKey ? 1 : -1), 0));
});
if (session.about) {
  document.documentElement.dataset.recorded = session.recorded;
  byId("about").textContent = session.about;
}
/** A figure of the book shows some parts alone. */
const parts = new URLSearchParams(location.search).get("parts")?.split(",");
if (parts) {
  document.documentElement.dataset.figure = "yes";
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = !parts.includes(section.getAttribute("aria-labelledby").replace("-title", ""));
  }
}
drawStories();
if (session.failed === null) openLink();
else byId("failed").textContent = `The kernel stopped before its prompt: ${session.failed}`;
document.documentElement.dataset.ready = "yes";
