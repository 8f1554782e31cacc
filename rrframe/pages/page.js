// Brings the pieces of a page to life. Without it the page still shows everything.
"use strict";
(() => {
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Light or dark: the system's choice until the reader makes one, which is kept where the browser lets a page keep it.
  const theme = {
    kept() { try { return localStorage.getItem("theme"); } catch { return null; } },
    keep(name) { try { localStorage.setItem("theme", name); } catch { /* shown all the same */ } },
    isDark: () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark",
  };
  if (["light", "dark"].includes(theme.kept())) document.documentElement.dataset.theme = theme.kept();

  const startTheme = (button) => {
    const label = () => {
      const text = `Switch to ${theme.isDark() ? "light" : "dark"} colours`;
      button.setAttribute("aria-label", text);
      button.title = text;
    };
    button.addEventListener("click", () => {
      const chosen = theme.isDark() ? "light" : "dark";
      document.documentElement.dataset.theme = chosen;
      theme.keep(chosen);
      label();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
    label();
    button.hidden = false;
  };

  // The slider is a range input, for keyboards and screen readers; a finger or a mouse may drag anywhere on the picture.
  const startComparison = (stage) => {
    const [before, after] = [...stage.querySelectorAll(".side")].map((side) => side.textContent);
    const range = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": `How much is shown of: ${before}; the rest is: ${after}` });
    const move = (share) => {
      range.value = share;
      range.setAttribute("aria-valuetext", `${Math.round(share)} % ${before}`);
      stage.style.setProperty("--at", `${share}%`);
    };
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      move(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
    };
    stage.append(range, make("span", { class: "handle" }));
    stage.classList.add("live");
    range.addEventListener("input", () => move(Number(range.value)));
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      event.preventDefault();
      range.focus({ preventScroll: true });
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
    move(50);
  };

  // One viewer for all strips. Neighbours appear in the same place, so that flipping shows what changes.
  const viewer = (() => {
    const image = make("img", { alt: "" });
    const words = make("p", { "aria-live": "polite" });
    const button = (label, sign) => make("button", { type: "button", "aria-label": label, title: label }, sign);
    const [previous, next, close] = [button("Previous picture", "←"), button("Next picture", "→"), button("Close", "✕")];
    const stage = make("div", { class: "viewer-stage" }, image);
    const dialog = make("dialog", { class: "viewer", "aria-label": "Picture at 100 %" }, make("div", { class: "viewer-bar" }, words, previous, next, close), stage);
    let pictures = [];
    let place = 0;
    const show = (to) => {
      place = (to + pictures.length) % pictures.length;
      const shown = pictures[place];
      image.src = shown.src;
      image.alt = shown.alt;
      image.width = shown.getAttribute("width");
      image.height = shown.getAttribute("height");
      const caption = [...shown.closest("figure").querySelectorAll("figcaption span")].map((part) => part.textContent).join(" · ");
      words.textContent = `${caption} (${place + 1} of ${pictures.length}, at 100 %)`;
    };
    previous.addEventListener("click", () => show(place - 1));
    next.addEventListener("click", () => show(place + 1));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(place + step);
    });
    return {
      dialog,
      open(among, at) {
        pictures = among;
        show(at);
        dialog.showModal();
        next.focus();
      },
    };
  })();

  const startStrip = (strip) => {
    const pictures = [...strip.querySelectorAll("img")];
    pictures.forEach((picture, place) => {
      const button = make("button", { type: "button", title: "View at 100 %" });
      picture.replaceWith(button);
      button.append(picture);
      button.addEventListener("click", () => viewer.open(pictures, place));
    });
  };

  const startTable = (table) => {
    const body = table.tBodies[0];
    if (body.rows.length < 2) return;
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button" }, heading.textContent);
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const order = (one, other) => value(one).localeCompare(value(other), undefined, { numeric: true });
        const number = (row) => Number(row.cells[column].dataset.value ?? "-Infinity");
        const compare = heading.classList.contains("number") ? (one, other) => number(one) - number(other) || 0 : order;
        body.append(...[...body.rows].sort((one, other) => (rising ? compare(one, other) : compare(other, one))));
      });
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(viewer.dialog);
    document.querySelectorAll(".theme").forEach(startTheme);
    document.querySelectorAll(".stage").forEach(startComparison);
    document.querySelectorAll(".strip").forEach(startStrip);
    document.querySelectorAll(".sortable").forEach(startTable);
  });
})();
