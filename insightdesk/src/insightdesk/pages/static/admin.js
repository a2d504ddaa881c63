// The pages of staff: parts that refresh themselves, and actions through the REST API.
"use strict";

const PERIOD = 3000; // milliseconds between two looks at what changes

async function act(button, path, body, method) {
  button.disabled = true;
  try {
    await send(path, body, method);
    location.reload();
  } catch (error) {
    button.disabled = false;
    tell(button, error.message);
  }
}

function tell(near, text) {
  const place = near.closest("section");
  let problem = $(".problem[role]", place);
  if (!problem) { problem = document.createElement("p"); problem.className = "problem"; problem.setAttribute("role", "alert"); place.append(problem); }
  problem.textContent = text;
}

function note(path) {
  const dialog = $("#note");
  dialog.returnValue = "";
  dialog.showModal();
  dialog.onclose = () => {
    if (dialog.returnValue === "save") act($(`[data-note="${path}"]`), path, { note: $("textarea", dialog).value }, "PATCH");
  };
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post], button[data-patch], button[data-note]");
  if (!button) return;
  if (button.dataset.post) act(button, button.dataset.post, {});
  else if (button.dataset.patch) act(button, button.dataset.patch, { [button.dataset.field]: true }, "PATCH");
  else note(button.dataset.note);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.replay) return;
  event.preventDefault();
  const dryRun = event.submitter.value === "true";
  const output = $("output", form);
  try {
    const plan = await send("/admin/dead-letters/replay", { fingerprint: form.dataset.replay, perMinute: Number(form.elements.perMinute.value), dryRun });
    output.textContent = `${dryRun ? "Would replay" : "Replays"} ${plan.letters} ${plan.letters === 1 ? "job" : "jobs"} within ${Math.round(plan.seconds)} s` + (plan.left ? `; ${plan.left} more are left.` : ".");
  } catch (error) {
    output.textContent = error.message;
  }
});

const live = $("[data-live]");
if (live) {
  setInterval(async () => {
    if (document.hidden || live.contains(document.activeElement)) return;
    const answer = await fetch(live.dataset.live).catch(() => null);
    if (answer?.redirected) location.reload();
    else if (answer?.ok) {
      live.innerHTML = await answer.text();
      tick();
    }
  }, PERIOD);
}
