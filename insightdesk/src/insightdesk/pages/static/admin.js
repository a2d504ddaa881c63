// The pages of staff: parts that refresh themselves, notes on failures, and their replay.
"use strict";

const PERIOD = 3000; // milliseconds between two looks at what changes

function note(button) {
  const dialog = $("#note");
  dialog.returnValue = "";
  dialog.showModal();
  dialog.onclose = () => {
    if (dialog.returnValue === "save") act(button, button.dataset.note, { note: $("textarea", dialog).value }, "PATCH");
  };
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-note]");
  if (button) note(button);
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
    if (document.hidden) return;
    await fragment(live.dataset.live, live, () => live.contains(document.activeElement));
    readSkew();
    tick();
  }, PERIOD);
}
$(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
