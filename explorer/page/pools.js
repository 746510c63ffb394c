// Address spaces, their pools, and the regions of each as a bar with its holes.

import { byId, commandButton, element } from "dom";
import { PAGE_SIZE, address, plural } from "numbers";

/** A region of a page and one of thousands both have to be seen. */
const width = (pages) => Math.log2(pages + 1);

/** Returns what is in a pool in order, holes too. */
function parts({ start, end, extents, count }) {
  const all = [];
  let from = start;
  for (const extent of extents) {
    if (extent.start > from) all.push({ start: from, end: extent.start, hole: true });
    all.push(extent);
    from = extent.end;
  }
  if (count > extents.length) all.push({ start: from, end, rest: count - extents.length });
  else if (from < end) all.push({ start: from, end, hole: true });
  return all;
}

function inWords(part) {
  const pages = plural(part.end - part.start, "page");
  if (part.rest) return `${plural(part.rest, "more extent")}`;
  if (part.hole) return `hole of ${pages}`;
  return part.region ? `region of ${pages}, ${part.backed} backed` : `${pages} of the pool’s own`;
}

function drawPart(type, part) {
  const kind = part.hole || part.rest ? "hole" : part.region ? "region" : "metadata";
  const at = address(part.start * PAGE_SIZE);
  const item = element("li", { "data-kind": kind, style: `flex-grow:${width(part.end - part.start)}` },
    element("b", {}, at), ` ${inWords(part)} `);
  if (kind === "region") item.append(commandButton(type, `touch ${at}`, "touch"), commandButton(type, `free ${at}`, "free"));
  return item;
}

function drawPool(type, pool) {
  const at = address(pool.start * PAGE_SIZE);
  const strays = pool.strays.map((page) => address(page * PAGE_SIZE));
  const warning = strays.length === 0 ? [] : [element("p", { class: "wrong", role: "alert" },
    `Backed, but in no region: ${strays.join(", ")}`)];
  return element("article", { "aria-label": `Pool ${pool.addresses}` },
    element("h3", {}, `Pool ${pool.addresses}`),
    element("ol", { class: "bar" }, ...parts(pool).map((part) => drawPart(type, part))),
    ...warning,
    element("p", {}, commandButton(type, `alloc ${at} 4K`), commandButton(type, `alloc ${at} 64K`),
      commandButton(type, `pool drop ${at}`)));
}

export function drawPools(type, { spaces, pools, damage }) {
  const disabled = document.documentElement.dataset.recorded !== undefined;
  byId("spaces").replaceChildren(
    ...spaces.map(({ number, root, current }) => element("button",
      { type: "button", disabled, "aria-pressed": String(current), click: () => type(`space load ${number}`) },
      // Seen from outside, none has the number that the prompt knows it by.
      disabled ? `space ${root}` : `space ${number}, ${root}`)),
    commandButton(type, "space new"),
    commandButton(type, "duplicate"),
  );
  const none = "No pools: any page from 4 MiB up to the windows is backed when it is touched.";
  byId("pools").replaceChildren(...pools.map((pool) => drawPool(type, pool)));
  if (pools.length === 0) byId("pools").append(element("p", {}, none));
  if (damage) byId("pools").append(element("p", { class: "wrong", role: "alert" }, damage));
}
