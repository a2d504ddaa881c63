// What concerns the reader himself: the inbox behind the bell, and a forgotten password. Stands beside app.js.
"use strict";

async function countUnread() {
  const answer = await fetch("/api/notifications?unreadOnly=true&pageSize=1");
  if (!answer.ok) return;
  const { unread } = (await answer.json()).data;
  $("#bell b").textContent = unread > 99 ? "99+" : unread || "";
  $("#bell").setAttribute("aria-label", `Notifications, ${unread} unread`);
  if (chosen === "/ui/inbox") await fragment(chosen, $("#detail"));
}

document.addEventListener("click", async (event) => {
  const entry = event.target.closest("[data-entry]");
  const all = event.target.closest("#read-all");
  if (entry?.dataset.unread) await send(`/api/notifications/${entry.dataset.entry}/read`, {});
  else if (all) await send("/api/notifications/read", { until: all.dataset.until });
  else return;
  await countUnread();
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.id !== "forgot" && form.id !== "reset") return;
  event.preventDefault();
  const values = Object.fromEntries(new FormData(form));
  try {
    if (form.id === "forgot") {
      await send("/api/password/forgot", values);
      form.hidden = true;
      $("#problem").textContent = "";
      $("#done").hidden = false;
    } else {
      await send("/api/password/reset", { token: location.hash.slice(1), ...values });
      location.replace("/");
    }
  } catch (error) {
    $("#problem").textContent = error.message;
  }
});

if ($("#bell")) {
  countUnread();
  // The board is fetched anew whenever something has changed, and so is the count.
  new MutationObserver(countUnread).observe($("#board"), { childList: true });
}
if ($("#reset") && location.hash) {
  $("#forgot").hidden = true;
  $("#reset").hidden = false;
  $("#reset input").focus();
}
