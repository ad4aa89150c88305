"use strict";
// What the page does beyond being read: links open what is folded, tables are searched and sorted, a cell shows its figures in full.
// Without it nothing is missing from the page. It fetches nothing and keeps nothing.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const text = element => element.textContent.replace(/\s+/g, " ").trim();

  // Numbers as the page writes them: 1,005,056; 2.22 × 10<sup>−16</sup>; 2.22e-16; 2<sup>−52</sup>; 33 %; 1 min 5 s; ∞. Words are no number.
  function numberOf(element) {
    let copy = element;
    if (element.firstElementChild) {
      copy = element.cloneNode(true);
      all("sup", copy).forEach(power => power.replaceWith("^" + power.textContent));
    }
    const written = text(copy).replace(/[,\u2007\u2008]/g, "").replace(/−/g, "-").trim();
    if (/^-?∞/.test(written)) return written[0] === "-" ? -Infinity : Infinity;
    const minutes = /^(\d+) min (\d+) s$/.exec(written);
    if (minutes) return 60 * minutes[1] + +minutes[2];
    const found = /^(-?[\d.]+(?:e[+-]\d+)?)(?: × 10)?(?:\^(-?[\d.]+))?/.exec(written);
    if (!found) return NaN;
    if (found[2] === undefined) return +found[1];
    return written.includes("×") ? found[1] * 10 ** found[2] : found[1] ** found[2];
  }
  const head = table => [...table.tHead.rows].at(-1).cells;
  const said = header => header.dataset.name ??= text(header);

  // A table that can be searched or sorted: its rows with the body that each belongs to, in the order of the page.
  function tooled(table) {
    const grid = table.classList.contains("grid");
    const rows = all("tbody tr", table).map((row, place) => ({ row, place, home: row.parentElement, group: row.querySelector("[scope=rowgroup]") !== null }));
    const groups = new Map(rows.filter(item => item.group).map(item => [item.home, item]));
    const data = rows.filter(item => !item.group);
    for (const item of data) {
      const group = groups.get(item.home);
      const words = all(".square", item.row).map(square => `${square.className} ${grid ? said(head(table)[square.closest("td").cellIndex]) : ""}`); // and its format
      item.block = group ? group.row.querySelector("b, th").firstChild.textContent.trim() : "";
      item.words = [text(item.row), group ? text(group.row) : "", ...words].join(" ").toLowerCase();
    }
    const status = made("output", { className: "mute" });
    status.setAttribute("aria-live", "polite");
    const field = made("input", { type: "search", autocomplete: "off", spellcheck: false });
    let order = "";
    function show() {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of data) {
        item.row.hidden = !wanted.every(word => item.words.includes(word));
        shown += !item.row.hidden;
      }
      for (const [home, item] of groups) item.row.hidden = order !== "" || !data.some(other => other.home === home && !other.row.hidden);
      close();
      status.value = `${shown} of ${data.length} rows${order}`;
    }
    field.addEventListener("input", show);
    const name = table.getAttribute("aria-label");
    const tools = made("div", { className: "tools" }, made("label", {}, `Search ${name.toLowerCase()} `, field), status);
    table.closest(".wrap").before(tools);

    function sorted(header, direction) {
      const column = header.cellIndex;
      for (const other of head(table)) other.removeAttribute("aria-sort");
      if (direction) header.setAttribute("aria-sort", direction);
      all(".of", table).forEach(element => element.remove());
      if (!direction) {
        for (const item of rows) item.home.append(item.row);
        order = "";
      } else {
        const sign = direction === "ascending" ? 1 : -1;
        for (const item of data) item.key = column ? keyOf(item.row.cells[column], grid) : item.words;
        const compare = (a, b) => {
          if (Number.isNaN(a.key) !== Number.isNaN(b.key)) return Number.isNaN(a.key) ? 1 : -1; // what is no number goes last, whichever way
          return a.key < b.key ? -sign : a.key > b.key ? sign : a.place - b.place;
        };
        const body = data[0].home;
        for (const item of [...data].sort(compare)) {
          body.append(item.row);
          if (item.block) item.row.cells[0].prepend(made("span", { className: "of" }, item.block));
        }
        order = `, sorted by ${said(header)}, ${direction}`;
      }
      show();
    }
    if (data.length) {
      for (const header of head(table)) {
        said(header);
        const button = made("button", { type: "button", className: "sort" });
        button.setAttribute("aria-label", `sort by ${said(header)}`);
        button.addEventListener("click", () => {
          const turns = header.cellIndex ? ["descending", "ascending", null] : ["ascending", "descending", null];
          sorted(header, turns[(turns.indexOf(header.getAttribute("aria-sort")) + 1) % 3]);
        });
        header.append(" ", button);
      }
    }
    show();
    return row => {
      if (row.hidden) {
        field.value = "";
        show();
      }
    };
  }
  // Of a square of the grid: its ratio; what broke is worse than any number, what was refused or skipped is none.
  function keyOf(cell, grid) {
    if (!grid) return numberOf(cell);
    const keys = all(".square", cell).map(square => (/\b(ERROR|TIMEOUT)\b/.test(square.className) ? Infinity : numberOf(square.querySelector("span"))));
    return keys.length ? Math.max(...keys) : NaN;
  }

  // A cell in full, beneath its row: each figure with its name, and the command with the folder that this page lies in.
  let opened = null;
  function close() {
    opened?.remove();
    opened = null;
  }
  function folder() {
    const found = /^(\/.*)\/report\/[^/]*$/.exec(decodeURIComponent(location.pathname));
    return location.protocol === "file:" && found && !/^\/[A-Za-z]:/.test(found[1]) ? found[1] + "/" : "";
  }
  function open(row) {
    close();
    const table = row.closest("table");
    const names = [...head(table)].map(said);
    const pairs = [...row.cells].slice(1, -1).map((cell, place) => [names[place + 1], cell]).filter(([, cell]) => text(cell) && text(cell) !== "–");
    const figures = made("dl", { className: "pairs" }, ...pairs.map(([name, cell]) => made("div", {}, made("dt", {}, name), made("dd", {}, ...[...cell.cloneNode(true).childNodes]))));
    const sheet = made("div", { className: "sheet" }, made("h3", {}, text(row.cells[0])));
    const written = text(row.cells[names.length - 1]);
    if (written !== "–") {
      const path = folder() + written.replace("verify replay ", "");
      const command = made("pre", { className: "take", tabIndex: 0 }, `verify replay ${/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`);
      const note = made("output", { className: "mute" });
      const copy = made("button", { type: "button" }, "copy");
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(command.textContent);
          note.value = "copied";
        } catch (refusal) {
          getSelection().selectAllChildren(command);
          note.value = `selected; copying was refused (${refusal.name})`;
        }
      });
      sheet.append(made("p", { className: "mute" }, "Its worst case again, on any machine:"), command, copy, " ", note);
    }
    sheet.append(figures, made("p", {}, made("a", { href: "#grid" }, "back to the grid")));
    opened = made("tr", { className: "opened" }, made("td", { colSpan: names.length }, sheet));
    row.after(opened);
  }

  const revealing = all("table.searchable").map(tooled);
  const rows = document.querySelector(".cells tbody");
  rows?.addEventListener("click", event => {
    const row = event.target.closest("tr[id]");
    if (!row || event.target.closest("a, td:last-child")) return; // a link goes its own way, and the command is to be selected
    if (opened?.previousSibling === row) close();
    else location.hash === `#${row.id}` ? reveal() : (location.hash = row.id);
  });

  document.getElementById("cells")?.addEventListener("toggle", event => {
    for (const { id, cells: [name] } of event.target.querySelectorAll("tr[id]")) {
      if (!name.querySelector("a")) name.replaceChildren(made("a", { href: `#${id}` }, ...name.childNodes));
    }
  });

  // A link, or the address itself, may lead to what is folded or filtered away, or to nothing.
  const lost = made("p", { className: "lost" });
  lost.setAttribute("role", "status");
  document.querySelector("main")?.prepend(lost);
  function reveal() {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
    }
    const target = name && document.getElementById(name);
    lost.textContent = !name || target ? "" : `Nothing on this page has the address #${name}: it is of another run, or its cell was not measured in this one.`;
    if (lost.textContent) lost.scrollIntoView({ block: "center", behavior: "instant" });
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    for (const fold of all(":scope > .more > details:first-child", target)) fold.open = true;
    if (target.matches(".cells tr")) {
      revealing.forEach(show => show(target));
      open(target);
      target.tabIndex = -1;
      target.focus({ preventScroll: true });
    }
    target.scrollIntoView({ block: "start", behavior: "instant" });
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) reveal(); // no hashchange: it is folded again, and asked for again
  });
  addEventListener("load", reveal);

  // What scrolls can be reached with the keyboard; what does not is no stop on the way.
  function stops() {
    for (const box of all(".math, .wrap")) {
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) {
        box.tabIndex = 0;
        if (!box.hasAttribute("role")) {
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", "formula");
        }
      } else if (box.hasAttribute("tabindex")) box.removeAttribute("tabindex");
    }
  }
  let waiting = 0;
  const soon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(stops);
  };
  addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true);
  addEventListener("load", soon);
})();
