// The map of the process frame pool: a letter a frame, rows of 64; rows without a frame in use are drawn together.

import { byId, element } from "dom";
import { plural } from "numbers";

const COLUMNS = 64;

/** Splits letters into runs of the same one. */
const runs = (letters) => letters.match(/(.)\1*/g) ?? [];

const colours = (letters) => runs(letters).map((run) => element("span", { "data-use": run[0] }, run));

export function drawFrames({ start, letters, uses }) {
  const rows = [];
  for (let from = 0; from < letters.length; from += COLUMNS) {
    const row = letters.slice(from, from + COLUMNS);
    const last = rows.at(-1);
    const alike = runs(row).length === 1 && ".x".includes(row[0]);
    if (alike && last?.letter === row[0]) last.count += row.length;
    else rows.push({ from, row, letter: alike ? row[0] : null, count: row.length });
  }
  const names = Object.fromEntries(uses.map(({ letter, name }) => [letter, name]));
  byId("frames").replaceChildren(...rows.map(({ from, row, letter, count }) => {
    const cells = letter === null || count <= COLUMNS ? colours(row)
      : [element("span", { "data-use": letter }, letter.repeat(8)), ` ${plural(count, "frame")}, ${names[letter]}`];
    return element("div", {}, `0x${(start + from).toString(16).padStart(5, "0")} `, ...cells);
  }));
  const used = uses.filter(({ count }) => count > 0);
  byId("frames").setAttribute("aria-label",
    `Map of the process frame pool: ${used.map(({ name, count }) => `${count} ${name}`).join(", ")}`);
  byId("frame-uses").replaceChildren(...used.map(({ letter, name, count }) =>
    element("li", {}, element("span", { "data-use": letter }, letter), ` ${name}: ${count}`)));
}
