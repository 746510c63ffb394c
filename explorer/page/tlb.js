// What the TLB keeps, stale entries first.

import { byId, element } from "dom";
import { PAGE_SIZE, address, plural } from "numbers";

const at = (page) => address(page * PAGE_SIZE);

export function drawTlb({ count, stale, kept, used }) {
  const listed = kept.length < count ? `, ${kept.length} of them listed` : "";
  const uses = used.length === 0 ? "" : ` The last step went by a stale entry: ${used.map(at).join(", ")}.`;
  byId("tlb-text").textContent = `${plural(count, "translation")}${listed}; ${stale} stale.${uses}`;
  byId("tlb-text").classList.toggle("wrong", used.length > 0);
  byId("tlb").replaceChildren(...kept.map(({ page, entry, now }) =>
    element("tr", { class: now ? (used.includes(page) ? "stale used" : "stale") : undefined },
      element("th", { scope: "row" }, at(page)),
      element("td", {}, entry),
      element("td", {}, now ? `stale: ${now}${used.includes(page) ? ", and used" : ""}` : "the same"))));
}
