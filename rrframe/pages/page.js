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
  // What stands on either side is chosen below it where there are more than two pictures: flipping shows what changes.
  const startComparison = (stage) => {
    const layers = [...stage.children];
    if (layers.length < 2) return;
    const names = layers.map((layer) => layer.querySelector(".side").textContent);
    const range = make("input", { type: "range", min: 0, max: 100, value: 50 });
    const [left, right] = ["left", "right"].map((side) => {
      const select = make("select", { "aria-label": `On the ${side}`, class: side }, ...names.map((name) => make("option", {}, name)));
      select.addEventListener("change", () => show());
      return select;
    });
    const move = (share) => {
      range.value = share;
      range.setAttribute("aria-valuetext", `${Math.round(share)} % ${left.value}`);
      stage.style.setProperty("--at", `${share}%`);
    };
    const show = () => {
      layers.forEach((layer, place) => {
        layer.classList.toggle("on-left", place === left.selectedIndex);
        layer.classList.toggle("on-right", place === right.selectedIndex);
      });
      range.setAttribute("aria-label", `How much is shown of: ${left.value}; the rest is: ${right.value}`);
      move(Number(range.value));
    };
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      move(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
    };
    stage.append(range, make("span", { class: "handle" }));
    stage.classList.add("live");
    if (names.length > 2) stage.after(make("div", { class: "choose" }, left, right));
    range.addEventListener("input", () => move(Number(range.value)));
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      event.preventDefault();
      range.focus({ preventScroll: true });
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
    stage.showOnRight = (name) => {
      if (!names.includes(name)) return;
      right.value = name;
      show();
    };
    right.selectedIndex = 1;
    show();
  };

  // Many comparisons: a few at a time, chosen by their marks and their caption, ordered by a number of their tables.
  const startBrowser = (list) => {
    const most = 12;
    const cards = [...list.children].map((figure) => ({
      figure,
      words: figure.querySelector("figcaption").textContent.toLowerCase(),
      stage: figure.querySelector(".stage"),
      table: figure.querySelector(".said table"),
    }));
    const different = (values) => [...new Set(values)];
    const choice = (label, options) => {
      const select = make("select", {}, ...options.map((option) => make("option", {}, option)));
      bar.append(make("label", {}, make("span", {}, label), select));
      select.addEventListener("change", () => show(most));
      return select;
    };
    const bar = make("div", { class: "browse-bar", role: "search" });
    const marks = [...list.querySelectorAll("[data-label]")];
    const labels = different(marks.map((mark) => mark.dataset.label)).map((label) => {
      const all = different(marks.filter((mark) => mark.dataset.label === label).map((mark) => mark.textContent));
      return { label, select: all.length > 1 || list.querySelectorAll(`[data-label="${CSS.escape(label)}"]`).length < cards.length ? choice(label, ["all", ...all.sort()]) : null };
    });
    // In the order of the comparison that has the most: others may lack one.
    const perCard = cards.map(({ figure }) => [...figure.querySelectorAll(".layer:not(:first-child) > .side")].map((side) => side.textContent));
    const sides = different(perCard.sort((one, other) => other.length - one.length).flat());
    const side = sides.length > 1 ? choice("On the right", sides) : null;
    const headings = [...(list.querySelector(".said table")?.tHead.rows[0].cells ?? [])];
    const numbers = headings.flatMap((heading, column) => (heading.classList.contains("number") ? [{ column, name: heading.firstChild.textContent.trim() }] : []));
    const order = numbers.length ? choice("Order", ["as listed", ...numbers.flatMap(({ name }) => [`${name}, lowest first`, `${name}, highest first`])]) : null;
    const named = make("input", { type: "search", placeholder: "part of a name" });
    named.addEventListener("input", () => show(most));
    bar.append(make("label", {}, make("span", {}, "Name"), named));
    const count = make("p", { class: "quiet", "aria-live": "polite" });
    const more = make("button", { type: "button", class: "more" });
    more.addEventListener("click", () => {
      const first = show(shown + most)[shown - most];
      first?.figure.focus({ preventScroll: true });
    });
    let shown = most;

    const chosen = ({ figure, words }) =>
      words.includes(named.value.trim().toLowerCase()) &&
      labels.every(({ label, select }) => !select?.selectedIndex || [...figure.querySelectorAll("[data-label]")].some((mark) => mark.dataset.label === label && mark.textContent === select.value));
    const number = ({ table }, column) => {
      const row = [...(table?.tBodies[0].rows ?? [])].find((each) => each.cells[0].firstChild.textContent.trim() === (side ? side.value : sides[0]));
      return Number(row?.cells[column].dataset.value ?? "NaN");
    };
    const show = (until) => {
      shown = until;
      let found = cards.filter(chosen);
      if (order?.selectedIndex) {
        const { column } = numbers[(order.selectedIndex - 1) >> 1];
        const sign = order.selectedIndex % 2 ? 1 : -1;
        const key = new Map(found.map((card) => [card, number(card, column)]));
        found = [...found].sort((one, other) => Number.isNaN(key.get(one)) - Number.isNaN(key.get(other)) || sign * (key.get(one) - key.get(other)) || 0);
      }
      list.append(...found.map(({ figure }) => figure));
      cards.forEach(({ figure }) => { figure.hidden = true; });
      found.slice(0, shown).forEach(({ figure, stage }) => {
        figure.hidden = false;
        if (side) stage?.showOnRight?.(side.value);
      });
      count.textContent = `${Math.min(shown, found.length)} of ${found.length} shown` + (found.length < cards.length ? `, ${cards.length} in all` : "");
      more.hidden = shown >= found.length;
      more.textContent = `Show ${Math.min(most, found.length - shown)} more`;
      return found;
    };
    list.before(bar, count);
    list.after(more);
    show(most);
  };

  // A link to a comparison brings it out, with what the link is about on its right; a small picture shows it beforehand.
  const startPointer = (link) => {
    const figure = document.getElementById(link.hash.slice(1));
    const layers = [...(figure?.querySelectorAll(".layer") ?? [])];
    const layer = layers.find((each) => each.querySelector(".side").textContent === link.dataset.side);
    if (layer) link.prepend(make("img", { src: layer.querySelector("img").src, alt: "", loading: "lazy" }));
    link.addEventListener("click", () => {
      if (!figure) return;
      figure.hidden = false;
      figure.querySelector(".stage")?.showOnRight?.(link.dataset.side);
      figure.focus({ preventScroll: true });
    });
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
      const button = make("button", { type: "button" }, ...heading.childNodes);
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
    document.querySelectorAll(".browse").forEach(startBrowser);
    document.querySelectorAll(".pointers a").forEach(startPointer);
    document.querySelectorAll(".strip").forEach(startStrip);
    document.querySelectorAll(".sortable").forEach(startTable);
  });
})();
