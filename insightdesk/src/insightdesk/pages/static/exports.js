// The page of exports: asks for one through the REST API, and fetches the list again while there is news.
"use strict";

const BUSY = 1000, CALM = 5000; // milliseconds between two looks, while something is being made and else
const list = $("#exports"), form = $("#export");

async function look() {
  await fragment(list.dataset.live, list);
  wait();
}

let timer = 0;
function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? wait() : look()), $("[data-unfinished]", list) ? BUSY : CALM);
}

function fit() {
  const report = form.elements.reportType.value;
  for (const label of form.querySelectorAll("[data-for]")) {
    label.hidden = !label.dataset.for.split(" ").includes(report);
    $("select", label).disabled = label.hidden;
  }
}

form.addEventListener("change", fit);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { reportType, format, ...filters } = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  $("#problem").textContent = "";
  try {
    await send("/api/reports/exports", { reportType, format, filters });
    await look();
  } catch (error) {
    $("#problem").textContent = error.message;
  }
});
fit();
wait();
