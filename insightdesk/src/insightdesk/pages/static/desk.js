// The desk: both lists and the open ticket are fetched anew when the server says that they have changed.
"use strict";

const board = $("#board");

async function refresh() {
  const focused = document.activeElement?.dataset?.open;
  const lists = ["#tickets", "#mails"].map((list) => $(list).scrollTop);
  await fragment("/ui/board", board);
  ["#tickets", "#mails"].forEach((list, index) => { $(list).scrollTop = lists[index]; });
  if (focused) $(`[data-open="${focused}"]`, board)?.focus({ preventScroll: true });
  readSkew();
  highlight();
  tick();
  const shown = chosen;
  if (shown?.startsWith("/ui/tickets/")) await fragment(shown, $("#detail"), () => shown !== chosen || isEdited());
}

// What somebody is writing is not taken from under his hands.
function isEdited() {
  const detail = $("#detail");
  return detail.contains(document.activeElement) || [...detail.querySelectorAll("textarea, input, select")].some(isChanged);
}

const source = new EventSource("/ui/events");
source.onopen = () => { $("#live").textContent = "live"; $("#live").classList.add("on"); };
source.onerror = () => { $("#live").textContent = "reconnecting"; $("#live").classList.remove("on"); };
source.addEventListener("change", refresh);

document.addEventListener("done", async () => {
  if (chosen) await fragment(chosen, $("#detail"));
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.id !== "tag") return;
  event.preventDefault();
  const problem = $(".problem[role]", form);
  try {
    await send(`/api/tickets/${form.dataset.ticket}/tags/${encodeURIComponent(form.elements.tag.value.trim())}`, undefined, "PUT");
    await fragment(chosen, $("#detail"));
  } catch (error) {
    problem.textContent = error.message;
  }
});

const wanted = new URLSearchParams(location.search).get("ticket"); // a mail's link
if (/^[0-9a-f-]{36}$/.test(wanted ?? "")) open(`/ui/tickets/${wanted}`);
