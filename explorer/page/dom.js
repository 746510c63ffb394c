// Elements, made and found.

export const byId = (id) => document.getElementById(id);

/** Returns the bytes that an element of the page holds. */
export const bytesOf = (id) => Uint8Array.from(atob(byId(id).textContent.trim()), (letter) => letter.charCodeAt(0));

/** Makes an element with attributes and children; an attribute that is a function listens. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Makes a button of the live machine's that carries out a line, which is also what it says unless there are words. */
export const commandButton = (type, line, words = line) =>
  element("button", { type: "button", class: "live", click: () => type(line) }, words);
