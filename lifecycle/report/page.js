"use strict";
(() => {
  // Filters, and long tables in pages. Without this script the page shows every row.
  const PAGE = 100;
  const form = document.getElementById("filters");
  const fields = ["pool", "market", "state", "cause"].map((name) => document.getElementById("by-" + name));

  const matches = (row, wanted) => {
    const found = /^<tr data-f="([^"]*)"/.exec(row);
    if (!found) return true;
    const traits = found[1].split("|");
    return wanted.every((value, place) => !value || (traits[place] || "").split(" ").includes(value));
  };

  const paged = (place) => {
    const body = place.querySelector("tbody");
    const rest = place.querySelector("noscript");
    const hidden = rest ? rest.textContent.split("\n").filter((line) => line.startsWith("<tr")) : [];
    const rows = [...body.rows].map((row) => row.outerHTML).concat(hidden);
    const pager = place.querySelector(".pager");
    const [earlier, later] = pager.querySelectorAll("button");
    const none = place.querySelector(".none");
    let found = rows;
    let first = 0;

    const show = () => {
      const shown = found.slice(first, first + PAGE);
      body.innerHTML = shown.join("\n");
      const last = first + shown.length;
      pager.querySelector("output").textContent = `${found.length ? first + 1 : 0} to ${last} of ${found.length}`;
      earlier.disabled = first === 0;
      later.disabled = last >= found.length;
      none.hidden = found.length > 0;
    };
    pager.addEventListener("click", (event) => {
      const step = Number(event.target.dataset.step);
      if (!step) return;
      first = Math.min(Math.max(0, first + step * PAGE), Math.max(0, found.length - 1));
      show();
    });
    pager.hidden = rows.length <= PAGE;
    earlier.disabled = true;
    later.disabled = rows.length <= PAGE;
    return (wanted) => {
      found = rows.filter((row) => matches(row, wanted));
      first = 0;
      show();
    };
  };

  const filters = [...document.querySelectorAll("[data-paged]")].map(paged);
  const filter = () => filters.forEach((each) => each(fields.map((field) => field.value)));
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
